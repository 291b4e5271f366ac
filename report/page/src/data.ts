// The results document (docs/results.md) as types, and the door through which it enters: what is missing becomes
// empty or null here, so that no chart has to ask twice.

// Three values of one estimate; any of them may not exist (no trials: no mean; one trial: no interval).
export interface Interval {
  mean: number | null;
  low: number | null;
  high: number | null;
}

export interface Trial {
  seed: number;
  status: string; // "ok", "diverged", "crashed"
  reason: string; // why it is not ok
  error: number | null;
  validation_error: number | null;
  steps: number | null;
  seconds: number | null;
}

export interface CurvePoint {
  step: number;
  samples: number | null;
  train_loss: Interval;
  validation_error: Interval;
}

export interface TuningPoint {
  learning_rate: number;
  validation_error: number | null;
}

export interface Cell {
  model: string;
  arm: string;
  normalization_batch: number | null;
  learning_rate: number | null;
  at_edge: boolean;
  n: number;
  diverged: number;
  crashed: number;
  error: Interval;
  trials: Trial[];
  seconds: number | null;
  curve: CurvePoint[];
  tuning: TuningPoint[];
}

export interface CellName {
  arm: string;
  normalization_batch: number | null;
}

export interface Contrast {
  primary: boolean;
  model: string;
  a: CellName;
  b: CellName;
  difference: Interval;
  effect_size: number | null;
  p_a_better: number | null;
  n: number;
  p: number | null;
  p_holm: number | null;
  outcome: string;
}

// The arms that the table marks at a normalization batch: not shown to be worse than the lowest, where another is.
export interface Best {
  model: string;
  normalization_batch: number | null;
  arms: string[];
}

export interface Model {
  name: string;
  kind: string;
  label: string;
  groups: number | null; // of GroupNorm in this model
}

export interface Arm {
  name: string;
  label: string;
  over: string;
  uses_batch: boolean;
}

export interface Run {
  started: string;
  finished: string;
  seconds: number | null;
  workers: number | null;
  sessions: number | null; // how often the study was started
  command: string;
  complete: boolean;
  machine: Record<string, unknown>;
  versions: Record<string, unknown>;
  trials: Record<string, number>;
  trial_seconds: { total: number | null; median: number | null };
}

export interface Results {
  norma: { version: string; code: string }; // of the reader; of the trials' keys
  study: { name: string; question: string; file: string };
  run: Run;
  data: Record<string, unknown>;
  training: Record<string, unknown>;
  seeds: number[];
  tuning_seeds: number[];
  learning_rates: number[];
  normalization_batches: number[];
  models: Model[];
  arms: Arm[];
  cells: Cell[];
  best: Best[];
  contrasts: Contrast[];
  verdict: { headline: string; sentences: string[] };
  warnings: string[];
}

const kFormat = "norma-results/1";

type Json = Record<string, unknown>;

const object = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
const numbers = (value: unknown): number[] =>
  list(value)
    .map(number)
    .filter((v): v is number => v !== null);

function interval(value: unknown): Interval {
  const { mean, low, high } = object(value);
  return { mean: number(mean), low: number(low), high: number(high) };
}

function readCell(value: unknown): Cell {
  const cell = object(value);
  return {
    model: text(cell.model),
    arm: text(cell.arm),
    normalization_batch: number(cell.normalization_batch),
    learning_rate: number(cell.learning_rate),
    at_edge: cell.at_edge === true,
    n: number(cell.n) ?? 0,
    diverged: number(cell.diverged) ?? 0,
    crashed: number(cell.crashed) ?? 0,
    error: interval(cell.error),
    trials: list(cell.trials).map((item) => {
      const trial = object(item);
      return {
        seed: number(trial.seed) ?? 0,
        status: text(trial.status),
        reason: text(trial.reason),
        error: number(trial.error),
        validation_error: number(trial.validation_error),
        steps: number(trial.steps),
        seconds: number(trial.seconds),
      };
    }),
    seconds: number(cell.seconds),
    curve: list(cell.curve).map((item) => {
      const point = object(item);
      return {
        step: number(point.step) ?? 0,
        samples: number(point.samples),
        train_loss: interval(point.train_loss),
        validation_error: interval(point.validation_error),
      };
    }),
    tuning: list(cell.tuning).flatMap((item) => {
      const point = object(item);
      const rate = number(point.learning_rate);
      return rate === null ? [] : [{ learning_rate: rate, validation_error: number(point.validation_error) }];
    }),
  };
}

function readContrast(value: unknown): Contrast {
  const contrast = object(value);
  const side = (item: unknown): CellName => ({
    arm: text(object(item).arm),
    normalization_batch: number(object(item).normalization_batch),
  });
  return {
    primary: contrast.primary === true,
    model: text(contrast.model),
    a: side(contrast.a),
    b: side(contrast.b),
    difference: interval(contrast.difference),
    effect_size: number(contrast.effect_size),
    p_a_better: number(contrast.p_a_better),
    n: number(contrast.n) ?? 0,
    p: number(contrast.p),
    p_holm: number(contrast.p_holm),
    outcome: text(contrast.outcome),
  };
}

function readBest(value: unknown): Best {
  const best = object(value);
  return {
    model: text(best.model),
    normalization_batch: number(best.normalization_batch),
    arms: list(best.arms).map(text),
  };
}

function readRun(value: unknown): Run {
  const run = object(value);
  const trials: Record<string, number> = {};
  for (const [name, count] of Object.entries(object(run.trials))) trials[name] = number(count) ?? 0;
  const times = object(run.trial_seconds);
  return {
    started: text(run.started),
    finished: text(run.finished),
    seconds: number(run.seconds),
    workers: number(run.workers),
    sessions: number(run.sessions),
    command: text(run.command),
    complete: run.complete === true,
    machine: object(run.machine),
    versions: object(run.versions),
    trials,
    trial_seconds: { total: number(times.total), median: number(times.median) },
  };
}

// Throws where the text is not a results document.
export function readResults(json: string): Results {
  const results = object(JSON.parse(json));
  if (results.format !== kFormat) throw new Error(`expected results of format ${kFormat}`);
  const norma = object(results.norma);
  const study = object(results.study);
  const verdict = object(results.verdict);
  return {
    norma: { version: text(norma.version), code: text(norma.code) },
    study: { name: text(study.name), question: text(study.question), file: text(study.file) },
    run: readRun(results.run),
    data: object(results.data),
    training: object(results.training),
    seeds: numbers(results.seeds),
    tuning_seeds: numbers(results.tuning_seeds),
    learning_rates: numbers(results.learning_rates),
    normalization_batches: numbers(results.normalization_batches).sort((a, b) => a - b),
    models: list(results.models).map((item) => {
      const model = object(item);
      return {
        name: text(model.name),
        kind: text(model.kind),
        label: text(model.label) || text(model.name),
        groups: number(model.groups),
      };
    }),
    arms: list(results.arms).map((item) => {
      const arm = object(item);
      const name = text(arm.name);
      return { name, label: text(arm.label) || name, over: text(arm.over), uses_batch: arm.uses_batch === true };
    }),
    cells: list(results.cells).map(readCell),
    best: list(results.best).map(readBest),
    contrasts: list(results.contrasts).map(readContrast),
    verdict: { headline: text(verdict.headline), sentences: list(verdict.sentences).map(text) },
    warnings: list(results.warnings).map(text),
  };
}

// The results document (docs/results.md) as types, and the door through which it enters: what is missing becomes
// empty or null here, so that no chart has to ask twice. Its claims are in claims.ts.
import { type Claim, readClaim } from "./claims";
import { interval, list, number, numbers, object, text } from "./json";

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

export interface Measure extends Interval {
  n: number; // seeds that have it
}

// Until the validation error is the target's: medians over seeds, null where the half of them never gets there.
export interface ToTarget {
  reached: number; // seeds
  steps: Interval;
  seconds: Interval;
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
  leaks: boolean; // a causal model saw future tokens in training
  error: Interval;
  measures: Map<string, Measure>;
  to_target: ToTarget | null;
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
  target: { arm: string; validation_error: number } | null; // of the time to it
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

// A study of one part, or one part of a study: what a section of the page is made from.
export interface Results {
  norma: { version: string; code: string }; // of the reader; of the trials' keys
  study: { name: string; question: string; file: string };
  run: Run;
  part: { name: string; question: string }; // empty where the study is its only part
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

export interface Study extends Pick<Results, "norma" | "study" | "run" | "warnings"> {
  verdict: Results["verdict"] & { why: string; sure: string }; // of the claims; empty where contrasts give it
  claims: Claim[];
  parts: Results[]; // at least one
}

const kFormat = "norma-results/1";

function readToTarget(value: unknown): ToTarget | null {
  if (typeof value !== "object" || value === null) return null;
  const { reached, steps, seconds } = object(value);
  return { reached: number(reached) ?? 0, steps: interval(steps), seconds: interval(seconds) };
}

function readModel(value: unknown): Model {
  const model = object(value);
  const target = object(model.target);
  const error = number(target.validation_error);
  return {
    name: text(model.name),
    kind: text(model.kind),
    label: text(model.label) || text(model.name),
    groups: number(model.groups),
    target: error === null ? null : { arm: text(target.arm), validation_error: error },
  };
}

function readVerdict(value: unknown): Results["verdict"] {
  const { headline, sentences } = object(value);
  return { headline: text(headline), sentences: list(sentences).map(text) };
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
    leaks: cell.leaks === true,
    error: interval(cell.error),
    measures: new Map(
      Object.entries(object(cell.measures)).map(([name, value]) => [
        name,
        { ...interval(value), n: number(object(value).n) ?? 0 },
      ]),
    ),
    to_target: readToTarget(cell.to_target),
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

// A part, with what the study says for all of them.
function readPart(value: unknown, whole: Pick<Results, "norma" | "study" | "run" | "warnings">): Results {
  const part = object(value);
  return {
    ...whole,
    part: { name: text(part.name), question: text(part.question) },
    data: object(part.data),
    training: object(part.training),
    seeds: numbers(part.seeds),
    tuning_seeds: numbers(part.tuning_seeds),
    learning_rates: numbers(part.learning_rates),
    normalization_batches: numbers(part.normalization_batches).sort((a, b) => a - b),
    models: list(part.models).map(readModel),
    arms: list(part.arms).map((item) => {
      const arm = object(item);
      const name = text(arm.name);
      return { name, label: text(arm.label) || name, over: text(arm.over), uses_batch: arm.uses_batch === true };
    }),
    cells: list(part.cells).map(readCell),
    best: list(part.best).map(readBest),
    contrasts: list(part.contrasts).map(readContrast),
    verdict: readVerdict(part.verdict),
  };
}

// Throws where the text is not a results document.
export function readStudy(json: string): Study {
  const results = object(JSON.parse(json));
  if (results.format !== kFormat) throw new Error(`expected results of format ${kFormat}`);
  const norma = object(results.norma);
  const study = object(results.study);
  const whole = {
    norma: { version: text(norma.version), code: text(norma.code) },
    study: { name: text(study.name), question: text(study.question), file: text(study.file) },
    run: readRun(results.run),
    warnings: list(results.warnings).map(text),
  };
  const parts = list(results.parts).map((part) => readPart(part, whole));
  return {
    ...whole,
    verdict: {
      ...readVerdict(results.verdict),
      why: text(object(results.verdict).why),
      sure: text(object(results.verdict).sure),
    },
    claims: list(results.claims).map(readClaim),
    // The document of a study of one part has that part's sections at its top.
    parts: parts.length > 0 ? parts : [readPart({ ...results, name: "", question: "" }, whole)],
  };
}

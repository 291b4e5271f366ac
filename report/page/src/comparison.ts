// Two studies side by side (docs/results.md, the comparison document) as types, and the door through which it enters.
import type { Interval } from "./data";
import { interval, list, number, object, text } from "./json";

export interface Side {
  study: string;
  command: string;
  finished: string;
  complete: boolean;
  trials: number | null;
  seconds: number | null;
}

export interface ComparedCell {
  part: string;
  model: string; // labels
  arm: string;
  normalization_batch: number | null;
  a: { error: Interval; n: number };
  b: { error: Interval; n: number };
  difference: Interval; // b minus a
  pairs: number; // of seeds; 0: other samples, not paired
  p_holm: number | null;
  outcome: string; // "b lower", "b higher", "no difference shown", "not measured"
}

export interface ComparedClaim {
  number: number;
  says: string;
  a: { verdict: string; effect: Interval | null; unit: string; n: number };
  b: { verdict: string; effect: Interval | null; unit: string; n: number };
}

export interface Comparison {
  version: string;
  headline: string;
  a: Side;
  b: Side;
  settings: { part: string; setting: string; a: string; b: string }[];
  cells: ComparedCell[];
  only: { a: string[]; b: string[] };
  claims: ComparedClaim[];
}

export const kComparison = "norma-comparison/1";

// A setting may be of any type.
const plain = (value: unknown): string =>
  value == null ? "" : typeof value === "string" ? value : value === true ? "yes" : JSON.stringify(value);

function readSide(value: unknown): Side {
  const side = object(value);
  return {
    study: text(side.study),
    command: text(side.command),
    finished: text(side.finished),
    complete: side.complete === true,
    trials: number(side.trials),
    seconds: number(side.seconds),
  };
}

const cellName = (part: string, model: string, arm: string, batch: number | null): string =>
  [part, model, batch === null ? arm : `${arm} at ${batch}`].filter(Boolean).join(", ");

export const nameOf = ({ part, model, arm, normalization_batch: batch }: ComparedCell): string =>
  cellName(part, model, arm, batch);

function readCell(value: unknown): ComparedCell {
  const cell = object(value);
  const side = (item: unknown): ComparedCell["a"] => ({
    error: interval(object(item).error),
    n: number(object(item).n) ?? 0,
  });
  return {
    part: text(cell.part),
    model: text(cell.model),
    arm: text(cell.arm),
    normalization_batch: number(cell.normalization_batch),
    a: side(cell.a),
    b: side(cell.b),
    difference: interval(cell.difference),
    pairs: number(cell.pairs) ?? 0,
    p_holm: number(cell.p_holm),
    outcome: text(cell.outcome),
  };
}

function readClaim(value: unknown): ComparedClaim {
  const claim = object(value);
  const side = (item: unknown): ComparedClaim["a"] => {
    const { verdict, effect, unit, n } = object(item);
    return {
      verdict: text(verdict),
      effect: effect == null ? null : interval(effect),
      unit: text(unit),
      n: number(n) ?? 0,
    };
  };
  return { number: number(claim.number) ?? 0, says: text(claim.says), a: side(claim.a), b: side(claim.b) };
}

export function readComparison(value: unknown): Comparison {
  const comparison = object(value);
  const only = object(comparison.only);
  const names = (items: unknown): string[] =>
    list(items).map((item) => {
      const { part, model, arm, normalization_batch: batch } = object(item);
      return cellName(text(part), text(model), text(arm), number(batch));
    });
  return {
    version: text(object(comparison.norma).version),
    headline: text(comparison.headline),
    a: readSide(comparison.a),
    b: readSide(comparison.b),
    settings: list(comparison.settings).map((item) => {
      const { part, setting, a, b } = object(item);
      return { part: text(part), setting: text(setting), a: plain(a), b: plain(b) };
    }),
    cells: list(comparison.cells).map(readCell),
    only: { a: names(only.a), b: names(only.b) },
    claims: list(comparison.claims).map(readClaim),
  };
}

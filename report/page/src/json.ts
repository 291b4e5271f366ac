// JSON of unknown making as values of known types: what is missing or of another type is empty or null.
import type { Interval } from "./data";

export type Json = Record<string, unknown>;

export const object = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const text = (value: unknown): string => (typeof value === "string" ? value : "");
export const number = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;
export const numbers = (value: unknown): number[] =>
  list(value)
    .map(number)
    .filter((v): v is number => v !== null);

// JSON has no infinity: where a number is infinite it is null, and "infinite" has its sign.
export function interval(value: unknown): Interval {
  const { mean, low, high, infinite } = object(value);
  const sign = object(infinite);
  const end = (finite: unknown, of: unknown): number | null =>
    number(finite) ?? (of === 1 ? Infinity : of === -1 ? -Infinity : null);
  return { mean: end(mean, sign.mean), low: end(low, sign.low), high: end(high, sign.high) };
}

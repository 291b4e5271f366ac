// Numbers and times as people read them. A value that does not exist reads "no result", never NaN.
import type { Interval } from "./data";

export const kNoResult = "no result";

const known = (value: number | null | undefined): value is number => value != null && Number.isFinite(value);

// Decimals for a percentage of this size: 31.0, 3.7, 0.42.
const decimals = (percent: number): number => (Math.abs(percent) >= 0.95 || percent === 0 ? 1 : 2);

const minus = (text: string): string => text.replace("-", "−");

// A fraction as a percentage: 0.037 -> "3.7%".
export function percent(fraction: number | null): string {
  return known(fraction) ? `${(100 * fraction).toFixed(decimals(100 * fraction))}%` : kNoResult;
}

// An interval of fractions: "3.4 to 4.0%".
export function percentInterval({ low, high }: Interval): string {
  if (!known(low) || !known(high)) return "no interval";
  return `${(100 * low).toFixed(decimals(100 * low))} to ${percent(high)}`;
}

// A difference of fractions in percentage points, with its sign: "+27.0", "−0.4".
export function points(fraction: number | null): string {
  if (!known(fraction)) return kNoResult;
  const size = Math.abs(100 * fraction).toFixed(decimals(100 * fraction));
  if (Number(size) === 0) return size;
  return `${fraction > 0 ? "+" : "−"}${size}`;
}

export function pointsInterval({ low, high }: Interval): string {
  return known(low) && known(high) ? `${points(low)} to ${points(high)}` : "no interval";
}

export function pValue(p: number | null): string {
  if (!known(p)) return kNoResult;
  if (p < 0.001) return "< 0.001";
  if (p >= 0.1) return p.toFixed(2);
  // What is below 0.05 counts as shown: it must not read as 0.050.
  for (const digits of [3, 4]) if (p >= 0.05 || Number(p.toFixed(digits)) < 0.05) return p.toFixed(digits);
  return "< 0.05";
}

export function decimal(value: number | null, digits = 1): string {
  return known(value) ? minus(value.toFixed(digits)) : kNoResult;
}

// Of a number that may be infinite, such as an effect: "1.50", "−∞".
export function extended(value: number | null, digits: number): string {
  if (value === Infinity) return "∞";
  return value === -Infinity ? "−∞" : decimal(value, digits);
}

// Up to three significant digits, without trailing zeros: learning rates, losses.
export function short(value: number | null): string {
  return known(value) ? minus(String(Number(value.toPrecision(3)))) : kNoResult;
}

export function count(value: number | null): string {
  return known(value) ? value.toLocaleString("en-US") : kNoResult;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

// Seconds as a length of time: "0.42 s", "1 min 58 s", "2 h 5 min".
export function duration(seconds: number | null): string {
  if (!known(seconds)) return kNoResult;
  if (seconds < 10) return `${seconds === 0 ? 0 : seconds.toPrecision(2)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) - 60 * minutes} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(value: number): string {
  return value >= 2 ** 30 ? `${(value / 2 ** 30).toFixed(1)} GiB` : `${(value / 2 ** 20).toFixed(0)} MiB`;
}

// "2026-11-23T12:00:00Z" -> "23 November 2026, 12:00 UTC".
export function moment(iso: string): string {
  const date = new Date(iso);
  if (iso === "" || Number.isNaN(date.getTime())) return iso || "unknown";
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  return `${day}, ${time} UTC`;
}

// A claim's contrast in words and numbers: its effect in its own unit, the side of zero that was claimed, what came of
// it.
import type { ClaimContrast, Reached } from "./claims";
import type { Interval } from "./data";
import { kNoResult, pValue } from "./format";

export function endsOf({ effect }: Pick<ClaimContrast, "effect">): Interval {
  return effect ?? { mean: null, low: null, high: null };
}

// "+2.4", "−0.31", "+∞".
export function effectValue(value: number | null, { unit }: Pick<ClaimContrast, "unit">): string {
  if (value === null || Number.isNaN(value)) return kNoResult;
  const sign = value > 0 ? "+" : "−";
  if (!Number.isFinite(value)) return `${sign}∞`;
  const size = Math.abs(value).toFixed(unit.startsWith("points") && Math.abs(value) >= 0.95 ? 1 : 2);
  return Number(size) === 0 ? size : `${sign}${size}`;
}

export function effectInterval(contrast: ClaimContrast): string {
  const { low, high } = endsOf(contrast);
  if (low === null || high === null) return "no interval";
  return `${effectValue(low, contrast)} to ${effectValue(high, contrast)}`;
}

// Where the whole interval has to lie for the contrast to be shown as claimed.
export function regionOf({ claimed, margin }: ClaimContrast): [number, number] | null {
  if (claimed === "a lower") return [-Infinity, 0];
  if (claimed === "a higher") return [0, Infinity];
  return margin === null ? null : [-margin, margin];
}

export function claimedWords(contrast: ClaimContrast): string {
  const { claimed, margin, unit } = contrast;
  if (claimed === "a lower") return "the first is lower";
  if (claimed === "a higher") return "the first is higher";
  return `the same within ${margin ?? 0} ${unit}`.trimEnd();
}

export function standingWords({ standing, learned }: Pick<ClaimContrast, "standing" | "learned">): string {
  if (!learned) return "left open, because on some model neither side beats the majority baseline";
  if (standing === "shown") return "shown as claimed";
  if (standing === "refuted") return "shown the other way round";
  if (standing === "open") return "left open by its interval or its corrected p";
  return "not measured";
}

// "BatchNorm − LayerNorm (small)": sides of the same parts name them once, without the claim's number.
export function contrastName({ a, b }: ClaimContrast): string {
  const parts = / \(([^()]*)\)$/;
  const [of, other] = [parts.exec(a), parts.exec(b)];
  if (!of || !other || of[1] !== other[1]) return `${a} − ${b}`;
  const names = (of[1] ?? "").replace(/\bclaim\d+-/g, "");
  return `${a.replace(parts, "")} − ${b.replace(parts, "")} (${names})`;
}

// How the sides' cells became one number a seed.
export function measureWords({ measure, reduce }: ClaimContrast): string {
  if (reduce === "slope_log2") return `slope of the ${measure}`;
  if (reduce === "each") return `${measure}, every part on its own`;
  return measure;
}

export function effectSentence(contrast: ClaimContrast): string {
  const { mean } = endsOf(contrast);
  if (contrast.effect === null) return "not measured";
  const p = contrast.p_holm === null ? "" : `, p ${pValue(contrast.p_holm).replace(/^(?=\d)/, "= ")} after Holm`;
  return `${effectValue(mean, contrast)} ${contrast.unit} (95%: ${effectInterval(contrast)}${p}, n = ${contrast.n})`;
}

// How often either side reaches the target; empty where nothing is measured up to one.
export function targetWords({ a, b, target }: Pick<ClaimContrast, "a" | "b" | "target">): string {
  if (target === null) return "";
  const side = ({ reached, trials }: Reached): string => `${reached} of ${trials} trainings`;
  return (
    `The target is reached in ${side(target.a)} with ${a} and in ${side(target.b)} with ${b}; ` +
    "where it is not, the whole budget counts."
  );
}

// The contrasts of a part as a forest, in percentage points of test error.
import type { Arms } from "../arms";
import type { Contrast } from "../data";
import { points, pointsInterval, pValue } from "../format";
import { type DifferenceScale, differenceScale, forestChart, type ForestRow } from "./forest";

export function contrastName(arms: Arms, contrast: Contrast): string {
  return `${arms.cellLabel(contrast.a)} − ${arms.cellLabel(contrast.b)}`;
}

// The colour of the arm that came out better; grey where none did.
function colourOf(arms: Arms, { a, b, outcome }: Contrast): string {
  if (outcome === "a better") return arms.look(a.arm).colour;
  if (outcome === "b better") return arms.look(b.arm).colour;
  return "var(--ink-soft)";
}

const hundred = (value: number | null): number | null => (value === null ? null : 100 * value);

// One scale for all models.
export function contrastsScale(contrasts: Contrast[]): DifferenceScale {
  return differenceScale(
    contrasts.flatMap(({ difference: { mean, low, high } }) => [hundred(mean), hundred(low), hundred(high)]),
  );
}

export function contrastsChart(
  arms: Arms,
  contrasts: Contrast[],
  scale: DifferenceScale,
  width: number,
): SVGSVGElement {
  const rows = contrasts.map((contrast): ForestRow => {
    const { difference, outcome, p_holm } = contrast;
    const name = contrastName(arms, contrast);
    const measured = difference.mean !== null;
    return {
      name,
      colour: colourOf(arms, contrast),
      filled: outcome.endsWith(" better"),
      mean: hundred(difference.mean),
      low: hundred(difference.low),
      high: hundred(difference.high),
      words: measured ? [points(difference.mean), pointsInterval(difference), pValue(p_holm)] : ["no result"],
      title: `${name}\n${points(difference.mean)} points (${pointsInterval(difference)})\n${outcome}`,
    };
  });
  return forestChart(
    rows,
    {
      name: "Differences in test error, with 95% intervals",
      axis: "difference in test error (percentage points)",
      columns: ["difference", "95% interval", "p (Holm)"],
      scale,
    },
    width,
  );
}

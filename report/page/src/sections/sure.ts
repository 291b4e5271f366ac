// How sure the answer is, in two sentences: the contrasts that were written down before the study ran, and the largest
// difference among those that are shown.
import type { Arms } from "../arms";
import type { Contrast, Results } from "../data";
import { count, points, pointsInterval, plural, pValue } from "../format";

const shown = ({ outcome }: Contrast): boolean => outcome === "a better" || outcome === "b better";

const size = ({ difference: { mean } }: Contrast): number => Math.abs(mean ?? 0);

function largest(results: Results, arms: Arms, contrast: Contrast): string {
  const { a, b, difference, p_holm, n, model } = contrast;
  const mean = difference.mean ?? 0;
  const where = results.models.find(({ name }) => name === model)?.label ?? model;
  const [more, less] = mean > 0 ? [a, b] : [b, a];
  const turned =
    mean > 0 ? difference : { mean: -mean, low: negative(difference.high), high: negative(difference.low) };
  const p = p_holm === null ? "" : `, p ${pValue(p_holm).replace(/^(?=\d)/, "= ")} after Holm`;
  const by = points(Math.abs(mean)).replace("+", "");
  return (
    `${arms.cellLabel(more)} errs ${by} points more than ${arms.cellLabel(less)} in ${where} ` +
    `(95% interval ${pointsInterval(turned)}${p}, ${plural(n, "paired seed")}).`
  );
}

const negative = (value: number | null): number | null => (value === null ? null : -value);

export function howSure(results: Results, arms: Arms): string {
  const primary = results.contrasts.filter((contrast) => contrast.primary);
  const measured = primary.filter(({ difference }) => difference.mean !== null);
  if (measured.length === 0) return "";
  const decided = measured.filter(shown).sort((x, y) => size(y) - size(x));
  const [first] = decided;
  const none = "which is not to say that there is none";
  const of = plural(measured.length, "primary contrast");
  if (!first) return `${measured.length === 1 ? "The" : "None of"} ${of} shows a difference, ${none}.`;
  const rest = measured.length - decided.length;
  const verb = decided.length === 1 ? "shows a difference" : "show a difference; the largest";
  return (
    `${count(decided.length)} of ${of} ${verb}: ` +
    largest(results, arms, first) +
    (rest === 0 ? "" : rest === 1 ? ` The other shows none, ${none}.` : ` The other ${count(rest)} show none, ${none}.`)
  );
}

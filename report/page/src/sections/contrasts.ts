// The contrasts: what was compared, by how much the arms differ, and how sure that is, as a picture and in words.
import type { Arms } from "../arms";
import { contrastsChart, differenceScale } from "../charts/contrasts";
import type { Contrast, Results } from "../data";
import { element } from "../dom";
import { figure } from "../figure";
import { decimal, kNoResult, points, pointsInterval, plural, pValue } from "../format";
import { section } from "./section";

export function inWords(arms: Arms, contrast: Contrast): string {
  const { a, b, difference, effect_size, p_a_better, n, p, p_holm, outcome } = contrast;
  if (difference.mean === null) return `No pair of seeds has a result: ${kNoResult}.`;
  const size = points(Math.abs(difference.mean)).replace("+", "");
  const seen = Number(size) === 0 ? "less than 0.01" : size;
  const [first, second] = [arms.cellLabel(a), arms.cellLabel(b)];
  const finding =
    difference.mean === 0
      ? `${first} and ${second} err equally often`
      : `${first} errs ${seen} points ${difference.mean > 0 ? "more" : "less"} than ${second}`;
  const better =
    p_a_better === null
      ? ""
      : ` ${first} was better in ${Math.round(100 * p_a_better)}% of the pairs (ties count half).`;
  const tests = p === null ? "" : ` p ${relation(p)}${p_holm === null ? "" : ` (${pValue(p_holm)} after Holm)`}.`;
  const effect = effect_size === null ? "" : ` Paired effect size ${decimal(effect_size)}.`;
  const conclusion =
    outcome === "a better"
      ? `${first} is better.`
      : outcome === "b better"
        ? `${second} is better.`
        : p !== null && p < 0.05
          ? "Not enough to show a difference after the correction."
          : "No difference is shown, which is not to say that there is none.";
  return (
    `${finding} (95% interval ${pointsInterval(difference)}, ` +
    `${plural(n, "paired seed")}).${better}${effect}${tests} ${conclusion}`
  );
}

const relation = (p: number): string => pValue(p).replace(/^(?=\d)/, "= ");

export function contrasts(results: Results, arms: Arms): HTMLElement | null {
  if (results.contrasts.length === 0) return null;
  const primary = results.contrasts.filter((contrast) => contrast.primary);
  const others = results.contrasts.filter((contrast) => !contrast.primary);
  const details = element(
    "details",
    { class: "more" },
    element("summary", {}, plural(others.length, "secondary contrast")),
    ...view(results, arms, others, "secondary-differences", "Secondary differences, paired by seed"),
  );
  if (primary.length === 0) details.open = true;
  return section(
    "contrasts",
    "Contrasts",
    "What differs, and how sure that is",
    "Every contrast compares two arms trained from the same seeds. The p-values are those of an exact sign-flip " +
      "test, corrected for their number by Holm's method" +
      (primary.length > 0 && others.length > 0
        ? ": the primary contrasts, written down before the study ran, in one family, each model's secondary ones in " +
          "another."
        : ".") +
      " A difference counts as shown where the corrected p-value is below 0.05 and the interval leaves out zero.",
    ...(primary.length > 0
      ? view(results, arms, primary, "differences", "Differences between arms, paired by seed")
      : []),
    others.length > 0 ? details : null,
  );
}

// The contrasts as a picture and in words.
function view(results: Results, arms: Arms, contrasts: Contrast[], id: string, title: string): HTMLElement[] {
  const scale = differenceScale(contrasts);
  const label = (name: string): string => results.models.find((model) => model.name === name)?.label ?? name;
  const models = results.models.filter((model) => contrasts.some((contrast) => contrast.model === model.name));
  const of = (model: string): Contrast[] => contrasts.filter((contrast) => contrast.model === model);
  const hundred = (value: number | null): number | null =>
    value === null ? null : Number((100 * value).toPrecision(12));
  const two = (value: number | null): string => decimal(value, 2);
  const picture = figure(results.study.name, {
    id,
    title,
    look:
      "Look for intervals that stay clear of zero: right of it the first arm errs more, left of it the second. " +
      "A filled dot has the colour of the arm that came out better; an open one is no difference shown." +
      (scale.type === "symlog" ? " The scale is linear within one point of zero and logarithmic beyond." : ""),
    wide: true,
    panels: models.map((model) => ({
      title: model.label,
      draw: (width) => contrastsChart(arms, of(model.name), scale, width),
    })),
    table: {
      columns: [
        { name: "model" },
        { name: "first arm" },
        { name: "second arm" },
        { name: "difference (points)", show: two },
        { name: "95% low (points)", show: two },
        { name: "95% high (points)", show: two },
        { name: "effect size", show: two },
        { name: "P(first better)", show: two },
        { name: "p", show: pValue },
        { name: "p, Holm", show: pValue },
        { name: "pairs" },
        { name: "outcome" },
      ],
      rows: contrasts.map(({ model, a, b, difference, effect_size, p_a_better, p, p_holm, n, outcome }) => [
        label(model),
        arms.cellLabel(a),
        arms.cellLabel(b),
        hundred(difference.mean),
        hundred(difference.low),
        hundred(difference.high),
        effect_size,
        p_a_better,
        p,
        p_holm,
        n,
        outcome === "a better" ? "first better" : outcome === "b better" ? "second better" : outcome,
      ]),
    },
  });
  const words = element(
    "div",
    { class: "by-model" },
    ...models.map((model) =>
      element(
        "div",
        {},
        element("h4", {}, `${model.label}, in words`),
        element(
          "ul",
          { class: "words" },
          ...of(model.name).map((contrast) => element("li", {}, inWords(arms, contrast))),
        ),
      ),
    ),
  );
  return [picture.element, words];
}

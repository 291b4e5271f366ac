// The contrasts: what was compared, by how much the arms differ, and how sure that is, as a picture and in words.
import type { Arms } from "../arms";
import { contrastsChart, differenceScale } from "../charts/contrasts";
import type { Contrast, Results } from "../data";
import { element } from "../dom";
import { figure } from "../figure";
import { decimal, kNoResult, points, pointsInterval, plural, pValue } from "../format";
import { section } from "./section";

function inWords(arms: Arms, contrast: Contrast): string {
  const { a, b, difference, effect_size, p_a_better, n, p, p_holm, outcome } = contrast;
  if (difference.mean === null) return `No pair of seeds has a result: ${kNoResult}.`;
  const size = points(Math.abs(difference.mean)).replace("+", "");
  const more = difference.mean > 0 ? "more" : "less";
  const better = p_a_better === null ? "" : ` ${arms.cellLabel(a)} was better in ${Math.round(100 * p_a_better)}% of the pairs.`;
  const tests = p === null ? "" : ` p ${relation(p)}${p_holm === null ? "" : ` (${pValue(p_holm)} after Holm)`}.`;
  const effect = effect_size === null ? "" : ` Paired effect size ${decimal(effect_size)}.`;
  const conclusion = outcome === "a better" ? `${arms.cellLabel(a)} is better.`
    : outcome === "b better" ? `${arms.cellLabel(b)} is better.` : "No difference is shown, which is not to say that there is none.";
  return `${arms.cellLabel(a)} errs ${size} points ${more} than ${arms.cellLabel(b)} (95% interval ${pointsInterval(difference)}, ` +
    `${plural(n, "paired seed")}).${better}${effect}${tests} ${conclusion}`;
}

const relation = (p: number): string => pValue(p).replace(/^(?=\d)/, "= ");

export function contrasts(results: Results, arms: Arms): HTMLElement | null {
  const all = [...results.contrasts].sort((a, b) => Number(b.primary) - Number(a.primary));
  if (all.length === 0) return null;
  const scale = differenceScale(all);
  const label = (name: string): string => results.models.find((model) => model.name === name)?.label ?? name;
  const shown = results.models.filter((model) => all.some((contrast) => contrast.model === model.name));
  const view = figure(results.study.name, {
    id: "differences",
    title: "Differences between arms, paired by seed",
    look: "Look for intervals that stay clear of zero: right of it the first arm errs more, left of it the second. " +
      "A filled dot has the colour of the arm that came out better; an open one shows no difference." +
      (scale.type === "symlog" ? " The scale is linear within one point of zero and logarithmic beyond." : ""),
    wide: true,
    panels: shown.map((model) => ({
      title: model.label,
      draw: (width) => contrastsChart(arms, all.filter((contrast) => contrast.model === model.name), scale, width),
    })),
    table: {
      columns: [{ name: "model" }, { name: "first arm" }, { name: "second arm" }, { name: "primary" },
        { name: "difference (points)", show: (v) => decimal(v, 2) }, { name: "95% low (points)", show: (v) => decimal(v, 2) },
        { name: "95% high (points)", show: (v) => decimal(v, 2) }, { name: "effect size", show: (v) => decimal(v, 2) },
        { name: "P(first better)", show: (v) => decimal(v, 2) }, { name: "p", show: pValue }, { name: "p, Holm", show: pValue },
        { name: "pairs" }, { name: "outcome" }],
      rows: all.map((c) => {
        const hundred = (value: number | null): number | null => (value === null ? null : Number((100 * value).toPrecision(12)));
        return [label(c.model), arms.cellLabel(c.a), arms.cellLabel(c.b), c.primary ? "yes" : "no", hundred(c.difference.mean),
          hundred(c.difference.low), hundred(c.difference.high), c.effect_size, c.p_a_better, c.p, c.p_holm, c.n,
          c.outcome === "a better" ? "first better" : c.outcome === "b better" ? "second better" : c.outcome];
      }),
    },
  });
  const words = (chosen: Contrast[]): HTMLElement => element("ul", { class: "words" }, ...chosen.map((contrast) =>
    element("li", {}, element("span", { class: "where" }, `${label(contrast.model)}. `), inWords(arms, contrast))));
  const primary = all.filter((contrast) => contrast.primary);
  const others = all.filter((contrast) => !contrast.primary);
  return section("contrasts", "Contrasts", "What differs, and how sure that is",
    "Every contrast compares two arms trained from the same seeds. The p-values are those of an exact sign-flip test, " +
    "corrected for their number by Holm's method.",
    view.element,
    element("h3", {}, "In words"),
    primary.length > 0 ? words(primary) : null,
    others.length > 0 ? element("details", { class: "more", open: primary.length === 0 },
      element("summary", {}, plural(others.length, "secondary contrast")), words(others)) : null);
}


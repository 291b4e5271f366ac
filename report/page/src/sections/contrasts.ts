// The contrasts: what was compared, by how much the arms differ, and how sure that is, as a picture and as cards.
import type { Arms } from "../arms";
import { contrastsChart, contrastsScale } from "../charts/contrasts";
import type { Contrast, Results } from "../data";
import { element } from "../common/dom";
import { figure } from "../figure";
import { decimal, kNoResult, points, pointsInterval, plural, pValue } from "../format";
import { cards, type Finding } from "./card";
import { section } from "./section";

// The contrast as a card, each number with the words that it needs.
export function finding(arms: Arms, contrast: Contrast): Finding {
  const { a, b, difference, effect_size, p_a_better, n, p, p_holm, outcome } = contrast;
  const [first, second] = [arms.cellLabel(a), arms.cellLabel(b)];
  const title = `${first} against ${second}`;
  if (difference.mean === null) {
    return {
      verdict: outcome,
      colour: null,
      title,
      effect: kNoResult,
      interval: "no pair of seeds is done",
      facts: [],
    };
  }
  const better = outcome === "a better" ? a : outcome === "b better" ? b : null;
  const held = better === null && p !== null && p < 0.05 ? ": not enough" : "";
  const facts = [
    p === null ? "" : `p ${relation(p)}${p_holm === null ? "" : `, ${pValue(p_holm)} after Holm${held}`}`,
    p_a_better === null ? "" : `${first} better in ${Math.round(100 * p_a_better)}% of ${plural(n, "pair")}`,
    effect_size === null ? "" : `paired effect size ${decimal(effect_size)}`,
  ];
  return {
    verdict: better === null ? outcome : `${arms.cellLabel(better)} is better`,
    colour: better === null ? null : arms.look(better.arm).colour,
    title,
    effect: difference.mean === 0 ? "equal errors" : `${points(difference.mean)} points`,
    interval: `95%: ${pointsInterval(difference)}`,
    facts: facts.filter(Boolean),
  };
}

export function contrasts(results: Results, arms: Arms): HTMLElement | null {
  if (results.contrasts.length === 0) return null;
  const primary = results.contrasts.filter((contrast) => contrast.primary);
  const others = results.contrasts.filter((contrast) => !contrast.primary);
  const details = element(
    "details",
    { class: "more", id: "secondary" },
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
      " A difference counts as shown where the corrected p-value is below 0.05 and the interval leaves out zero." +
      " Differences are the first arm's test error minus the second's, in percentage points; of the pairs of seeds " +
      "in which an arm was better, ties count half.",
    ...(primary.length > 0
      ? view(results, arms, primary, "differences", "Differences between arms, paired by seed")
      : []),
    others.length > 0 ? details : null,
  );
}

// The contrasts as a picture and as cards.
function view(results: Results, arms: Arms, contrasts: Contrast[], id: string, title: string): HTMLElement[] {
  const scale = contrastsScale(contrasts);
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
  const words = models.flatMap((model) => [
    element("h4", { class: "of-cards" }, model.label),
    cards(
      `${title}: ${model.label}`,
      of(model.name).map((contrast) => finding(arms, contrast)),
    ),
  ]);
  return [picture, ...words];
}

const relation = (p: number): string => pValue(p).replace(/^(?=\d)/, "= ");

// What stands behind a claim's verdict: the reading, every contrast with its interval and test, the exact checks, the
// rules of choice, and the way to the parts of the study that it rests on.
import { differenceScale, forestChart, type ForestRow } from "../charts/forest";
import type { Claim, ClaimContrast, ExactCheck, Qualifier } from "../claims";
import {
  claimedWords,
  contrastName,
  effectInterval,
  effectSentence,
  effectValue,
  endsOf,
  measureWords,
  regionOf,
  standingWords,
  targetWords,
} from "../contrast-words";
import type { Study } from "../data";
import { element } from "../common/dom";
import { figure, type Panel, type Table } from "../figure";
import { count, decimal, extended, kNoResult, plural, pValue, short } from "../format";
import { sign, verdictColour } from "../verdict";
import { regrets } from "./regrets";

// The address that shows a part of the study.
export type PartLink = (part: string) => string;

// Standings look as the verdicts that they lead to.
const looksLike = (standing: string): string =>
  standing === "shown" ? "supported" : standing === "refuted" ? "contradicted" : "inconclusive";

function reading({ verdict, primary, exact, differs }: Claim): string {
  const parts = [`${verdict.charAt(0).toUpperCase()}${verdict.slice(1)}.`];
  if (exact.length > 0) {
    const holding = exact.filter(({ holds }) => holds === true).length;
    parts.push(`${holding} of ${plural(exact.length, "exact check")} ${exact.length === 1 ? "holds" : "hold"}.`);
  }
  if (primary) {
    parts.push(
      `The primary contrast, ${contrastName(primary)} in ${measureWords(primary)} ` +
        `(claimed: ${claimedWords(primary)}), is ${standingWords(primary)}: ${effectSentence(primary)}.`,
      targetWords(primary),
    );
  }
  if (differs) parts.push(`Against the literature: ${differs}.`);
  return parts.filter(Boolean).join(" ");
}

// "; 40 of them are trials of claim 9 too": they cost what they cost once.
function shared({ shares }: Claim): string {
  const words = shares.map(({ claim, trials }) => `${count(trials)} of them are trials of claim ${claim} too`);
  return words.length > 0 ? `; ${words.join(", ")}` : "";
}

function forestRow(contrast: ClaimContrast, name: string): ForestRow {
  const ends = endsOf(contrast);
  const measured = contrast.effect !== null;
  return {
    name,
    colour: verdictColour(looksLike(contrast.standing)),
    filled: contrast.standing === "shown" || contrast.standing === "refuted",
    ...ends,
    words: measured
      ? [effectValue(ends.mean, contrast), effectInterval(contrast), pValue(contrast.p_holm), String(contrast.n)]
      : [kNoResult],
    region: regionOf(contrast),
    title: `${name}\n${measureWords(contrast)}\n${effectSentence(contrast)}\n${standingWords(contrast)}`,
  };
}

function contrastsTable(all: { name: string; contrast: ClaimContrast }[]): Table {
  const two = (value: number | null): string => decimal(value, 2);
  const open = (value: number | null): string => extended(value, 2);
  return {
    columns: [
      { name: "contrast" },
      { name: "sides" },
      { name: "measure" },
      { name: "effect", show: open },
      { name: "95% low", show: open },
      { name: "95% high", show: open },
      { name: "unit" },
      { name: "claimed" },
      { name: "effect size", show: two },
      { name: "P(first lower)", show: two },
      { name: "p", show: pValue },
      { name: "p, Holm", show: pValue },
      { name: "n" },
      { name: "outcome" },
    ],
    rows: all.map(({ name, contrast }) => [
      name,
      contrastName(contrast),
      measureWords(contrast),
      endsOf(contrast).mean,
      endsOf(contrast).low,
      endsOf(contrast).high,
      contrast.unit,
      claimedWords(contrast),
      contrast.effect_size,
      contrast.p_a_lower,
      contrast.p,
      contrast.p_holm,
      contrast.n,
      standingWords(contrast),
    ]),
  };
}

// All contrasts of the claim; those of one unit share a scale and a panel.
function contrastsFigure(study: string, claim: Claim): HTMLElement | null {
  const all = [
    ...(claim.primary ? [{ name: `Primary: ${contrastName(claim.primary)}`, contrast: claim.primary }] : []),
    ...claim.qualifiers.map((contrast, i) => ({ name: `${i + 1}. ${contrastName(contrast)}`, contrast })),
  ];
  if (all.length === 0) return null;
  const units = [...new Set(all.map(({ contrast }) => contrast.unit))];
  const panels = units.map((unit): Panel => {
    const of = all.filter(({ contrast }) => contrast.unit === unit);
    const values = of.flatMap(({ contrast }) => {
      const { mean, low, high } = endsOf(contrast);
      const margin = contrast.margin ?? 0;
      return [mean, low, high, 1.3 * margin, -1.3 * margin];
    });
    const scale = differenceScale(values, 0);
    return {
      title: units.length > 1 ? `In ${unit || "the measure's own unit"}` : "",
      draw: (width) =>
        forestChart(
          of.map(({ name, contrast }) => forestRow(contrast, name)),
          {
            name: `Contrasts of claim ${claim.number}, with 95% intervals`,
            axis: `first side minus second (${unit || "the measure's own unit"})`,
            columns: ["effect", "95% interval", "p (Holm)", "n"],
            scale,
          },
          width,
        ),
    };
  });
  return figure(study, {
    id: `claim-${claim.number}-contrasts`,
    title: "The contrasts behind the verdict",
    look:
      "Look for intervals that lie wholly within the shaded part of their row: that is what shows a contrast, " +
      "together with a corrected p below 0.05. A full dot is shown, one way or the other; an open one is left open.",
    heading: "h3",
    wide: true,
    panels,
    table: contrastsTable(all),
  });
}

function qualifiers(all: Qualifier[]): HTMLElement | null {
  if (all.length === 0) return null;
  return element(
    "ol",
    { class: "qualifiers", "aria-label": "What would qualify it" },
    ...all.map((contrast) => {
      const icon = sign(looksLike(contrast.standing));
      icon.style.setProperty("color", verdictColour(looksLike(contrast.standing)));
      const outcome = contrast.holds ? "Holds" : contrast.standing === "refuted" ? "Shown otherwise" : "Left open";
      return element(
        "li",
        {},
        icon,
        element(
          "span",
          {},
          element("strong", {}, `${contrast.standing === "not measured" ? "Not measured" : outcome}: `),
          contrast.says,
          element(
            "span",
            { class: "soft" },
            [` ${measureWords(contrast)}, ${effectSentence(contrast)}`, targetWords(contrast)]
              .filter(Boolean)
              .join(". "),
          ),
        ),
      );
    }),
  );
}

function exactTable(checks: ExactCheck[]): HTMLElement | null {
  if (checks.length === 0) return null;
  return element(
    "table",
    { class: "data exact" },
    element("caption", {}, "Exact checks: no statistics, a limit at every seed"),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...["check", "limit", "worst", "n", "holds"].map((name) => element("th", { scope: "col" }, name)),
      ),
    ),
    element(
      "tbody",
      {},
      ...checks.map(({ measure, at_most, at_least, worst, n, holds }) => {
        const verdict = holds === null ? "inconclusive" : holds ? "supported" : "contradicted";
        const icon = sign(verdict);
        icon.style.setProperty("color", verdictColour(verdict));
        return element(
          "tr",
          {},
          element("td", {}, measure.replaceAll("_", " ")),
          element("td", {}, at_most !== null ? `at most ${short(at_most)}` : `at least ${short(at_least)}`),
          element("td", { class: "number" }, short(worst)),
          element("td", { class: "number" }, count(n)),
          element("td", {}, icon, holds === null ? " not measured" : holds ? " yes" : " no"),
        );
      }),
    ),
  );
}

function evidence({ parts }: Claim, study: Study, link: PartLink): HTMLElement | null {
  const known = parts.filter((name) => study.parts.some(({ part }) => part.name === name && name !== ""));
  if (known.length === 0) return null;
  return element(
    "p",
    { class: "evidence-links" },
    `It rests on ${plural(known.length, "part")} of the study: `,
    ...known.flatMap((name, i) => [i > 0 ? ", " : null, element("a", { href: `#${link(name)}` }, name)]),
    ".",
  );
}

export function claimDetails(claim: Claim, study: Study, link: PartLink): HTMLElement {
  const { name } = study.study;
  return element(
    "div",
    { class: "claim-body" },
    element("p", {}, reading(claim)),
    claim.expects ? element("p", {}, element("strong", {}, "The literature: "), `${claim.expects}.`) : null,
    claim.limits ? element("p", {}, element("strong", {}, "What this cannot say: "), `${claim.limits}.`) : null,
    contrastsFigure(name, claim),
    qualifiers(claim.qualifiers),
    exactTable(claim.exact),
    claim.recommender ? regrets(name, `claim-${claim.number}-regrets`, "h3", claim.recommender) : null,
    evidence(claim, study, link),
    element(
      "p",
      { class: "soft" },
      `${plural(claim.trials ?? 0, "trial")}, ${plural(claim.steps ?? 0, "step")}, ` +
        `${decimal(claim.minutes)} minutes of one core, tuning included${shared(claim)}.`,
    ),
  );
}

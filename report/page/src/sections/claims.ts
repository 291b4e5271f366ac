// The claims, a row each: what the article says, the verdict, the effect that decides it, and what it took. A row opens
// onto its contrasts, its exact checks and the parts of the study that it rests on.
import { type Claim, type ClaimContrast } from "../claims";
import { strip } from "../charts/strip";
import { effectInterval, effectValue, endsOf } from "../contrast-words";
import type { Study } from "../data";
import { type Child, element } from "../common/dom";
import { rowsSvg } from "../download";
import { type Table, tools } from "../figure";
import { count, decimal, plural } from "../format";
import { sign, verdictBadge, verdictColour } from "../verdict";
import { claimDetails, type PartLink } from "./claim-details";
import { section } from "./section";

const kColumns = ["", "The article says", "Verdict", "Effect, 95% interval", "n", "Literature expects", "Cost"];

// What a claim without a contrast has: the exact checks that hold.
function checks({ exact }: Claim): string {
  const holding = exact.filter(({ holds }) => holds === true).length;
  return `${holding} of ${plural(exact.length, "exact check")} ${exact.length === 1 ? "holds" : "hold"}`;
}

function seedsOf({ primary, exact }: Claim): number {
  return primary?.n ?? Math.max(0, ...exact.map(({ n }) => n));
}

function effect(claim: Claim): Child[] {
  const { primary } = claim;
  if (primary === null) {
    return [element("span", { class: "numbers" }, claim.exact.length > 0 ? checks(claim) : "not measured")];
  }
  return [
    primary.effect === null ? null : strip(primary, verdictColour(claim.verdict)),
    element(
      "span",
      { class: "numbers" },
      primary.effect === null
        ? "not measured"
        : `${effectValue(endsOf(primary).mean, primary)} (${effectInterval(primary)})`,
      " ",
      element("span", { class: "soft" }, primary.unit),
    ),
    claim.exact.length > 0 ? element("span", { class: "soft" }, checks(claim)) : null,
  ];
}

function expectation({ expected_verdict, differs, verdict }: Claim): Child[] {
  if (expected_verdict === "") return [element("span", { class: "soft" }, "no verdict")];
  return [
    expected_verdict,
    differs === "" || verdict === expected_verdict
      ? null
      : element("span", { class: "differs", title: differs }, "≠ differs"),
  ];
}

function row(claim: Claim, study: Study, link: PartLink): HTMLElement {
  const cell = (column: number, ...children: Child[]): HTMLElement =>
    element(
      "span",
      { class: `cell cell-${column}` },
      element("span", { class: "cell-name" }, `${kColumns[column] ?? ""} `),
      ...children,
    );
  const node = element(
    "details",
    { class: "claim", id: `claim-${claim.number}` },
    element(
      "summary",
      {},
      cell(0, String(claim.number)),
      cell(1, element("span", { class: "says" }, claim.says)),
      cell(2, verdictBadge(claim.verdict)),
      cell(3, ...effect(claim)),
      cell(4, String(seedsOf(claim))),
      cell(5, ...expectation(claim)),
      cell(
        6,
        element("span", {}, plural(claim.steps ?? 0, "step")),
        element("span", { class: "soft" }, `${decimal(claim.minutes)} min`),
      ),
    ),
  );
  const fill = (): void => {
    if (node.open && node.childElementCount === 1) node.append(claimDetails(claim, study, link));
  };
  node.addEventListener("toggle", fill);
  return node;
}

const ends = (contrast: ClaimContrast | null): (number | null)[] => {
  const { mean, low, high } = contrast?.effect ?? { mean: null, low: null, high: null };
  return [mean, low, high];
};

function table(claims: Claim[]): Table {
  return {
    columns: [
      { name: "claim" },
      { name: "the article says" },
      { name: "verdict" },
      { name: "contrast" },
      { name: "measure" },
      { name: "effect" },
      { name: "95% low" },
      { name: "95% high" },
      { name: "unit" },
      { name: "p (Holm)" },
      { name: "n" },
      { name: "literature expects" },
      { name: "trials" },
      { name: "steps" },
      { name: "minutes", show: decimal },
    ].map((column) => ({
      show: (v: number | null) => (v === null ? "" : String(v).replace("Infinity", "∞")),
      ...column,
    })),
    rows: claims.map((claim) => [
      claim.number,
      claim.says,
      claim.verdict,
      claim.primary ? `${claim.primary.a} − ${claim.primary.b}` : checks(claim),
      claim.primary?.measure ?? "",
      ...ends(claim.primary),
      claim.primary?.unit ?? "",
      claim.primary?.p_holm ?? null,
      seedsOf(claim),
      claim.expected_verdict,
      claim.trials,
      claim.steps,
      claim.minutes,
    ]),
  };
}

// The verdicts that there are, each with its sign and how many have it.
function counts(claims: Claim[]): HTMLElement {
  const found = ["supported", "qualified", "contradicted", "inconclusive"].flatMap((verdict) => {
    const n = claims.filter((claim) => claim.verdict === verdict).length;
    if (n === 0) return [];
    const node = element("li", {}, sign(verdict), `${count(n)} ${verdict}`);
    node.style.setProperty("color", verdictColour(verdict));
    return [node];
  });
  return element("ul", { class: "counts" }, ...found);
}

// All rows as one picture.
function picture(node: HTMLElement): string {
  const title = node.querySelector("h2");
  const columns: [string, number][] = [
    [".cell-0", 0],
    [".says", 34],
    [".verdict-badge", 620],
    [".strip", 750],
    [".numbers", 960],
  ];
  const rows = [...node.querySelectorAll(".claim > summary")].map((summary) =>
    columns.map(([selector, x]) => ({ node: summary.querySelector(selector), x })),
  );
  return title ? rowsSvg(title, rows, 1300) : "";
}

export function claims(study: Study, link: PartLink): HTMLElement | null {
  const { claims: all } = study;
  if (all.length === 0) return null;
  const title = all.length === 1 ? "The claim, measured" : `The ${all.length} claims, measured`;
  const node: HTMLElement = section(
    "claims",
    "Claims",
    title,
    "Look for where the whole interval lies: in the shaded part the effect is shown as claimed, clear of it on the " +
      "other side it is shown the other way round, anything else leaves it open. Each contrast was written down " +
      "before the run; the verdict follows from the numbers by rule. A row opens onto its evidence.",
    counts(all),
    element(
      "div",
      { class: "claims" },
      element(
        "p",
        { class: "claims-head", "aria-hidden": "true" },
        ...kColumns.map((name) => element("span", {}, name)),
      ),
      ...all.map((claim) => row(claim, study, link)),
    ),
    tools(study.study.name, { id: "claims", title, table: table(all) }, () => picture(node)),
  );
  return node;
}

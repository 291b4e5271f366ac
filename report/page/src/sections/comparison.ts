// Two studies side by side: what changed in the settings, in the verdicts and in the test errors.
import { differenceScale, forestChart, type ForestRow } from "../charts/forest";
import { type ComparedCell, type Comparison, nameOf, type Side } from "../comparison";
import { effectValue } from "../contrast-words";
import type { Interval } from "../data";
import { element } from "../common/dom";
import { dataTable, figure, type Table } from "../figure";
import { count, duration, moment, percent, plural, points, pointsInterval, pValue } from "../format";
import { scrollBox } from "../scroll";
import { verdictBadge } from "../verdict";
import { section } from "./section";

const kFirst = "first study";
const kSecond = "second study";

const changed = ({ outcome }: ComparedCell): boolean => outcome === "b lower" || outcome === "b higher";

const outcomeWords: Record<string, string> = { "b lower": "lower in the second", "b higher": "higher in the second" };
const inWords = ({ outcome }: ComparedCell): string => outcomeWords[outcome] ?? outcome;

// How its interval came about.
const paired = ({ pairs }: ComparedCell): string =>
  pairs > 0 ? plural(pairs, "paired seed") : "other samples: not paired";

function forestRow(cell: ComparedCell): ForestRow {
  const { difference, p_holm } = cell;
  const hundred = (value: number | null): number | null => (value === null ? null : 100 * value);
  return {
    name: nameOf({ ...cell, part: "" }),
    colour: !changed(cell)
      ? "var(--ink-soft)"
      : cell.outcome === "b lower"
        ? "var(--supported)"
        : "var(--contradicted)",
    filled: changed(cell),
    mean: hundred(difference.mean),
    low: hundred(difference.low),
    high: hundred(difference.high),
    words: [points(difference.mean), pointsInterval(difference), p_holm === null ? "" : pValue(p_holm)],
    title:
      `${nameOf(cell)}\n${percent(cell.a.error.mean)} → ${percent(cell.b.error.mean)}\n` +
      `${points(difference.mean)} points (${pointsInterval(difference)})\n${paired(cell)}\n${inWords(cell)}`,
  };
}

function table(cells: ComparedCell[]): Table {
  const errors = (name: string): Table["columns"] =>
    ["test error", "95% low", "95% high"].map((value) => ({ name: `${value}, ${name}`, show: percent }));
  const ends = ({ mean, low, high }: Interval): (number | null)[] => [mean, low, high];
  return {
    columns: [
      { name: "part" },
      { name: "model" },
      { name: "arm" },
      { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
      ...errors(kFirst),
      ...errors(kSecond),
      { name: "difference (points)", show: points },
      { name: "95% low (points)", show: points },
      { name: "95% high (points)", show: points },
      { name: "paired seeds" },
      { name: "p (Holm)", show: (v) => (v === null ? "" : pValue(v)) },
      { name: "outcome" },
    ],
    rows: cells.map((cell) => [
      cell.part,
      cell.model,
      cell.arm,
      cell.normalization_batch,
      ...ends(cell.a.error),
      ...ends(cell.b.error),
      ...ends(cell.difference),
      cell.pairs,
      cell.p_holm,
      inWords(cell),
    ]),
  };
}

function results({ a, b, cells }: Comparison): HTMLElement {
  const parts = [...new Set(cells.map(({ part }) => part))];
  const scale = differenceScale(
    cells.flatMap(({ difference: { mean, low, high } }) =>
      [mean, low, high].map((value) => (value === null ? null : 100 * value)),
    ),
  );
  return figure(`${a.study}-${b.study}`, {
    id: "changes",
    title: "Test error, second study minus first",
    heading: "h2",
    look:
      "Look for intervals that stay clear of zero: left of it the second study errs less. Where both have the same " +
      "samples, seeds are paired and a full dot also has a Holm-corrected p below 0.05; elsewhere the interval is " +
      "that of two independent means." +
      (scale.type === "symlog" ? " The scale is linear within one point of zero and logarithmic beyond." : ""),
    wide: true,
    panels: parts.map((part) => {
      const rows = cells.filter((cell) => cell.part === part).map(forestRow);
      return {
        title: part,
        draw: (width) =>
          forestChart(
            rows,
            {
              name: "Differences in test error between the studies, with 95% intervals",
              axis: "second study − first, test error (percentage points)",
              columns: ["difference", "95% interval", "p (Holm)"],
              scale,
            },
            width,
          ),
      };
    }),
    table: table(cells),
  });
}

function effect(side: { effect: Interval | null; unit: string; n: number }): string {
  if (side.effect === null) return "";
  const { mean, low, high } = side.effect;
  const ends =
    low === null || high === null ? "no interval" : `${effectValue(low, side)} to ${effectValue(high, side)}`;
  return `${effectValue(mean, side)} ${side.unit} (${ends}), n = ${side.n}`;
}

function claims({ claims: all }: Comparison): HTMLElement | null {
  if (all.length === 0) return null;
  const heads = ["claim", "the article says", kFirst, kSecond];
  const rows = all.map(({ number, says, a, b }) =>
    element(
      "tr",
      { class: a.verdict === b.verdict ? null : "changed" },
      element("td", { class: "number" }, String(number)),
      element("td", {}, says),
      ...[a, b].map((side) =>
        element("td", {}, verdictBadge(side.verdict), element("span", { class: "interval" }, effect(side))),
      ),
    ),
  );
  const drawn = element(
    "table",
    { class: "data compared" },
    element("caption", {}, "A row in bold has another verdict in the second study."),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows),
  );
  return section("claims", "Claims", "The claims", "", scrollBox("The claims, side by side", drawn).frame);
}

function settings({ settings: all }: Comparison): HTMLElement {
  const rows = all.map(({ part, setting, a, b }) => [part || "all", setting, a || "absent", b || "absent"]);
  const columns = ["part", "setting", kFirst, kSecond].map((name) => ({ name }));
  return section(
    "settings",
    "Settings",
    "What was set otherwise",
    all.length === 0 ? "Nothing: both studies have the same settings, code and machine." : "",
    all.length === 0 ? null : scrollBox("Settings", dataTable({ columns, rows }, "Settings that differ")).frame,
  );
}

function alone({ only }: Comparison): HTMLElement | null {
  if (only.a.length + only.b.length === 0) return null;
  const names = (title: string, all: string[]): HTMLElement | null =>
    all.length === 0
      ? null
      : element(
          "details",
          { class: "more" },
          element("summary", {}, `${plural(all.length, "cell")} in the ${title} alone`),
          element("ul", {}, ...all.map((name) => element("li", {}, name))),
        );
  return section("alone", "Alone", "What only one of them has", "", names(kFirst, only.a), names(kSecond, only.b));
}

function side(name: string, { study, command, finished, complete, trials, seconds }: Side): HTMLElement {
  const facts = [plural(trials ?? 0, "trial"), duration(seconds), moment(finished), complete ? "" : "not complete"];
  return element(
    "p",
    { class: "byline" },
    element("strong", {}, `${name}: ${study} `),
    ...facts.filter(Boolean).map((fact) => element("span", {}, fact)),
    " ",
    element("code", {}, command),
  );
}

export function comparison(all: Comparison): HTMLElement[] {
  const { a, b, cells, headline } = all;
  const measured = cells.filter(({ difference }) => difference.mean !== null);
  const header = element(
    "header",
    { class: "answer", id: "answer" },
    element("p", { class: "question" }, `What changed from ${a.study} to ${b.study}?`),
    element("h1", { class: "long" }, headline),
    side("First study", a),
    side("Second study", b),
    measured.length > 0
      ? results({ ...all, cells: measured })
      : element("p", { class: "lead" }, `None of the ${count(cells.length)} cells in both studies is measured.`),
  );
  return [header, claims(all), settings(all), alone(all)].filter((node): node is HTMLElement => node !== null);
}

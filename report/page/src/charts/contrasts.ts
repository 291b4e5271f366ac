// The contrasts as a forest: one interval a contrast, in percentage points of test error, its words above it.
import { dot, gridX, axisX, link, ruleX, text } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Contrast } from "../data";
import { clip, points, pointsInterval, pValue } from "../format";
import { chart, hover } from "./frame";

const kRow = 42; // pixels

const kShown = "no difference shown";

export function contrastName(arms: Arms, contrast: Contrast): string {
  return `${arms.cellLabel(contrast.a)} − ${arms.cellLabel(contrast.b)}`;
}

// The colour of the arm that came out better; grey where none did.
function colourOf(arms: Arms, { a, b, outcome }: Contrast): string {
  if (outcome === "a better") return arms.look(a.arm).colour;
  if (outcome === "b better") return arms.look(b.arm).colour;
  return "var(--ink-soft)";
}

// One scale for all models. Where single differences dwarf the others it is linear within one point and logarithmic
// beyond, so that the small ones can be told from zero.
export interface DifferenceScale {
  type: "linear" | "symlog";
  domain: [number, number];
  ticks: number[];
}

export function differenceScale(contrasts: Contrast[]): DifferenceScale {
  const ends = contrasts.flatMap(({ difference: { mean, low, high } }) => [mean, low, high])
    .filter((value): value is number => value !== null).map((value) => 100 * value);
  const low = Math.min(0, ...ends);
  const high = Math.max(0, ...ends);
  const most = Math.max(-low, high, 0.5);
  const symlog = most > 12;
  const steps = symlog ? [0, 1, 3, 10, 30, 100] : [0, 0.2, 0.5, 1, 2, 5, 10, 20].filter((step) => step === 0 || step >= most / 6);
  const ticks = [...new Set([...steps.map((step) => -step), ...steps])].sort((a, b) => a - b);
  const start = ticks.filter((step) => step <= low).pop() ?? low;
  const end = ticks.find((step) => step >= high) ?? high;
  const domain: [number, number] = start === end ? [-1, 1] : [start, end];
  return { type: symlog ? "symlog" : "linear", domain, ticks: ticks.filter((step) => step >= domain[0] && step <= domain[1]).map((step) => step + 0) };
}

export function contrastsChart(arms: Arms, contrasts: Contrast[], scale: DifferenceScale, width: number): SVGSVGElement {
  const rows = contrasts.map((contrast, row) => {
    const { mean, low, high } = contrast.difference;
    const [start, end] = scale.domain;
    const inside = (value: number): number => Math.min(Math.max(100 * value, start), end);
    return {
      row, contrast, colour: colourOf(arms, contrast), shown: contrast.outcome !== kShown,
      x: mean === null ? null : inside(mean),
      x1: mean === null ? null : inside(low ?? mean),
      x2: mean === null ? null : inside(high ?? mean),
    };
  });
  type Row = (typeof rows)[number];
  const drawn = rows.filter(({ x }) => x !== null);
  const letters = Math.floor((width - 150) / 6.8);
  const result = ({ contrast }: Row): string => contrast.difference.mean === null ? "no result"
    : `${points(contrast.difference.mean)}   ${width < 480 ? "" : "Holm "}p ${pValue(contrast.p_holm).replace(/^(?=\d)/, "= ")}`;
  return chart("Differences in test error, with 95% intervals", {
    width, height: kRow * Math.max(1, rows.length) + 66, marginLeft: 16, marginRight: 16, marginTop: 14, marginBottom: 52,
    x: { type: scale.type, domain: scale.domain, ...(scale.type === "symlog" ? { constant: 1 } : {}) },
    y: { type: "linear", domain: [rows.length - 0.5, -0.5] },
    marks: [
      gridX(scale.ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      ruleX([0], { stroke: "var(--ink-soft)", strokeWidth: 1.2 }),
      axisX(scale.ticks, { tickSize: 0, tickFormat: (d: number) => `${d > 0 ? "+" : ""}${d}`.replace("-", "−"),
        label: "difference in test error (percentage points)", labelAnchor: "center", labelArrow: "none", labelOffset: 44, fontSize: 12.5 }),
      link(drawn, { x1: "x1", x2: "x2", y1: (d: Row) => d.row + 0.2, y2: (d: Row) => d.row + 0.2, stroke: "colour", strokeWidth: 3, strokeLinecap: "round" }),
      dot(drawn, { x: "x", y: (d: Row) => d.row + 0.2, r: 5.5, fill: (d: Row) => (d.shown ? d.colour : "var(--paper)"), stroke: "colour", strokeWidth: 2 }),
      text(rows, { frameAnchor: "left", y: "row", dy: -12, dx: -12, textAnchor: "start", fontSize: 12.5, fontWeight: 600,
        text: (d: Row) => clip(contrastName(arms, d.contrast), letters), fill: "var(--ink)", stroke: "var(--paper)", strokeWidth: 4 }),
      text(rows, { frameAnchor: "right", y: "row", dy: -12, dx: 12, textAnchor: "end", fontSize: 12.5,
        text: result, fill: "var(--ink-soft)", stroke: "var(--paper)", strokeWidth: 4 }),
      hover(drawn.map(({ x, row, contrast }) => ({ x: x ?? 0, y: row + 0.2,
        title: `${contrastName(arms, contrast)}\n${points(contrast.difference.mean)} points (${pointsInterval(contrast.difference)})\n${contrast.outcome}` }))),
    ],
  });
}

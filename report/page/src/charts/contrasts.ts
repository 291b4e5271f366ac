// The contrasts as a forest: one interval a contrast, in percentage points of test error, its words above it.
import { dot, gridX, link, ruleX, text } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Contrast } from "../data";
import { points, pointsInterval, pValue } from "../format";
import { fit, kLabelSize, textWidth } from "../measure";
import { bottomAxis, chart, hover } from "./frame";

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
  const ends = contrasts
    .flatMap(({ difference: { mean, low, high } }) => [mean, low, high])
    .filter((value): value is number => value !== null)
    .map((value) => 100 * value);
  const low = Math.min(0, ...ends);
  const high = Math.max(0, ...ends);
  const most = Math.max(-low, high, 0.5);
  const symlog = most > 12;
  const steps = symlog
    ? [0, 1, 3, 10, 30, 100]
    : [0, 0.2, 0.5, 1, 2, 5, 10, 20].filter((step) => step === 0 || step >= most / 6);
  const ticks = [...new Set([...steps.map((step) => 0 - step), ...steps])].sort((a, b) => a - b);
  const pad = symlog ? 1.15 : 1.05;
  const domain: [number, number] = [Math.min(pad * low, -most / 50), Math.max(pad * high, most / 50)];
  return {
    type: symlog ? "symlog" : "linear",
    domain,
    ticks: ticks.filter((step) => step >= domain[0] && step <= domain[1]),
  };
}

const kGap = 18; // pixels between columns of words

const widest = (texts: string[], weight = 400): number =>
  Math.ceil(Math.max(0, ...texts.map((item) => textWidth(item, weight))));

export function contrastsChart(
  arms: Arms,
  contrasts: Contrast[],
  scale: DifferenceScale,
  width: number,
): SVGSVGElement {
  const wide = width >= 640;
  const [start, end] = scale.domain;
  const inside = (value: number | null): number | null =>
    value === null ? null : Math.min(Math.max(100 * value, start), end);
  const rows = contrasts.map((contrast, row) => {
    const { mean, low, high } = contrast.difference;
    return {
      row,
      contrast,
      colour: colourOf(arms, contrast),
      name: contrastName(arms, contrast),
      filled: contrast.outcome.endsWith(" better"),
      results:
        mean === null
          ? ["no result"]
          : !wide
            ? [points(mean)]
            : [points(mean), pointsInterval(contrast.difference), pValue(contrast.p_holm)],
      x: inside(mean),
      x1: inside(low ?? mean),
      x2: inside(high ?? mean),
    };
  });
  type Row = (typeof rows)[number];
  const drawn = rows.filter(({ x }) => x !== null);
  // On a wide page the words stand beside the intervals, in columns; on a narrow one above them.
  const heads = wide ? ["difference", "95% interval", "p (Holm)"] : [""];
  const columns = heads.map((head, i) => widest([head, ...rows.map(({ results }) => results[i] ?? "")]));
  const left = wide
    ? Math.min(
        340,
        widest(
          rows.map(({ name }) => name),
          600,
        ) + kGap,
      )
    : 16;
  const right = wide ? columns.reduce((sum, column) => sum + column + kGap, 0) : 16;
  const row = wide ? 30 : 44;
  const top = wide ? 28 : 10;
  const y = (d: Row): number => d.row + (wide ? 0 : 0.24);
  const room = wide ? left - kGap : width - (columns[0] ?? 0) - 8;
  const endOf = (i: number): number =>
    wide ? columns.slice(0, i + 1).reduce((sum, column) => sum + column + kGap, 0) : 14;
  const words = { y: "row", fontSize: kLabelSize, dy: wide ? 0 : -11, stroke: "var(--paper)", strokeWidth: 5 } as const;
  return chart("Differences in test error, with 95% intervals", {
    width,
    height: row * Math.max(1, rows.length) + top + 52,
    marginLeft: left,
    marginRight: right,
    marginTop: top,
    marginBottom: 52,
    x: { type: scale.type, domain: scale.domain, ...(scale.type === "symlog" ? { constant: 1 } : {}) },
    y: { type: "linear", domain: [rows.length - 0.5, -0.5], axis: null },
    marks: [
      gridX(scale.ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      ruleX([0], { stroke: "var(--ink-soft)", strokeWidth: 1.2 }),
      bottomAxis(scale.ticks, "difference in test error (percentage points)", (d) =>
        `${d > 0 ? "+" : ""}${d}`.replace("-", "−"),
      ),
      link(drawn, { x1: "x1", x2: "x2", y1: y, y2: y, stroke: "colour", strokeWidth: 3, strokeLinecap: "round" }),
      dot(drawn, {
        x: "x",
        y,
        r: 5.5,
        fill: (d: Row) => (d.filled ? d.colour : "var(--paper)"),
        stroke: "colour",
        strokeWidth: 2,
      }),
      text(rows, {
        ...words,
        frameAnchor: "left",
        dx: wide ? -left : -14,
        textAnchor: "start",
        fontWeight: 600,
        text: (d: Row) => fit(d.name, room, 600),
        fill: "var(--ink)",
      }),
      ...columns.map((_, i) =>
        text(rows, {
          ...words,
          frameAnchor: "right",
          dx: endOf(i),
          textAnchor: "end",
          text: (d: Row) => d.results[i] ?? "",
          fill: i === 0 ? "var(--ink)" : "var(--ink-soft)",
        }),
      ),
      ...heads.map((head, i) =>
        text([head], {
          frameAnchor: "top-right",
          dx: endOf(i),
          dy: -24,
          textAnchor: "end",
          fontSize: kLabelSize,
          fill: "var(--ink-soft)",
        }),
      ),
      hover(
        drawn.map((d) => ({
          x: d.x ?? 0,
          y: y(d),
          title:
            `${d.name}\n${points(d.contrast.difference.mean)} points ` +
            `(${pointsInterval(d.contrast.difference)})\n${d.contrast.outcome}`,
        })),
      ),
    ],
  });
}

// Differences as a forest: one interval a row around zero, its words beside it (above it where there is no room). A row
// may have a region: where the whole interval has to lie for what was claimed to be shown.
import { dot, gridX, link, type Markish, rect, ruleX, text } from "@observablehq/plot";
import { fit, kLabelSize, textWidth } from "../measure";
import { bottomAxis, chart, hover } from "./frame";

export interface ForestRow {
  name: string;
  colour: string;
  filled: boolean; // a full dot: something is shown
  mean: number | null; // these three in the unit of the axis; an end may be infinite
  low: number | null;
  high: number | null;
  words: string[]; // one for each column
  region?: [number, number] | null;
  title: string; // what the pointer shows
}

export interface ForestOptions {
  name: string; // of the chart
  axis: string; // with its unit
  columns: string[]; // heads; the first column alone is kept where there is no room
  scale: DifferenceScale;
  dense?: boolean; // many rows: low ones, without columns
}

export interface DifferenceScale {
  type: "linear" | "symlog";
  domain: [number, number];
  ticks: number[];
}

// A scale that holds zero and all finite values; `least` is the least that it spans to one side. Where single values
// dwarf the others it is linear within 1 and logarithmic beyond, so that the small ones can be told from zero.
export function differenceScale(values: (number | null)[], least = 0.5, mostLinear = 12): DifferenceScale {
  const ends = values.filter((value): value is number => value !== null && Number.isFinite(value));
  const low = Math.min(0, ...ends);
  const high = Math.max(0, ...ends);
  const most = Math.max(-low, high, least) || 1;
  const symlog = most > mostLinear;
  const power = 10 ** Math.floor(Math.log10(most));
  const width = [0.2, 0.5, 1, 2, 5].map((part) => part * power).find((part) => most / part <= 5) ?? power;
  const steps = symlog
    ? [0, 1, 3, 10, 30, 100, 300, 1000]
    : Array.from({ length: 8 }, (_, i) => Number((i * width).toPrecision(6)));
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
const kWide = 640; // pixels from which on there are columns

const widest = (texts: string[], weight = 400): number =>
  Math.ceil(Math.max(0, ...texts.map((item) => textWidth(item, weight))));

interface Layout {
  wide: boolean;
  left: number;
  right: number;
  row: number;
  top: number;
  room: number; // pixels for a name
  columns: number[]; // widths
}

function layout(rows: ForestRow[], { columns: heads, dense }: ForestOptions, width: number): Layout {
  const wide = width >= kWide && !dense;
  const shown = dense ? [] : wide ? heads : [""];
  const columns = shown.map((head, i) => widest([head, ...rows.map(({ words }) => words[i] ?? "")]));
  const names = widest(
    rows.map(({ name }) => name),
    600,
  );
  const beside = wide || dense === true;
  const left = beside ? Math.min(dense ? Math.max(130, 0.46 * width) : 0.4 * width, names + kGap) : 16;
  const right = wide ? columns.reduce((sum, column) => sum + column + kGap, 0) : 16;
  return {
    wide: beside,
    left,
    right,
    row: dense ? 19 : wide ? 30 : 44,
    top: wide ? 28 : 10,
    room: beside ? left - (dense ? 10 : kGap) : width - (columns[0] ?? 0) - 8,
    columns,
  };
}

function words(rows: (ForestRow & { row: number })[], options: ForestOptions, at: Layout): Markish[] {
  const style = {
    y: "row",
    fontSize: options.dense ? 11.5 : kLabelSize,
    dy: at.wide ? 0 : -11,
    stroke: "var(--paper)",
    strokeWidth: 5,
  } as const;
  const endOf = (i: number): number =>
    at.wide ? at.columns.slice(0, i + 1).reduce((sum, column) => sum + column + kGap, 0) : 14;
  const name = text(rows, {
    ...style,
    frameAnchor: "left",
    dx: at.wide ? -at.left : -14,
    textAnchor: "start",
    fontWeight: options.dense ? 400 : 600,
    text: (d: ForestRow) => fit(d.name, at.room, 600),
    fill: "var(--ink)",
  });
  const values = at.columns.map((_, i) =>
    text(rows, {
      ...style,
      frameAnchor: "right",
      dx: endOf(i),
      textAnchor: "end",
      text: (d: ForestRow) => d.words[i] ?? "",
      fill: i === 0 ? "var(--ink)" : "var(--ink-soft)",
    }),
  );
  const heads = at.columns.map((_, i) =>
    text([at.wide ? (options.columns[i] ?? "") : ""], {
      frameAnchor: "top-right",
      dx: endOf(i),
      dy: -24,
      textAnchor: "end",
      fontSize: kLabelSize,
      fill: "var(--ink-soft)",
    }),
  );
  return [name, ...values, ...heads];
}

export function forestChart(rows: ForestRow[], options: ForestOptions, width: number): SVGSVGElement {
  const { scale } = options;
  const at = layout(rows, options, width);
  const [start, end] = scale.domain;
  const inside = (value: number): number => Math.min(Math.max(value, start), end);
  const all = rows.map((item, row) => ({ ...item, row }));
  const y = (row: number): number => row + (at.wide ? 0 : 0.24);
  const drawn = all.flatMap((item) =>
    item.mean === null
      ? []
      : [
          {
            ...item,
            x: inside(item.mean),
            x1: inside(item.low ?? item.mean),
            x2: inside(item.high ?? item.mean),
            y: y(item.row),
          },
        ],
  );
  const regions = all.flatMap(({ region, row }) =>
    region ? [{ x1: inside(region[0]), x2: inside(region[1]), y1: y(row) - 0.3, y2: y(row) + 0.3 }] : [],
  );
  return chart(options.name, {
    width,
    height: at.row * Math.max(1, rows.length) + at.top + 52,
    marginLeft: at.left,
    marginRight: at.right,
    marginTop: at.top,
    marginBottom: 52,
    x: { type: scale.type, domain: scale.domain, ...(scale.type === "symlog" ? { constant: 1 } : {}) },
    y: { type: "linear", domain: [rows.length - 0.5, -0.5], axis: null },
    marks: [
      rect(regions, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: "var(--claimed)" }),
      gridX(scale.ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      ruleX([0], { stroke: "var(--ink-soft)", strokeWidth: 1.2 }),
      bottomAxis(scale.ticks, options.axis, (d) => `${d > 0 ? "+" : ""}${d}`.replace("-", "−")),
      link(drawn, {
        x1: "x1",
        x2: "x2",
        y1: "y",
        y2: "y",
        stroke: "colour",
        strokeWidth: options.dense ? 2.2 : 3,
        strokeLinecap: "round",
      }),
      dot(drawn, {
        x: "x",
        y: "y",
        r: options.dense ? 4 : 5.5,
        fill: (d: ForestRow) => (d.filled ? d.colour : "var(--paper)"),
        stroke: "colour",
        strokeWidth: 2,
      }),
      ...words(all, options, at),
      hover(drawn.map(({ x, y: height, title }) => ({ x, y: height, title }))),
    ],
  });
}

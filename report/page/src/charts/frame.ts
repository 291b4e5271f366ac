// What all charts share: the options of the chart library, scales that fit the data, labels that do not overlap.
import { axisX, axisY, dot, type Markish, type PlotOptions, pointer, plot, text, tip } from "@observablehq/plot";
import { fit, kLabelSize, textWidth } from "../measure";

// build.mjs reads this name: the page's content security policy names the style that the library writes for it.
export const chartClass = "chart";

// Draws a chart; the name is what a screen reader says of it.
export function chart(name: string, options: PlotOptions): SVGSVGElement {
  const svg = plot({ className: chartClass, ariaLabel: name, ...options }) as SVGSVGElement;
  svg.setAttribute("role", "img");
  // The library names its marks for screen readers, which do not look into a picture: the page's styles and tests do.
  for (const mark of svg.querySelectorAll("[aria-label]")) {
    mark.setAttribute("data-mark", mark.getAttribute("aria-label") ?? "");
    mark.removeAttribute("aria-label");
  }
  return svg;
}

// Axes without ticks and lines: the grid and the numbers are enough. `ticks: 1000` because the chart library would
// drop numbers from a logarithmic axis that it finds too many; ours are chosen.
const kAxis = { tickSize: 0, ticks: 1000, fontSize: kLabelSize } as const;

// `label` stands above the numbers; a chart leaves kAxisLabel pixels for it on top.
export const kAxisLabel = 30;

export function valueAxis(ticks: number[], label: string, read: (value: number) => string): Markish {
  return axisY(ticks, { ...kAxis, tickFormat: read, label, labelAnchor: "top", labelArrow: "none", labelOffset: 46 });
}

export function bottomAxis(ticks: number[], label: string, read: (value: number) => string = String): Markish {
  return axisX(ticks, {
    ...kAxis,
    tickFormat: read,
    label,
    labelAnchor: "center",
    labelArrow: "none",
    labelOffset: 42,
  });
}

// Round numbers for a linear axis from 0 to `high`, at most `most` of them.
export function roundTicks(high: number, most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(Math.max(high, 1e-9)));
  const width =
    [0.1, 0.2, 0.5, 1, 2, 5, 10].map((step) => step * power).find((step) => high / step <= most - 1) ?? 10 * power;
  return Array.from({ length: Math.floor(high / width + 1e-9) + 1 }, (_, i) => Number((i * width).toPrecision(6)));
}

export interface ValueScale {
  type: "linear" | "log";
  domain: [number, number];
  ticks: number[];
}

// 1, 2, 5, 10, 20, ... inside [low, high]; every digit where these would be too few, powers of ten where too many.
function logTicks(low: number, high: number): number[] {
  const steps = (digits: number[]): number[] => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); ++power) {
      for (const digit of digits) found.push(Number((digit * 10 ** power).toPrecision(6)));
    }
    return found.filter((step) => step >= low && step <= high);
  };
  const some = steps([1, 2, 5]);
  if (some.length > 9) return steps([1]);
  return some.length < 3 ? steps([1, 2, 3, 4, 5, 6, 7, 8, 9]) : some;
}

const kRoom = 1.12; // between the outermost values and the ends of a logarithmic scale

// A scale for values that are zero or more, such as errors in percent: logarithmic where they span so much that a
// linear scale would hide the small ones, else linear from zero. `most` is the largest value that makes sense.
export function valueScale(values: (number | null)[], most = Infinity): ValueScale {
  const positive = values.filter((value): value is number => value !== null && value > 0 && value < Infinity);
  const low = Math.min(...positive);
  const high = Math.max(...positive);
  if (positive.length === 0) return { type: "linear", domain: [0, 1], ticks: [] };
  if (high / low >= 8) {
    const domain: [number, number] = [low / kRoom, Math.min(most, high * kRoom)];
    return { type: "log", domain, ticks: logTicks(...domain) };
  }
  const width = roundStep(high / 6);
  const steps = Math.min(Math.ceil(high / width - 1e-9), Math.ceil(most / width));
  return { type: "linear", ...multiples(width, 0, steps) };
}

// The same of values that mean something without a zero beside them, such as bits: where zero is far the scale begins
// near the least. Its ticks differ in the three digits that labels have.
export function nearScale(values: (number | null)[]): ValueScale {
  const given = values.filter((value): value is number => value !== null && Number.isFinite(value));
  const low = Math.min(...given);
  const high = Math.max(...given);
  if (given.length === 0 || low <= high / 2) return valueScale(values);
  const width = roundStep(Math.max((high - low) / 6, 10 ** (Math.floor(Math.log10(high)) - 2)));
  return {
    type: "linear",
    ...multiples(width, Math.ceil(low / width - 1e-9) - 1, Math.floor(high / width + 1e-9) + 1),
  };
}

// The least of 1, 2, 5 times a power of ten that is `least` or more.
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return Number((([1, 2, 5].find((step) => step * power >= least * (1 - 1e-9)) ?? 10) * power).toPrecision(1));
}

function multiples(width: number, first: number, last: number): Pick<ValueScale, "domain" | "ticks"> {
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * width).toPrecision(6)));
  return { domain: [ticks[0] ?? first * width, ticks[ticks.length - 1] ?? last * width], ticks };
}

// A value drawn on a logarithmic scale has to be inside it: zero has no place there.
export function onScale(scale: ValueScale, value: number): number {
  return Math.min(Math.max(value, scale.domain[0]), scale.domain[1]);
}

// Where the value is on the scale, from 0 (low end) to 1 (high end), and back.
export function place(scale: ValueScale, value: number): number {
  const [low, high] = scale.domain;
  const inside = onScale(scale, value);
  if (scale.type === "log") return Math.log(inside / low) / Math.log(high / low);
  return (inside - low) / (high - low);
}

// The ticks whose labels, of `wide` pixels, have room side by side in `width`; of a logarithmic scale the powers of ten
// come first.
export function fittingTicks(scale: ValueScale, width: number, wide: (tick: number) => number): number[] {
  const fitting = (ticks: number[]): number[] => {
    let end = -Infinity;
    return ticks.filter((tick) => {
      const [middle, half] = [place(scale, tick) * width, wide(tick) / 2];
      if (middle - half < end) return false;
      end = middle + half + 6;
      return true;
    });
  };
  const all = fitting(scale.ticks);
  if (all.length === scale.ticks.length || scale.type === "linear") return all;
  const powers = fitting(scale.ticks.filter((tick) => Number.isInteger(Number(Math.log10(tick).toFixed(9)))));
  return powers.length < 2 ? all : powers;
}

// Positions for labels that want to be at `wanted` but need `gap` between each other, inside [low, high]: the ones
// with the least squared displacement (pool adjacent violators on wanted[i] - i * gap).
export function spread(wanted: number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const step = Math.min(gap, (high - low) / Math.max(1, wanted.length - 1));
  const pools: { sum: number; size: number }[] = [];
  order.forEach((index, rank) => {
    pools.push({ sum: (wanted[index] ?? 0) - rank * step, size: 1 });
    for (;;) {
      const last = pools[pools.length - 1];
      const before = pools[pools.length - 2];
      if (!last || !before || before.sum / before.size <= last.sum / last.size) break;
      pools.splice(-2, 2, { sum: before.sum + last.sum, size: before.size + last.size });
    }
  });
  const placed: number[] = new Array<number>(wanted.length).fill(0);
  const top = high - (wanted.length - 1) * step;
  let rank = 0;
  for (const { sum, size } of pools) {
    for (let i = 0; i < size; ++i, ++rank) {
      placed[order[rank] ?? 0] = Math.min(Math.max(sum / size, low), top) + rank * step;
    }
  }
  return placed;
}

export interface EndLabel {
  text: string;
  colour: string;
  x: number; // in the data, where the line ends
  y: number; // in the data
}

const kLine = 16; // pixels of a label's height
const kLead = 16; // pixels between a line and its label

// What labels at the ends of lines may take of a chart's width.
export function labelWidth(labels: string[], width: number): number {
  const most = Math.min(180, Math.round(0.39 * width));
  return Math.min(most, Math.ceil(Math.max(0, ...labels.map((label) => textWidth(label, 600)))) + kLead + 4);
}

// Labels to the right of the plot, moved apart, each joined to the end of its line where that is elsewhere.
export function endLabels(
  labels: EndLabel[],
  scale: ValueScale,
  box: { height: number; top: number; bottom: number; room: number },
): Markish[] {
  const span = box.height - box.top - box.bottom;
  const pixel = (value: number): number => box.top + span * (1 - place(scale, value));
  const placed = spread(
    labels.map((label) => pixel(label.y)),
    kLine,
    box.top - 4,
    box.height - box.bottom,
  );
  return labels.flatMap((label, i) => {
    const offset = (placed[i] ?? 0) - pixel(label.y);
    const y = onScale(scale, label.y);
    return [
      leader(label, y, offset),
      text([label], {
        frameAnchor: "right",
        y: () => y,
        dx: kLead,
        dy: offset,
        text: () => fit(label.text, box.room - kLead, 600),
        textAnchor: "start",
        fill: label.colour,
        fontWeight: 600,
        fontSize: kLabelSize,
      }),
    ];
  });
}

// A thin line from the end of a line to its label: a mark of one point in the data that draws itself.
function leader(label: EndLabel, y: number, offset: number): Markish {
  return dot([label], {
    x: "x",
    y: () => y,
    render: (_index, _scales, values, dimensions, context) => {
      const x = Number(values.x?.[0]);
      const at = Number(values.y?.[0]);
      const edge = dimensions.width - dimensions.marginRight;
      const far = edge - x >= kLead;
      if (Math.abs(offset) <= 3 && !far) return null;
      const path = context.document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute(
        "d",
        `M${x + 4},${at}${far ? `L${edge},${at + offset}` : ""}L${edge + kLead - 3},${at + offset}`,
      );
      path.setAttribute("stroke", label.colour);
      path.setAttribute("stroke-opacity", "0.55");
      path.setAttribute("fill", "none");
      return path;
    },
  });
}

export interface Hover {
  x: number;
  y: number;
  title: string;
}

// What stands in a chart that has nothing to show.
export function nothing(empty: boolean): Markish[] {
  return empty ? [text(["no result"], { frameAnchor: "middle", fill: "var(--ink-soft)", fontSize: kLabelSize })] : [];
}

// What the pointer shows: the nearest of these points.
export function hover(points: Hover[]): Markish {
  return tip(
    points,
    pointer({ x: "x", y: "y", title: "title", maxRadius: 60, fontSize: kLabelSize, lineHeight: 1.35 }),
  );
}

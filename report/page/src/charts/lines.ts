// Lines over a linear x with bands of uncertainty, labelled at their ends: learning curves.
import { areaY, gridY, lineY, type Markish } from "@observablehq/plot";
import type { Interval } from "../data";
import {
  bottomAxis,
  chart,
  type EndLabel,
  endLabels,
  type Hover,
  hover,
  kAxisLabel,
  labelWidth,
  nothing,
  onScale,
  roundTicks,
  valueAxis,
  type ValueScale,
} from "./frame";

export interface Series {
  label: string;
  colour: string;
  dash: string;
  points: { x: number; y: Interval; title: string }[]; // y in the unit of the axis
}

export interface LinesOptions {
  name: string;
  xAxis: string;
  yLabel: string; // with its unit
  yAxis: (value: number) => string; // a tick
  scale: ValueScale;
  xDomain: [number, number]; // of whole numbers
  width: number;
}

export function linesChart(series: Series[], options: LinesOptions): SVGSVGElement {
  const { scale, width, xDomain } = options;
  const bands: Markish[] = [];
  const lines: Markish[] = [];
  const labels: EndLabel[] = [];
  const hovers: Hover[] = [];
  for (const { label, colour, dash, points } of series) {
    const drawn = points.flatMap(({ x, y: { mean, low, high }, title }) =>
      mean === null
        ? []
        : [{ x, y: onScale(scale, mean), low: onScale(scale, low ?? mean), high: onScale(scale, high ?? mean), title }],
    );
    const last = drawn[drawn.length - 1];
    if (!last) continue;
    bands.push(areaY(drawn, { x: "x", y1: "low", y2: "high", fill: colour, fillOpacity: 0.14 }));
    lines.push(lineY(drawn, { x: "x", y: "y", stroke: colour, strokeWidth: 2, strokeDasharray: dash }));
    labels.push({ text: label, colour, x: last.x, y: last.y });
    hovers.push(...drawn);
  }
  const room = labelWidth(
    labels.map(({ text }) => text),
    width,
  );
  const xTicks = roundTicks(xDomain[1], Math.max(2, Math.floor((width - 50 - room) / 48)));
  const box = { height: width < 480 ? 300 : 320, top: kAxisLabel, bottom: 46, room };
  return chart(options.name, {
    width,
    height: box.height,
    marginLeft: 50,
    marginRight: room,
    marginTop: box.top,
    marginBottom: box.bottom,
    x: { type: "linear", domain: xDomain },
    y: { type: scale.type, domain: scale.domain },
    marks: [
      gridY(scale.ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      valueAxis(scale.ticks, options.yLabel, options.yAxis),
      bottomAxis(xTicks.filter(Number.isInteger), options.xAxis),
      ...bands,
      ...lines,
      ...endLabels(labels, scale, box),
      ...nothing(labels.length === 0),
      hover(hovers),
    ],
  });
}

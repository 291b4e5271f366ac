// The main picture: test error over normalization batch. An arm that shares statistics over the batch is a line with
// an interval at each normalization batch; one that does not is a flat line with its interval as a band.
import { areaY, dot, gridY, lineY, type Markish, ruleX } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Cell, Results } from "../data";
import { percent, percentInterval, plural } from "../format";
import {
  bottomAxis,
  chart,
  type EndLabel,
  endLabels,
  hover,
  kAxisLabel,
  type Hover,
  labelWidth,
  nothing,
  onScale,
  valueAxis,
  type ValueScale,
  valueScale,
} from "./frame";

interface Point {
  x: number;
  mean: number;
  low: number;
  high: number;
}

const kEdge = 1.22; // how far flat lines reach beyond the outermost normalization batch

// One scale for all models, so that pictures side by side compare.
export function errorScale(cells: Cell[]): ValueScale {
  const values = cells.flatMap(({ error }) => [error.mean, error.low, error.high]);
  return valueScale(
    values.map((value) => (value === null ? null : 100 * value)),
    100,
  );
}

// "10 seeds, 1 diverged".
export function lost({ n, diverged, crashed }: Cell): string {
  const found = [diverged > 0 ? `${diverged} diverged` : "", crashed > 0 ? `${crashed} crashed` : ""].filter(Boolean);
  return [plural(n, "seed"), ...found].join(", ");
}

export function cellTitle(arms: Arms, cell: Cell): string {
  return [arms.cellLabel(cell), `${percent(cell.error.mean)}  (${percentInterval(cell.error)})`, lost(cell)].join("\n");
}

export function batchChart(
  results: Results,
  arms: Arms,
  model: string,
  scale: ValueScale,
  width: number,
): SVGSVGElement {
  const batches = results.normalization_batches.length > 0 ? results.normalization_batches : [1];
  const first = batches[0] ?? 1;
  const last = batches[batches.length - 1] ?? 1;
  const domain: [number, number] = [first / kEdge, last * kEdge];
  const cells = arms.cellsOf(results, model).filter((cell) => cell.error.mean !== null);
  const point = (cell: Cell, x: number): Point => {
    const mean = 100 * (cell.error.mean ?? 0);
    const low = cell.error.low === null ? mean : 100 * cell.error.low;
    const high = cell.error.high === null ? mean : 100 * cell.error.high;
    return { x, mean: onScale(scale, mean), low: onScale(scale, low), high: onScale(scale, high) };
  };

  const labels: EndLabel[] = [];
  const hovers: Hover[] = [];
  const bands: Markish[] = [];
  const lines: Markish[] = [];
  const curves: Markish[] = []; // above the flat lines
  const sharing = arms.list.filter((arm) => arm.uses_batch && cells.some((cell) => cell.arm === arm.name));
  for (const arm of arms.list) {
    const own = cells.filter((cell) => cell.arm === arm.name);
    const { colour, symbol, dash } = arms.look(arm.name);
    const newest = own[own.length - 1];
    if (!newest) continue;
    if (arm.uses_batch) {
      const points = own.map((cell) => point(cell, cell.normalization_batch ?? first));
      const dx = 6 * (sharing.indexOf(arm) - (sharing.length - 1) / 2); // so that intervals stand side by side
      bands.push(areaY(points, { x: "x", y1: "low", y2: "high", fill: colour, fillOpacity: 0.13, dx }));
      curves.push(
        lineY(points, { x: "x", y: "mean", stroke: colour, strokeWidth: 2.5, strokeDasharray: dash, dx }),
        ruleX(points, { x: "x", y1: "low", y2: "high", stroke: colour, strokeWidth: 1.5, dx }),
        dot(points, { x: "x", y: "mean", fill: colour, symbol, r: 4.5, dx }),
      );
    } else {
      const points = domain.map((x) => point(newest, x));
      bands.push(areaY(points, { x: "x", y1: "low", y2: "high", fill: colour, fillOpacity: 0.13 }));
      lines.push(lineY(points, { x: "x", y: "mean", stroke: colour, strokeWidth: 2, strokeDasharray: dash }));
    }
    for (const cell of own) {
      for (const x of arm.uses_batch ? [cell.normalization_batch ?? first] : batches) {
        hovers.push({ x, y: point(cell, x).mean, title: cellTitle(arms, cell) });
      }
    }
    labels.push({ text: arm.label, colour, x: domain[1], y: 100 * (newest.error.mean ?? 0) });
  }

  const room = labelWidth(
    labels.map((label) => label.text),
    width,
  );
  const box = { height: width < 480 ? 300 : 380, top: kAxisLabel, bottom: 46, room };
  return chart("Test error over normalization batch", {
    width,
    height: box.height,
    marginLeft: 46,
    marginRight: room,
    marginTop: box.top,
    marginBottom: box.bottom,
    x: { type: "log", base: 2, domain },
    y: { type: scale.type, domain: scale.domain },
    marks: [
      gridY(scale.ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      valueAxis(scale.ticks, "test error", (value) => `${value}%`),
      bottomAxis(
        results.normalization_batches,
        `normalization batch${width < 480 ? "" : " (samples that share statistics)"}`,
      ),
      ...bands,
      ...lines,
      ...curves,
      ...endLabels(labels, scale, box),
      ...nothing(labels.length === 0),
      hover(hovers),
    ],
  });
}

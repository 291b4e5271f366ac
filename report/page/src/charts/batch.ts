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
  type Hover,
  labelWidth,
  nothing,
  onScale,
  place,
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

const kDashes = ["none", "12 12", "5 9"]; // of a flat line that lies on none, one or more others
const kEdge = 1.22; // how far flat lines reach beyond the outermost normalization batch

// One scale for all models, so that pictures side by side compare.
export function errorScale(cells: Cell[]): ValueScale {
  const values = cells.flatMap(({ error }) => [error.mean, error.low, error.high]);
  return valueScale(
    values.map((value) => (value === null ? null : 100 * value)),
    100,
  );
}

export function cellTitle(arms: Arms, cell: Cell): string {
  const lost = [
    cell.diverged > 0 ? `${cell.diverged} diverged` : "",
    cell.crashed > 0 ? `${cell.crashed} crashed` : "",
  ].filter(Boolean);
  return [
    arms.cellLabel(cell),
    `${percent(cell.error.mean)}  (${percentInterval(cell.error)})`,
    [plural(cell.n, "seed"), ...lost].join(", "),
  ].join("\n");
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
  const flat: number[] = []; // where the flat lines are
  const curves: Markish[] = []; // above the flat lines
  const sharing = arms.list.filter((arm) => arm.uses_batch);
  for (const arm of arms.list) {
    const own = cells.filter((cell) => cell.arm === arm.name);
    const { colour, symbol } = arms.look(arm.name);
    const newest = own[own.length - 1];
    if (!newest) continue;
    if (arm.uses_batch) {
      const points = own.map((cell) => point(cell, cell.normalization_batch ?? first));
      const dx = 6 * (sharing.indexOf(arm) - (sharing.length - 1) / 2); // so that intervals stand side by side
      bands.push(areaY(points, { x: "x", y1: "low", y2: "high", fill: colour, fillOpacity: 0.13, dx }));
      curves.push(
        lineY(points, { x: "x", y: "mean", stroke: colour, strokeWidth: 2.5, dx }),
        ruleX(points, { x: "x", y1: "low", y2: "high", stroke: colour, strokeWidth: 1.5, dx }),
        dot(points, { x: "x", y: "mean", fill: colour, symbol, r: 4.5, dx }),
      );
    } else {
      const points = domain.map((x) => point(newest, x));
      bands.push(areaY(points, { x: "x", y1: "low", y2: "high", fill: colour, fillOpacity: 0.13 }));
      // Dashed where it would hide others, so that they show through.
      const height = place(scale, points[0]?.mean ?? 0);
      const hidden = flat.filter((other) => Math.abs(other - height) < 0.012).length;
      flat.push(height);
      lines.push(
        lineY(points, {
          x: "x",
          y: "mean",
          stroke: colour,
          strokeWidth: 2,
          strokeDasharray: kDashes[Math.min(hidden, kDashes.length - 1)] ?? "none",
        }),
      );
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
    width < 480 ? 118 : 180,
  );
  const box = { height: width < 480 ? 300 : 400, top: 16, bottom: 46, room };
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
      valueAxis(scale.ticks, (value) => `${value}%`),
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

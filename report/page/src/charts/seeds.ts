// Every trial as a dot: one row a cell, dots moved apart where they would lie on each other. A trial that diverged or
// crashed counts as an error of 100% and is drawn as a cross.
import { dot, ruleX, text } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Cell, Trial } from "../data";
import { percent } from "../format";
import { type Hover, hover, onScale, place, type ValueScale, valueScale } from "./frame";
import { kRow, rowsChart } from "./rows";

const kRadius = 3;

const errorOf = (trial: Trial): number | null => (trial.status === "ok" ? trial.error : (trial.error ?? 1));

export function seedsScale(cells: Cell[]): ValueScale {
  return valueScale(
    cells.flatMap(({ trials }) => trials.map(errorOf)).map((e) => (e === null ? null : 100 * e)),
    100,
  );
}

// How far from the middle of its row each dot goes, in rows: the nearest place that is free, all drawn together
// where they would leave the row.
function swarm(pixels: number[]): number[] {
  const offsets: number[] = [];
  pixels.forEach((x, i) => {
    for (let level = 0; ; ++level) {
      const offset = (level % 2 ? 1 : -1) * Math.ceil(level / 2) * 2 * kRadius;
      const free = offsets.every((other, j) => Math.hypot((pixels[j] ?? 0) - x, other - offset) >= 2 * kRadius - 0.2);
      if (free || level > 200) {
        offsets[i] = offset;
        break;
      }
    }
  });
  const reach = Math.max(1, ...offsets.map(Math.abs));
  const fit = Math.min(1, (kRow / 2 - kRadius - 1) / reach);
  return offsets.map((offset) => (offset * fit) / kRow);
}

export function seedsChart(arms: Arms, cells: Cell[], scale: ValueScale, width: number): SVGSVGElement {
  const hovers: Hover[] = [];
  return rowsChart(arms, cells, {
    name: "Test error of every trial",
    axis: "test error",
    tick: (value) => `${value}%`,
    scale,
    width,
    marks: (row, cell) => {
      const { colour } = arms.look(cell.arm);
      const trials = cell.trials.flatMap((trial) => {
        const error = errorOf(trial);
        return error === null ? [] : [{ trial, x: onScale(scale, 100 * error), lost: trial.status !== "ok" }];
      });
      if (trials.length === 0) {
        return [
          text([{ y: row }], {
            frameAnchor: "left",
            y: "y",
            dx: 6,
            textAnchor: "start",
            text: () => "no result",
            fill: "var(--ink-soft)",
          }),
        ];
      }
      const offsets = swarm(trials.map(({ x }) => 0.75 * width * place(scale, x)));
      const dots = trials.map((item, i) => ({ ...item, y: row + (offsets[i] ?? 0) }));
      for (const { trial, x, y } of dots) {
        const status = trial.status === "ok" ? "" : `, ${trial.status}`;
        hovers.push({ x, y, title: `${arms.cellLabel(cell)}\nseed ${trial.seed}: ${percent(trial.error)}${status}` });
      }
      const mean = cell.error.mean === null ? [] : [{ x: onScale(scale, 100 * cell.error.mean), y: row }];
      return [
        dot(
          dots.filter(({ lost }) => !lost),
          { x: "x", y: "y", r: kRadius, fill: colour, fillOpacity: 0.6 },
        ),
        dot(
          dots.filter(({ lost }) => lost),
          { x: "x", y: "y", r: kRadius + 0.5, symbol: "times", stroke: colour, strokeWidth: 1.6 },
        ),
        ruleX(mean, { x: "x", y1: () => row - 0.42, y2: () => row + 0.42, stroke: "var(--ink)", strokeWidth: 1.8 }),
      ];
    },
    over: [hover(hovers)],
  });
}

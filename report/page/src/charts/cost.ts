// What a trial costs: one bar a cell, the median time of a trial.
import { rect, text, ruleX } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Cell } from "../data";
import { duration } from "../format";
import { type Hover, hover, valueScale, type ValueScale } from "./frame";
import { rowsChart } from "./rows";

export function costScale(cells: Cell[]): ValueScale {
  const scale = valueScale(cells.map(({ seconds }) => seconds));
  // Bars start at zero, whatever the values span.
  return scale.type === "linear" ? scale : linear(scale.domain[1]);
}

function linear(high: number): ValueScale {
  return {
    type: "linear",
    domain: [0, high],
    ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map((part) => Number((part * high).toPrecision(6))),
  };
}

export function costChart(arms: Arms, cells: Cell[], scale: ValueScale, width: number): SVGSVGElement {
  const hovers: Hover[] = cells.flatMap((cell, y) =>
    cell.seconds === null
      ? []
      : [{ x: cell.seconds, y, title: `${arms.cellLabel(cell)}\n${duration(cell.seconds)} a trial (median)` }],
  );
  return rowsChart(arms, cells, {
    name: "Seconds of a trial",
    axis: "seconds of a trial, median",
    tick: (value) => String(value),
    scale,
    width,
    right: 64,
    marks: (row, cell) => {
      const { colour } = arms.look(cell.arm);
      if (cell.seconds === null) {
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
      const bar = [{ x1: 0, x2: cell.seconds, y1: row - 0.32, y2: row + 0.32 }];
      return [
        rect(bar, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: colour, fillOpacity: 0.85 }),
        text([{ x: cell.seconds, y: row }], {
          x: "x",
          y: "y",
          dx: 6,
          textAnchor: "start",
          text: () => duration(cell.seconds),
          fill: "var(--ink-soft)",
          fontSize: 12.5,
          stroke: "var(--paper)",
          strokeWidth: 4,
        }),
      ];
    },
    over: [ruleX([0], { stroke: "var(--ink-soft)" }), hover(hovers)],
  });
}

// One value of each cell with its interval: a row a cell, its number behind it. An end that is infinite goes on as an
// arrow.
import { dot, link, type Markish, text } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Cell, Interval } from "../data";
import { kLabelSize, textWidth } from "../measure";
import { type Hover, hover, onScale, type ValueScale } from "./frame";
import { rowsChart } from "./rows";

export interface ValuesOptions {
  name: string; // of the chart
  axis: string; // with its unit
  scale: ValueScale;
  width: number;
  tick: (value: number) => string;
  read: (value: number | null) => string;
  value: (cell: Cell) => Interval | null; // in the unit of the axis
  note?: (cell: Cell) => string; // in what the pointer shows
  second?: { label: string; value: (cell: Cell) => Interval | null }; // an open dot on the same line
}

export function valuesChart(arms: Arms, cells: Cell[], options: ValuesOptions): SVGSVGElement {
  const { scale, read, second } = options;
  const x = (value: number): number => onScale(scale, value);
  const hovers: Hover[] = [];
  const words = cells.map((cell) => read(options.value(cell)?.mean ?? null));
  const right = 16 + Math.ceil(Math.max(0, ...words.map((word) => textWidth(word))));
  const marks = (row: number, cell: Cell): Markish[] => {
    const { colour, symbol } = arms.look(cell.arm);
    const value = options.value(cell);
    const number = text([words[row] ?? ""], {
      frameAnchor: "right",
      y: () => row,
      dx: right - 4,
      textAnchor: "end",
      fontSize: kLabelSize,
      fill: "var(--ink-soft)",
    });
    if (value?.mean == null) return [number];
    const title = `${arms.cellLabel(cell)}\n${words[row] ?? ""} (${read(value.low)} to ${read(value.high)})`;
    hovers.push({ x: x(value.mean), y: row, title: [title, options.note?.(cell)].filter(Boolean).join("\n") });
    const ends = { x1: x(value.low ?? value.mean), x2: x(value.high ?? value.mean), y: row };
    const found = [
      link([ends], {
        x1: "x1",
        x2: "x2",
        y1: "y",
        y2: "y",
        stroke: colour,
        strokeWidth: 2.6,
        strokeOpacity: 0.75,
        strokeLinecap: "round",
      }),
    ];
    const other = second?.value(cell)?.mean;
    if (other != null && second) {
      hovers.push({ x: x(other), y: row, title: `${arms.cellLabel(cell)}\n${second.label}: ${read(other)}` });
      found.push(
        link([{ x1: x(other), x2: x(value.mean), y: row }], {
          x1: "x1",
          x2: "x2",
          y1: "y",
          y2: "y",
          stroke: colour,
          strokeWidth: 1.2,
          strokeDasharray: "2 3",
        }),
        dot([{ x: x(other), y: row }], {
          x: "x",
          y: "y",
          symbol,
          r: 4.5,
          fill: "var(--paper)",
          stroke: colour,
          strokeWidth: 1.8,
        }),
      );
    }
    return [...found, dot([{ x: x(value.mean), y: row }], { x: "x", y: "y", symbol, r: 5, fill: colour }), number];
  };
  const rows = cells.map((cell, row) => marks(row, cell));
  return rowsChart(arms, cells, {
    name: options.name,
    axis: options.axis,
    tick: options.tick,
    scale,
    width: options.width,
    right: Math.max(26, right),
    marks: (row) => rows[row] ?? [],
    over: [hover(hovers)],
  });
}

// Charts with one row a cell of the study (an arm, at a normalization batch where it shares over the batch): the
// labels, the guides and the height; what stands in the rows is the chart's own.
import { gridX, type Markish, ruleY, text } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Cell } from "../data";
import { fit, kLabelSize, textWidth } from "../measure";
import { bottomAxis, chart, fittingTicks, type ValueScale } from "./frame";

export const kRow = 24; // pixels

export interface RowsOptions {
  name: string; // of the chart
  axis: string; // title of the value axis, with its unit
  tick: (value: number) => string;
  scale: ValueScale;
  width: number;
  right?: number; // margin, for text after the last value
  marks: (row: number, cell: Cell) => Markish[];
  over?: Markish[]; // above all rows
}

export function rowsChart(arms: Arms, cells: Cell[], options: RowsOptions): SVGSVGElement {
  const { width, scale } = options;
  const labels = cells.map((cell) => arms.cellLabel(cell));
  const most = Math.min(190, Math.round(0.39 * width));
  const left = Math.min(most, 14 + Math.ceil(Math.max(20, ...labels.map((label) => textWidth(label, 500)))));
  const rows = cells.map((cell, row) => ({ row, label: labels[row] ?? "", colour: arms.look(cell.arm).colour }));
  const breaks = rows
    .filter(({ row }) => row > 0 && cells[row]?.arm !== cells[row - 1]?.arm)
    .map(({ row }) => row - 0.5);
  const right = options.right ?? 26;
  const ticks = fittingTicks(scale, width - left - right, (tick) => textWidth(options.tick(tick)));
  return chart(options.name, {
    width,
    height: kRow * Math.max(1, cells.length) + 62,
    marginLeft: left,
    marginRight: right,
    marginTop: 12,
    marginBottom: 50,
    x: { type: scale.type, domain: scale.domain },
    y: { type: "linear", domain: [cells.length - 0.5, -0.5], axis: null },
    marks: [
      gridX(ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      bottomAxis(ticks, options.axis, options.tick),
      ruleY(breaks, { stroke: "var(--rule)", insetLeft: -left }),
      text(rows, {
        frameAnchor: "left",
        y: "row",
        dx: -12,
        textAnchor: "end",
        fontSize: kLabelSize,
        fontWeight: 500,
        text: (d: { label: string }) => fit(d.label, left - 12, 500),
        fill: "colour",
      }),
      ...rows.flatMap(({ row }) => {
        const cell = cells[row];
        return cell ? options.marks(row, cell) : [];
      }),
      ...(options.over ?? []),
    ],
  });
}

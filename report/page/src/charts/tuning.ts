// Validation error over learning rate: a line an arm, a ring around the rate that was chosen, a filled one where that
// rate is the smallest or largest of its grid, so that a better one may lie beyond.
import { dot, gridY, lineY, type Markish } from "@observablehq/plot";
import type { Arms } from "../arms";
import type { Cell } from "../data";
import { percent, short } from "../format";
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
  valueAxis,
  type ValueScale,
} from "./frame";

export function tuningChart(arms: Arms, cells: Cell[], scale: ValueScale, width: number): SVGSVGElement {
  const rates = [...new Set(cells.flatMap(({ tuning }) => tuning.map((point) => point.learning_rate)))]
    .filter((rate) => rate > 0)
    .sort((a, b) => a - b);
  const lines: Markish[] = [];
  const rings: Markish[] = [];
  const labels: EndLabel[] = [];
  const hovers: Hover[] = [];
  for (const cell of cells) {
    const { colour, symbol, dash } = arms.look(cell.arm);
    const points = cell.tuning
      .filter((point) => point.learning_rate > 0)
      .flatMap(({ learning_rate, validation_error }) =>
        validation_error === null
          ? []
          : [
              {
                rate: learning_rate,
                x: learning_rate,
                y: onScale(scale, 100 * validation_error),
                error: validation_error,
              },
            ],
      )
      .sort((a, b) => a.rate - b.rate);
    const last = points[points.length - 1];
    if (!last) continue;
    const chosen = points.filter(({ rate }) => rate === cell.learning_rate);
    lines.push(
      lineY(points, { x: "x", y: "y", stroke: colour, strokeWidth: 2, strokeDasharray: dash }),
      dot(points, { x: "x", y: "y", fill: colour, r: 3.2, symbol }),
    );
    rings.push(
      dot(chosen, {
        x: "x",
        y: "y",
        r: 8,
        stroke: colour,
        strokeWidth: 2.4,
        fill: cell.at_edge ? colour : "none",
        fillOpacity: 0.25,
      }),
    );
    labels.push({ text: arms.label(cell.arm), colour, x: last.x, y: last.y });
    for (const { x, y, rate, error } of points) {
      const note = rate === cell.learning_rate ? (cell.at_edge ? "\nchosen, at the edge of the grid" : "\nchosen") : "";
      hovers.push({ x, y, title: `${arms.cellLabel(cell)}\nrate ${short(rate)}: ${percent(error)}${note}` });
    }
  }
  const room = labelWidth(
    labels.map(({ text }) => text),
    width,
  );
  const box = { height: width < 480 ? 320 : 350, top: kAxisLabel, bottom: 46, room };
  const domain: [number, number] = [(rates[0] ?? 0.1) / 1.15, (rates[rates.length - 1] ?? 1) * 1.15];
  const most = Math.max(2, Math.floor((width - 50 - room) / 46));
  const every = Math.ceil(rates.length / most);
  return chart("Validation error over learning rate", {
    width,
    height: box.height,
    marginLeft: 50,
    marginRight: room,
    marginTop: box.top,
    marginBottom: box.bottom,
    x: { type: "log", domain },
    y: { type: scale.type, domain: scale.domain },
    marks: [
      gridY(scale.ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      valueAxis(scale.ticks, "validation error", (value) => `${value}%`),
      bottomAxis(
        rates.filter((_, i) => i % every === 0),
        "learning rate",
        short,
      ),
      ...lines,
      ...rings,
      ...endLabels(labels, scale, box),
      ...nothing(labels.length === 0),
      hover(hovers),
    ],
  });
}

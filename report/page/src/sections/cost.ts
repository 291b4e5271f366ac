// What the arms cost.
import type { Arms } from "../arms";
import { costChart, costScale } from "../charts/cost";
import type { Results } from "../data";
import { figure } from "../figure";
import { duration } from "../format";
import { section } from "./section";

export function cost(results: Results, arms: Arms): HTMLElement {
  const scales = new Map(
    results.models.map((model) => [model.name, costScale(results.cells.filter((cell) => cell.model === model.name))]),
  );
  const view = figure(results.study.name, {
    id: "cost",
    title: "Seconds of a trial",
    look:
      "Look at the length of the bars: the time to train and judge one network, the median over seeds, on this " +
      "machine.",
    panels: results.models.map((model) => ({
      title: model.label,
      draw: (width) =>
        costChart(arms, arms.cellsOf(results, model.name), scales.get(model.name) ?? costScale([]), width),
    })),
    table: {
      columns: [
        { name: "model" },
        { name: "arm" },
        { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
        { name: "seconds of a trial", show: duration },
      ],
      rows: results.models.flatMap((model) =>
        arms
          .cellsOf(results, model.name)
          .map((cell) => [model.label, arms.label(cell.arm), cell.normalization_batch, cell.seconds]),
      ),
    },
  });
  return section("cost", "Cost", "What it costs", "", view);
}

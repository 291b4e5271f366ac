// Every trial, one dot each.
import type { Arms } from "../arms";
import { seedsChart, seedsScale } from "../charts/seeds";
import type { Results } from "../data";
import { figure } from "../figure";
import { percent } from "../format";
import { section } from "./section";

export function seeds(results: Results, arms: Arms): HTMLElement {
  const scale = seedsScale(results.cells);
  const lost = results.cells.some((cell) => cell.trials.some((trial) => trial.status !== "ok"));
  const view = figure(results.study.name, {
    id: "every-seed",
    title: "Test error of every seed",
    look:
      "Look at the spread within a row: wide rows are arms whose result depends on the seed. The line is the mean." +
      (lost ? " A cross is a trial that diverged or crashed, which counts as an error of 100%." : ""),
    panels: results.models.map((model) => ({
      title: model.label,
      draw: (width) => seedsChart(arms, arms.cellsOf(results, model.name), scale, width),
    })),
    table: {
      columns: [
        { name: "model" },
        { name: "arm" },
        { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
        { name: "seed" },
        { name: "status" },
        { name: "test error", show: percent },
        { name: "validation error", show: percent },
      ],
      rows: results.models.flatMap((model) =>
        arms
          .cellsOf(results, model.name)
          .flatMap((cell) =>
            cell.trials.map((trial) => [
              model.label,
              arms.label(cell.arm),
              cell.normalization_batch,
              trial.seed,
              trial.status,
              trial.error,
              trial.validation_error,
            ]),
          ),
      ),
    },
  });
  return section("seeds", "Seeds", "Every seed", "", view);
}

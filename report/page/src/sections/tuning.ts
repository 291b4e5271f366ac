// The learning rates that were tried, and the ones that were chosen.
import type { Arms } from "../arms";
import { valueScale } from "../charts/frame";
import { tuningChart } from "../charts/tuning";
import type { Cell, Results } from "../data";
import { figure } from "../figure";
import { percent, plural, short } from "../format";
import { batchChoice, type BatchView } from "./choice";
import { section } from "./section";

// What the grid may have missed: the chosen rates at an edge of it.
function edges(results: Results, arms: Arms): string[] {
  const found = results.cells.filter((cell) => cell.at_edge && cell.learning_rate !== null);
  if (found.length === 0) return [];
  const label = (name: string): string => results.models.find((model) => model.name === name)?.label ?? name;
  const list = found.map((cell) => `${arms.cellLabel(cell)} in ${label(cell.model)} (${short(cell.learning_rate)})`);
  return [`At the edge of the grid, so that a better rate may lie beyond it: ${list.join("; ")}.`];
}

export function tuning(results: Results, arms: Arms, view: BatchView): HTMLElement | null {
  const cells = results.cells.filter((cell) => cell.tuning.length > 0);
  if (cells.length === 0) return null;
  const batches = results.normalization_batches.filter((batch) =>
    cells.some((cell) => cell.normalization_batch === batch),
  );
  const batch = view.batch !== null && batches.includes(view.batch) ? view.batch : (batches[0] ?? 0);
  const scale = valueScale(
    cells.flatMap((cell) => cell.tuning.map(({ validation_error: e }) => (e === null ? null : 100 * e))),
    100,
  );
  const shown = (model: string): Cell[] =>
    arms
      .cellsOf(results, model)
      .filter(
        (cell) => cell.tuning.length > 0 && (cell.normalization_batch === null || cell.normalization_batch === batch),
      );

  const picture = figure(results.study.name, {
    id: "learning-rates",
    title: "Validation error over learning rate",
    look:
      "Look at where each line is lowest: the ring is the rate that the arm was given. A ring that is filled lies at " +
      "the edge of the grid.",
    panels: results.models.map((model) => ({
      title: model.label,
      draw: (width) => tuningChart(arms, shown(model.name), scale, width),
    })),
    controls: batchChoice("learning-rates", batches, batch, view),
    notes: edges(results, arms),
    table: {
      columns: [
        { name: "model" },
        { name: "arm" },
        { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
        { name: "learning rate", show: short },
        { name: "validation error", show: percent },
        { name: "chosen" },
      ],
      rows: results.models.flatMap((model) =>
        arms
          .cellsOf(results, model.name)
          .flatMap((cell) =>
            cell.tuning.map((point) => [
              model.label,
              arms.label(cell.arm),
              cell.normalization_batch,
              point.learning_rate,
              point.validation_error,
              point.learning_rate === cell.learning_rate ? (cell.at_edge ? "yes, at the edge" : "yes") : "no",
            ]),
          ),
      ),
    },
  });
  const grid = new Set(results.learning_rates);
  const widened = cells.some((cell) => cell.tuning.some((point) => !grid.has(point.learning_rate)));
  const seeds = results.tuning_seeds.length;
  return section(
    "tuning",
    "Tuning",
    "How the learning rates were chosen",
    "Every arm had the same grid of learning rates" +
      (widened ? ", widened where the best one lay at its edge," : "") +
      (seeds > 0 ? ` and ${plural(seeds, "seed")} of its own` : "") +
      ", judged on validation data only; the test data had no part in it.",
    picture,
  );
}

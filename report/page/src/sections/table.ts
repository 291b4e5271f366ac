// The table: arms by normalization batch, one for each model. The document says which arms are the best of a column;
// shades follow the error, so that the eye finds where an arm breaks.
import type { Arms } from "../arms";
import { errorScale } from "../charts/batch";
import { onScale, place } from "../charts/frame";
import type { Cell, Results } from "../data";
import { element } from "../common/dom";
import { kNoResult, percent, percentInterval } from "../format";
import { scrollBox } from "../scroll";
import { section } from "./section";

function cellOf(results: Results, model: string, arm: string, batch: number | null): Cell | undefined {
  return results.cells.find(
    (cell) =>
      cell.model === model &&
      cell.arm === arm &&
      (cell.normalization_batch === null || cell.normalization_batch === batch),
  );
}

function modelTable(results: Results, arms: Arms, model: string, label: string): HTMLElement {
  const scale = errorScale(results.cells);
  const batches: (number | null)[] = results.normalization_batches.length > 0 ? results.normalization_batches : [null];
  const grid = arms.list.map((arm) => batches.map((batch) => cellOf(results, model, arm.name, batch)));
  const best = batches.map(
    (batch) =>
      results.best.find((column) => column.model === model && column.normalization_batch === batch)?.arms ?? [],
  );

  const value = (cell: Cell | undefined, column: number): HTMLElement => {
    if (!cell || cell.error.mean === null) return element("td", { class: "none" }, kNoResult);
    const lost = cell.diverged + cell.crashed;
    const isBest = best[column]?.includes(cell.arm) ?? false;
    const td = element(
      "td",
      { class: isBest ? "best" : null, "data-mean": cell.error.mean },
      element(
        "span",
        { class: "mean" },
        isBest ? element("span", { class: "badge" }, "best") : null,
        percent(cell.error.mean),
      ),
      element("span", { class: "interval" }, percentInterval(cell.error)),
      cell.leaks ? element("span", { class: "lost" }, "saw future tokens") : null,
      lost > 0
        ? element(
            "span",
            { class: "lost" },
            `${lost} of ${cell.n} ${cell.crashed === 0 ? "diverged" : cell.diverged === 0 ? "crashed" : "lost"}`,
          )
        : null,
    );
    td.style.setProperty("--shade", place(scale, onScale(scale, 100 * cell.error.mean)).toFixed(3));
    return td;
  };
  return scrollBox(
    `Test error, ${label}`,
    element(
      "table",
      { class: "errors", "data-model": model },
      element("caption", {}, label),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td", {}),
          element("th", { scope: "colgroup", colspan: batches.length }, "normalization batch"),
        ),
        element(
          "tr",
          {},
          element("th", { scope: "col", class: "arm" }, "arm"),
          ...batches.map((batch) => element("th", { scope: "col" }, batch === null ? "any" : String(batch))),
        ),
      ),
      element(
        "tbody",
        {},
        ...arms.list.map((arm, row) => {
          const name = element(
            "th",
            { scope: "row", class: "arm" },
            element("span", { class: "swatch" }),
            element("span", { title: arm.over }, arm.label),
            arm.uses_batch ? null : element("span", { class: "flat" }, "same at every batch"),
          );
          name.style.setProperty("--colour", arms.look(arm.name).colour);
          return element(
            "tr",
            { class: arm.uses_batch ? null : "flat" },
            name,
            ...batches.map((_, column) => value(grid[row]?.[column], column)),
          );
        }),
      ),
    ),
  ).frame;
}

export function tables(results: Results, arms: Arms): HTMLElement {
  return section(
    "table",
    "Table",
    "The table",
    "Mean test error with its 95% interval. An arm that does not share statistics over the batch has one result, " +
      "which stands in every column. Best: not shown to be worse than the lowest of its column, as another arm is.",
    ...results.models.map((model) => modelTable(results, arms, model.name, model.label)),
  );
}

// The main picture of a part: test error, with its intervals.
import type { Arms } from "../arms";
import { batchChart, errorScale, lost } from "../charts/batch";
import { nearScale } from "../charts/frame";
import { valuesChart } from "../charts/values";
import type { Cell, Interval, Results } from "../data";
import { type Column, figure, type Table } from "../figure";
import { percent, short } from "../format";

const hundred = ({ mean, low, high }: Interval): Interval => {
  const times = (value: number | null): number | null => (value === null ? null : 100 * value);
  return { mean: times(mean), low: times(low), high: times(high) };
};

const bitsOf = ({ measures }: Cell): Interval | null => measures.get("bits_per_character") ?? null;

// Whether the samples are windows of a text. Their items are the last characters of the windows.
export const ofText = ({ cells }: Results): boolean => cells.some((cell) => bitsOf(cell) !== null);

// A row a cell, with what is read of it.
function cellTable(
  results: Results,
  arms: Arms,
  name: string,
  show: NonNullable<Column["show"]>,
  read: (cell: Cell) => Interval | null,
): Table {
  return {
    columns: [
      { name: "model" },
      { name: "arm" },
      { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
      { name, show },
      { name: "95% low", show },
      { name: "95% high", show },
      { name: "seeds" },
    ],
    rows: results.models.flatMap((model) =>
      arms.cellsOf(results, model.name).map((cell) => {
        const found = read(cell);
        return [
          model.label,
          arms.label(cell.arm),
          cell.normalization_batch,
          found?.mean ?? null,
          found?.low ?? null,
          found?.high ?? null,
          cell.n,
        ];
      }),
    ),
  };
}

// Of text: what a character costs. Nothing else has it.
export function bitsPicture(results: Results, arms: Arms): HTMLElement | null {
  if (!ofText(results)) return null;
  const scale = nearScale(
    results.cells.flatMap((cell) => {
      const bits = bitsOf(cell);
      return bits ? [bits.mean, bits.low, bits.high] : [];
    }),
  );
  return figure(results.study.name, {
    id: "bits",
    title: "Bits per character",
    heading: "h2",
    look:
      "Look for arms whose intervals do not overlap: left is better. Over all characters of the test windows; bars " +
      "are 95% intervals over seeds." +
      (scale.type === "linear" && scale.domain[0] > 0 ? " The scale leaves out zero." : ""),
    panels: results.models.map((model) => ({
      title: model.label,
      draw: (width) =>
        valuesChart(arms, arms.cellsOf(results, model.name), {
          name: "Bits per character",
          axis: "bits per character",
          scale,
          width,
          tick: short,
          read: short,
          value: bitsOf,
          note: lost,
        }),
    })),
    table: cellTable(results, arms, "bits per character", short, bitsOf),
  });
}

// Over normalization batches where there are several, otherwise one row an arm.
export function picture(results: Results, arms: Arms): HTMLElement {
  const scale = errorScale(results.cells);
  const several = results.normalization_batches.length > 1;
  const logarithmic = scale.type === "log" ? "; the error scale is logarithmic." : ".";
  return figure(results.study.name, {
    id: several ? "error-over-batch" : "test-error",
    title:
      (ofText(results) ? "Test error at the last character of each window" : "Test error") +
      (several ? " over normalization batch" : ""),
    heading: "h2",
    look: several
      ? "Look for where a line rises above the flat bands: there, sharing statistics over that few samples costs " +
        `accuracy; below them it pays. Bars and bands are 95% intervals over seeds and test samples${logarithmic}`
      : "Look for arms whose intervals do not overlap: left is better. Bars are 95% intervals over seeds and test " +
        `samples${logarithmic}`,
    panels: results.models.map((model) => ({
      title: model.label,
      draw: (width) =>
        several
          ? batchChart(results, arms, model.name, scale, width)
          : valuesChart(arms, arms.cellsOf(results, model.name), {
              name: "Test error",
              axis: "test error",
              scale,
              width,
              tick: (value) => `${value}%`,
              read: (value) => percent(value === null ? null : value / 100),
              value: ({ error }) => hundred(error),
              note: lost,
            }),
    })),
    table: cellTable(results, arms, "test error", percent, (cell) => cell.error),
  });
}

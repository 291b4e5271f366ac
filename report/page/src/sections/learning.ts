// How the networks learned: validation error and training loss over the updates.
import type { Arms } from "../arms";
import { valueScale } from "../charts/frame";
import { linesChart, type Series } from "../charts/lines";
import type { Cell, CurvePoint, Interval, Results } from "../data";
import { figure, type Panel } from "../figure";
import { percent, plural, short } from "../format";
import { batchChoice, type BatchView } from "./choice";
import { section } from "./section";

interface Measure {
  title: string;
  of: (point: CurvePoint) => Interval; // in the unit of the axis
  tick: (value: number) => string;
  read: (value: number | null) => string;
  most: number; // the largest value that makes sense, in the unit of the axis
}

const hundred = (value: number | null): number | null => (value === null ? null : 100 * value);

const kMeasures: Measure[] = [
  {
    title: "validation error",
    of: ({ validation_error: { mean, low, high } }) => ({
      mean: hundred(mean),
      low: hundred(low),
      high: hundred(high),
    }),
    tick: (value) => `${value}%`,
    read: (value) => percent(value === null ? null : value / 100),
    most: 100,
  },
  { title: "training loss (nats)", of: (point) => point.train_loss, tick: short, read: short, most: Infinity },
];

export function learning(results: Results, arms: Arms, view: BatchView): HTMLElement | null {
  const cells = results.cells.filter((cell) => cell.curve.length > 0);
  if (cells.length === 0) return null;
  const batches = results.normalization_batches.filter((batch) =>
    cells.some((cell) => cell.normalization_batch === batch),
  );
  const batch = view.batch !== null && batches.includes(view.batch) ? view.batch : (batches[0] ?? 0);
  const xDomain: [number, number] = [0, Math.max(...cells.flatMap(({ curve }) => curve.map(({ step }) => step)))];

  const shown = (model: string): Cell[] =>
    arms
      .cellsOf(results, model)
      .filter(
        (cell) => cell.curve.length > 0 && (cell.normalization_batch === null || cell.normalization_batch === batch),
      );
  const panels: Panel[] = results.models.flatMap((model) =>
    kMeasures.map((measure) => {
      // One scale for all normalization batches, so that a change of the choice moves lines and not axes.
      const scale = valueScale(
        cells
          .filter((cell) => cell.model === model.name)
          .flatMap(({ curve }) =>
            curve.flatMap((point) => {
              const { mean, low, high } = measure.of(point);
              return [mean, low, high];
            }),
          ),
        measure.most,
      );
      const series = (): Series[] =>
        shown(model.name).map((cell) => ({
          label: arms.label(cell.arm),
          ...arms.look(cell.arm),
          points: cell.curve.map((point) => ({
            x: point.step,
            y: measure.of(point),
            title:
              `${arms.cellLabel(cell)}\nafter ${plural(point.step, "update")}: ` + measure.read(measure.of(point).mean),
          })),
        }));
      return {
        title: `${model.label}: ${measure.title}`,
        draw: (width: number) =>
          linesChart(series(), {
            name: `${measure.title} over updates`,
            xAxis: "updates",
            yLabel: measure.title,
            yAxis: measure.tick,
            scale,
            xDomain,
            width,
          }),
      };
    }),
  );

  const picture = figure(results.study.name, {
    id: "learning-curves",
    title: "Learning curves",
    look:
      "Look at how early the lines come down and whether they stay there. Lines are means over seeds, bands " +
      "95% intervals" +
      (batches.length > 1 ? "; the choice sets the normalization batch of the arms that share over it." : "."),
    panels,
    controls: batchChoice("learning-curves", batches, batch, view),
    table: {
      columns: [
        { name: "model" },
        { name: "arm" },
        { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
        { name: "updates" },
        { name: "samples" },
        { name: "validation error", show: percent },
        { name: "95% low", show: percent },
        { name: "95% high", show: percent },
        { name: "training loss (nats)", show: short },
        { name: "95% low (nats)", show: short },
        { name: "95% high (nats)", show: short },
      ],
      rows: results.models.flatMap((model) =>
        arms
          .cellsOf(results, model.name)
          .flatMap((cell) =>
            cell.curve.map((p) => [
              model.label,
              arms.label(cell.arm),
              cell.normalization_batch,
              p.step,
              p.samples,
              p.validation_error.mean,
              p.validation_error.low,
              p.validation_error.high,
              p.train_loss.mean,
              p.train_loss.low,
              p.train_loss.high,
            ]),
          ),
      ),
    },
  });
  return section("learning", "Learning", "How they learned", "", picture);
}

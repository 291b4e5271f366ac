// What else was measured of the trials: errors under shifted inputs, the gap between training and test, and what the
// probes saw, as one value a network or layer by layer.
import type { Arms } from "../arms";
import { nearScale, valueScale } from "../charts/frame";
import { linesChart } from "../charts/lines";
import { valuesChart } from "../charts/values";
import type { Cell, Interval, Results } from "../data";
import { type Column, dataTable, figure, type Panel, type Table } from "../figure";
import { percent, short } from "../format";
import { section } from "./section";

const kShift = /^error@(.+)$/;
const kLayer = /^(.+)\[(\d+)\]$/;

interface Names {
  of: string; // in a heading
  unit: string; // of the axis
}

const kNames = new Map<string, Names>([
  [
    "gradient_shift",
    { of: "Shift of a layer's gradient when those below it move", unit: "relative change, ‖G − G′‖ / ‖G‖" },
  ],
  ["gradient_shift_cosine", { of: "Turn of a layer's gradient when those below it move", unit: "1 − cosine" }],
  ["moment_shift_mean", { of: "Drift of the means of a layer's inputs", unit: "sd" }],
  ["moment_shift_sd", { of: "Drift of the spread of a layer's inputs", unit: "|log ratio of sd|" }],
  ["loss_range", { of: "Range of the loss along the gradient", unit: "nats" }],
  ["gradient_change", { of: "Change of the gradient along itself", unit: "relative change" }],
  ["statistics_gap_mean", { of: "Gap of the running means to those of the training part", unit: "sd" }],
  ["statistics_gap_sd", { of: "Gap of the running spread to that of the training part", unit: "|log ratio of sd|" }],
  ["activation_rms", { of: "Size of the activations", unit: "root mean square" }],
  ["gradient_rms", { of: "Size of the weights' gradients", unit: "root mean square" }],
  ["bits_per_character", { of: "Bits per character", unit: "bits" }],
  ["error_per_character", { of: "Test error per character", unit: "fraction wrong" }],
]);

const named = (name: string): Names => kNames.get(name) ?? { of: name.replaceAll("_", " "), unit: "its own unit" };

export function measureNames(cells: Cell[]): string[] {
  return [...new Set(cells.flatMap(({ measures }) => [...measures.keys()]))].sort();
}

const hundred = (value: Interval | null | undefined): Interval | null => {
  const times = (x: number | null): number | null => (x === null ? null : 100 * x);
  return value ? { mean: times(value.mean), low: times(value.low), high: times(value.high) } : null;
};

const ends = (value: Interval | null): (number | null)[] => (value ? [value.mean, value.low, value.high] : []);

const ofPercent = (value: number | null): string => percent(value === null ? null : value / 100);

const kCellColumns: Column[] = [
  { name: "model" },
  { name: "arm" },
  { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
];

// One row a cell and measure.
function table(results: Results, arms: Arms, names: string[], show: (value: number | null) => string): Table {
  const missing = { mean: null, low: null, high: null, n: 0 };
  return {
    columns: [
      ...kCellColumns,
      { name: "measure" },
      { name: "value", show },
      { name: "95% low", show },
      { name: "95% high", show },
      { name: "seeds" },
    ],
    rows: results.models.flatMap((model) =>
      arms.cellsOf(results, model.name).flatMap((cell) =>
        names.map((name) => {
          const { mean, low, high, n } = cell.measures.get(name) ?? missing;
          return [model.label, arms.label(cell.arm), cell.normalization_batch, name, mean, low, high, n];
        }),
      ),
    ),
  };
}

// Test error, and the error on the training samples as the same network has it: of text both over all characters.
export function gap(results: Results, arms: Arms): HTMLElement | null {
  const { cells } = results;
  if (!cells.some(({ measures }) => measures.has("train_error"))) return null;
  const train = (cell: Cell): Interval | null => hundred(cell.measures.get("train_error"));
  const test = (cell: Cell): Interval => cell.measures.get("error_per_character") ?? cell.error;
  const scale = valueScale(
    cells.flatMap((cell) => [...ends(hundred(test(cell))), train(cell)?.mean ?? null]),
    100,
  );
  const view = figure(results.study.name, {
    id: "train-test-gap",
    title: "Error in training and in test",
    look:
      "Look at the distance between the open and the full mark: the error on the training samples and on the test " +
      "samples, both in inference. Where even the training samples go wrong, the statistics of inference are not " +
      "those of training, or training has not come far." +
      (scale.type === "log" ? " An error of zero stands at the left edge of the logarithmic scale." : ""),
    panels: results.models.map((model) => ({
      title: model.label,
      draw: (width) =>
        valuesChart(arms, arms.cellsOf(results, model.name), {
          name: "Error in training and in test",
          axis: "error (open: training, full: test)",
          scale,
          width,
          tick: (value) => `${value}%`,
          read: ofPercent,
          value: (cell) => hundred(test(cell)),
          second: { label: "training samples", value: train },
        }),
    })),
    table: {
      columns: [
        ...kCellColumns,
        { name: "training error", show: percent },
        { name: "test error", show: percent },
        { name: "test 95% low", show: percent },
        { name: "test 95% high", show: percent },
      ],
      rows: results.models.flatMap((model) =>
        arms
          .cellsOf(results, model.name)
          .map((cell) => [
            model.label,
            arms.label(cell.arm),
            cell.normalization_batch,
            cell.measures.get("train_error")?.mean ?? null,
            test(cell).mean,
            test(cell).low,
            test(cell).high,
          ]),
      ),
    },
  });
  return section("gap", "Gap", "From training to test", "", view);
}

// A panel for each model and measure, with the cells that have it.
function panels(
  results: Results,
  arms: Arms,
  names: string[],
  how: {
    title: (name: string) => string;
    axis: (name: string) => string;
    percent: boolean;
    scale: (name: string) => ReturnType<typeof valueScale>;
  },
): Panel[] {
  const value = (cell: Cell, name: string): Interval | null =>
    how.percent ? hundred(cell.measures.get(name)) : (cell.measures.get(name) ?? null);
  return names.flatMap((name) =>
    results.models
      .map((model) => ({
        model,
        cells: arms.cellsOf(results, model.name).filter(({ measures }) => measures.has(name)),
      }))
      .filter(({ cells }) => cells.length > 0)
      .map(({ model, cells }) => ({
        title: results.models.length > 1 ? `${how.title(name)}: ${model.label}` : how.title(name),
        draw: (width: number) =>
          valuesChart(arms, cells, {
            name: how.title(name),
            axis: how.axis(name),
            scale: how.scale(name),
            width,
            tick: how.percent ? (v) => `${v}%` : short,
            read: how.percent ? ofPercent : short,
            value: (cell) => value(cell, name),
          }),
      })),
  );
}

export function shifts(results: Results, arms: Arms): HTMLElement | null {
  const names = measureNames(results.cells).filter((name) => kShift.test(name));
  if (names.length === 0) return null;
  const scale = valueScale(
    results.cells.flatMap(({ measures }) => names.flatMap((name) => ends(hundred(measures.get(name))))),
    100,
  );
  const label = (name: string): string => name.replace(kShift, "$1").replace("/reestimated", ", statistics taken anew");
  const view = figure(results.study.name, {
    id: "shifted-inputs",
    title: "Test error on shifted inputs",
    look:
      "Look for marks that stay left when the inputs change. All panels have one scale; “statistics taken anew” " +
      "is the control: the same network with its running statistics from the shifted inputs.",
    panels: panels(results, arms, names, { title: label, axis: () => "test error", percent: true, scale: () => scale }),
    table: table(results, arms, names, percent),
  });
  return section("shifts", "Shifts", "When the inputs change", "", view);
}

// Values of a network: left where no measure is told elsewhere.
function scalars(results: Results, arms: Arms): HTMLElement | null {
  const names = measureNames(results.cells).filter(
    (name) => !kShift.test(name) && !kLayer.test(name) && name !== "train_error",
  );
  if (names.length === 0) return null;
  return figure(results.study.name, {
    id: "probes",
    title: "What the probes saw",
    look:
      "Look for arms whose intervals do not overlap: means over the updates looked at, with 95% intervals over " +
      "seeds. Every measure has a scale of its own, which may leave out zero.",
    panels: panels(results, arms, names, {
      title: (name) => named(name).of,
      axis: (name) => named(name).unit,
      percent: false,
      scale: (name) => nearScale(results.cells.flatMap(({ measures }) => ends(measures.get(name) ?? null))),
    }),
    table: table(results, arms, names, short),
  });
}

function layers(results: Results, arms: Arms): HTMLElement | null {
  const names = measureNames(results.cells).filter((name) => kLayer.test(name));
  if (names.length === 0) return null;
  const measures = [...new Set(names.map((name) => name.replace(kLayer, "$1")))];
  // The layers of a measure that a cell has, from the input on.
  const points = (cell: Cell, measure: string): { layer: number; value: Interval }[] =>
    [...cell.measures]
      .flatMap(([name, value]) => {
        const found = kLayer.exec(name);
        return found?.[1] === measure ? [{ layer: Number(found[2]), value }] : [];
      })
      .sort((a, b) => a.layer - b.layer);
  return figure(results.study.name, {
    id: "layers",
    title: "Layer by layer",
    look:
      "Look for lines that stay level: where they climb or fall from layer to layer, signals or gradients explode or " +
      "vanish. Means over the updates looked at; bands are 95% intervals over seeds.",
    panels: measures.flatMap((measure) =>
      results.models
        .map((model) => ({
          model,
          cells: arms.cellsOf(results, model.name).filter((c) => points(c, measure).length > 0),
        }))
        .filter(({ cells }) => cells.length > 0)
        .map(({ model, cells }) => {
          const all = cells.map((cell) => ({ cell, points: points(cell, measure) }));
          const scale = valueScale(all.flatMap(({ points: of }) => of.flatMap(({ value }) => ends(value))));
          const last = Math.max(1, ...all.flatMap(({ points: of }) => of.map(({ layer }) => layer)));
          return {
            title: `${named(measure).of}: ${model.label}`,
            draw: (width: number) =>
              linesChart(
                all.map(({ cell, points: of }) => ({
                  ...arms.look(cell.arm),
                  label: arms.cellLabel(cell),
                  points: of.map(({ layer, value }) => ({
                    x: layer,
                    y: value,
                    title: `${arms.cellLabel(cell)}\nlayer ${layer}: ${short(value.mean)}`,
                  })),
                })),
                {
                  name: named(measure).of,
                  xAxis: "layer, from the input on",
                  yLabel: named(measure).unit,
                  yAxis: short,
                  scale,
                  xDomain: [0, last],
                  width,
                },
              ),
          };
        }),
    ),
    table: table(results, arms, names, short),
  });
}

export function probes(results: Results, arms: Arms): HTMLElement | null {
  const [whole, byLayer] = [scalars(results, arms), layers(results, arms)];
  if (!whole && !byLayer) return null;
  return section("probes", "Probes", "Inside the networks", "", whole, byLayer);
}

// Of a part that trains nothing: what was checked.
export function exactMeasures(results: Results, arms: Arms): HTMLElement {
  const names = measureNames(results.cells);
  return section(
    "exact",
    "Checks",
    "What was checked",
    "Properties of the operators, computed without training; the claims above hold them against their limits.",
    dataTable(table(results, arms, names, short), "Every value, at the mean over seeds"),
  );
}

// How long each arm took to a given validation error, in updates and in time: a normalization may win in steps and lose
// in minutes.
import type { Arms } from "../arms";
import { valueScale } from "../charts/frame";
import { valuesChart } from "../charts/values";
import type { Cell, Interval, Results } from "../data";
import { figure } from "../figure";
import { count, duration, kNoResult, percent, short } from "../format";
import { section } from "./section";

interface Way {
  name: string;
  axis: string;
  of: (cell: Cell) => Interval | null;
  read: (value: number | null) => string;
}

const kNever = "not by half";

const kWays: Way[] = [
  {
    name: "updates",
    axis: "updates to the target, median",
    of: ({ to_target }) => to_target?.steps ?? null,
    read: (value) => (value === null ? kNever : count(Math.round(value))),
  },
  {
    name: "time",
    axis: "seconds to the target, median",
    of: ({ to_target }) => to_target?.seconds ?? null,
    read: (value) => (value === null ? kNever : duration(value)),
  },
];

export function target(results: Results, arms: Arms): HTMLElement | null {
  const models = results.models.filter((model) => model.target !== null);
  const measured = results.cells.filter(({ to_target }) => to_target !== null);
  if (models.length === 0 || measured.length === 0) return null;
  const panels = models.flatMap((model) => {
    const cells = arms.cellsOf(results, model.name).filter(({ to_target }) => to_target !== null);
    return kWays.map((way) => {
      const scale = valueScale(
        cells.flatMap((cell) => {
          const value = way.of(cell);
          return value ? [value.mean, value.low, value.high] : [];
        }),
      );
      return {
        title: `${model.label}: ${way.name} to ${percent(model.target?.validation_error ?? null)}`,
        draw: (width: number) =>
          valuesChart(arms, cells, {
            name: way.axis,
            axis: way.axis,
            scale,
            width,
            tick: short,
            read: way.read,
            value: way.of,
            note: (cell) => `${cell.to_target?.reached ?? 0} of ${cell.n} seeds get there`,
          }),
      };
    });
  });
  const [first] = models;
  const setter = first?.target ? arms.label(first.target.arm) : kNoResult;
  const view = figure(results.study.name, {
    id: "time-to-target",
    title: "Time to the target, in updates and in seconds",
    look:
      "Look for an arm that is left in the first picture and right in the second: fewer updates, each slower. " +
      `The target of each model is the validation error that ${setter} gets to at the median; intervals are those of ` +
      "a median, free of any distribution.",
    panels,
    table: {
      columns: [
        { name: "model" },
        { name: "arm" },
        { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
        { name: "target (validation error)", show: percent },
        { name: "updates" },
        { name: "95% low (updates)" },
        { name: "95% high (updates)" },
        { name: "seconds", show: short },
        { name: "95% low (s)", show: short },
        { name: "95% high (s)", show: short },
        { name: "seeds that get there" },
        { name: "seeds" },
      ],
      rows: models.flatMap((model) =>
        arms
          .cellsOf(results, model.name)
          .flatMap(({ arm, normalization_batch, to_target, n }) =>
            to_target === null
              ? []
              : [
                  [
                    model.label,
                    arms.label(arm),
                    normalization_batch,
                    model.target?.validation_error ?? null,
                    to_target.steps.mean,
                    to_target.steps.low,
                    to_target.steps.high,
                    to_target.seconds.mean,
                    to_target.seconds.low,
                    to_target.seconds.high,
                    to_target.reached,
                    n,
                  ],
                ],
          ),
      ),
    },
  });
  return section("target", "Time", "How long it takes", "", view);
}

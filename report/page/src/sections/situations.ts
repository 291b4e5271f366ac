// Why the answer is what it is: BatchNorm against LayerNorm wherever a study of several parts has both.
import { differenceScale, forestChart, type ForestRow } from "../charts/forest";
import type { Situation } from "../claims";
import type { Results, Study } from "../data";
import { figure } from "../figure";
import { extended } from "../format";
import { dataName } from "../view";

interface Row extends Situation {
  label: string; // of the model
  data: string;
  parts: string[];
}

const signed = (value: number | null): string => {
  const text = extended(value, 1);
  return value !== null && value > 0 && Number(text) !== 0 ? `+${text}` : text;
};

const same = (a: Row, b: Row): boolean =>
  a.label === b.label &&
  a.data === b.data &&
  a.normalization_batch === b.normalization_batch &&
  a.difference.mean === b.difference.mean &&
  a.difference.low === b.difference.low;

// Parts that train the very same trials are one row.
function rowsOf(study: Study, all: Situation[]): Row[] {
  const rows: Row[] = [];
  for (const situation of all) {
    const part = study.parts.find(({ part: { name } }) => name === situation.part);
    if (situation.difference.mean === null || !part) continue;
    const row: Row = {
      ...situation,
      label: part.models.find(({ name }) => name === situation.model)?.label ?? situation.model,
      data: dataName(part),
      parts: [situation.part],
    };
    const known = rows.find((other) => same(other, row));
    if (known) known.parts.push(situation.part);
    else rows.push(row);
  }
  return rows.sort((a, b) => (b.difference.mean ?? 0) - (a.difference.mean ?? 0));
}

function forestRow(row: Row, several: boolean): ForestRow {
  const { mean, low, high } = row.difference;
  const decided = low !== null && high !== null && (low > 0 || high < 0);
  const interval = low === null || high === null ? "no interval" : `95%: ${signed(low)} to ${signed(high)}`;
  return {
    name: `${row.model} at ${row.normalization_batch ?? "any"}, ${row.parts[0] ?? ""}`,
    colour: !decided ? "var(--ink-soft)" : (mean ?? 0) > 0 ? "var(--arm-2)" : "var(--arm-1)",
    filled: decided,
    mean,
    low,
    high,
    words: [signed(mean)],
    title:
      `${row.label}${several ? ` on ${row.data}` : ""}\n` +
      `normalization batch ${row.normalization_batch ?? "not shared"}\n` +
      `${signed(mean)} points (${interval})\n${row.parts.join(", ")}`,
  };
}

// `parts` are those that the view shows.
export function situations(study: Study, parts: Results[]): HTMLElement | null {
  const names = new Set(parts.map(({ part }) => part.name));
  const found = study.claims.flatMap(({ recommender }) => recommender?.situations ?? []);
  const rows = rowsOf(
    study,
    found.filter(({ part }) => names.has(part)),
  );
  if (rows.length === 0) return null;
  const several = new Set(rows.map(({ data }) => data)).size > 1;
  const scale = differenceScale(rows.flatMap(({ difference: { mean, low, high } }) => [mean, low, high]));
  const groups = [
    { title: "MLPs and convolutional networks: the article says BatchNorm", by: false },
    { title: "Recurrent networks and Transformers: the article says LayerNorm", by: true },
  ].map(({ title, by }) => ({ title, rows: rows.filter((row) => row.layer_by_architecture === by) }));
  return figure(study.study.name, {
    id: "situations",
    title: "BatchNorm against LayerNorm, situation by situation",
    heading: "h3",
    look:
      "Look for the side of zero: right of it LayerNorm errs less, left of it BatchNorm does. A full dot is a 95% " +
      "interval over seeds that leaves out zero, each situation taken alone; “at” is the normalization batch." +
      (scale.type === "symlog" ? " The scale is linear within one point of zero and logarithmic beyond." : ""),
    panels: groups
      .filter((group) => group.rows.length > 0)
      .map((group) => ({
        title: group.title,
        draw: (width) =>
          forestChart(
            group.rows.map((row) => forestRow(row, several)),
            {
              name: "BatchNorm's test error minus LayerNorm's",
              axis: "BatchNorm − LayerNorm, test error (percentage points)",
              columns: [],
              scale,
              dense: true,
            },
            width,
          ),
      })),
    table: {
      columns: [
        { name: "model" },
        { name: "data" },
        { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
        { name: "parts" },
        { name: "BatchNorm is" },
        { name: "BatchNorm − LayerNorm (points)", show: signed },
        { name: "95% low (points)", show: signed },
        { name: "95% high (points)", show: signed },
      ],
      rows: rows.map((row) => [
        row.label,
        row.data,
        row.normalization_batch,
        row.parts.join(", "),
        row.arm,
        row.difference.mean,
        row.difference.low,
        row.difference.high,
      ]),
    },
  });
}

// What of the study is shown, and how the address says it: "#learning" leads to a part, and
// "#at=learning&model=mlp&arm=batch&arm=layer&batch=4" leads there with the filters set.
import type { Results } from "./data";

export interface View {
  at: string; // the part of the page, empty where none is named
  models: string[] | null; // null: all
  arms: string[] | null;
  batch: number | null; // of the figures that show one normalization batch; null: the first
}

export const kWhole: View = { at: "", models: null, arms: null, batch: null };

// The names that are known, null where these are none or all of them.
function known(names: string[], all: string[]): string[] | null {
  const found = all.filter((name) => names.includes(name));
  return found.length === 0 || found.length === all.length ? null : found;
}

export function readView(fragment: string, results: Results): View {
  const text = fragment.replace(/^#/, "");
  if (text !== "" && !text.includes("=")) return { ...kWhole, at: text };
  const fields = new URLSearchParams(text);
  const batch = Number(fields.get("batch") ?? NaN);
  return {
    at: fields.get("at") ?? "",
    models: known(
      fields.getAll("model"),
      results.models.map(({ name }) => name),
    ),
    arms: known(
      fields.getAll("arm"),
      results.arms.map(({ name }) => name),
    ),
    batch: results.normalization_batches.includes(batch) ? batch : null,
  };
}

export function writeView({ at, models, arms, batch }: View): string {
  if (models === null && arms === null && batch === null) return at;
  const fields = new URLSearchParams();
  if (at) fields.set("at", at);
  for (const name of models ?? []) fields.append("model", name);
  for (const name of arms ?? []) fields.append("arm", name);
  if (batch !== null) fields.set("batch", String(batch));
  return fields.toString();
}

// One name more or less: none is all, since an empty page shows nothing.
export function toggle(chosen: string[] | null, name: string, all: string[]): string[] | null {
  const before = chosen ?? all;
  return known(before.includes(name) ? before.filter((other) => other !== name) : [...before, name], all);
}

// The part of the results that the view shows. What is said of the study as a whole stays.
export function select(results: Results, { models, arms }: View): Results {
  const model = (name: string): boolean => models === null || models.includes(name);
  const arm = (name: string): boolean => arms === null || arms.includes(name);
  return {
    ...results,
    models: results.models.filter(({ name }) => model(name)),
    arms: results.arms.filter(({ name }) => arm(name)),
    cells: results.cells.filter((cell) => model(cell.model) && arm(cell.arm)),
    contrasts: results.contrasts.filter(({ model: of, a, b }) => model(of) && arm(a.arm) && arm(b.arm)),
  };
}

// What of the study is shown, and how the address says it: "#learning" leads to a section, and
// "#at=learning&part=claim6-small&model=mlp&arm=batch&arm=layer&batch=4" leads there with the filters set.
import type { Results, Study } from "./data";

export interface View {
  at: string; // the section of the page, empty where none is named
  data: string | null; // of parts on this data alone; null: all
  part: string | null; // null: the first one that trains
  models: string[] | null; // of the part; null: all
  arms: string[] | null;
  batch: number | null; // of the figures that show one normalization batch; null: the first
}

export const kWhole: View = { at: "", data: null, part: null, models: null, arms: null, batch: null };

export const dataName = ({ data }: Results): string => (typeof data.name === "string" ? data.name : "");

// Every data set once, in the order of the parts.
export const dataNames = ({ parts }: Study): string[] => [...new Set(parts.map(dataName).filter(Boolean))];

// What checks operators trains nothing.
export const trains = ({ models }: Results): boolean => models.some(({ kind }) => kind !== "checks");

export function partsOf({ parts }: Study, { data }: Pick<View, "data">): Results[] {
  return data === null ? parts : parts.filter((part) => dataName(part) === data);
}

export function partOf(study: Study, view: Pick<View, "data" | "part">): Results {
  const parts = partsOf(study, view);
  const named = parts.find(({ part }) => part.name === view.part);
  return named ?? parts.find(trains) ?? (parts[0] as Results);
}

// The names that are known, null where these are none or all of them.
function known(names: string[], all: string[]): string[] | null {
  const found = all.filter((name) => names.includes(name));
  return found.length === 0 || found.length === all.length ? null : found;
}

// The view with what its part does not have left out.
export function within(study: Study, view: View): View {
  const data = view.data !== null && dataNames(study).includes(view.data) ? view.data : null;
  const named = partsOf(study, { data }).some(({ part }) => part.name === view.part);
  const part = study.parts.length > 1 && named ? view.part : null;
  const shown = partOf(study, { data, part });
  return {
    at: view.at,
    data,
    part,
    models: known(
      view.models ?? [],
      shown.models.map(({ name }) => name),
    ),
    arms: known(
      view.arms ?? [],
      shown.arms.map(({ name }) => name),
    ),
    batch: view.batch !== null && shown.normalization_batches.includes(view.batch) ? view.batch : null,
  };
}

export function readView(fragment: string, study: Study): View {
  const text = fragment.replace(/^#/, "");
  if (text !== "" && !text.includes("=")) return { ...kWhole, at: text };
  const fields = new URLSearchParams(text);
  return within(study, {
    at: fields.get("at") ?? "",
    data: fields.get("data"),
    part: fields.get("part"),
    models: fields.getAll("model"),
    arms: fields.getAll("arm"),
    batch: Number(fields.get("batch") ?? NaN),
  });
}

export function writeView({ at, data, part, models, arms, batch }: View): string {
  if (data === null && part === null && models === null && arms === null && batch === null) return at;
  const fields = new URLSearchParams();
  if (at) fields.set("at", at);
  if (data !== null) fields.set("data", data);
  if (part !== null) fields.set("part", part);
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

// The share of a part that the view shows. What is said of the part as a whole stays.
export function select(results: Results, { models, arms }: Pick<View, "models" | "arms">): Results {
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

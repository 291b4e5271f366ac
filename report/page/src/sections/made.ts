// How the study was made: enough to judge it and to run it again.
import type { Arms } from "../arms";
import type { Results } from "../data";
import { button, type Child, element } from "../common/dom";
import { save } from "../download";
import { fileName } from "../figure";
import { bytes, count, duration, kNoResult, moment, plural, short } from "../format";
import { section } from "./section";

// What build.mjs puts in place of this name: the libraries inside this page.
function facts(title: string, pairs: [string, Child][]): HTMLElement {
  const known = pairs.filter(([, value]) => value !== null && value !== "" && value !== undefined);
  return element(
    "div",
    { class: "facts" },
    element("h3", {}, title),
    element("dl", {}, ...known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
  );
}

// A value of the document as text; keys that are not ours to know are shown as they are.
function shown(key: string, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number")
    return key.endsWith("_bytes") ? bytes(value) : Number.isInteger(value) ? count(value) : String(value);
  if (Array.isArray(value)) return value.map((item) => shown("", item)).join(" × ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// Names as the field writes them, in the order in which they are read; what is not here follows as it is.
const kNames: Record<string, string> = {
  cpu: "CPU",
  cores: "cores",
  memory_bytes: "memory",
  os: "system",
  isa: "instruction set",
  torch: "torch",
  blas: "BLAS",
  compiler: "compiler",
  optimizer: "optimizer",
  momentum: "momentum",
  schedule: "schedule",
  sgd_batch: "SGD batch",
  epochs: "epochs",
  steps: "updates",
  running_statistics: "running statistics",
};
const kOrder = Object.keys(kNames);

function all(record: Record<string, unknown>): [string, Child][] {
  const rank = (key: string): number => (kOrder.includes(key) ? kOrder.indexOf(key) : kOrder.length);
  return Object.keys(record)
    .sort((a, b) => rank(a) - rank(b))
    .map((key): [string, Child] => [kNames[key] ?? key.replaceAll("_", " "), shown(key, record[key])]);
}

// Seeds as ranges: "1 to 10, 12".
export function ranges(seeds: number[]): string {
  const sorted = [...seeds].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let j = i;
    while (j + 1 < sorted.length && sorted[j + 1] === (sorted[j] ?? 0) + 1) ++j;
    parts.push(j > i + 1 ? `${sorted[i]} to ${sorted[j]}` : sorted.slice(i, j + 1).join(", "));
    i = j + 1;
  }
  return parts.join(", ");
}

function lost(results: Results, arms: Arms): HTMLElement {
  const label = (name: string): string => results.models.find((model) => model.name === name)?.label ?? name;
  const cells = results.cells.filter((cell) => cell.diverged + cell.crashed > 0);
  if (cells.length === 0) return element("p", {}, "No final trial diverged and none crashed.");
  return element(
    "ul",
    {},
    ...cells.map((cell) => {
      const counts = [
        cell.diverged > 0 ? `${cell.diverged} diverged` : "",
        cell.crashed > 0 ? `${cell.crashed} crashed` : "",
      ].filter(Boolean);
      const reasons = [...new Set(cell.trials.map(({ reason }) => reason).filter(Boolean))];
      return element(
        "li",
        {},
        `${arms.cellLabel(cell)}, ${label(cell.model)}: of ${plural(cell.n, "trial")}, ${counts.join(" and ")}.`,
        ...reasons.map((reason) => element("span", { class: "reason" }, reason)),
      );
    }),
  );
}

const kWarnings = 8; // that stand open

function warnings(all: string[]): HTMLElement | null {
  if (all.length === 0) return null;
  const items = (some: string[]): HTMLElement =>
    element("ul", {}, ...some.map((warning) => element("li", {}, warning)));
  const rest = all.slice(kWarnings);
  return element(
    "div",
    { id: "warnings" },
    element("h3", {}, all.length === 1 ? "One warning" : `${all.length} warnings`),
    items(all.slice(0, kWarnings)),
    rest.length > 0
      ? element(
          "details",
          { id: "more-warnings" },
          element("summary", {}, plural(rest.length, "more warning")),
          items(rest),
        )
      : null,
  );
}

export function made(results: Results, arms: Arms, json: string): HTMLElement {
  const { run, study, norma, data } = results;
  const { planned = 0, done = 0, ok = 0, diverged = 0, crashed = 0 } = run.trials;
  const grouped = arms.list.some((arm) => arm.name === "group");
  // What the machine has said already is not said again.
  const versions = Object.fromEntries(
    Object.entries(run.versions).filter(([key, value]) => run.machine[key] !== value),
  );
  const size = [
    ["training", data.train],
    ["validation", data.validation],
    ["test", data.test],
  ]
    .filter(([, n]) => typeof n === "number")
    .map(([part, n]) => `${count(n as number)} ${String(part)}`)
    .join(", ");
  return section(
    "made",
    "How it was made",
    "How it was made",
    "",
    element(
      "div",
      { class: "columns" },
      facts("Run", [
        ["study", study.name],
        ["command", element("code", {}, run.command || "unknown")],
        ["started", moment(run.started)],
        ["finished", run.complete ? moment(run.finished) : "not complete"],
        [
          "took",
          run.seconds === null
            ? kNoResult
            : `${duration(run.seconds)}${run.workers === null ? "" : ` with ${plural(run.workers, "worker")}`}` +
              (run.sessions !== null && run.sessions > 1 ? `, in ${run.sessions} sessions` : ""),
        ],
        [
          "trials",
          `${count(done)} of ${count(planned)} done: ${count(ok)} ok, ${count(diverged)} diverged, ` +
            `${count(crashed)} crashed`,
        ],
        ["a trial", `${duration(run.trial_seconds.median)} (median), ${duration(run.trial_seconds.total)} in all`],
        ["seeds", ranges(results.seeds)],
        ["tuning seeds", ranges(results.tuning_seeds)],
        ["learning rates", results.learning_rates.map(short).join(", ")],
      ]),
      facts("Training", [
        ...all(results.training),
        ...results.models.map((model): [string, Child] => [
          `model ${model.name}`,
          model.label + (grouped && model.groups !== null ? `; GroupNorm in ${plural(model.groups, "group")}` : ""),
        ]),
      ]),
      facts("Data", [
        ["name", shown("", data.name)],
        ["source", shown("", data.source)],
        ["samples", size],
        ["shape", shown("", data.shape)],
        ["classes", shown("", data.classes)],
        ["licence", shown("", data.licence)],
        ["checksum", element("code", {}, shown("", data.checksum))],
      ]),
      facts("Machine and versions", [
        ...all(run.machine),
        ["norma", norma.version],
        ["code of the trials", norma.code],
        ...all(versions),
      ]),
      facts(
        "What shares statistics",
        arms.list.map((arm): [string, Child] => [arm.label, arm.over]),
      ),
    ),
    element("h3", {}, "What diverged or crashed"),
    lost(results, arms),
    warnings(results.warnings),
    element("h3", {}, "The study file"),
    element("pre", { class: "study-file", tabindex: 0 }, study.file || kNoResult),
    element(
      "p",
      { class: "downloads" },
      button("Results as JSON", "Save everything that this page shows", () =>
        save(fileName(study.name, "results", "json"), "application/json", json),
      ),
      button("Study file", "Save the study file, to run it again", () =>
        save(fileName(study.name, "study", "toml"), "application/toml", study.file),
      ),
    ),
  );
}

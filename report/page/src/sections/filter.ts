// What of the study the page shows: models and arms, switched on and off in the bar on top.
import type { Arms } from "../arms";
import type { Results } from "../data";
import { button, element } from "../common/dom";
import { toggle, type View } from "../view";

interface Choice {
  key: "models" | "arms";
  legend: string;
  names: { name: string; label: string; colour: string | null }[];
}

export interface Filter {
  element: HTMLElement;
  show: (view: View) => void; // the boxes as the view has them
}

// "MLP; BatchNorm, LayerNorm" of what the view leaves, empty where it leaves all.
export function inWords(results: Results, { models, arms }: View): string {
  const labels = (all: { name: string; label: string }[], names: string[] | null): string =>
    names === null
      ? ""
      : all
          .filter(({ name }) => names.includes(name))
          .map(({ label }) => label)
          .join(", ");
  return [labels(results.models, models), labels(results.arms, arms)].filter(Boolean).join("; ");
}

export function filter(results: Results, arms: Arms, view: () => View, change: (part: Partial<View>) => void): Filter {
  const choices: Choice[] = [
    { key: "models", legend: "Models", names: results.models.map((model) => ({ ...model, colour: null })) },
    { key: "arms", legend: "Arms", names: results.arms.map((arm) => ({ ...arm, colour: arms.look(arm.name).colour })) },
  ];
  const boxes: { key: Choice["key"]; name: string; input: HTMLInputElement }[] = [];
  const fieldsets = choices.map(({ key, legend, names }) =>
    element(
      "fieldset",
      { class: "choice" },
      element("legend", {}, legend),
      ...names.map(({ name, label, colour }) => {
        const input = element("input", { type: "checkbox" });
        const all = names.map((other) => other.name);
        input.addEventListener("change", () => change({ [key]: toggle(view()[key], name, all) }));
        boxes.push({ key, name, input });
        const swatch = colour === null ? null : element("i", { class: "swatch" });
        swatch?.style.setProperty("--colour", colour);
        return element("label", {}, input, element("span", {}, swatch, label));
      }),
    ),
  );
  const summary = element("summary", {}, "Filter");
  const node = element(
    "details",
    { class: "filter" },
    summary,
    element(
      "div",
      { class: "filter-box" },
      ...fieldsets,
      button("Show everything", "Show all models and arms", () => change({ models: null, arms: null })),
    ),
  );
  const close = (): void => {
    node.open = false;
  };
  node.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !node.open) return;
    close();
    summary.focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (target instanceof Node && !node.contains(target)) close();
  });
  const show = (now: View): void => {
    for (const { key, name, input } of boxes) input.checked = now[key]?.includes(name) ?? true;
    summary.textContent = now.models === null && now.arms === null ? "Filter" : "Filter: on";
  };
  return { element: node, show };
}

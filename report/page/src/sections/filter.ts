// What of the study the page shows, set in the bar on top: the data, the part, its models and arms.
import type { Arms } from "../arms";
import { button, element } from "../common/dom";
import type { Results, Study } from "../data";
import { dataNames, kWhole, partsOf, toggle, type View } from "../view";

export interface Filter {
  element: HTMLElement | null; // null where there is nothing to choose
  show: (view: View, part: Results, arms: Arms) => void;
}

type Change = (part: Partial<View>) => void;

// "MLP; BatchNorm, LayerNorm" of what the view leaves of the part, empty where it leaves all.
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

// Boxes for the names of a part, each switched on or off.
function boxes(
  key: "models" | "arms",
  names: { name: string; label: string; colour: string | null }[],
  now: View,
  change: Change,
): HTMLElement {
  const all = names.map(({ name }) => name);
  return element(
    "fieldset",
    { class: "choice" },
    element("legend", {}, key === "models" ? "Models" : "Arms"),
    ...names.map(({ name, label, colour }, i) => {
      const checked = now[key]?.includes(name) ?? true;
      const input = element("input", { type: "checkbox", id: `filter-${key}-${i}`, checked });
      input.addEventListener("change", () => change({ [key]: toggle(now[key], name, all) }));
      const swatch = colour === null ? null : element("i", { class: "swatch" });
      swatch?.style.setProperty("--colour", colour);
      return element("label", {}, input, element("span", {}, swatch, label));
    }),
  );
}

// One of several names, or all of them (null).
function oneOf(
  id: string,
  legend: string,
  all: string | null,
  names: string[],
  now: string | null,
  choose: (name: string | null) => void,
): HTMLElement {
  const choices: { name: string | null; label: string }[] = names.map((name) => ({ name, label: name }));
  if (all !== null) choices.unshift({ name: null, label: all });
  const select = element(
    "select",
    { id },
    ...choices.map(({ name, label }, i) => element("option", { value: i, selected: name === now }, label)),
  );
  select.addEventListener("change", () => choose(choices[select.selectedIndex]?.name ?? null));
  return element("p", { class: "one-of" }, element("label", { for: id }, legend), select);
}

function content(study: Study, view: View, part: Results, arms: Arms, change: Change): HTMLElement[] {
  const data = dataNames(study);
  const parts = partsOf(study, view).map(({ part: { name } }) => name);
  const found = [
    data.length > 1
      ? oneOf("filter-data", "Data", "all", data, view.data, (name) => change({ data: name, part: null }))
      : null,
    study.parts.length > 1
      ? oneOf("filter-part", "Part", null, parts, part.part.name, (name) => change({ part: name }))
      : null,
    boxes(
      "models",
      part.models.map((model) => ({ ...model, colour: null })),
      view,
      change,
    ),
    boxes(
      "arms",
      part.arms.map((arm) => ({ ...arm, colour: arms.look(arm.name).colour })),
      view,
      change,
    ),
    button("Show everything", "Show all data, models and arms", () => change({ ...kWhole, at: view.at })),
  ];
  return found.filter((node): node is HTMLElement => node !== null);
}

export function filter(study: Study, change: Change): Filter {
  if (study.parts.every(({ models, arms }) => models.length < 2 && arms.length < 2) && study.parts.length < 2) {
    return { element: null, show: () => undefined };
  }
  const summary = element("summary", {}, "Filter");
  const box = element("div", { class: "filter-box" });
  const node = element("details", { class: "filter" }, summary, box);
  const close = (): void => {
    node.open = false;
  };
  node.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !node.open) return;
    close();
    summary.focus();
  });
  document.addEventListener("click", ({ target }) => {
    // What was clicked may be gone already: the box is built anew when the view changes.
    if (target instanceof Node && target.isConnected && !node.contains(target)) close();
  });
  const show = (view: View, part: Results, arms: Arms): void => {
    const focus = document.activeElement?.id;
    box.replaceChildren(...content(study, view, part, arms, change));
    if (focus?.startsWith("filter-")) document.getElementById(focus)?.focus({ preventScroll: true });
    const whole = view.data === null && view.part === null && view.models === null && view.arms === null;
    summary.textContent = whole ? "Filter" : "Filter: on";
  };
  return { element: node, show };
}

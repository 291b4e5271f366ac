// What the reader can turn: which drawing, which norm, and the batch.
import { choice } from "../common/choice";
import { element } from "../common/dom";
import { type Check, kAgreement } from "./check";
import type { Document, SceneName } from "./document";
import { divisors, hasOver, kNormTitles, type NormName, type Over } from "./norms";
import { neuronsOf, type Picture, sampleOf, samplesOf, type State } from "./state";
import { type Change, counted, samplesLeft, times } from "./words";

export type Turn = (part: Partial<State>, change: Change) => void;

const kScenes: { value: SceneName; label: string }[] = [
  { value: "network", label: "Network" },
  { value: "images", label: "Images" },
  { value: "sequences", label: "Sequences" },
];
const kNorms: NormName[] = ["batch", "masked", "layer", "group", "instance", "rms"];
const kScales = [0.25, 0.5, 1, 2, 4, 8];

// A slider over a list of values, with its value in words. It stays the same element while it is dragged.
interface Slider {
  element: HTMLElement;
  show(values: readonly number[], at: number): void;
}

function slider(id: string, label: string, words: (value: number) => string, turn: (value: number) => void): Slider {
  let values: readonly number[] = [];
  const input = element("input", { type: "range", id, min: 0, step: 1 });
  const setting = element("output", { for: id, class: "setting" });
  input.addEventListener("input", () => turn(values[Number(input.value)] as number));
  return {
    element: element("div", { class: "slider" }, element("label", { for: id }, label), setting, input),
    show(list, at) {
      values = list;
      input.max = String(list.length - 1);
      input.value = String(list.indexOf(at));
      input.disabled = list.length < 2;
      setting.textContent = words(at);
      input.setAttribute("aria-valuetext", words(at));
    },
  };
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

function tick(fieldset: HTMLElement, value: string): void {
  for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === value;
}

export interface Controls {
  element: HTMLElement;
  show(picture: Picture): void;
}

// Above the drawing: which one, and which norm.
export function chooseNorm(turn: Turn, draw: (scene: SceneName) => void): Controls {
  let neurons = 1;
  const set = (part: Partial<State>): void => turn(part, { kind: "setting" });
  const scenes = choice({ name: "scene", legend: "Draw", options: kScenes, chosen: null, choose: draw });
  const norms = choice<NormName>({
    name: "norm",
    legend: "Normalize with",
    options: kNorms.map((value) => ({ value, label: kNormTitles[value] })),
    chosen: null,
    choose: (norm) => set({ norm }),
  });
  const over = choice<Over>({
    name: "over",
    legend: "over",
    options: [
      { value: "c", label: "C" },
      { value: "all", label: "" },
    ],
    chosen: null,
    choose: (value) => set({ over: value }),
  });
  const groups = slider(
    "groups",
    "Groups",
    (n) => `${n} of ${counted(neurons / n, "neuron")}`,
    (n) => set({ groups: n }),
  );
  return {
    element: element("div", { class: "choices" }, scenes, norms, over, groups.element),
    show({ scene, state }) {
      neurons = neuronsOf(scene);
      tick(scenes, state.scene);
      tick(norms, state.norm);
      tick(over, state.over);
      (norms.querySelector("#norm-masked")?.parentElement as HTMLElement).hidden = scene.lengths === null;
      (over.querySelector("#over-all + span") as HTMLElement).textContent =
        scene.name === "images" ? "C, H, W" : "C, T";
      over.hidden = !hasOver(state.norm, scene.shape.length);
      groups.element.hidden = state.norm !== "group";
      groups.show(divisors(neurons), state.groups);
    },
  };
}

// Beside the drawing: what can be done to the batch.
export function changeBatch(turn: Turn, now: () => Picture): Controls {
  const touched = (): number => sampleOf(now().scene, now().state.selected);
  const replaced = <T>(list: readonly T[], value: T): T[] => list.map((old, n) => (n === touched() ? value : old));
  const mode = choice({
    name: "mode",
    legend: "Mode",
    options: [
      { value: "training", label: "Training" },
      { value: "inference", label: "Inference" },
    ],
    chosen: null,
    choose: (value) => turn({ training: value === "training" }, { kind: "mode" }),
  });
  const batch = slider(
    "batch",
    "Batch",
    (n) => counted(n, "sample"),
    (n) => turn({ batch: n }, { kind: "batch" }),
  );
  const scale = slider("scale", "Multiply by", times, (by) =>
    turn({ scale: replaced(now().state.scale, by) }, { kind: "scale", sample: touched() }),
  );
  const length = slider(
    "length",
    "Length",
    (steps) => {
      const padded = (now().scene.shape[2] as number) - steps;
      return `${counted(steps, "step")}${padded > 0 ? `, ${padded} padded` : ""}`;
    },
    (steps) => turn({ lengths: replaced(now().state.lengths, steps) }, { kind: "length", sample: touched() }),
  );
  const drop = element("button", { type: "button", id: "drop" });
  drop.addEventListener("click", () => {
    const dropped = now().state.dropped;
    turn({ dropped: replaced(dropped, !dropped[touched()]) }, { kind: "drop", sample: touched() });
  });
  const legend = element("legend");
  return {
    element: element(
      "div",
      { class: "tools" },
      mode,
      batch.element,
      element("fieldset", { class: "sample" }, legend, scale.element, length.element, drop),
    ),
    show(picture) {
      const { scene, state } = picture;
      const sample = sampleOf(scene, state.selected);
      tick(mode, state.training ? "training" : "inference");
      batch.show(upTo(samplesOf(scene)), state.batch);
      legend.textContent = `Sample ${sample + 1}, the one you touched`;
      scale.show(kScales, state.scale[sample] as number);
      length.element.hidden = scene.lengths === null;
      if (scene.lengths) length.show(upTo(scene.shape[2] as number), state.lengths[sample] as number);
      const dropped = state.dropped[sample] === true;
      drop.textContent = dropped ? "Put it back" : "Take it out of the batch";
      drop.disabled = !dropped && samplesLeft(picture) === 1;
    },
  };
}

// Under the drawing: what the circles show.
export function chooseValues(turn: Turn): Controls {
  const values = choice<"y" | "x">({
    name: "show",
    legend: "In the circles",
    options: [
      { value: "y", label: "Outputs y" },
      { value: "x", label: "Inputs x" },
    ],
    chosen: null,
    choose: (show) => turn({ show }, { kind: "view" }),
  });
  return { element: values, show: ({ state }) => tick(values, state.show) };
}

// What the library and the page have in common, at the end of the page.
export function provenance({ norma }: Document, { values, refusals, largest }: Check): string {
  return (
    `When this page was written, libnorma ${norma.version} (${norma.isa}) computed ` +
    `${values.toLocaleString("en-US")} means, variances and outputs of these drawings and refused ` +
    `${counted(refusals, "batch", "batches")}. The page's own arithmetic ` +
    (largest <= kAgreement ? "agrees with all of it" : "does not agree with it") +
    `: the largest difference is ${largest === 0 ? "0" : largest.toExponential(0).replace("-", "−")}.`
  );
}

// What the reader has set, and what follows from it: who shares, every output, and which outputs a change has moved.
import { type Normalized, normalize, unravel } from "./arithmetic";
import { type Document, type Scene, sceneNamed, type SceneName } from "./document";
import { descriptorOf, divisors, overBatch, type Setting } from "./norms";

export interface State extends Setting {
  scene: SceneName;
  training: boolean;
  batch: number; // the first so many samples
  dropped: readonly boolean[]; // of every sample: taken out
  scale: readonly number[]; // of every sample
  lengths: readonly number[]; // of every sample, in steps; empty where nothing can be padded
  selected: number; // an element of the whole scene
  show: "y" | "x";
}

// Of an element: it counts, it is padding (which counts unless the norm is masked), or it is not in the batch.
export type Presence = "there" | "padding" | "dropped" | "absent";

export interface Picture {
  scene: Scene;
  state: State;
  presence: Presence[];
  x: number[];
  y: (number | null)[]; // null: no output
  sharing: number[]; // the elements behind the statistics of the selected one; at inference of a BatchNorm none
  remembered: boolean; // the statistics are running averages
  refused: boolean; // one value per statistic: no training
  statistics: { count: number; mean: number; variance: number } | null; // of the selected element
  result: Normalized; // of the batch that is left
}

export const kNothingMoved = 1e-12; // below it two outputs are the same
export const kLittle = 5e-4; // a movement that three decimals do not show

export const samplesOf = ({ shape }: Scene): number => shape[0] as number;
export const neuronsOf = ({ shape }: Scene): number => shape[1] as number;
export const perSample = ({ shape }: Scene): number => shape.slice(1).reduce((n, size) => n * size, 1);
export const sampleOf = (scene: Scene, at: number): number => Math.floor(at / perSample(scene));
export const neuronOf = (scene: Scene, at: number): number => unravel(at, scene.shape)[1] as number;

// A scene as it opens, under this norm.
export function opening(document: Document, name: SceneName, setting: Setting): State {
  const scene = sceneNamed(document, name);
  const [samples, neurons] = [samplesOf(scene), neuronsOf(scene)];
  const possible = divisors(neurons);
  const middle = Math.floor(perSample(scene) / neurons / 2);
  return {
    scene: name,
    norm: setting.norm === "masked" && name !== "sequences" ? "batch" : setting.norm,
    over: scene.shape.length > 2 ? setting.over : "all",
    groups: possible.filter((groups) => groups <= setting.groups).pop() ?? 1,
    training: true,
    batch: samples,
    dropped: new Array<boolean>(samples).fill(false),
    scale: new Array<number>(samples).fill(1),
    lengths: scene.lengths ?? [],
    selected: Math.min(2, neurons - 1) * (perSample(scene) / neurons) + (name === "sequences" ? 0 : middle),
    show: "y",
  };
}

function presenceOf(scene: Scene, state: State, at: number): Presence {
  const sample = sampleOf(scene, at);
  if (sample >= state.batch) return "absent";
  if (state.dropped[sample]) return "dropped";
  const length = state.lengths[sample];
  if (length !== undefined && (unravel(at, scene.shape)[2] as number) >= length) return "padding";
  return "there";
}

export function picture(document: Document, state: State): Picture {
  const scene = sceneNamed(document, state.scene);
  const { shape } = scene;
  const presence = scene.x.map((_, at) => presenceOf(scene, state, at));
  const inBatch = (at: number): boolean => presence[at] === "there" || presence[at] === "padding";
  const x = scene.x.map((value, at) =>
    presence[at] === "padding" ? 0 : value * (state.scale[sampleOf(scene, at)] as number),
  );

  // The batch that is left, as a tensor of its own; `kept` leads back to the scene.
  const kept = scene.x.map((_, at) => at).filter(inBatch);
  const left = [kept.length / perSample(scene), ...shape.slice(1)];
  const masked = state.norm === "masked";
  const remembered = overBatch(state.norm) && !state.training;
  const result = normalize(descriptorOf(state, shape.length), left, {
    x: kept.map((at) => x[at] as number),
    mask: masked ? kept.map((at) => presence[at] === "there") : null,
    given: remembered ? (scene.running[state.norm] ?? null) : null,
  });
  const y = new Array<number | null>(scene.x.length).fill(null);
  kept.forEach((at, i) => {
    const counts = !masked || presence[at] === "there";
    y[at] = counts ? (result.y?.[i] ?? null) : null;
  });

  const own = kept.indexOf(state.selected);
  const statistic = result.statistic[own];
  const excluded = statistic === undefined || (masked && presence[state.selected] === "padding");
  const sharing =
    excluded || remembered
      ? []
      : kept.filter((at, i) => result.statistic[i] === statistic && (!masked || presence[at] === "there"));
  return {
    scene,
    state,
    presence,
    x,
    y,
    sharing,
    remembered,
    refused: result.y === null,
    result,
    statistics: excluded
      ? null
      : {
          count: result.counts[statistic] as number,
          mean: result.mean[statistic] as number,
          variance: result.variance[statistic] as number,
        },
  };
}

// Which outputs a change has moved: by how much, element by element; null where there is none before or after.
export function movements(before: Picture, now: Picture): (number | null)[] {
  return now.y.map((value, at) => {
    const old = before.y[at] ?? null;
    if (value === null || old === null) return null;
    return Math.abs(value - old) < kNothingMoved ? 0 : value - old;
  });
}

// The library's answer to the very question that is on the page, where it has been asked: nothing scaled, dropped or
// padded otherwise than at first.
export function libraryCase(document: Document, { scene, state }: Picture): Document["cases"][number] | null {
  const untouched =
    state.dropped.every((dropped) => !dropped) &&
    state.scale.every((scale) => scale === 1) &&
    state.lengths.every((length, n) => length === scene.lengths?.[n]);
  if (!untouched) return null;
  const coupled = overBatch(state.norm);
  const found = document.cases.find(
    (answer) =>
      answer.scene === state.scene &&
      answer.norm === state.norm &&
      (coupled || state.norm === "instance" || state.norm === "group" || answer.over === state.over) &&
      (state.norm !== "group" || answer.groups === state.groups) &&
      (!coupled || (answer.batch === state.batch && answer.training === state.training)),
  );
  return found ?? null;
}

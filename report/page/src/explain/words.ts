// What the drawing shows, in words: for the page, and for those who hear it.
import { unravel } from "./arithmetic";
import { kNormTitles, overBatch } from "./norms";
import { kLittle, neuronsOf, type Picture, sampleOf } from "./state";

export const number = (value: number, decimals: number): string => {
  const text = value.toFixed(decimals).replace("-", "−");
  return Number(value.toFixed(decimals)) === 0 ? text.replace("−", "") : text;
};

// A factor: "×4", "×½".
export const times = (by: number): string => `×${by === 0.5 ? "½" : by === 0.25 ? "¼" : by}`;

export const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

const all = (n: number, what: string): string => (n === 1 ? `the one ${what} that is there` : `all ${n} ${what}s`);

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

export const samplesLeft = ({ state }: Picture): number =>
  state.dropped.filter((dropped, n) => n < state.batch && !dropped).length;

const hasPadding = ({ presence }: Picture): boolean => presence.includes("padding");

// "at all 3 × 3 positions", "at all 6 steps, padding included".
function everywhere(picture: Picture): string {
  const sizes = picture.scene.shape.slice(2);
  if (sizes.length === 0) return "";
  if (picture.scene.name === "images") return `, at all ${sizes.join(" × ")} positions`;
  if (picture.state.norm === "masked") return ", at every step that is no padding";
  return `, at ${all(sizes[0] as number, "step")}${hasPadding(picture) ? ", padding included" : ""}`;
}

const here = ({ scene }: Picture): string =>
  scene.name === "network" ? "" : scene.name === "images" ? ", at this position alone" : ", at this step alone";

// Who shares the statistics of the selected element: "This neuron, over all 8 samples."
export function who(picture: Picture): string {
  const { scene, state, remembered, presence } = picture;
  const place = presence[state.selected];
  if (place === "dropped") return `Sample ${sampleOf(scene, state.selected) + 1} is not in the batch.`;
  if (place === "padding" && state.norm === "masked") return "This step is padding: it enters no statistic.";
  if (remembered) return "No sample of this batch: this neuron uses what it remembers from training.";
  const neurons = neuronsOf(scene);
  const everyNeuron = neurons === 1 ? "the one neuron" : `all ${neurons} neurons`;
  switch (state.norm) {
    case "batch":
    case "masked":
      return sentence(`this neuron, over ${all(samplesLeft(picture), "sample")}${everywhere(picture)}`);
    case "layer":
    case "rms":
      if (state.over === "c" && scene.shape.length > 2)
        return sentence(`${everyNeuron} of this sample${here(picture)}`);
      return sentence(`${everyNeuron} of this sample${everywhere(picture) || ", and of no other"}`);
    case "group": {
      const size = neurons / state.groups;
      const which = size === neurons ? everyNeuron : size === 1 ? "this neuron" : `these ${size} neurons`;
      return sentence(`${which} of this sample${everywhere(picture) || ", and of no other"}`);
    }
    case "instance":
      return sentence(`this neuron of this sample${everywhere(picture) || ": a single value"}`);
  }
}

// What follows from it, beyond the formula; "" where nothing needs to be said.
export function remark(picture: Picture): string {
  const { scene, state, statistics } = picture;
  const title = kNormTitles[state.norm];
  if (picture.refused) {
    const values = statistics?.count === 0 ? "no value" : "one value";
    const more = scene.name === "sequences" ? "a second sample or a second step" : "a second sample";
    return (
      `${title} cannot train on this batch: the mean of a neuron would come from ${values}, every value would be its ` +
      `own mean, and the output would be β whatever the input. It takes 2 values; ${more} would do. ` +
      "At inference a single sample is enough."
    );
  }
  if (statistics?.count === 1 && !overBatch(state.norm)) {
    return state.norm === "rms"
      ? "One value is its own root mean square: the output is its sign, times γ, plus β."
      : "One value is its own mean: the output is β, whatever the input. Here this norm forgets everything.";
  }
  if (overBatch(state.norm) && state.training && samplesLeft(picture) === 1) {
    return `One sample is enough here, because a neuron has ${statistics?.count ?? 0} values in it.`;
  }
  return "";
}

// "sample 3, neuron 2, row 1, column 3".
export function place(picture: Picture, at: number): string {
  const { scene } = picture;
  const [n, c, ...rest] = unravel(at, scene.shape).map((i) => i + 1);
  const positions =
    scene.name === "images"
      ? `, row ${rest[0]}, column ${rest[1]}`
      : scene.name === "sequences"
        ? `, step ${rest[0]}`
        : "";
  return `sample ${n}, neuron ${c}${positions}`;
}

// One element, for those who hear it; its output as the circle has it.
export function cellLabel(picture: Picture, at: number, moved: number | null, decimals: number): string {
  const { presence, state, x, y, sharing } = picture;
  if (presence[at] === "dropped") return `${place(picture, at)}: not in the batch`;
  const parts = [`x ${number(x[at] as number, 1)}`];
  const output = y[at];
  parts.push(output == null ? "no output" : `y ${number(output, decimals)}`);
  if (presence[at] === "padding") parts.push("padding");
  if (at === state.selected) parts.push("chosen");
  else if (sharing.includes(at)) parts.push("shares its statistics");
  if (moved !== null && Math.abs(moved) >= kLittle) parts.push(moved > 0 ? "moved up" : "moved down");
  return `${place(picture, at)}: ${parts.join(", ")}`;
}

// What the reader has changed last.
export type Change =
  | { kind: "scale" | "drop" | "length"; sample: number }
  | { kind: "batch" | "mode" }
  | { kind: "setting" } // another norm: other outputs altogether, nothing to compare
  | { kind: "view" }; // nothing of the computation

function changed(change: Change, { state }: Picture): string {
  switch (change.kind) {
    case "scale":
      return `Sample ${change.sample + 1} ${times(state.scale[change.sample] as number)}.`;
    case "drop":
      return `Sample ${change.sample + 1} ${state.dropped[change.sample] ? "left" : "is back in"} the batch.`;
    case "length":
      return `Sample ${change.sample + 1} has ${counted(state.lengths[change.sample] as number, "step")}.`;
    case "batch":
      return `A batch of ${state.batch}.`;
    case "mode":
      return state.training ? "Training." : "Inference.";
    case "setting":
    case "view":
      return "";
  }
}

// "all 56 moved", "none of 56 moved", "12 of 56 moved".
function tally(moves: readonly number[]): string {
  const n = moves.length;
  const much = moves.filter((by) => Math.abs(by) >= kLittle).length;
  const little = moves.filter((by) => by !== 0 && Math.abs(by) < kLittle).length;
  if (much + little === 0) return `none of ${n} moved`;
  if (much === 0) return `${little === n ? `all ${n}` : `${little} of ${n}`} moved by less than ${kLittle}`;
  return much + little === n ? `all ${n} moved` : `${much + little} of ${n} moved`;
}

// What the last change has done to the outputs, in two parts: the change, and who moved.
export function movement(change: Change, picture: Picture, moves: readonly (number | null)[]): [string, string] {
  const said = changed(change, picture);
  const known = moves.flatMap((by, at) => (by === null ? [] : [{ by, sample: sampleOf(picture.scene, at) }]));
  if (picture.refused) return [said, "There are no outputs now."];
  if (known.length === 0) return [said, "There were no outputs to compare with."];
  if (!("sample" in change)) {
    const what = change.kind === "batch" ? "Of the samples that stayed" : "Of the outputs";
    return [said, `${what}, ${tally(known.map(({ by }) => by))}.`];
  }
  const own = known.filter(({ sample }) => sample === change.sample).map(({ by }) => by);
  const others = known.filter(({ sample }) => sample !== change.sample).map(({ by }) => by);
  const parts = [];
  if (others.length > 0) parts.push(`Outputs of the other samples: ${tally(others)}.`);
  if (own.length > 0) parts.push(`Its own: ${tally(own)}${dividedOut(change, own)}.`);
  return [said, parts.join(" ")];
}

const dividedOut = (change: Change, own: readonly number[]): string =>
  change.kind === "scale" && own.some((by) => by !== 0) && own.every((by) => Math.abs(by) < kLittle)
    ? ": its scale divides out"
    : "";

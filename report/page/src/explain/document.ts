// What the command wrote into the page: the inputs, and what libnorma computed from them.
import type { Given } from "./arithmetic";
import type { Over, NormName } from "./norms";

export const kFormat = "norma-explain/1";

export type SceneName = "network" | "images" | "sequences";

export interface Scene {
  name: SceneName;
  shape: number[]; // samples, neurons, positions...
  asked: number[] | null; // the same of the tensor that was asked for, where it is too large to draw
  x: number[];
  lengths: number[] | null; // of each sequence, in steps
  running: Partial<Record<NormName, Given>>; // gathered in training by the library
}

// One answer of the library: to the first `batch` samples of a scene.
export interface Case {
  scene: SceneName;
  norm: NormName;
  over: Over;
  groups: number;
  batch: number;
  training: boolean;
  error?: string; // its refusal
  mean?: number[];
  variance?: number[];
  y?: number[];
}

export interface Start {
  scene: SceneName;
  norm: NormName;
  over: Over;
  groups: number;
}

export interface Document {
  format: string;
  norma: { version: string; isa: string };
  running_batches: number;
  start: Start;
  scenes: Scene[];
  cases: Case[];
}

export function readDocument(json: string): Document {
  const document = JSON.parse(json) as Document;
  if (document?.format !== kFormat) throw new Error(`expected format "${kFormat}"`);
  return document;
}

export function sceneNamed(document: Document, name: SceneName): Scene {
  const scene = document.scenes.find((candidate) => candidate.name === name);
  if (!scene) throw new Error(`no scene named ${name}`);
  return scene;
}

// Where everything stands in the drawing: a function of the scene's sizes and the width of the page.
//
// A layer is a row of circles, a batch is a stack of such rows behind one another. Of images a circle becomes a map of
// H x W of them; of sequences the row stands once for every step. Samples of images and of the network recede upwards,
// those of sequences to the right.
import { unravel } from "./arithmetic";
import type { Scene, SceneName } from "./document";

export interface Point {
  x: number;
  y: number;
}

// The ground that a sample stands on: a parallelogram, as it would look from above and in front.
export interface Plate {
  corners: Point[];
  label: Point; // where the sample's name ends (right-aligned) or begins
  anchor: "end" | "start";
}

export interface Layout {
  width: number;
  height: number;
  pitch: number; // from one element to the next
  radius: number;
  at: Point[]; // of every element
  plates: Plate[]; // of every sample
  heads: Point[]; // above every neuron's column, of the sample (or the row of samples) at the back
  inputs: Point[]; // of the network: the layer below, for the sample in front
  steps: (Point & { step: number })[]; // of sequences: beside every row
}

export const kNarrow = 560; // pixels: below it names become numbers

const kInputs = 5;

const clamp = (low: number, value: number, high: number): number => Math.max(low, Math.min(high, value));

function network(scene: Scene, width: number): Layout {
  const [samples, neurons] = scene.shape as [number, number];
  const narrow = width < kNarrow;
  const left = narrow ? 24 : 106;
  const shear = narrow ? 3 : 13;
  const pitch = clamp(18, (width - left - shear * (samples - 1) - 14) / neurons, 72);
  const down = clamp(34, pitch * 0.86, 55);
  const top = 44;
  const radius = Math.min(0.4 * pitch, 0.42 * down);
  const front = top + down * (samples - 0.5);
  const x0 = left + pitch / 2;
  const row = (n: number): Point => ({ x: x0 + shear * n, y: front - down * n });
  const plates = Array.from({ length: samples }, (_, n): Plate => {
    const { x, y } = row(n);
    const [from, to] = [x - pitch * 0.56, x + pitch * (neurons - 0.44)];
    const half = down * 0.46;
    const lean = (shear * half) / down;
    const corners = [
      { x: from - lean, y: y + half },
      { x: to - lean, y: y + half },
      { x: to + lean, y: y - half },
      { x: from + lean, y: y - half },
    ];
    return { corners, label: { x: from - 8, y: y + 4 }, anchor: "end" };
  });
  const below = front + (narrow ? 74 : 88);
  const middle = x0 + (pitch * (neurons - 1)) / 2;
  const back = row(samples - 1);
  return {
    width,
    height: below + 34,
    pitch,
    radius,
    at: scene.x.map((_, at) => {
      const [n, c] = unravel(at, scene.shape) as [number, number];
      const start = row(n);
      return { x: start.x + pitch * c, y: start.y };
    }),
    plates,
    heads: Array.from({ length: neurons }, (_, c) => ({ x: back.x + pitch * c, y: back.y - down * 0.5 - 9 })),
    inputs: Array.from({ length: kInputs }, (_, i) => ({
      x: middle + (i - (kInputs - 1) / 2) * pitch * 1.15,
      y: below,
    })),
    steps: [],
  };
}

function images(scene: Scene, width: number): Layout {
  const [samples, neurons, high, wide] = scene.shape as [number, number, number, number];
  const narrow = width < kNarrow;
  const left = narrow ? 24 : 106;
  const shear = narrow ? 4 : 22;
  const gap = narrow ? 6 : 22; // between maps
  const room = width - left - shear * (samples - 1) - (narrow ? 6 : 14) - gap * (neurons - 1);
  const pitch = clamp(10, room / (neurons * wide), 38);
  const map = { width: pitch * wide, height: pitch * high };
  const down = map.height + (narrow ? 16 : 20);
  const top = 46;
  const front = top + down * (samples - 1); // upper edge of the maps in front
  const corner = (n: number, c: number): Point => ({
    x: left + shear * n + (map.width + gap) * c,
    y: front - down * n,
  });
  const plates = Array.from({ length: samples }, (_, n): Plate => {
    const { x, y } = corner(n, 0);
    const [from, to] = [x - gap * 0.5, corner(n, neurons - 1).x + map.width + gap * 0.5];
    const [upper, lower] = [y - 7, y + map.height + 7];
    const lean = ((lower - upper) / 2 / down) * shear;
    const corners = [
      { x: from - lean, y: lower },
      { x: to - lean, y: lower },
      { x: to + lean, y: upper },
      { x: from + lean, y: upper },
    ];
    return { corners, label: { x: from - 8, y: (upper + lower) / 2 + 4 }, anchor: "end" };
  });
  return {
    width,
    height: front + map.height + 24,
    pitch,
    radius: 0.45 * pitch,
    at: scene.x.map((_, at) => {
      const [n, c, h, w] = unravel(at, scene.shape) as [number, number, number, number];
      const start = corner(n, c);
      const lean = ((map.height / 2 - pitch * (h + 0.5)) / down) * shear;
      return { x: start.x + pitch * (w + 0.5) + lean, y: start.y + pitch * (h + 0.5) };
    }),
    plates,
    heads: Array.from({ length: neurons }, (_, c) => {
      const { x, y } = corner(samples - 1, c);
      return { x: x + map.width / 2 + (map.height / 2 / down) * shear, y: y - 16 };
    }),
    inputs: [],
    steps: [],
  };
}

function sequences(scene: Scene, width: number): Layout {
  const [samples, neurons, steps] = scene.shape as [number, number, number];
  const left = width < kNarrow ? 24 : 64;
  const gap = width < kNarrow ? 14 : 26;
  const room = width - left - 8;
  const perRow = [samples, Math.ceil(samples / 2), 2, 1].find(
    (n) => n <= samples && (room - gap * (n - 1)) / (n * neurons) >= 30,
  );
  const columns = perRow ?? 1;
  const rows = Math.ceil(samples / columns);
  const pitch = clamp(22, (room - gap * (columns - 1)) / (columns * neurons), 46);
  const rise = columns > 2 ? 12 : 6; // every next one a little further back
  const block = { width: pitch * neurons, height: pitch * steps };
  const head = 52;
  const rowHeight = block.height + head + 22;
  const top = rise * (columns - 1);
  const corner = (n: number): Point => ({
    x: left + (n % columns) * (block.width + gap),
    y: top + Math.floor(n / columns) * rowHeight + head - rise * (n % columns),
  });
  return {
    width,
    height: top + rows * rowHeight,
    pitch,
    radius: 0.42 * pitch,
    at: scene.x.map((_, at) => {
      const [n, c, t] = unravel(at, scene.shape) as [number, number, number];
      const start = corner(n);
      return { x: start.x + pitch * (c + 0.5), y: start.y + pitch * (t + 0.5) };
    }),
    plates: Array.from({ length: samples }, (_, n): Plate => {
      const { x, y } = corner(n);
      const [from, to, upper, lower] = [x - 6, x + block.width + 6, y - 5, y + block.height + 5];
      const corners = [
        { x: from, y: lower },
        { x: to, y: lower },
        { x: to, y: upper },
        { x: from, y: upper },
      ];
      return { corners, label: { x: from, y: upper - 26 }, anchor: "start" };
    }),
    heads: Array.from({ length: samples * neurons }, (_, i) => {
      const { x, y } = corner(Math.floor(i / neurons));
      return { x: x + pitch * ((i % neurons) + 0.5), y: y - 12 };
    }),
    inputs: [],
    steps: Array.from({ length: rows * steps }, (_, i) => {
      const { x, y } = corner(Math.floor(i / steps) * columns);
      return { x: x - 12, y: y + pitch * ((i % steps) + 0.5) + 4, step: i % steps };
    }),
  };
}

const kLayouts: Record<SceneName, (scene: Scene, width: number) => Layout> = { network, images, sequences };

export const layoutOf = (scene: Scene, width: number): Layout => kLayouts[scene.name](scene, width);

// Pairs of neighbours among the elements that share: what is drawn between them binds them. Elements that stand side by
// side touch, others are far. From sequence to sequence nothing is drawn: it would cross what does not share.
export interface Bond {
  from: number;
  to: number;
  far: boolean;
}

export function bonds(scene: Scene, layout: Layout, sharing: readonly number[]): Bond[] {
  const { shape } = scene;
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, size) => n * size, 1));
  const members = new Set(sharing);
  const found: Bond[] = [];
  for (const at of sharing) {
    const index = unravel(at, shape);
    strides.forEach((stride, axis) => {
      const next = at + stride;
      if (axis === 0 && scene.name === "sequences") return;
      if ((index[axis] as number) + 1 >= (shape[axis] as number) || !members.has(next)) return;
      const [a, b] = [layout.at[at] as Point, layout.at[next] as Point];
      const apart = Math.hypot(a.x - b.x, a.y - b.y);
      found.push({ from: at, to: next, far: apart > 1.5 * layout.pitch });
    });
  }
  return found;
}

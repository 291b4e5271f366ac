// Arrow keys: from one element to the next as the drawing shows them.
import { ravel, unravel } from "./arithmetic";
import type { Scene } from "./document";

// The element that a key leads to; null where it leads nowhere, or is no key of ours.
export function follow(key: string, at: number, scene: Scene): number | null {
  const { shape, name } = scene;
  const index = unravel(at, shape);
  const moved = (...steps: [axis: number, by: number][]): number | null => {
    const to = [...index];
    for (const [axis, by] of steps) to[axis] = (to[axis] as number) + by;
    return to.every((i, axis) => i >= 0 && i < (shape[axis] as number)) ? ravel(to, shape) : null;
  };
  const ends = (axis: number, value: number): number => ravel(Object.assign([...index], { [axis]: value }), shape);
  const last = (axis: number): number => (shape[axis] as number) - 1;
  const [c = 0, h = 0, w = 0] = index.slice(1);
  switch (key) {
    case "PageUp":
      return moved([0, 1]);
    case "PageDown":
      return moved([0, -1]);
    case "Home":
      return ends(1, 0);
    case "End":
      return ends(1, last(1));
    case "ArrowRight":
      if (name === "images") return w < last(3) ? moved([3, 1]) : moved([1, 1], [3, -w]);
      return c < last(1) || name === "network" ? moved([1, 1]) : moved([0, 1], [1, -c]);
    case "ArrowLeft":
      if (name === "images") return w > 0 ? moved([3, -1]) : moved([1, -1], [3, last(3)]);
      return c > 0 || name === "network" ? moved([1, -1]) : moved([0, -1], [1, last(1)]);
    case "ArrowUp":
      if (name === "network") return moved([0, 1]);
      if (name === "sequences") return moved([2, -1]);
      return h > 0 ? moved([2, -1]) : moved([0, 1], [2, last(2)]);
    case "ArrowDown":
      if (name === "network") return moved([0, -1]);
      if (name === "sequences") return moved([2, 1]);
      return h < last(2) ? moved([2, 1]) : moved([0, -1], [2, -h]);
    default:
      return null;
  }
}

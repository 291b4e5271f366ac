// Arms can be told apart by eyes that see two of the three primary colours alone: where a simulation of such an eye
// brings two colours together, symbol and dash differ both. And no two arms look the same to anybody.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { load } from "./load.mjs";

const { lookAt } = await load("arms.ts");
const style = await readFile(new URL("../src/common/base.css", import.meta.url), "utf8");
const kPlaces = 10; // colours; Norma's own arms stay within them in every model
const kApart = 14; // CIE76; about 2 is the least that an eye sees side by side, lines across a chart need far more

// Linear RGB as seen, by Machado, Oliveira & Fernandes 2009, at full severity.
const kEyes = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i], 0));

function linear(hex) {
  return [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

// CIELAB under D65.
function lab(rgb) {
  const xyz = times(
    [
      [0.4124564, 0.3575761, 0.1804375],
      [0.2126729, 0.7151522, 0.072175],
      [0.0193339, 0.119192, 0.9503041],
    ],
    rgb.map((value) => Math.min(1, Math.max(0, value))),
  );
  const [x, y, z] = [xyz[0] / 0.95047, xyz[1], xyz[2] / 1.08883].map((value) =>
    value > 216 / 24389 ? Math.cbrt(value) : ((24389 / 27) * value + 16) / 116,
  );
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(a, b, eye) {
  const [one, other] = [a, b].map((hex) => lab(times(kEyes[eye], linear(hex))));
  return Math.hypot(...one.map((value, i) => value - other[i]));
}

// The colours of the arms in the style sheet's first (light) and second (dark) set.
const sets = ["light", "dark"].map((name, set) => ({
  name,
  colours: Array.from(
    { length: 10 },
    (_, i) => [...style.matchAll(new RegExp(`--arm-${i + 1}: (#[0-9a-f]{6})`, "g"))][set][1],
  ),
}));

for (const { name, colours } of sets) {
  for (const eye of Object.keys(kEyes)) {
    test(`arms differ on the ${name} page for ${eye === "usual" ? "most eyes" : eye}`, () => {
      const looks = Array.from({ length: kPlaces }, (_, i) => lookAt(i + 1));
      const colour = (look) => colours[Number(look.colour.match(/\d+/)[0]) - 1];
      const alike = [];
      looks.forEach((a, i) =>
        looks.slice(0, i).forEach((b, j) => {
          const apart = distance(colour(a), colour(b), eye);
          if (apart < kApart && (a.symbol === b.symbol || a.dash === b.dash))
            alike.push([j + 1, i + 1, apart.toFixed(1)]);
        }),
      );
      assert.deepEqual(alike, []);
    });
  }
}

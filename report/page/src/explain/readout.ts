// The computation of the chosen element, written out with its numbers.
import { type Child, element } from "../common/dom";
import type { Document } from "./document";
import { kEps, kNormTitles } from "./norms";
import { libraryCase, type Picture } from "./state";
import { counted, number, place, remark, who } from "./words";

const kConstants = `γ = 1 and β = 0, as when training begins; ε = ${kEps.toFixed(5)}.`;
const kTerms = 3; // of a sum, before it is shortened

const paren = (value: number, decimals: number): string =>
  value < 0 ? `(${number(value, decimals)})` : number(value, decimals);

function fraction(above: Child[], below: Child[]): HTMLElement {
  return element(
    "span",
    { class: "fraction" },
    element("span", {}, ...above),
    element("span", { class: "below" }, ...below),
  );
}

// "1.2 + 0.4 − 0.9 + … + 2.1".
function sum(values: readonly number[]): string {
  const written = values.length <= kTerms + 1 ? values : values.slice(0, kTerms);
  const text = written.map((value, i) => {
    const size = number(Math.abs(value), 1);
    return i === 0 ? number(value, 1) : `${value < 0 ? "−" : "+"} ${size}`;
  });
  return text.join(" ") + (written.length < values.length ? " + …" : "");
}

function squares(values: readonly number[], mean: number, centred: boolean): string {
  const written = values.slice(0, values.length === 2 ? 2 : 1);
  const term = (value: number): string =>
    centred ? `(${number(value, 1)} − ${paren(mean, 2)})²` : `${paren(value, 1)}²`;
  const text = written.map(term);
  return text.join(" + ") + (written.length < values.length ? " + …" : "");
}

function line(name: string, symbol: string, formula: Child[], result: string): HTMLElement[] {
  return [
    element("dt", {}, name, " ", element("i", {}, symbol)),
    element("dd", {}, element("span", { class: "formula" }, ...formula), element("span", { class: "result" }, result)),
  ];
}

function computation(picture: Picture, batches: number): HTMLElement | null {
  const { statistics, sharing, state, x, y, remembered } = picture;
  if (!statistics) return null;
  const centred = state.norm !== "rms";
  const { mean, variance, count } = statistics;
  const members = sharing.map((at) => x[at] as number);
  const own = x[state.selected] as number;
  const output = y[state.selected] ?? null;
  const memory = `remembered from ${batches} batches of training`;
  const n = String(count);
  const lines = [
    ...(centred ? line("mean", "μ", remembered ? [memory] : [fraction([sum(members)], [n])], number(mean, 3)) : []),
    ...line(
      centred ? "variance" : "mean of squares",
      centred ? "σ²" : "q",
      remembered ? [memory] : [fraction([squares(members, mean, centred)], [n])],
      number(variance, 3),
    ),
  ];
  const top = centred ? `${number(own, 1)} − ${paren(mean, 3)}` : number(own, 1);
  const filled = fraction([top], [`√(${number(variance, 3)} + ε)`]);
  lines.push(...line("output", "y", output === null ? [] : [filled], output === null ? "none" : number(output, 3)));
  return element("dl", { class: "computation" }, ...lines);
}

// Whether the numbers are the library's own.
function origin(document: Document, picture: Picture): string {
  const answer = libraryCase(document, picture);
  if (answer?.error !== undefined) return `libnorma refuses too: “${answer.error}”`;
  if (answer) return "libnorma computed the same from these inputs.";
  return "The inputs are yours now, and the numbers the page's own.";
}

export interface Readout {
  element: HTMLElement;
  update(picture: Picture): void;
}

function formula(centred: boolean): (Node | string)[] {
  return centred
    ? ["y = γ · ", fraction(["x − μ"], ["√(σ² + ε)"]), " + β"]
    : ["y = γ · ", fraction(["x"], ["√(q + ε)"]), " + β"];
}

// The same for those who hear the page: one sentence for every light that goes on.
function spoken(picture: Picture): string {
  const { statistics, state, y } = picture;
  const parts = [`${place(picture, state.selected)}.`, who(picture), remark(picture)];
  const output = y[state.selected] ?? null;
  if (statistics && output !== null) {
    const { count, mean, variance } = statistics;
    const of = picture.remembered ? "" : `${counted(count, "value")}, `;
    const middle = state.norm === "rms" ? "mean of squares" : `mean ${number(mean, 3)}, variance`;
    parts.push(`${of}${middle} ${number(variance, 3)}, output ${number(output, 3)}.`);
  }
  const text = parts.filter(Boolean).join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function readout(document: Document): Readout {
  const where = element("h2", { class: "where", id: "readout-title" });
  const share = element("p", { class: "who" });
  const note = element("p", { class: "remark" });
  const rule = element("p", { class: "rule" });
  const body = element("div", { class: "numbers" });
  const source = element("p", { class: "origin" });
  const voice = element("p", { class: "unseen", role: "status", id: "spoken" });
  return {
    element: element(
      "section",
      { class: "readout", "aria-labelledby": "readout-title" },
      where,
      share,
      note,
      rule,
      body,
      source,
      voice,
    ),
    update(picture) {
      const { state } = picture;
      const mode = state.training ? "training" : "inference";
      where.textContent = `${kNormTitles[state.norm]}, ${mode}: ${place(picture, state.selected)}`;
      share.textContent = who(picture);
      note.textContent = remark(picture);
      note.classList.toggle("refusal", picture.refused);
      rule.replaceChildren(...formula(state.norm !== "rms"));
      const numbers = computation(picture, document.running_batches);
      body.replaceChildren(...(numbers ? [numbers] : []));
      source.textContent = numbers ? `${kConstants} ${origin(document, picture)}` : "";
      voice.textContent = spoken(picture);
    },
  };
}

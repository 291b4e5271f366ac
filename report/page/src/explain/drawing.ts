// The drawing: circles, what binds those that share, and marks on those that have moved. A grid for the keyboard and
// for screen readers: one stop for the tab key, arrows from there.
import type { Scene } from "./document";
import { bonds, kNarrow, type Layout, layoutOf, type Point } from "./layout";
import { kLittle, perSample, type Picture, sampleOf } from "./state";
import { cellLabel, number, times } from "./words";

const kSvg = "http://www.w3.org/2000/svg";

const kWide = 18; // the radius of a circle with room for two decimals

type Attributes = Record<string, string | number>;

function shape(name: string, attributes: Attributes = {}, ...children: (Node | string)[]): SVGElement {
  const node = document.createElementNS(kSvg, name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, typeof value === "number" ? String(Math.round(value * 100) / 100) : value);
  }
  node.append(...children);
  return node;
}

const points = (corners: readonly Point[]): string =>
  corners.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

interface Cell {
  group: SVGElement;
  text: SVGElement;
  mark: SVGElement;
}

export class Drawing {
  readonly node: SVGElement;
  private readonly layout: Layout;
  private readonly cells: Cell[];
  private readonly plates: { ground: SVGElement; label: SVGElement }[];
  private readonly edges: SVGElement[];
  private readonly bound = shape("g", { class: "bonds" });
  private readonly heads: SVGElement[];

  constructor(
    private readonly scene: Scene,
    width: number,
    choose: (at: number) => void,
  ) {
    this.layout = layoutOf(scene, width);
    const { height, inputs } = this.layout;
    this.plates = this.layout.plates.map(({ corners, label, anchor }) => ({
      ground: shape("polygon", { class: "plate", points: points(corners) }),
      label: shape("text", { class: "label", x: label.x, y: label.y, "text-anchor": anchor }),
    }));
    this.edges = inputs.flatMap((from) =>
      this.layout.at
        .slice(0, scene.shape[1])
        .map((to) => shape("line", { class: "edge", x1: from.x, y1: from.y, x2: to.x, y2: to.y })),
    );
    this.heads = this.layout.heads.map(({ x, y }, i) => {
      const neuron = (i % (scene.shape[1] as number)) + 1;
      const room = scene.name === "network" ? this.layout.pitch : scene.name === "images" ? 90 : 0;
      return shape("text", { class: "head", x, y }, room >= 58 ? `neuron ${neuron}` : String(neuron));
    });
    this.cells = scene.x.map((_, at) => this.cell(at, choose));
    const each = perSample(scene);
    const rows = this.layout.plates.map((_, n) =>
      shape("g", { role: "row", "aria-label": `sample ${n + 1}` }, ...this.groups(n * each, (n + 1) * each)),
    );
    this.node = shape(
      "svg",
      { class: "drawing", viewBox: `0 0 ${width} ${height}`, width, height, role: "presentation" },
      shape("g", { "aria-hidden": "true" }, ...this.plates.map(({ ground }) => ground), ...this.edges, this.bound),
      shape(
        "g",
        { "aria-hidden": "true" },
        ...this.captions(),
        ...this.plates.map(({ label }) => label),
        ...this.heads,
      ),
      shape("g", { role: "grid", "aria-label": "Neurons by sample" }, ...rows),
    );
  }

  // The elements of the tab order stay what they are, so focus stays where it was.
  update(picture: Picture, moves: readonly (number | null)[] | null): void {
    const { state, presence, sharing, scene } = picture;
    const members = new Set(sharing);
    this.cells.forEach(({ group, text, mark }, at) => {
      const there = presence[at];
      const moved = moves?.[at] ?? null;
      const chosen = at === state.selected;
      const classes = ["cell", there, chosen ? "chosen" : members.has(at) ? "shares" : "apart"];
      group.setAttribute("class", classes.join(" "));
      group.setAttribute("tabindex", chosen ? "0" : "-1");
      group.setAttribute("aria-selected", String(chosen));
      group.setAttribute("aria-label", cellLabel(picture, at, moved, this.decimals(picture.y[at] ?? 0)));
      text.textContent = this.value(picture, at);
      const big = moved !== null && Math.abs(moved) >= kLittle && there !== "absent";
      mark.setAttribute("class", big ? (moved > 0 ? "mark up" : "mark down") : "mark still");
    });
    this.plates.forEach(({ ground, label }, n) => {
      const place = presence[n * perSample(scene)];
      const out = place === "dropped" || place === "absent";
      ground.setAttribute("class", out ? "plate out" : "plate");
      label.setAttribute("class", sampleOf(scene, state.selected) === n ? "label own" : "label");
      const short = this.layout.width < kNarrow && scene.name !== "sequences";
      const scale = state.scale[n] === 1 || out ? "" : ` ${times(state.scale[n] as number)}`;
      label.textContent = place === "absent" ? "" : short ? String(n + 1) : `sample ${n + 1}${scale}`;
    });
    const neurons = scene.shape[1] as number;
    const own = Math.floor(state.selected / (perSample(scene) / neurons)) % neurons;
    this.edges.forEach((edge, i) => edge.setAttribute("class", i % neurons === own ? "edge own" : "edge"));
    this.heads.forEach((head, i) => {
      const gone = this.heads.length > neurons && presence[Math.floor(i / neurons) * perSample(scene)] === "absent";
      head.setAttribute("class", gone ? "head gone" : i % neurons === own ? "head own" : "head");
    });
    this.bind(picture);
  }

  focus(at: number): void {
    this.cells[at]?.group.focus();
  }

  private groups(from: number, to: number): SVGElement[] {
    return this.cells.slice(from, to).map(({ group }) => group);
  }

  private cell(at: number, choose: (at: number) => void): Cell {
    const { radius: r } = this.layout;
    const { x, y } = this.layout.at[at] as Point;
    const circle = (name: string, radius: number): SVGElement =>
      shape("circle", { class: name, cx: x, cy: y, r: radius });
    const text = shape("text", { class: "value", x, y, "font-size": Math.min(13.5, r * (r >= kWide ? 0.6 : 0.74)) });
    const [mx, my, s] = [x + 0.72 * r, y - 0.78 * r, Math.max(3.5, 0.24 * r)];
    const mark = shape(
      "g",
      { class: "mark still" },
      shape("circle", { cx: mx, cy: my, r: s * 1.5 }),
      shape("path", { class: "up", d: `M${mx - s} ${my + s * 0.6}L${mx} ${my - s}L${mx + s} ${my + s * 0.6}Z` }),
      shape("path", { class: "down", d: `M${mx - s} ${my - s * 0.6}L${mx} ${my + s}L${mx + s} ${my - s * 0.6}Z` }),
    );
    const group = shape("g", { role: "gridcell" }, circle("ring", r + 4), circle("body", r), text, mark);
    group.addEventListener("click", () => choose(at));
    return { group, text, mark };
  }

  // Decimals that a circle has room for.
  private decimals(value: number): number {
    return this.layout.radius < kWide || Math.abs(value) >= 10 ? 1 : 2;
  }

  private value(picture: Picture, at: number): string {
    const { presence, state, x, y } = picture;
    if (presence[at] === "dropped" || presence[at] === "absent") return "";
    if (state.show === "x") return number(x[at] as number, 1);
    const output = y[at] ?? null;
    return output === null ? "–" : number(output, this.decimals(output));
  }

  private bind(picture: Picture): void {
    const thick = 2 * this.layout.radius + 7;
    const lines = bonds(this.scene, this.layout, picture.sharing).map(({ from, to, far }) => {
      const [a, b] = [this.layout.at[from] as Point, this.layout.at[to] as Point];
      return shape("line", {
        class: far ? "far" : "near",
        x1: a.x,
        y1: a.y,
        x2: b.x,
        y2: b.y,
        "stroke-width": far ? 3 : thick,
      });
    });
    this.bound.replaceChildren(...lines);
  }

  private captions(): SVGElement[] {
    const { inputs, steps, radius, width } = this.layout;
    const nodes = inputs.map(({ x, y }) =>
      shape("circle", { class: "input", cx: x, cy: y, r: Math.min(9, radius * 0.6) }),
    );
    const [first] = inputs;
    if (first) {
      const name = width < kNarrow ? "the layer below" : "the layer below, for sample 1";
      nodes.push(
        shape("text", { class: "head", x: (first.x + (inputs.at(-1) as Point).x) / 2, y: first.y + 28 }, name),
      );
    }
    nodes.push(
      ...steps.map(({ x, y, step }) =>
        shape(
          "text",
          { class: "label", x, y, "text-anchor": "end" },
          width < kNarrow ? `${step + 1}` : `step ${step + 1}`,
        ),
      ),
    );
    return nodes;
  }
}

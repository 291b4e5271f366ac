// The explainer: a drawing to touch, the computation of what was touched, and what a change of the batch moves.
import { button, element } from "../common/dom";
import { licences } from "../common/licences";
import { themeButton } from "../common/theme";
import { check, kAgreement } from "./check";
import { changeBatch, chooseNorm, chooseValues, type Controls, provenance, type Turn } from "./controls";
import { type Document, readDocument, type SceneName } from "./document";
import { Drawing } from "./drawing";
import { follow } from "./keys";
import { meanings } from "./meanings";
import { type Readout, readout } from "./readout";
import { movements, opening, perSample, type Picture, picture, sampleOf, type State } from "./state";
import { type Change, movement } from "./words";

class Page {
  private state: State;
  private picture: Picture;
  private drawing: Drawing | null = null;
  private before: Picture | null = null; // what the last change began from
  private last: Change | null = null;
  private width = 0;
  private readonly canvas = element("div", { class: "canvas" });
  private readonly said = element("p", { class: "movement", role: "status", id: "movement" });
  private readonly asked = element("p", { class: "hint", id: "asked" });
  private readonly readout: Readout;
  private readonly controls: Record<"norm" | "batch" | "values", Controls>;

  constructor(private readonly data: Document) {
    this.state = opening(data, data.start.scene, data.start);
    this.picture = picture(data, this.state);
    this.readout = readout(data);
    this.controls = {
      norm: chooseNorm(this.turn, (name) => this.open(name)),
      batch: changeBatch(this.turn, () => this.picture),
      values: chooseValues(this.turn),
    };
    document.body.append(this.navigation(), this.main(), this.footer());
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resized()).observe(this.canvas);
    this.resized();
    this.update();
  }

  private navigation(): HTMLElement {
    return element(
      "nav",
      { class: "bar", "aria-label": "Page" },
      element("span", { class: "mark" }, "Norma"),
      element("span", { class: "study" }, "Who shares statistics?"),
      element("span", { class: "links" }),
      themeButton(),
    );
  }

  private main(): HTMLElement {
    const strong = (text: string): HTMLElement => element("strong", {}, text);
    const again = button("Start over", "Everything as it was when this drawing opened", () =>
      this.open(this.state.scene),
    );
    again.id = "start-over";
    return element(
      "main",
      {},
      element("h1", {}, "Every normalization is one formula over different circles"),
      element(
        "p",
        { class: "lead" },
        "A layer is a row of neurons, drawn as circles. A ",
        strong("feature"),
        " is the output of one neuron: the number in its circle. A ",
        strong("batch"),
        " is that row again for every sample, one behind the other. Touch a circle: what lights up shares its " +
          "mean and variance.",
      ),
      this.controls.norm.element,
      this.asked,
      element(
        "div",
        { class: "stage" },
        element(
          "figure",
          { "aria-label": "The layer's neurons, for every sample of the batch" },
          this.canvas,
          legend(this.controls.values.element),
        ),
        element(
          "div",
          { class: "side" },
          this.readout.element,
          element(
            "section",
            { class: "try", "aria-labelledby": "try-title" },
            element("div", { class: "heading" }, element("h2", { id: "try-title" }, "Change the batch"), again),
            this.said,
            this.controls.batch.element,
          ),
        ),
      ),
      meanings(),
    );
  }

  private footer(): HTMLElement {
    const found = check(this.data);
    return element(
      "footer",
      {},
      element(
        "p",
        { id: "agreement", class: found.largest <= kAgreement ? null : "notice" },
        provenance(this.data, found),
      ),
      element("p", {}, "This file is complete in itself: it loads nothing and sends nothing."),
      licences(),
    );
  }

  private resized(): void {
    const width = Math.floor(this.canvas.clientWidth);
    if (width === 0 || width === this.width) return;
    this.width = width;
    this.draw();
  }

  private draw(): void {
    const focused = this.canvas.contains(document.activeElement);
    this.drawing = new Drawing(this.picture.scene, this.width, (at) => this.choose(at));
    this.canvas.replaceChildren(this.drawing.node);
    this.canvas.dataset.scene = this.picture.scene.name;
    this.drawing.update(this.picture, this.moves());
    const { asked, shape } = this.picture.scene;
    this.asked.hidden = asked === null;
    this.asked.textContent = asked ? `Of your ${asked.join(" × ")}, ${shape.join(" × ")} are drawn.` : "";
    if (focused) this.drawing.focus(this.state.selected);
  }

  private moves(): (number | null)[] | null {
    return this.before ? movements(this.before, this.picture) : null;
  }

  private choose(at: number): void {
    if (this.picture.presence[at] === "absent") return;
    this.become({ ...this.state, selected: at });
    this.drawing?.focus(at);
  }

  private key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const to = follow(event.key, this.state.selected, this.picture.scene);
    if (to === null) return;
    event.preventDefault();
    this.choose(to);
  }

  private readonly turn: Turn = (part, change) => {
    const state = { ...this.state, ...part };
    if (change.kind !== "view") {
      if (change.kind === "setting") this.before = null;
      else if (!goesOn(this.last, change)) this.before = this.picture;
      this.last = change;
    }
    const { scene } = this.picture;
    const gone = sampleOf(scene, state.selected) >= state.batch;
    this.become(gone ? { ...state, selected: state.selected % perSample(scene) } : state);
  };

  // A drawing as it is at first, under the norm that is chosen.
  private open(name: SceneName): void {
    const another = name !== this.state.scene;
    this.before = this.last = null;
    this.state = opening(this.data, name, this.state);
    this.picture = picture(this.data, this.state);
    if (another) this.draw();
    this.update();
  }

  private become(state: State): void {
    this.state = state;
    this.picture = picture(this.data, state);
    this.update();
  }

  private update(): void {
    const moves = this.moves();
    for (const controls of Object.values(this.controls)) controls.show(this.picture);
    const words = this.last && moves ? movement(this.last, this.picture, moves) : null;
    this.said.replaceChildren(
      ...(words
        ? [element("strong", {}, words[0]), ` ${words[1]}`]
        : ["Change something, and see whose outputs move."]),
    );
    this.readout.update(this.picture);
    this.drawing?.update(this.picture, moves);
  }
}

// A drag is one change: what moved is held against what was there before it began.
function goesOn(last: Change | null, change: Change): boolean {
  const drag = change.kind === "batch" || change.kind === "scale" || change.kind === "length";
  return drag && JSON.stringify(last) === JSON.stringify(change);
}

function legend(values: HTMLElement): HTMLElement {
  const entry = (name: string, text: string): HTMLElement =>
    element("li", {}, element("span", { class: `key ${name}`, "aria-hidden": "true" }), text);
  return element(
    "figcaption",
    {},
    element(
      "ul",
      { class: "legend" },
      entry("chosen", "touched"),
      entry("shares", "shares its statistics"),
      entry("apart", "does not"),
      entry("padding", "padding"),
      entry("moved", "moved by the last change"),
    ),
    element(
      "div",
      { class: "under" },
      element(
        "p",
        { class: "hint" },
        "By keyboard: arrows from neuron to neuron, Page Up and Down from sample to sample.",
      ),
      values,
    ),
  );
}

const json = document.getElementById("document")?.textContent ?? "";
try {
  new Page(readDocument(json));
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  document.body.append(element("main", {}, element("p", { class: "notice" }, `This page cannot be shown: ${reason}`)));
  throw error;
}

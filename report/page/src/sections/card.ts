// A finding as a card: the verdict, what it is about, the effect with its interval, and what stands behind it.
import { element } from "../common/dom";

export interface Finding {
  verdict: string;
  colour: string | null; // of the verdict; null where nothing was decided
  title: string;
  effect: string;
  interval: string;
  facts: string[];
}

export function cards(label: string, findings: Finding[]): HTMLElement {
  const items = findings.map(({ verdict, colour, title, effect, interval, facts }) => {
    const item = element(
      "li",
      { class: colour === null ? "card" : "card decided" },
      element("p", { class: "card-title" }, title),
      element("p", { class: "effect" }, effect),
      element("p", { class: "card-interval" }, interval),
      element("p", { class: "verdict" }, verdict),
      ...facts.map((fact) => element("p", { class: "fact" }, fact)),
    );
    if (colour !== null) item.style.setProperty("--colour", colour);
    return item;
  });
  return element("ul", { class: "cards", "aria-label": label }, ...items);
}

// A part of the page: a heading, a sentence under it, and what it holds.
import { type Child, element } from "../dom";

export function section(id: string, title: string, lead: string, ...children: Child[]): HTMLElement {
  return element("section", { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title),
    lead ? element("p", { class: "lead" }, lead) : null,
    ...children);
}

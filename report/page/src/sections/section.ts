// A part of the page: a heading, a sentence under it, and what it holds.
import { type Child, element } from "../common/dom";

// `name` is what the bar on top calls it.
export function section(id: string, name: string, title: string, lead: string, ...children: Child[]): HTMLElement {
  return element(
    "section",
    { id, "data-name": name, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title),
    lead ? element("p", { class: "lead" }, lead) : null,
    ...children,
  );
}

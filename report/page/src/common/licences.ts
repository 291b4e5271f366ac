// The licences of what a page is made of, in full: Norma's own and those of the libraries in its script.
import { element } from "./dom";

// Put in by build.mjs.
declare const EMBEDDED_LICENCES: { name: string; license: string; text: string }[];

export function licences(): HTMLElement {
  return element(
    "details",
    { class: "licences" },
    element("summary", {}, "Licences of what this page is made of"),
    ...EMBEDDED_LICENCES.map(({ name, license, text }) =>
      element(
        "details",
        {},
        element("summary", {}, `${name}, ${license}`),
        element("pre", { tabindex: 0 }, text || license),
      ),
    ),
  );
}

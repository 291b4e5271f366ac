// Reads the results document that stands in the page and builds everything from it.
import { Arms } from "./arms";
import { type Results, readResults } from "./data";
import { button, element } from "./dom";
import { drawFigures } from "./figure";
import { answer } from "./sections/answer";
import { contrasts } from "./sections/contrasts";
import { cost } from "./sections/cost";
import { learning } from "./sections/learning";
import { made } from "./sections/made";
import { seeds } from "./sections/seeds";
import { tables } from "./sections/table";
import { tuning } from "./sections/tuning";

// Light or dark as the system says until the button was pressed; paper is always light.
function themeButton(): HTMLButtonElement {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen: boolean | null = null; // dark?
  const dark = (): boolean => chosen ?? system.matches;
  const show = (isDark: boolean): void => {
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    node.textContent = isDark ? "Light" : "Dark";
  };
  const node = button("", "Change between light and dark", () => {
    chosen = !dark();
    show(chosen);
  });
  system.addEventListener("change", () => show(dark()));
  addEventListener("beforeprint", () => show(false));
  addEventListener("afterprint", () => show(dark()));
  show(dark());
  return node;
}

function navigation(results: Results, sections: HTMLElement[]): HTMLElement {
  return element(
    "nav",
    { "aria-label": "Parts of the report" },
    element("a", { class: "mark", href: "#answer" }, "Norma"),
    element("span", { class: "study" }, results.study.name),
    element(
      "span",
      { class: "links" },
      ...sections.map((part) => element("a", { href: `#${part.id}` }, part.dataset.name ?? part.id)),
    ),
    themeButton(),
  );
}

function build(json: string): void {
  const results = readResults(json);
  const arms = new Arms(results);
  const parts = [
    tables(results, arms),
    contrasts(results, arms),
    seeds(results, arms),
    learning(results, arms),
    tuning(results, arms),
    cost(results, arms),
    made(results, arms, json),
  ].filter((part): part is HTMLElement => part !== null);
  document.title = `${results.study.name} · Norma`;
  document.body.append(
    navigation(results, parts),
    element("main", {}, answer(results, arms), ...parts),
    element(
      "footer",
      {},
      `Made by Norma ${results.norma.version}. This file is complete in itself: it loads nothing and sends nothing.`,
    ),
  );
  drawFigures();
  addEventListener("beforeprint", drawFigures);
}

const json = document.getElementById("results")?.textContent ?? "";
try {
  build(json);
} catch (error) {
  document.body.append(
    element(
      "main",
      {},
      element(
        "p",
        { class: "notice" },
        `This report cannot be shown: ${error instanceof Error ? error.message : String(error)}`,
      ),
    ),
  );
  throw error;
}

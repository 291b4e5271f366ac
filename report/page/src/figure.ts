// A figure: title, one sentence on what to look for, charts that follow the width of the page, their data as a table
// for those who cannot see them, and both as files.
import { addCanvas } from "./canvas";
import { button, type Child, element } from "./common/dom";
import { csv, figureSvg, save } from "./download";
import { kNoResult } from "./format";
import { scrollBox } from "./scroll";

export type Value = string | number | null;

export interface Column {
  name: string; // with its unit
  show?: (value: number | null) => string; // how a number reads; as it is where absent
}

export interface Table {
  columns: Column[];
  rows: Value[][];
}

export interface Panel {
  title: string;
  draw: (width: number) => SVGSVGElement;
}

export interface FigureOptions {
  id: string; // of the element and, with the study's name in front, of the files
  title: string;
  look: string; // what to look for, one sentence
  panels: Panel[];
  table: Table;
  controls?: Child;
  notes?: string[];
  wide?: boolean; // one panel a line
  heading?: "h2" | "h3"; // h3, inside a section, where absent
}

export function dataTable({ columns, rows }: Table, caption: string): HTMLTableElement {
  const cell = (value: Value, column: Column | undefined): HTMLTableCellElement => {
    if (typeof value === "string") return element("td", {}, value);
    const shown = column?.show ? column.show(value) : value === null ? kNoResult : String(value);
    return element("td", { class: "number" }, shown);
  };
  return element(
    "table",
    { class: "data" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...columns.map(({ name }) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((value, i) => cell(value, columns[i]))))),
  );
}

// A file name from a study's name and a figure's.
export function fileName(study: string, part: string, type: string): string {
  const safe = study
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 60);
  return `norma-${safe || "study"}-${part}.${type}`;
}

const kPaper = 900; // pixels that a chart takes for the width of a sheet; it is scaled to what is there
const kGap = 24; // between two charts on paper

// Made when it is first opened: the tables of a large study are most of its page.
function dataDetails(id: string, title: string, table: Table): HTMLDetailsElement {
  const { frame, box } = scrollBox(`${title}: data`);
  const details = element("details", { id: `${id}-data` }, element("summary", {}, "The data as a table"), frame);
  details.addEventListener("toggle", () => {
    if (details.open && !box.firstElementChild) box.append(dataTable(table, title));
  });
  return details;
}

// What stands under a figure: its data as a table, and both as files. `picture`: the file of what is drawn.
export function tools(
  study: string,
  { id, title, table }: Pick<FigureOptions, "id" | "title" | "table">,
  picture: () => string,
): HTMLElement {
  const saveAs = (type: string, mime: string, content: string): void => save(fileName(study, id, type), mime, content);
  return element(
    "div",
    { class: "tools" },
    dataDetails(id, title, table),
    element(
      "div",
      { class: "downloads" },
      button("SVG", `Save “${title}” as a picture`, () => saveAs("svg", "image/svg+xml", picture())),
      button("CSV", `Save the data of “${title}”`, () =>
        saveAs("csv", "text/csv", csv([table.columns.map(({ name }) => name), ...table.rows])),
      ),
    ),
  );
}

export function figure(study: string, options: FigureOptions): HTMLElement {
  const { id, title, look, panels, wide } = options;
  const paper = wide || panels.length === 1 ? kPaper : Math.floor((kPaper - kGap) / 2);
  const boxes = panels.map((panel) => {
    const box = element("div", { class: "canvas" });
    const draw = (width: number): SVGSVGElement => {
      const picture = panel.draw(width);
      picture.setAttribute("aria-label", [title, panel.title].filter(Boolean).join(": "));
      return picture;
    };
    addCanvas({ key: `${id}/${panel.title}`, box, draw, paper });
    const heading = panel.title ? element("p", { class: "panel-title", title: panel.title }, panel.title) : null;
    return element("div", { class: "panel" }, heading, box);
  });
  const node: HTMLElement = element(
    "figure",
    { id, class: wide ? "wide" : null, "aria-labelledby": `${id}-title` },
    element(options.heading ?? "h3", { id: `${id}-title`, class: "figure-title" }, title),
    element("p", { class: "look" }, look),
    options.controls,
    element("div", { class: "panels" }, ...boxes),
    ...(options.notes ?? []).map((note) => element("p", { class: "note" }, note)),
    tools(study, options, () => figureSvg(node)),
  );
  return node;
}

// A figure: title, one sentence on what to look for, charts that follow the width of the page, their data as a table
// for those who cannot see them, and both as files.
import { button, type Child, element } from "./dom";
import { csv, figureSvg, save } from "./download";
import { kNoResult } from "./format";

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
}

export interface Figure {
  element: HTMLElement;
  redraw: () => void;
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

const undrawn: (() => void)[] = [];

// Draws at once what stands in the page and has no picture yet, without waiting for a frame: a page that is printed
// right after it was opened has no frame before that.
export function drawFigures(): void {
  for (const drawFigure of undrawn) drawFigure();
}

export function figure(study: string, options: FigureOptions): Figure {
  const { id, title, look, panels, table } = options;
  const boxes = panels.map((panel) => ({ panel, box: element("div", { class: "canvas" }), width: 0 }));
  const node = element(
    "figure",
    { id, class: options.wide ? "wide" : null },
    element("h3", {}, title),
    element("p", { class: "look" }, look),
    options.controls,
    element(
      "div",
      { class: "panels" },
      ...boxes.map(({ panel, box }) =>
        element(
          "div",
          { class: "panel" },
          panel.title ? element("h4", { title: panel.title }, panel.title) : null,
          box,
        ),
      ),
    ),
    ...(options.notes ?? []).map((note) => element("p", { class: "note" }, note)),
    element(
      "div",
      { class: "tools" },
      element(
        "details",
        {},
        element("summary", {}, "The data as a table"),
        element(
          "div",
          { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}: data` },
          dataTable(table, title),
        ),
      ),
      element(
        "div",
        { class: "downloads" },
        button("SVG", `Save “${title}” as a picture`, () =>
          save(fileName(study, id, "svg"), "image/svg+xml", figureSvg(node)),
        ),
        button("CSV", `Save the data of “${title}”`, () =>
          save(fileName(study, id, "csv"), "text/csv", csv([table.columns.map(({ name }) => name), ...table.rows])),
        ),
      ),
    ),
  );

  const draw = (item: (typeof boxes)[number]): void => {
    if (item.width > 0) item.box.replaceChildren(item.panel.draw(item.width));
  };
  undrawn.push(() => {
    for (const item of boxes) {
      const width = Math.floor(item.box.clientWidth);
      if (width === 0 || item.box.firstElementChild) continue;
      item.width = width;
      draw(item);
    }
  });
  const observer = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const item = boxes.find(({ box }) => box === entry.target);
      const width = Math.floor(entry.contentRect.width);
      if (!item || width === item.width) continue;
      item.width = width;
      requestAnimationFrame(() => draw(item)); // outside the observer: drawing changes the height that it watches
    }
  });
  for (const { box } of boxes) observer.observe(box);
  return { element: node, redraw: () => boxes.forEach(draw) };
}

// Pictures and tables as files, made in the page: a figure's charts as one SVG that needs no style sheet, a table as
// CSV.
import { chartClass } from "./charts/frame";

const kSvg = "http://www.w3.org/2000/svg";
const kStyles = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-opacity",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "font-variant",
  "text-anchor",
  "white-space",
] as const;

export function save(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// A copy in which every element carries the style that it has on the screen.
function withStyles(source: Element): Element {
  const copy = source.cloneNode(false) as Element;
  copy.removeAttribute("class");
  const style = getComputedStyle(source);
  for (const name of kStyles) copy.setAttribute(name, style.getPropertyValue(name));
  for (const child of source.childNodes) {
    if (child instanceof Element) {
      if (child.tagName !== "style") copy.append(withStyles(child));
    } else if (child.nodeType === Node.TEXT_NODE) {
      copy.append(child.cloneNode());
    }
  }
  return copy;
}

function textAt(content: string, x: number, y: number, like: Element): Element {
  const node = document.createElementNS(kSvg, "text");
  const style = getComputedStyle(like);
  node.setAttribute("x", String(x));
  node.setAttribute("y", String(y));
  node.setAttribute("fill", style.color);
  for (const name of ["font-family", "font-size", "font-weight"]) {
    node.setAttribute(name, style.getPropertyValue(name));
  }
  node.textContent = content;
  return node;
}

const kMargin = 20;

// An empty picture on the page's background.
function sheet(width: number, height: number): Element {
  const root = document.createElementNS(kSvg, "svg");
  root.setAttribute("xmlns", kSvg);
  root.setAttribute("width", String(width));
  root.setAttribute("height", String(height));
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const background = document.createElementNS(kSvg, "rect");
  background.setAttribute("width", "100%");
  background.setAttribute("height", "100%");
  background.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  root.append(background);
  return root;
}

const file = (root: Element): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(root)}\n`;

function chartAt(source: Element, x: number, y: number): Element {
  const box = source.getBoundingClientRect();
  const copy = withStyles(source);
  copy.setAttribute("x", String(x));
  copy.setAttribute("y", String(y));
  copy.setAttribute("width", String(box.width));
  copy.setAttribute("height", String(box.height));
  copy.setAttribute("overflow", "visible");
  return copy;
}

// Rows of texts and small charts, one under the other, below a title. Each cell is what stands on the page, and where
// it begins; what the page does not have at the moment is left out.
export function rowsSvg(title: Element, rows: { node: Element | null; x: number }[][], width: number): string {
  const [top, step] = [52, 46];
  const root = sheet(width, top + rows.length * step + kMargin);
  root.append(textAt(title.textContent ?? "", kMargin, 34, title));
  rows.forEach((row, i) => {
    for (const { node, x } of row) {
      if (node instanceof SVGElement) root.append(chartAt(node, kMargin + x, top + i * step + 6));
      else if (node) root.append(textAt(node.textContent ?? "", kMargin + x, top + i * step + 22, node));
    }
  });
  return file(root);
}

// All charts of a figure with their headings, laid out as on the screen, on the page's background.
export function figureSvg(figure: HTMLElement): string {
  const title = figure.querySelector(".figure-title");
  const panels = figure.querySelector(".panels");
  const frame = (panels ?? figure).getBoundingClientRect();
  const top = title ? 52 : kMargin;
  const root = sheet(Math.ceil(frame.width) + 2 * kMargin, Math.ceil(frame.height) + top + kMargin);
  if (title) root.append(textAt(title.textContent ?? "", kMargin, 34, title));
  for (const heading of figure.querySelectorAll(".panel-title")) {
    const box = heading.getBoundingClientRect();
    root.append(
      textAt(heading.textContent ?? "", kMargin + box.left - frame.left, top + box.bottom - frame.top - 5, heading),
    );
  }
  for (const svg of figure.querySelectorAll(`svg.${chartClass}`)) {
    const box = svg.getBoundingClientRect();
    root.append(chartAt(svg, kMargin + box.left - frame.left, top + box.top - frame.top));
  }
  return file(root);
}

// A field by RFC 4180; a text that a spreadsheet would run as a formula gets an apostrophe in front. What is
// infinite reads ∞ or -∞.
function csvField(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value).replace("Infinity", "∞");
  const harmless = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

export function csv(rows: (string | number | null)[][]): string {
  return rows.map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

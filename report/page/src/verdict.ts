// A verdict as a sign and a word: each has a shape of its own, so that colour is never all that tells them apart.
import { element, svg } from "./common/dom";

const kSize = 18;
const kMiddle = kSize / 2;

const circle = (attributes: Record<string, string | number>): SVGElement =>
  svg("circle", { cx: kMiddle, cy: kMiddle, r: kMiddle - 1.5, ...attributes });

const stroke = (d: string, colour: string): SVGElement =>
  svg("path", { d, fill: "none", stroke: colour, "stroke-width": 2, "stroke-linecap": "round" });

const kSigns: Record<string, () => SVGElement[]> = {
  // a full circle with a tick
  supported: () => [circle({ fill: "currentColor" }), stroke("M5.2,9.3L8,12L12.8,6.4", "var(--paper)")],
  // a circle that is half full
  qualified: () => [
    circle({ fill: "none", stroke: "currentColor", "stroke-width": 2 }),
    svg("path", { d: "M9,1.5A7.5,7.5 0 0 0 9,16.5Z", fill: "currentColor" }),
  ],
  // a square with a cross
  contradicted: () => [
    svg("rect", { x: 1.5, y: 1.5, width: 15, height: 15, rx: 2, fill: "currentColor" }),
    stroke("M5.8,5.8L12.2,12.2M12.2,5.8L5.8,12.2", "var(--paper)"),
  ],
};

// an empty circle of dashes
const open = (): SVGElement[] => [
  circle({ fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "3 2.4" }),
];

export const verdictColour = (verdict: string): string =>
  Object.hasOwn(kSigns, verdict) ? `var(--${verdict})` : "var(--ink-soft)";

export function sign(verdict: string): SVGElement {
  const parts = Object.hasOwn(kSigns, verdict) ? kSigns[verdict] : undefined;
  return svg(
    "svg",
    { class: "sign", width: kSize, height: kSize, viewBox: `0 0 ${kSize} ${kSize}`, "aria-hidden": "true" },
    ...(parts ?? open)(),
  );
}

export function verdictBadge(verdict: string): HTMLElement {
  const node = element("span", { class: "verdict-badge", "data-verdict": verdict }, sign(verdict), verdict);
  node.style.setProperty("color", verdictColour(verdict));
  return node;
}

// One effect in a line of a table: its interval on a scale of its own, zero as a rule, and shaded where the interval
// has to lie for what was claimed to be shown. A dashed rule is the margin of "the same"; an arrow an end that goes on.
import type { ClaimContrast } from "../claims";
import { contrastName, effectInterval, effectValue, endsOf, measureWords, regionOf } from "../contrast-words";
import { svg } from "../common/dom";

const kWidth = 190;
const kHeight = 30;
const kMiddle = 11; // of the interval
const kEdge = 8; // pixels left free at both ends

export function strip(contrast: ClaimContrast, colour: string): SVGElement {
  const ends = endsOf(contrast);
  const margin = contrast.margin ?? 0;
  const finite = [0, margin, -margin, ends.mean, ends.low, ends.high].filter(
    (value): value is number => value !== null && Number.isFinite(value),
  );
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const pad = 0.12 * (high - low) || 1;
  const [start, end] = [low - pad, high + pad];
  const x = (value: number): number => {
    const part = (Math.min(Math.max(value, start), end) - start) / (end - start);
    return Number((kEdge + part * (kWidth - 2 * kEdge)).toFixed(1));
  };
  const rule = (value: number, dash: string | null): SVGElement =>
    svg("line", {
      x1: x(value),
      x2: x(value),
      y1: 1,
      y2: 2 * kMiddle - 1,
      stroke: "var(--ink-soft)",
      "stroke-width": 1.2,
      "stroke-dasharray": dash,
    });
  const region = regionOf(contrast);
  const parts: (SVGElement | null)[] = [
    region &&
      svg("rect", {
        x: x(region[0]),
        width: x(region[1]) - x(region[0]),
        y: 1,
        height: 2 * kMiddle - 2,
        fill: "var(--claimed)",
      }),
    rule(0, null),
    margin > 0 ? rule(-margin, "2 2") : null,
    margin > 0 ? rule(margin, "2 2") : null,
    svg("text", { x: x(0), y: kHeight - 1, "text-anchor": "middle", "font-size": 10, fill: "var(--ink-soft)" }, "0"),
  ];
  if (ends.low !== null && ends.high !== null) {
    parts.push(
      svg("line", {
        x1: x(ends.low),
        x2: x(ends.high),
        y1: kMiddle,
        y2: kMiddle,
        stroke: colour,
        "stroke-width": 3,
        "stroke-linecap": "round",
      }),
    );
    if (ends.low === -Infinity) parts.push(arrow(x(ends.low), -1, colour));
    if (ends.high === Infinity) parts.push(arrow(x(ends.high), 1, colour));
  }
  if (ends.mean !== null) {
    const shown = contrast.standing === "shown" || contrast.standing === "refuted";
    parts.push(
      svg("circle", {
        cx: x(ends.mean),
        cy: kMiddle,
        r: 4.6,
        fill: shown ? colour : "var(--paper)",
        stroke: colour,
        "stroke-width": 2,
      }),
    );
  }
  const words =
    `${contrastName(contrast)}, ${measureWords(contrast)}: ` +
    `${effectValue(ends.mean, contrast)} ${contrast.unit} (95%: ${effectInterval(contrast)})`;
  return svg(
    "svg",
    {
      class: "strip",
      width: kWidth,
      height: kHeight,
      viewBox: `0 0 ${kWidth} ${kHeight}`,
      role: "img",
      "aria-label": words,
    },
    svg("title", {}, words),
    ...parts,
  );
}

function arrow(x: number, direction: 1 | -1, colour: string): SVGElement {
  const back = x - 6 * direction;
  return svg("path", {
    d: `M${back},${kMiddle - 5}L${x},${kMiddle}L${back},${kMiddle + 5}`,
    fill: "none",
    stroke: colour,
    "stroke-width": 2,
  });
}

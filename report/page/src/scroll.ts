// A part of the page that is wider than a narrow window: it scrolls on its own, by keyboard too, and says so where
// something is out of sight.
import { type Child, element } from "./common/dom";

const observer = new ResizeObserver((entries) => {
  for (const { target } of entries)
    cue((target.classList.contains("scroll") ? target : target.parentElement) as Element);
});

function cue(box: Element): void {
  const before = box.scrollLeft > 1;
  const after = box.scrollLeft + box.clientWidth < box.scrollWidth - 1;
  box.parentElement?.classList.toggle("more-before", before);
  box.parentElement?.classList.toggle("more-after", after);
}

export function scrollBox(label: string, child?: Child): { frame: HTMLElement; box: HTMLElement } {
  const box = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, child);
  box.addEventListener("scroll", () => cue(box), { passive: true });
  observer.observe(box);
  if (child instanceof Element) observer.observe(child); // its width follows its text, not the box
  const words = element("p", { class: "cue", "aria-hidden": "true" }, "There is more sideways: scroll.");
  return { frame: element("div", { class: "scroll-frame" }, words, box), box };
}

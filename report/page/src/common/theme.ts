// Light or dark as the system says until the button was pressed; paper is always light.
import { button } from "./dom";

export function themeButton(): HTMLButtonElement {
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
  node.classList.add("theme");
  system.addEventListener("change", () => show(dark()));
  addEventListener("beforeprint", () => show(false));
  addEventListener("afterprint", () => show(dark()));
  show(dark());
  return node;
}

// One of a few: radio buttons that look like pills, so that the keyboard works as everywhere.
import { element } from "./dom";

export interface Choice<T extends string | number> {
  name: string; // of the group; each button's id is NAME-VALUE
  legend: string;
  options: { value: T; label: string }[];
  chosen: T | null;
  choose: (value: T) => void;
}

export function choice<T extends string | number>({ name, legend, options, chosen, choose }: Choice<T>): HTMLElement {
  return element(
    "fieldset",
    { class: "choice" },
    element("legend", {}, legend),
    ...options.map(({ value, label }) => {
      const input = element("input", { type: "radio", id: `${name}-${value}`, name, value, checked: value === chosen });
      input.addEventListener("change", () => choose(value));
      return element("label", {}, input, element("span", {}, label));
    }),
  );
}

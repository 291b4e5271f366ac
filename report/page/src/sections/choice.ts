// A choice of the normalization batch: radio buttons, so that the keyboard works as everywhere.
import { element } from "../dom";

let groups = 0;

export function batchChoice(
  label: string,
  batches: number[],
  chosen: number,
  choose: (batch: number) => void,
): HTMLElement {
  const group = `choice-${++groups}`;
  return element(
    "fieldset",
    { class: "choice" },
    element("legend", {}, label),
    ...batches.map((batch) => {
      const input = element("input", { type: "radio", name: group, value: batch, checked: batch === chosen });
      input.addEventListener("change", () => choose(batch));
      return element("label", {}, input, element("span", {}, String(batch)));
    }),
  );
}

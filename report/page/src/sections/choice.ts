// A choice of the normalization batch: radio buttons, so that the keyboard works as everywhere.
import { element } from "../dom";

export interface BatchView {
  batch: number | null; // that the address names
  choose: (batch: number) => void;
}

// `figure` is the id of the figure that it belongs to; null where there is nothing to choose.
export function batchChoice(figure: string, batches: number[], chosen: number, view: BatchView): HTMLElement | null {
  if (batches.length < 2) return null;
  const group = `${figure}-batch`;
  return element(
    "fieldset",
    { class: "choice" },
    element("legend", {}, "Normalization batch"),
    ...batches.map((batch) => {
      const id = `${group}-${batch}`;
      const input = element("input", { type: "radio", id, name: group, value: batch, checked: batch === chosen });
      input.addEventListener("change", () => view.choose(batch));
      return element("label", {}, input, element("span", {}, String(batch)));
    }),
  );
}

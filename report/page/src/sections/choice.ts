// A choice of the normalization batch.
import { choice } from "../common/choice";

export interface BatchView {
  batch: number | null; // that the address names
  choose: (batch: number) => void;
}

// `figure` is the id of the figure that it belongs to; null where there is nothing to choose.
export function batchChoice(figure: string, batches: number[], chosen: number, view: BatchView): HTMLElement | null {
  if (batches.length < 2) return null;
  return choice({
    name: `${figure}-batch`,
    legend: "Normalization batch",
    options: batches.map((batch) => ({ value: batch, label: String(batch) })),
    chosen,
    choose: view.choose,
  });
}

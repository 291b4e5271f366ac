// The words that confuse, each in terms of the circles.
import { element } from "../common/dom";

const kMeanings: [term: string, meaning: string][] = [
  [
    "A feature",
    "is the output of one neuron. A layer of 8 neurons has 8 features, and a sample gives each of them one value.",
  ],
  [
    "“Across the batch”",
    "is one feature, all samples: one neuron's circles, from the front row to the back. BatchNorm. The samples of a " +
      "batch get coupled, so training and inference differ, and one value alone cannot be normalized.",
  ],
  [
    "“Across the features”",
    "is all neurons, one sample: one row, from left to right. LayerNorm. No other sample has a say, so the size of " +
      "the batch does not matter, and training and inference are the same.",
  ],
  [
    "In a convolution",
    "a neuron looks at every position, and what it says there is a channel: H × W values of one feature in every " +
      "sample. BatchNorm takes all of them, InstanceNorm those of one sample; GroupNorm joins some channels of it.",
  ],
  [
    "In a sequence",
    "the same layer stands at every step. LayerNorm over C looks at one step; BatchNorm at every step of every " +
      "sample, and so at padding too, unless a mask keeps it out.",
  ],
];

export function meanings(): HTMLElement {
  return element(
    "section",
    { class: "meanings", "aria-labelledby": "meanings-title" },
    element("h2", { id: "meanings-title" }, "What the words mean"),
    element(
      "dl",
      {},
      ...kMeanings.map(([term, meaning]) => element("div", {}, element("dt", {}, term), element("dd", {}, meaning))),
    ),
  );
}

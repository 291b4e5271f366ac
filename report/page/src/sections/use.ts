// What to use, of what the primary contrasts compare: the side that is nowhere shown to err more, and where the other
// does.
import type { Arms } from "../arms";
import type { Contrast, Results } from "../data";

const listed = (words: string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;

// "at normalization batch 2 and 4 in MLP 64-10"; empty where there is one model and no batch is shared.
function places({ models }: Results, contrasts: Contrast[]): string {
  const found = [...new Set(contrasts.map(({ model }) => model))].map((name) => {
    const batches = contrasts
      .filter(({ model }) => model === name)
      .map(({ a, b }) => a.normalization_batch ?? b.normalization_batch)
      .filter((batch): batch is number => batch !== null);
    const label = models.length > 1 ? `in ${models.find((model) => model.name === name)?.label ?? name}` : "";
    return [batches.length > 0 ? `at normalization batch ${listed(batches.map(String))}` : "", label]
      .filter(Boolean)
      .join(" ");
  });
  return listed(found.filter(Boolean));
}

function ofPair(results: Results, arms: Arms, contrasts: Contrast[]): string {
  const [first] = contrasts;
  if (!first) return "";
  const [a, b] = [arms.label(first.a.arm), arms.label(first.b.arm)];
  const losses = contrasts.filter(({ outcome }) => outcome === "b better"); // of a
  const wins = contrasts.filter(({ outcome }) => outcome === "a better");
  if (losses.length + wins.length === 0) return `${a} or ${b}: no difference between them is shown.`;
  if (losses.length > 0 && wins.length > 0) {
    return `${b} rather than ${a} ${places(results, losses)}; ${a} ${places(results, wins)}.`;
  }
  const [better, worse, where] = losses.length > 0 ? [b, a, losses] : [a, b, wins];
  if (losses.length + wins.length === contrasts.length)
    return `${better}: it errs less than ${worse} wherever they are compared.`;
  return `${better}, or ${worse} except ${places(results, where)}.`;
}

// One sentence for each pair of arms; empty where nothing is measured.
export function whatToUse(results: Results, arms: Arms): string {
  const pairs = new Map<string, Contrast[]>();
  for (const contrast of results.contrasts) {
    const { primary, a, b, difference } = contrast;
    if (!primary || difference.mean === null || a.arm === b.arm) continue;
    const key = JSON.stringify([a.arm, b.arm]);
    pairs.set(key, [...(pairs.get(key) ?? []), contrast]);
  }
  return [...pairs.values()].map((contrasts) => ofPair(results, arms, contrasts)).join(" ");
}

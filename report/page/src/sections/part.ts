// Of a study of several parts one is on show: which, the way to the others, and what it is made of.
import type { Arms } from "../arms";
import type { Claim } from "../claims";
import type { Results, Study } from "../data";
import { element } from "../common/dom";
import { count, plural } from "../format";
import { dataName, partsOf, trains, type View, writeView } from "../view";
import { bitsPicture, picture } from "./picture";
import { section } from "./section";

// The parts by the first claim that rests on them, in the order of the claims; what no claim names comes last.
function grouped(parts: Results[], claims: Claim[]): { title: string; parts: Results[] }[] {
  const groups = new Map<string, Results[]>();
  const add = (title: string, part: Results): void => {
    groups.set(title, [...(groups.get(title) ?? []), part]);
  };
  const left = new Set(parts);
  for (const claim of claims) {
    for (const part of [...left].filter(({ part: { name } }) => claim.parts.includes(name))) {
      add(`Claim ${claim.number}`, part);
      left.delete(part);
    }
  }
  for (const part of left) add(claims.length > 0 ? "Others" : "Parts", part);
  return [...groups].map(([title, of]) => ({ title, parts: of }));
}

// "small" of "claim6-small", under a heading that says the claim.
const short = (name: string): string => name.replace(/^claim\d+-/, "");

function choice(study: Study, part: Results, view: View): HTMLElement {
  const groups = grouped(partsOf(study, view), study.claims);
  return element(
    "nav",
    { class: "parts", "aria-label": "Parts of the study" },
    ...groups.map(({ title, parts }) =>
      element(
        "div",
        { class: "parts-of" },
        element("span", { class: "parts-title" }, title),
        ...parts.map(({ part: { name } }) =>
          element(
            "a",
            {
              href: `#${writeView({ ...view, at: "evidence", part: name })}`,
              "aria-current": name === part.part.name ? "true" : null,
            },
            groups.length > 1 ? short(name) : name,
          ),
        ),
      ),
    ),
  );
}

function made({ data, training, models, seeds, normalization_batches: batches }: Results): string {
  const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
  const facts = [
    models.map(({ label }) => label).join("; "),
    `${dataName({ data } as Results)}, ${plural(number(data.train) ?? 0, "training sample")}`,
    number(training.sgd_batch) === null ? "" : `SGD batch ${count(number(training.sgd_batch))}`,
    batches.length > 0 ? `normalization batch ${batches.join(", ")}` : "",
    number(training.steps) === null ? "" : plural(number(training.steps) ?? 0, "update"),
    plural(seeds.length, "seed"),
  ];
  return facts.filter(Boolean).join(" · ");
}

export function partSection(
  study: Study,
  { part, shown, arms, view }: { part: Results; shown: Results; arms: Arms; view: View },
  notice: HTMLElement | null,
): HTMLElement {
  const { name, question } = part.part;
  const { headline } = part.verdict;
  return section(
    "evidence",
    "Evidence",
    `The evidence, part by part: ${name}`,
    question && question !== study.study.question ? question : "",
    choice(study, part, view),
    notice,
    element("p", { class: "byline" }, made(part)),
    headline && part.contrasts.length > 0 ? element("p", { class: "part-verdict" }, headline) : null,
    trains(part) ? bitsPicture(shown, arms) : null,
    trains(part) ? picture(shown, arms) : null,
  );
}

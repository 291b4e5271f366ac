// The page opens with the answer: the question, the verdict, what to use and why, how sure that is, and the one picture
// that carries it.
import type { Arms } from "../arms";
import { element } from "../common/dom";
import type { Results, Study } from "../data";
import { count, duration, moment, plural } from "../format";
import { dataName, dataNames, partsOf, type View } from "../view";
import { bitsPicture, picture } from "./picture";
import { regrets } from "./regrets";
import { situations } from "./situations";
import { howSure } from "./sure";
import { whatToUse } from "./use";

function notices({ run }: Study): HTMLElement[] {
  const found: HTMLElement[] = [];
  if (!run.complete) {
    const { planned = 0, done = 0 } = run.trials;
    found.push(
      element(
        "p",
        { class: "notice", role: "note", id: "incomplete" },
        element("strong", {}, "This study is not complete. "),
        `${count(done)} of ${plural(planned, "trial")} are done, so everything below is provisional. `,
        run.command ? "Run the same command again to go on: " : null,
        run.command ? element("code", {}, run.command) : null,
      ),
    );
  }
  return found;
}

// The study in one line.
function byline(study: Study): HTMLElement {
  const { run, parts, warnings } = study;
  const cores = typeof run.machine.cores === "number" ? ` on ${plural(run.machine.cores, "core")}` : "";
  const models = parts.reduce((sum, part) => sum + part.models.length, 0);
  const arms = new Set(parts.flatMap((part) => part.arms.map(({ name }) => name))).size;
  const seeds = Math.max(0, ...parts.map((part) => part.seeds.length));
  const data = dataNames(study);
  const [only] = parts;
  const facts = [
    parts.length === 1 && only ? dataName(only) : `${plural(parts.length, "part")} on ${data.join(", ")}`,
    plural(models, "model"),
    plural(arms, "arm"),
    seeds > 0 ? plural(seeds, "paired seed") : "",
    plural(run.trials.done ?? 0, "trial"),
    run.seconds === null ? "" : `${duration(run.seconds)}${cores}`,
    moment(run.finished || run.started),
  ];
  return element(
    "p",
    { class: "byline" },
    ...facts.filter(Boolean).map((fact) => element("span", {}, fact)),
    warnings.length > 0
      ? element("span", {}, element("a", { "data-at": "warnings" }, plural(warnings.length, "warning")))
      : null,
  );
}

interface Answer {
  headline: string;
  use: string; // where the headline does not say it
  why: string;
  sure: string;
  pictures: (HTMLElement | null)[];
  sentences: string[];
}

// Of a study of one part it is that part's, or that of its claim if the part names no contrast; of several that of its
// claims.
function answerOf(study: Study, part: Results, shown: Results, arms: Arms, view: View): Answer {
  if (study.parts.length === 1) {
    const { headline, sentences } = part.verdict;
    return {
      headline: headline || "No verdict yet",
      use: whatToUse(part, arms),
      why: study.verdict.why,
      sure: howSure(part, arms) || study.verdict.sure,
      pictures: [bitsPicture(shown, arms), picture(shown, arms)],
      sentences,
    };
  }
  const { headline, why, sure, sentences } = study.verdict;
  const recommender = study.claims.find((claim) => claim.recommender !== null)?.recommender ?? null;
  return {
    headline: headline || study.study.question || study.study.name,
    use: "",
    why,
    sure,
    pictures: [
      recommender ? regrets(study.study.name, "regrets", "h2", recommender) : null,
      situations(study, partsOf(study, view)),
    ],
    sentences,
  };
}

// `part` is the one on show, which the words are about where it is the only one; `shown` what the view leaves of it,
// `notice` says what that is.
export function answer(
  study: Study,
  { part, shown, arms, view }: { part: Results; shown: Results; arms: Arms; view: View },
  notice: HTMLElement | null,
): HTMLElement {
  const { question } = study.study;
  const { headline, use, why, sure, pictures, sentences } = answerOf(study, part, shown, arms, view);
  const said = (name: string, words: string): HTMLElement | null =>
    words ? element("p", { class: "said" }, element("strong", {}, `${name}: `), words) : null;
  return element(
    "header",
    { class: "answer", id: "answer" },
    ...notices(study),
    question && question !== headline ? element("p", { class: "question" }, question) : null,
    element("h1", { class: headline.length > 90 ? "long" : null }, headline),
    said("What to use", use),
    said("Why", why),
    said("How sure", sure),
    byline(study),
    notice,
    ...pictures,
    element("div", { class: "sentences" }, ...sentences.map((sentence) => element("p", {}, sentence))),
  );
}

// The page opens with the answer: the question, the verdict, and the one picture that carries it.
import type { Arms } from "../arms";
import { batchChart, errorScale } from "../charts/batch";
import type { Results } from "../data";
import { element } from "../common/dom";
import { type Column, figure } from "../figure";
import { count, duration, moment, percent, plural } from "../format";
import { howSure } from "./sure";

function notices(results: Results): HTMLElement[] {
  const { run } = results;
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
function byline(results: Results): HTMLElement {
  const { run, seeds, data } = results;
  const cores = typeof run.machine.cores === "number" ? ` on ${plural(run.machine.cores, "core")}` : "";
  const facts = [
    typeof data.name === "string" ? data.name : "",
    plural(results.models.length, "model"),
    plural(results.arms.length, "arm"),
    seeds.length > 0 ? plural(seeds.length, "paired seed") : "",
    plural(run.trials.done ?? 0, "trial"),
    run.seconds === null ? "" : `${duration(run.seconds)}${cores}`,
    moment(run.finished || run.started),
  ];
  return element(
    "p",
    { class: "byline" },
    ...facts.filter(Boolean).map((fact) => element("span", {}, fact)),
    results.warnings.length > 0
      ? element("span", {}, element("a", { "data-at": "warnings" }, plural(results.warnings.length, "warning")))
      : null,
  );
}

const percentColumn = (name: string): Column => ({ name, show: percent });

// The main picture, of what the view shows.
function picture(results: Results, arms: Arms): HTMLElement {
  const scale = errorScale(results.cells);
  return figure(results.study.name, {
    id: "error-over-batch",
    title: "Test error over normalization batch",
    heading: "h2",
    look:
      "Look for where a line rises above the flat bands: there, sharing statistics over that few samples costs " +
      "accuracy; below them it pays. Bars and bands are 95% intervals over seeds and test samples" +
      (scale.type === "log" ? "; the error scale is logarithmic." : "."),
    panels: results.models.map((model) => ({
      title: model.label,
      draw: (width) => batchChart(results, arms, model.name, scale, width),
    })),
    table: {
      columns: [
        { name: "model" },
        { name: "arm" },
        { name: "normalization batch", show: (v) => (v === null ? "not shared" : String(v)) },
        percentColumn("test error"),
        percentColumn("95% low"),
        percentColumn("95% high"),
        { name: "seeds" },
      ],
      rows: results.models.flatMap((model) =>
        arms
          .cellsOf(results, model.name)
          .map((cell) => [
            model.label,
            arms.label(cell.arm),
            cell.normalization_batch,
            cell.error.mean,
            cell.error.low,
            cell.error.high,
            cell.n,
          ]),
      ),
    },
  });
}

// `whole` is the study, which the words are about; `shown` what the view leaves of it, `notice` says what that is.
export function answer(whole: Results, shown: Results, arms: Arms, notice: HTMLElement | null): HTMLElement {
  const { study, verdict } = whole;
  const sure = howSure(whole, arms);
  return element(
    "header",
    { class: "answer", id: "answer" },
    ...notices(whole),
    study.question ? element("p", { class: "question" }, study.question) : null,
    element("h1", { class: verdict.headline.length > 90 ? "long" : null }, verdict.headline || "No verdict yet"),
    sure ? element("p", { class: "sure" }, element("strong", {}, "How sure: "), sure) : null,
    byline(whole),
    notice,
    picture(shown, arms),
    element("div", { class: "sentences" }, ...verdict.sentences.map((sentence) => element("p", {}, sentence))),
  );
}

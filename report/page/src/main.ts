// Reads the results document that stands in the page and builds everything from it.
import { Arms } from "./arms";
import { drawAll, drawForPaper, drawForScreen, drawWhatIsSeen, forgetCanvases } from "./canvas";
import { readResults, type Results } from "./data";
import { button, element } from "./common/dom";
import { answer } from "./sections/answer";
import { contrasts } from "./sections/contrasts";
import { cost } from "./sections/cost";
import { type Filter, filter, inWords } from "./sections/filter";
import { learning } from "./sections/learning";
import { made } from "./sections/made";
import { seeds } from "./sections/seeds";
import { tables } from "./sections/table";
import { tuning } from "./sections/tuning";
import { themeButton } from "./common/theme";
import { readView, select, type View, writeView } from "./view";

class Page {
  private view: View;
  private readonly arms: Arms;
  private readonly main = element("main");
  private readonly links = element("span", { class: "links" });
  private readonly made: HTMLElement;
  private readonly filter: Filter;

  constructor(
    private readonly results: Results,
    json: string,
  ) {
    this.view = readView(location.hash, results);
    this.arms = new Arms(results);
    this.made = made(results, this.arms, json);
    this.filter = filter(
      results,
      this.arms,
      () => this.view,
      (part) => this.change(part),
    );
    document.title = `${results.study.name} · Norma`;
    document.body.append(this.navigation(), this.main, this.footer());
    this.build();
    this.goTo("instant");
    addEventListener("hashchange", () => this.follow());
    addEventListener("click", ({ target }) => {
      const link = target instanceof Element ? target.closest<HTMLAnchorElement>("a[data-at]") : null;
      if (link && link.hash === location.hash) this.goTo("auto"); // no change, so no event
    });
    addEventListener("beforeprint", drawForPaper);
    addEventListener("afterprint", drawForScreen);
  }

  private navigation(): HTMLElement {
    const { models, arms } = this.results;
    return element(
      "nav",
      { "aria-label": "Parts of the report" },
      element("a", { class: "mark", "data-at": "answer" }, "Norma"),
      element("span", { class: "study" }, this.results.study.name),
      this.links,
      models.length > 1 || arms.length > 1 ? this.filter.element : null,
      themeButton(),
    );
  }

  private footer(): HTMLElement {
    const { version } = this.results.norma;
    return element(
      "footer",
      {},
      `Made by Norma ${version}. This file is complete in itself: it loads nothing and sends nothing.`,
    );
  }

  // What a filter takes out is said, with the way back.
  private filtered(): HTMLElement | null {
    const words = inWords(this.results, this.view);
    if (words === "") return null;
    return element(
      "p",
      { class: "notice", role: "status", id: "filtered" },
      element("strong", {}, "Charts, tables and cards are filtered: "),
      `${words}. The headline and the sentences are about the whole study. `,
      button("Show everything", "Show all models and arms", () => this.change({ models: null, arms: null })),
    );
  }

  // Everything between the bar and the footer, as the view has it.
  private build(): void {
    const { results, view } = this;
    const shown = select(results, view);
    const arms = new Arms(results, shown.arms);
    const batch = { batch: view.batch, choose: (value: number) => this.change({ batch: value }) };
    const open = [...this.main.querySelectorAll("details[open][id]")].map(({ id }) => id);
    const focus = document.activeElement?.id;
    forgetCanvases();
    const sections = [
      tables(shown, arms),
      contrasts(shown, arms),
      seeds(shown, arms),
      learning(shown, arms, batch),
      tuning(shown, arms, batch),
      cost(shown, arms),
      this.made,
    ].filter((part): part is HTMLElement => part !== null);
    this.main.replaceChildren(answer(results, shown, arms, this.filtered()), ...sections);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    this.links.replaceChildren(
      ...sections.map(({ id, dataset }) => element("a", { "data-at": id }, dataset.name ?? id)),
    );
    for (const link of document.querySelectorAll<HTMLElement>("[data-at]")) {
      link.setAttribute("href", `#${writeView({ ...view, at: link.dataset.at ?? "" })}`);
    }
    this.filter.show(view);
    drawWhatIsSeen();
  }

  private change(part: Partial<View>): void {
    this.view = { ...this.view, ...part };
    history.replaceState(null, "", `#${writeView(this.view)}`);
    this.build();
  }

  // The address has changed, by a link of the page or by hand.
  private follow(): void {
    const before = writeView({ ...this.view, at: "" });
    this.view = readView(location.hash, this.results);
    if (writeView({ ...this.view, at: "" }) !== before) this.build();
    this.goTo("auto");
  }

  private goTo(behavior: "auto" | "instant"): void {
    const target = this.view.at === "" ? null : document.getElementById(this.view.at);
    if (!target) return;
    drawAll(); // so that nothing above it grows afterwards
    target.closest("details")?.setAttribute("open", "");
    target.scrollIntoView({ behavior: behavior as ScrollBehavior });
  }
}

const json = document.getElementById("document")?.textContent ?? "";
try {
  new Page(readResults(json), json);
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  document.body.append(
    element("main", {}, element("p", { class: "notice" }, `This report cannot be shown: ${reason}`)),
  );
  throw error;
}

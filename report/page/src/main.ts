// Reads the results document that stands in the page and builds everything from it.
import { Arms } from "./arms";
import { drawAll, drawForPaper, drawForScreen, drawWhatIsSeen, forgetCanvases } from "./canvas";
import { button, element } from "./common/dom";
import { licences } from "./common/licences";
import { themeButton } from "./common/theme";
import { type Comparison, kComparison, readComparison } from "./comparison";
import { readStudy, type Results, type Study } from "./data";
import { object } from "./json";
import { answer } from "./sections/answer";
import { claims } from "./sections/claims";
import { comparison } from "./sections/comparison";
import { contrasts } from "./sections/contrasts";
import { cost } from "./sections/cost";
import { type Filter, filter, inWords } from "./sections/filter";
import { learning } from "./sections/learning";
import { made } from "./sections/made";
import { exactMeasures, gap, probes, shifts } from "./sections/measures";
import { partSection } from "./sections/part";
import { seeds } from "./sections/seeds";
import { tables } from "./sections/table";
import { target } from "./sections/target";
import { tuning } from "./sections/tuning";
import { kWhole, partOf, readView, select, trains, type View, within, writeView } from "./view";

function footer(version: string): HTMLElement {
  return element(
    "footer",
    {},
    element("p", {}, `Made by Norma ${version}. This file is complete in itself: it loads nothing and sends nothing.`),
    licences(),
  );
}

class Page {
  private view: View;
  private readonly main = element("main");
  private readonly links = element("span", { class: "links" });
  private readonly made = new Map<Results, HTMLElement>(); // of a part: long, and no view changes it
  private readonly filter: Filter;

  constructor(
    private readonly study: Study,
    private readonly json: string,
  ) {
    this.view = readView(location.hash, study);
    this.filter = filter(study, (part) => this.change(part));
    document.title = `${study.study.name} · Norma`;
    document.body.append(this.navigation(), this.main, footer(study.norma.version));
    this.build();
    this.goTo("instant");
    addEventListener("hashchange", () => this.follow());
    addEventListener("click", ({ target: clicked }) => {
      const link = clicked instanceof Element ? clicked.closest<HTMLAnchorElement>("a[href]") : null;
      if (link && link.hash === location.hash) this.goTo("auto"); // no change, so no event
    });
    addEventListener("beforeprint", drawForPaper);
    addEventListener("afterprint", drawForScreen);
  }

  private navigation(): HTMLElement {
    return element(
      "nav",
      { class: "bar", "aria-label": "Sections of the report" },
      element("a", { class: "mark", "data-at": "answer" }, "Norma"),
      element("span", { class: "study" }, this.study.study.name),
      this.links,
      this.filter.element,
      themeButton(),
    );
  }

  // What a filter takes out is said, with the way back.
  private filtered(part: Results): HTMLElement | null {
    const { data } = this.view;
    const words = [data === null ? "" : `parts on ${data}`, inWords(part, this.view)].filter(Boolean).join("; ");
    if (words === "") return null;
    return element(
      "p",
      { class: "notice", role: "status", id: "filtered" },
      element("strong", {}, "Charts, tables and cards are filtered: "),
      `${words}. The headline and the sentences are about the whole study. `,
      button("Show everything", "Show all data, models and arms", () =>
        this.change({ ...kWhole, part: this.view.part }),
      ),
    );
  }

  // The sections of the part on show.
  private sections(shown: Results, arms: Arms): (HTMLElement | null)[] {
    if (!trains(shown)) return [exactMeasures(shown, arms)];
    const batch = { batch: this.view.batch, choose: (value: number) => this.change({ batch: value }) };
    return [
      tables(shown, arms),
      contrasts(shown, arms),
      seeds(shown, arms),
      learning(shown, arms, batch),
      target(shown, arms),
      gap(shown, arms),
      shifts(shown, arms),
      probes(shown, arms),
      tuning(shown, arms, batch),
      cost(shown, arms),
    ];
  }

  private howItWasMade(part: Results): HTMLElement {
    const known = this.made.get(part) ?? made(part, new Arms(part), this.json);
    this.made.set(part, known);
    return known;
  }

  // Everything between the bar and the footer, as the view has it.
  private build(): void {
    const { study, view } = this;
    const part = partOf(study, view);
    const shown = select(part, view);
    const arms = new Arms(part, shown.arms);
    const scene = { part, shown, arms, view };
    const open = [...this.main.querySelectorAll("details[open][id]")].map(({ id }) => id);
    const focus = document.activeElement?.id;
    const several = study.parts.length > 1;
    const notice = this.filtered(part);
    forgetCanvases();
    const sections = [
      claims(study, (name) => writeView({ ...view, at: "evidence", data: null, part: name })),
      several ? partSection(study, scene, notice) : null,
      ...this.sections(shown, arms),
      this.howItWasMade(part),
    ].filter((node): node is HTMLElement => node !== null);
    this.main.replaceChildren(answer(study, scene, several ? null : notice), ...sections);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    this.links.replaceChildren(
      ...sections.map(({ id, dataset }) => element("a", { "data-at": id }, dataset.name ?? id)),
    );
    for (const link of document.querySelectorAll<HTMLElement>("[data-at]")) {
      link.setAttribute("href", `#${writeView({ ...view, at: link.dataset.at ?? "" })}`);
    }
    this.filter.show(view, part, arms);
    drawWhatIsSeen();
  }

  private change(part: Partial<View>): void {
    this.view = within(this.study, { ...this.view, ...part });
    history.replaceState(null, "", `#${writeView(this.view)}`);
    this.build();
  }

  // The address has changed, by a link of the page or by hand.
  private follow(): void {
    const before = writeView({ ...this.view, at: "" });
    this.view = readView(location.hash, this.study);
    if (writeView({ ...this.view, at: "" }) !== before) this.build();
    this.goTo("auto");
  }

  private goTo(behavior: "auto" | "instant"): void {
    const there = this.view.at === "" ? null : document.getElementById(this.view.at);
    if (!there) return;
    drawAll(); // so that nothing above it grows afterwards
    there.closest("details")?.setAttribute("open", "");
    there.scrollIntoView({ behavior: behavior as ScrollBehavior });
  }
}

// Of two studies side by side there is nothing to choose.
function showComparison(all: Comparison): void {
  const sections = comparison(all);
  const links = sections.filter(({ dataset }) => dataset.name);
  document.title = `${all.a.study} and ${all.b.study} · Norma`;
  document.body.append(
    element(
      "nav",
      { class: "bar", "aria-label": "Sections of the report" },
      element("a", { class: "mark", href: "#answer" }, "Norma"),
      element("span", { class: "study" }, `${all.a.study} and ${all.b.study}`),
      element(
        "span",
        { class: "links" },
        ...links.map(({ id, dataset }) => element("a", { href: `#${id}` }, dataset.name ?? id)),
      ),
      themeButton(),
    ),
    element("main", {}, ...sections),
    footer(all.version),
  );
  addEventListener("beforeprint", drawForPaper);
  addEventListener("afterprint", drawForScreen);
  drawWhatIsSeen();
}

const json = document.getElementById("document")?.textContent ?? "";
try {
  const found: unknown = JSON.parse(json);
  if (object(found).format === kComparison) showComparison(readComparison(found));
  else new Page(readStudy(json), json);
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  document.body.append(
    element("main", {}, element("p", { class: "notice" }, `This report cannot be shown: ${reason}`)),
  );
  throw error;
}

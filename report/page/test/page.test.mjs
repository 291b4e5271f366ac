// The report as a reader has it: filled by norma_report, opened from a file in Chromium without a network.
// NORMA_RENDER names the program that fills the page (tests/report/render.cpp).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromiumPath, hasChromium, launch, open } from "./browser.mjs";
import { fixtures } from "./fixture.mjs";

const render = process.env.NORMA_RENDER;
if (!render) throw new Error("NORMA_RENDER has to name the program that fills the page");

const kFigures = [
  "error-over-batch",
  "differences",
  "secondary-differences",
  "every-seed",
  "learning-curves",
  "learning-rates",
  "cost",
];
const wide = { viewport: { width: 1280, height: 900 } };

const documents = Object.fromEntries(Object.entries(fixtures).map(([kind, make]) => [kind, make()]));
const usesBatch = ({ arms }, cell) => arms.find((arm) => arm.name === cell.arm).uses_batch;

// The number of marks of one kind in the charts of a figure.
const marks = (page, figure, kind) => page.locator(`#${figure} svg.chart [aria-label="${kind}"] > *`).count();

async function download(page, selector) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
}

describe("the report in Chromium", { skip: hasChromium ? false : `SKIPPED: no Chromium at ${chromiumPath}` }, () => {
  let folder;
  let browser;
  const file = (kind) => join(folder, `${kind}.html`);
  const url = (kind) => pathToFileURL(file(kind)).href;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "norma-report-"));
    for (const [kind, document] of Object.entries(documents)) {
      const { status, stdout, stderr } = spawnSync(render, { input: JSON.stringify(document), maxBuffer: 1 << 26 });
      assert.equal(status, 0, String(stderr));
      await writeFile(file(kind), stdout);
    }
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  // Opens a report, hands its page to the test, and asserts that nothing went wrong and nothing was asked for.
  async function visit(kind, options, body) {
    const { context, page, problems, requests } = await open(browser, url(kind), options);
    await body(page);
    await context.close();
    assert.deepEqual(problems, []);
    assert.deepEqual(
      requests.filter((request) => !request.startsWith("file:") && !request.startsWith("blob:")),
      [],
    );
    assert.equal(requests.filter((request) => request.startsWith("file:")).length, 1);
  }

  for (const kind of Object.keys(fixtures)) {
    for (const width of [1280, 360]) {
      test(`the ${kind} report opens at ${width} pixels: no error, no request, no overflow, no NaN`, async () => {
        await visit(kind, { viewport: { width, height: 800 } }, async (page) => {
          assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
          const text = await page.evaluate(() => {
            for (const details of document.querySelectorAll("details")) details.open = true;
            return [...document.querySelectorAll("nav, main, footer")].map((part) => part.innerText).join("\n");
          });
          assert.doesNotMatch(text, /\bNaN\b|\bundefined\b|\bInfinity\b|\bnull\b|\[object/);
          const drawn = await page.evaluate(() =>
            [...document.querySelectorAll("svg.chart *")]
              .flatMap((node) => [...node.attributes].map(({ value }) => value))
              .filter((value) => /NaN|Infinity|undefined/.test(value)),
          );
          assert.deepEqual(drawn, []);
        });
      });
    }
  }

  test("a report is at most two megabytes, also with 12 arms and 29 seeds", async () => {
    for (const kind of Object.keys(fixtures)) assert.ok((await stat(file(kind))).size <= 2_000_000, kind);
  });

  test("the headline, the question and every sentence stand in the page", async () => {
    const { verdict, study } = documents.plain;
    await visit("plain", wide, async (page) => {
      assert.equal(await page.textContent("h1"), verdict.headline);
      assert.equal(await page.textContent(".question"), study.question);
      assert.deepEqual(await page.locator(".sentences p").allTextContents(), verdict.sentences);
      assert.equal(await page.textContent("pre.study-file"), study.file);
    });
  });

  test("how it was made names the machine, the libraries and the compiler", async () => {
    const { machine, versions } = documents.plain.run;
    await visit("plain", wide, async (page) => {
      const facts = await page.evaluate(() =>
        Object.fromEntries(
          [...document.querySelectorAll("#made dt")].map((name) => [
            name.textContent,
            name.nextElementSibling.textContent,
          ]),
        ),
      );
      assert.equal(facts.CPU, machine.cpu);
      assert.equal(facts.torch, versions.torch);
      assert.equal(facts.BLAS, versions.blas);
      assert.equal(facts.compiler, versions.compiler);
    });
  });

  test("every figure has its charts, with a mark for everything in the document", async () => {
    const { cells, models, contrasts, arms, learning_rates: rates } = documents.plain;
    const sharing = cells.filter((cell) => usesBatch(documents.plain, cell)).length;
    const trials = cells.flatMap((cell) => cell.trials).length;
    const lines = models.length * arms.length; // the curves of one normalization batch
    await visit("plain", wide, async (page) => {
      await page.click("#contrasts > details > summary"); // a closed figure is drawn when it opens
      await page
        .locator("#secondary-differences svg.chart")
        .nth(models.length - 1)
        .waitFor();
      for (const figure of kFigures) {
        const charts = await page.locator(`#${figure} svg.chart`).count();
        assert.equal(charts, figure === "learning-curves" ? 2 * models.length : models.length, figure);
      }
      assert.equal(await marks(page, "error-over-batch", "dot"), sharing);
      assert.equal(await marks(page, "error-over-batch", "rule"), sharing);
      assert.equal(await marks(page, "error-over-batch", "line"), lines);
      assert.equal(await marks(page, "error-over-batch", "area"), lines);
      for (const [figure, primary] of [
        ["differences", true],
        ["secondary-differences", false],
      ]) {
        const shown = contrasts.filter((contrast) => contrast.primary === primary).length;
        assert.ok(shown > 0);
        assert.equal(await marks(page, figure, "dot"), shown);
        assert.equal(await marks(page, figure, "link"), shown);
      }
      assert.equal(await marks(page, "every-seed", "dot"), trials);
      assert.equal(await marks(page, "learning-curves", "line"), 2 * lines);
      assert.equal(await marks(page, "learning-curves", "area"), 2 * lines);
      assert.equal(await marks(page, "learning-rates", "line"), lines);
      assert.equal(await marks(page, "learning-rates", "dot"), lines * rates.length + lines); // and a ring a line
      assert.equal(await marks(page, "cost", "rect"), cells.length);
    });
  });

  test("the main picture puts every arm where its error is, and its interval where that is", async () => {
    const { cells, models } = documents.plain;
    await visit("plain", wide, async (page) => {
      const panels = await page.evaluate(() =>
        [...document.querySelectorAll("#error-over-batch svg.chart")].map((svg) => {
          const middle = (node) => {
            const box = node.getBoundingClientRect();
            return (box.top + box.bottom) / 2;
          };
          const all = (kind) => [...svg.querySelectorAll(`[aria-label="${kind}"] > *`)];
          return {
            ticks: all("y-grid").map(middle),
            names: all("y-axis tick label").map((node) => parseFloat(node.textContent)),
            dots: all("dot").map(middle),
            rules: all("rule").map((node) => {
              const box = node.getBoundingClientRect();
              return [box.top, box.bottom];
            }),
          };
        }),
      );
      models.forEach((model, m) => {
        const { ticks, names, dots, rules } = panels[m];
        const [top, bottom] = [names.indexOf(Math.max(...names)), names.indexOf(Math.min(...names))];
        const pixel = (error) =>
          ticks[bottom] +
          ((ticks[top] - ticks[bottom]) * Math.log((100 * error) / names[bottom])) /
            Math.log(names[top] / names[bottom]);
        const own = cells.filter((cell) => cell.model === model.name && usesBatch(documents.plain, cell));
        own.forEach(({ error }, i) => {
          assert.ok(Math.abs(dots[i] - pixel(error.mean)) < 1, `${dots[i]} ${pixel(error.mean)}`);
          assert.ok(Math.abs(rules[i][0] - pixel(error.high)) < 1.5 && Math.abs(rules[i][1] - pixel(error.low)) < 1.5);
        });
      });
    });
  });

  test("the table shows the document's numbers and marks the lowest error of each column", async () => {
    const { cells, models, arms, normalization_batches: batches } = documents.plain;
    const shown = (fraction) => `${(100 * fraction).toFixed(100 * fraction >= 0.95 ? 1 : 2)}%`;
    await visit("plain", wide, async (page) => {
      const tables = await page.evaluate(() =>
        [...document.querySelectorAll("table.errors")].map((table) =>
          [...table.querySelectorAll("tbody tr")].map((row) =>
            [...row.querySelectorAll("td")].map((cell) => ({
              mean: cell.querySelector(".mean").lastChild.textContent,
              interval: cell.querySelector(".interval").textContent,
              best: cell.classList.contains("best"),
            })),
          ),
        ),
      );
      models.forEach((model, m) => {
        const cell = (arm, batch) =>
          cells.find(
            (c) =>
              c.model === model.name && c.arm === arm.name && c.normalization_batch === (arm.uses_batch ? batch : null),
          );
        batches.forEach((batch, column) => {
          const lowest = Math.min(...arms.map((arm) => cell(arm, batch).error.mean));
          arms.forEach((arm, row) => {
            const { error } = cell(arm, batch);
            const { mean, interval, best } = tables[m][row][column];
            assert.equal(mean, shown(error.mean));
            assert.equal(interval, `${shown(error.low).slice(0, -1)} to ${shown(error.high)}`);
            assert.equal(best, error.mean === lowest);
          });
        });
      });
    });
  });

  test("every figure carries its data as a table, row by row", async () => {
    const { cells, contrasts } = documents.plain;
    const rows = {
      "error-over-batch": cells.length,
      differences: contrasts.filter((c) => c.primary).length,
      "secondary-differences": contrasts.filter((c) => !c.primary).length,
      "every-seed": cells.flatMap((c) => c.trials).length,
      "learning-curves": cells.flatMap((c) => c.curve).length,
      "learning-rates": cells.flatMap((c) => c.tuning).length,
      cost: cells.length,
    };
    await visit("plain", wide, async (page) => {
      for (const [figure, n] of Object.entries(rows))
        assert.equal(await page.locator(`#${figure} table.data tbody tr`).count(), n, figure);
    });
  });

  test("what a hostile document says is text and nothing else", async () => {
    await visit("hostile", wide, async (page) => {
      await page.hover("#error-over-batch svg.chart");
      assert.equal(await page.evaluate(() => window.__pwned), undefined);
      const found = await page.evaluate(() => ({
        scripts: document.querySelectorAll("script").length,
        foreign: document.querySelectorAll("img, iframe, object, embed, link, base, form, b").length,
        handlers: [...document.querySelectorAll("*")]
          .flatMap((node) => [...node.attributes])
          .filter(({ name }) => /^on/i.test(name)).length,
        links: [...document.querySelectorAll("[href]")].filter((node) => !node.getAttribute("href").startsWith("#"))
          .length,
        headline: document.querySelector("h1").textContent,
      }));
      assert.deepEqual(found, {
        scripts: 2,
        foreign: 0,
        handlers: 0,
        links: 0,
        headline: documents.hostile.verdict.headline,
      });
    });
  });

  test("the policy stops a script and a request that would get in all the same", async () => {
    const { context, page } = await open(browser, url("plain"), wide);
    const outcome = await page.evaluate(async () => {
      const blocked = new Set();
      document.addEventListener("securitypolicyviolation", (event) => blocked.add(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "window.__pwned = 1";
      document.body.append(script);
      const style = document.createElement("style");
      style.textContent = "h1 { display: none }";
      document.body.append(style);
      const request = await fetch("http://localhost:9/").then(
        () => "sent",
        () => "refused",
      );
      document.body.append(Object.assign(document.createElement("img"), { src: "http://localhost:9/a.png" }));
      while (blocked.size < 4) await new Promise((resolve) => setTimeout(resolve, 10));
      return {
        pwned: window.__pwned,
        headline: getComputedStyle(document.querySelector("h1")).display,
        request,
        blocked: [...blocked].sort(),
      };
    });
    await context.close();
    assert.deepEqual(outcome, {
      pwned: undefined,
      headline: "block",
      request: "refused",
      blocked: ["connect-src", "img-src", "script-src-elem", "style-src-elem"],
    });
  });

  test("what diverged is listed, with its reason", async () => {
    const lost = documents.plain.cells.filter((cell) => cell.diverged > 0);
    assert.ok(lost.length > 0);
    await visit("plain", wide, async (page) => {
      const items = await page.locator("#made li:has(.reason)").allTextContents();
      assert.equal(items.length, lost.length);
      lost.forEach((cell, i) =>
        assert.ok(
          items[i].includes(`${cell.diverged} diverged`) && items[i].includes("the loss is not finite"),
          items[i],
        ),
      );
    });
  });

  test("an unfinished study says so, a finished one does not", async () => {
    await visit("empty", wide, async (page) => {
      assert.match(await page.textContent("#incomplete"), /not complete.*0 of 320 trials/);
      assert.match(await page.textContent("#error-over-batch svg.chart"), /no result/);
      assert.equal(await page.locator("table.errors td.none").count(), 16);
    });
    await visit("plain", wide, async (page) => assert.equal(await page.locator("#incomplete").count(), 0));
  });

  test("the keyboard changes the normalization batch of the learning curves", async () => {
    await visit("plain", wide, async (page) => {
      const paths = () =>
        page
          .locator("#learning-curves svg.chart [aria-label='line'] path")
          .evaluateAll((all) => all.map((p) => p.getAttribute("d")));
      const first = await paths();
      await page.focus("#learning-curves input:checked");
      await page.keyboard.press("ArrowRight");
      assert.equal(await page.inputValue("#learning-curves input:checked"), "4");
      const second = await paths();
      assert.equal(second.length, first.length);
      // BatchNorm's lines move, the others stay: two models, two measures.
      assert.equal(second.filter((path, i) => path !== first[i]).length, 4);
    });
  });

  test("the pointer shows the values of what is under it", async () => {
    await visit("plain", wide, async (page) => {
      const chart = page.locator("#error-over-batch svg.chart").first();
      const dot = await chart.locator("[aria-label='dot'] > *").first().boundingBox();
      await page.mouse.move(dot.x + dot.width / 2, dot.y + dot.height / 2);
      await page.waitForFunction(() => document.querySelector("#error-over-batch [aria-label='tip']")?.textContent);
      const { mean } = documents.plain.cells.find((cell) => cell.arm === "batch").error;
      const tip = await chart.locator("[aria-label='tip']").textContent();
      assert.ok(tip.includes("BatchNorm at 2") && tip.includes(`${(100 * mean).toFixed(1)}%`), tip);
    });
  });

  test("pictures and tables can be saved, and stand on their own", async () => {
    const { cells, models } = documents.plain;
    await visit("plain", wide, async (page) => {
      const svg = await download(page, "#error-over-batch .downloads button:text('SVG')");
      assert.equal(svg.name, "norma-FIXTURE-plain-error-over-batch.svg");
      const parsed = await page.evaluate((text) => {
        const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
        return {
          name: root.nodeName,
          charts: root.querySelectorAll("svg").length,
          paths: root.querySelectorAll("path").length,
          text: root.textContent,
        };
      }, svg.text);
      assert.equal(parsed.name, "svg");
      assert.equal(parsed.charts, models.length);
      assert.ok(parsed.paths > 20);
      assert.match(parsed.text, /Test error over normalization batch.*MLP 64-128-128-10.*BatchNorm/s);
      assert.doesNotMatch(svg.text, /var\(|<style|class=/);

      const csv = await download(page, "#error-over-batch .downloads button:text('CSV')");
      const lines = csv.text.trimEnd().split("\r\n");
      assert.equal(lines.length, cells.length + 1);
      assert.equal(lines[0], "model,arm,normalization batch,test error,95% low,95% high,seeds");
      assert.ok(lines.some((line) => line.includes(String(cells[0].error.mean))));

      const json = await download(page, "#made button:text('Results as JSON')");
      assert.deepEqual(JSON.parse(json.text), documents.plain);
      const study = await download(page, "#made button:text('Study file')");
      assert.equal(study.text, documents.plain.study.file);
    });
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`every colour of a text or an arm stands out from the ${colorScheme} page`, async () => {
      await visit("plain", { ...wide, colorScheme }, async (page) => {
        const ratios = await page.evaluate(() => {
          const luminance = (colour) => {
            const [r, g, b] = colour
              .match(/[\d.]+/g)
              .slice(0, 3)
              .map((v) => v / 255)
              .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const probe = document.body.appendChild(document.createElement("span"));
          const paper = luminance(getComputedStyle(document.body).backgroundColor);
          const names = ["ink", "ink-soft", "accent", ...Array.from({ length: 10 }, (_, i) => `arm-${i + 1}`)];
          return {
            paper,
            ratios: names.map((name) => {
              probe.style.color = `var(--${name})`;
              const own = luminance(getComputedStyle(probe).color);
              return [name, (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05)];
            }),
          };
        });
        assert.equal(ratios.paper > 0.5, colorScheme === "light");
        for (const [name, ratio] of ratios.ratios) assert.ok(ratio >= 4.5, `${name}: ${ratio.toFixed(2)}`);
      });
    });
  }

  test("the button changes between light and dark, and paper is light", async () => {
    await visit("plain", { ...wide, colorScheme: "dark" }, async (page) => {
      const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
      assert.equal(await theme(), "dark");
      await page.click("nav button");
      assert.equal(await theme(), "light");
      await page.click("nav button");
      assert.equal(await theme(), "dark");
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      assert.equal(await theme(), "light");
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      assert.equal(await theme(), "dark");
    });
  });

  test("charts are there before the first frame, so that a page printed at once has them", async () => {
    const context = await browser.newContext({ offline: true, ...wide });
    const page = await context.newPage();
    await page.addInitScript(() => {
      globalThis.ResizeObserver = class {
        observe() {}
      };
      globalThis.requestAnimationFrame = () => 0;
    });
    await page.goto(url("plain"));
    const empty = await page
      .locator(".canvas")
      .evaluateAll(
        (boxes) => boxes.filter((box) => !box.firstElementChild && !box.closest("details:not([open])")).length,
      );
    await context.close();
    assert.equal(empty, 0);
  });

  test("charts follow the width of the window", async () => {
    await visit("plain", wide, async (page) => {
      const width = () =>
        page
          .locator("#error-over-batch svg.chart")
          .first()
          .evaluate((svg) => Number(svg.getAttribute("width")));
      const before = await width();
      await page.setViewportSize({ width: 480, height: 800 });
      await page.waitForFunction(
        (old) => Number(document.querySelector("#error-over-batch svg.chart").getAttribute("width")) !== old,
        before,
      );
      assert.ok((await width()) <= 480);
    });
  });
});

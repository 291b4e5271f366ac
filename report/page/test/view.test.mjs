// What a reader does with the page: choose, filter, point, save, print, follow a link.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeReports, documents, download, wide } from "./report.mjs";

describeReports("the view of the report", ({ visit, url, browser }) => {
  test("the keyboard changes the normalization batch of the learning curves", async () => {
    await visit("plain", wide, async (page) => {
      const paths = () =>
        page
          .locator("#learning-curves svg.chart [data-mark='line'] path")
          .evaluateAll((all) => all.map((p) => p.getAttribute("d")));
      const first = await paths();
      await page.focus("#learning-curves input:checked");
      await page.keyboard.press("ArrowRight");
      assert.equal(await page.inputValue("#learning-curves input:checked"), "4");
      // Charts are drawn one after the other.
      await page.waitForFunction(
        (count) => document.querySelectorAll("#learning-curves svg.chart [data-mark='line'] path").length === count,
        first.length,
      );
      const second = await paths();
      // BatchNorm's lines move, the others stay: two models, two measures.
      assert.equal(second.filter((path, i) => path !== first[i]).length, 4);
    });
  });

  test("the pointer shows the values of what is under it", async () => {
    await visit("plain", wide, async (page) => {
      const chart = page.locator("#error-over-batch svg.chart").first();
      const dot = await chart.locator("[data-mark='dot'] > *").first().boundingBox();
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

  test("the button changes between light and dark, and paper is light", async () => {
    await visit("plain", { ...wide, colorScheme: "dark" }, async (page) => {
      const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
      assert.equal(await theme(), "dark");
      await page.click(".bar .theme");
      assert.equal(await theme(), "light");
      await page.click(".bar .theme");
      assert.equal(await theme(), "dark");
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      assert.equal(await theme(), "light");
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      assert.equal(await theme(), "dark");
    });
  });

  test("paper has every chart, as wide as paper, also where the page had no time to draw them", async () => {
    const context = await browser().newContext({ offline: true, ...wide });
    const page = await context.newPage();
    await page.addInitScript(() => {
      globalThis.ResizeObserver = class {
        observe() {}
        disconnect() {}
      };
      globalThis.setTimeout = () => 0;
    });
    await page.goto(url("large"));
    const widths = () =>
      page
        .locator(".canvas")
        .evaluateAll((boxes) =>
          boxes
            .filter((box) => !box.closest("details:not([open])"))
            .map((box) => Number(box.querySelector("svg")?.getAttribute("width") ?? NaN)),
        );
    assert.ok((await widths()).some(Number.isNaN)); // the rest of a large page is drawn later
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    assert.deepEqual([...new Set(await widths())].sort(), [438, 900]);
    await context.close();
  });

  test("after printing the charts are as wide as the window again", async () => {
    await visit("plain", wide, async (page) => {
      const first = () => page.locator("#differences svg.chart").first().getAttribute("width");
      const before = await first();
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      assert.equal(await first(), "900");
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      await page.waitForFunction(
        (width) => document.querySelector("#differences svg.chart").getAttribute("width") === width,
        before,
      );
    });
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

  const fragment = (page) => page.evaluate(() => decodeURIComponent(location.hash));
  const lines = (page) => page.locator("#error-over-batch svg.chart [data-mark='line'] path").count();

  test("a filter by model and arm changes charts, tables and address, and leaves the answer", async () => {
    const { arms, cells, contrasts, verdict } = documents.plain;
    await visit("plain", wide, async (page) => {
      assert.equal(await page.locator("#filtered").count(), 0);
      await page.click(".bar .filter summary");
      await page.click(".bar .filter label:has-text('CNN')");
      await page.click(".bar .filter label:has-text('GroupNorm')");
      assert.equal(await fragment(page), "#model=mlp&arm=none&arm=batch&arm=layer");
      assert.match(
        await page.textContent("#filtered"),
        /MLP 64-128-128-10, ReLU; no normalization, BatchNorm, LayerNorm/,
      );
      assert.equal(await page.locator("#error-over-batch svg.chart").count(), 1);
      assert.equal(await lines(page), arms.length - 1);
      assert.equal(await page.locator("table.errors").count(), 1);
      assert.equal(await page.locator("table.errors tbody tr").count(), arms.length - 1);
      assert.equal(await page.locator("#differences .panel").count(), 1);
      const shown = contrasts.filter(
        ({ primary, model, a, b }) => primary && model === "mlp" && ![a.arm, b.arm].includes("group"),
      );
      assert.equal(await page.locator("ul.cards[aria-label^='Differences'] .card").count(), shown.length);
      assert.equal(await page.textContent("h1"), verdict.headline);
      const csv = await download(page, "#cost .downloads button:text('CSV')");
      const left = cells.filter(({ model, arm }) => model === "mlp" && arm !== "group");
      assert.equal(csv.text.trimEnd().split("\r\n").length, left.length + 1);
      await page.click("#filtered button");
      assert.equal(await fragment(page), "");
      assert.equal(await lines(page), 2 * arms.length);
      assert.equal(await page.locator(".bar .filter input:checked").count(), 2 + arms.length);
    });
  });

  test("a link with a fragment shows the view that it names, at the part that it names", async () => {
    const there = { ...wide, fragment: "#at=learning&model=mlp&arm=batch&arm=layer&batch=8" };
    await visit("plain", there, async (page) => {
      assert.equal(await lines(page), 2);
      assert.equal(await page.inputValue("#learning-curves input:checked"), "8");
      const top = () => page.locator("#learning").evaluate((part) => part.getBoundingClientRect().top);
      assert.ok(Math.abs(await top()) < 100, String(await top()));
      await page.click(".bar .links a:text('Table')");
      await page.waitForFunction(() => Math.abs(document.getElementById("table").getBoundingClientRect().top) < 100);
      assert.equal(await fragment(page), "#at=table&model=mlp&arm=batch&arm=layer&batch=8");
      assert.equal(await lines(page), 2);
    });
  });

  test("a fragment of names that the study does not have shows everything", async () => {
    await visit("plain", { ...wide, fragment: "#model=gone&arm=%3Cimg%20src=x%3E&batch=3" }, async (page) => {
      assert.equal(await lines(page), 2 * documents.plain.arms.length);
      assert.equal(await page.locator("#filtered").count(), 0);
    });
  });

  test("a change of the address by hand changes the view", async () => {
    await visit("plain", wide, async (page) => {
      await page.evaluate(() => (location.hash = "#model=cnn"));
      await page.waitForSelector("#filtered");
      assert.equal(await page.locator("table.errors").getAttribute("data-model"), "cnn");
    });
  });

  test("a filter leaves open what was open, and keeps the place of the keyboard", async () => {
    await visit("plain", wide, async (page) => {
      await page.click("#cost summary");
      await page.locator("#cost table.data").waitFor();
      await page.focus(".bar .filter summary");
      await page.keyboard.press("Enter");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Space");
      await page.waitForSelector("#filtered");
      await page.locator("#cost-data[open] table.data").waitFor();
      assert.ok(await page.evaluate(() => document.activeElement.matches(".bar .filter input")));
      await page.keyboard.press("Escape");
      assert.equal(await page.locator(".bar .filter[open]").count(), 0);
    });
  });

  test("of a large study only what is seen is drawn at once, and data tables when they are opened", async () => {
    await visit("large", wide, async (page) => {
      const { now, seen, nodes } = await page.evaluate(() => {
        const nodes = document.querySelectorAll("main *").length;
        document.querySelector(".bar .filter input").click();
        const boxes = [...document.querySelectorAll(".canvas")].filter((box) => !box.closest("details:not([open])"));
        const inWindow = (box) =>
          box.getBoundingClientRect().top < innerHeight && box.getBoundingClientRect().bottom > 0;
        return {
          now: boxes.map((box) => box.childElementCount),
          seen: boxes.filter(inWindow).map((box) => box.childElementCount),
          nodes,
        };
      });
      assert.ok(now.includes(0));
      assert.ok(seen.length > 0 && !seen.includes(0));
      assert.ok(nodes < 20_000, String(nodes));
    });
  });

  test("a table that is wider than the window says so on the side where more is", async () => {
    await visit("hostile", { viewport: { width: 360, height: 800 } }, async (page) => {
      const frame = page.locator("#table .scroll-frame").first();
      const sides = () =>
        frame.evaluate(({ classList }) => ["more-before", "more-after"].map((side) => classList.contains(side)));
      assert.deepEqual(await sides(), [false, true]);
      assert.ok(await frame.locator(".cue").isVisible());
      await frame.locator(".scroll").evaluate((box) => (box.scrollLeft = box.scrollWidth));
      await page.waitForFunction(
        () => !document.querySelector("#table .scroll-frame").classList.contains("more-after"),
      );
      assert.deepEqual(await sides(), [true, false]);
    });
    await visit("plain", wide, async (page) => assert.equal(await page.locator(".more-after").count(), 0));
  });
});

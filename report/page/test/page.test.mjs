// What the page says, held against the document that it was filled with.
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { fixtures } from "./fixture.mjs";
import { describeReports, documents, marks, usesBatch, wide } from "./report.mjs";

const kFigures = [
  "error-over-batch",
  "differences",
  "secondary-differences",
  "every-seed",
  "learning-curves",
  "learning-rates",
  "cost",
];

describeReports("the report", ({ visit, look, file }) => {
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
    await look("plain", async (page) => {
      assert.equal(await page.textContent("h1"), verdict.headline);
      assert.equal(await page.textContent(".question"), study.question);
      assert.deepEqual(await page.locator(".sentences p").allTextContents(), verdict.sentences);
      assert.equal(await page.textContent("pre.study-file"), study.file);
    });
  });

  test("how it was made names the machine, the libraries and the compiler", async () => {
    const { machine, versions } = documents.plain.run;
    await look("plain", async (page) => {
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

  test("the licences of what is inside stand in the page, whole", async () => {
    for (const kind of ["plain", "comparison"]) {
      await visit(kind, wide, async (page) => {
        const names = await page.locator(".licences > details > summary").allTextContents();
        assert.equal(names[0], "Norma, MIT");
        assert.ok(names.some((name) => /^@observablehq\/plot [\d.]+, ISC$/.test(name)) && names.length > 10);
        const texts = await page.locator(".licences pre").allTextContents();
        assert.equal(texts.length, names.length);
        for (const text of texts) assert.match(text, /copyright|public domain/i);
      });
    }
  });

  test("every figure has its charts, with a mark for everything in the document", async () => {
    const { cells, models, contrasts, arms, learning_rates: rates } = documents.plain;
    const sharing = cells.filter((cell) => usesBatch(documents.plain, cell)).length;
    const trials = cells.flatMap((cell) => cell.trials).length;
    const lines = models.length * arms.length; // the curves of one normalization batch
    await look("plain", async (page) => {
      // A closed figure is drawn when it opens.
      await page.evaluate(() => (document.querySelector("#contrasts > details").open = true));
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
    await look("plain", async (page) => {
      const panels = await page.evaluate(() =>
        [...document.querySelectorAll("#error-over-batch svg.chart")].map((svg) => {
          const middle = (node) => {
            const box = node.getBoundingClientRect();
            return (box.top + box.bottom) / 2;
          };
          const all = (kind) => [...svg.querySelectorAll(`[data-mark="${kind}"] > *`)];
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

  test("the table shows the document's numbers and marks the arms that it calls the best of each column", async () => {
    const { cells, models, arms, best: marked, normalization_batches: batches } = documents.plain;
    assert.ok(marked.some((column) => column.arms.length > 0 && column.arms.length < arms.length));
    const shown = (fraction) => `${(100 * fraction).toFixed(100 * fraction >= 0.95 ? 1 : 2)}%`;
    await look("plain", async (page) => {
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
          const ours = marked.find((b) => b.model === model.name && b.normalization_batch === batch).arms;
          arms.forEach((arm, row) => {
            const { error } = cell(arm, batch);
            const { mean, interval, best } = tables[m][row][column];
            assert.equal(mean, shown(error.mean));
            assert.equal(interval, `${shown(error.low).slice(0, -1)} to ${shown(error.high)}`);
            assert.equal(best, ours.includes(arm.name));
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
    await look("plain", async (page) => {
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      await page.waitForFunction((n) => document.querySelectorAll("table.data").length === n, Object.keys(rows).length);
      for (const [figure, n] of Object.entries(rows))
        assert.equal(await page.locator(`#${figure} table.data tbody tr`).count(), n, figure);
    });
  });

  test("what diverged is listed, with its reason", async () => {
    const lost = documents.plain.cells.filter((cell) => cell.diverged > 0);
    assert.ok(lost.length > 0);
    await look("plain", async (page) => {
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
    await look("plain", async (page) => assert.equal(await page.locator("#incomplete").count(), 0));
  });
});

// Two studies side by side, held against the document.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeReports, documents, download, marks, wide } from "./report.mjs";

const { cells, settings, claims, headline, only } = documents.comparison;

describeReports("the report of two studies", ({ visit }) => {
  test("it opens with what changed, and a picture of every cell that both have measured", async () => {
    await visit("comparison", wide, async (page) => {
      assert.equal(await page.textContent("h1"), headline);
      const measured = cells.filter(({ difference }) => difference.mean !== null);
      assert.equal(await marks(page, "changes", "dot"), measured.length);
      assert.equal(await page.locator("#changes svg.chart").count(), 2);
      const filled = await page
        .locator("#changes svg.chart [data-mark='dot'] > *")
        .evaluateAll((all) => all.filter((dot) => dot.getAttribute("fill") !== "var(--paper)").length);
      assert.equal(filled, 4);
      const { text } = await download(page, "#changes .downloads button:text('CSV')");
      const lines = text.trimEnd().split("\r\n");
      assert.equal(lines.length, measured.length + 1);
      assert.match(lines[1], /^small,"MLP 64-128-128-10, ReLU",BatchNorm,2,0\.3,.*,lower in the second$/);
    });
  });

  test("settings and verdicts that differ stand side by side, and what only one study has is named", async () => {
    await visit("comparison", wide, async (page) => {
      const rows = await page.locator("#settings tbody tr").allTextContents();
      assert.equal(rows.length, settings.length);
      assert.equal(rows[0], "smalltraining.epochs1530");
      const verdicts = await page.locator("#claims tbody tr").allTextContents();
      assert.equal(verdicts.length, claims.length);
      assert.match(verdicts[0], /inconclusive.*−0\.50 points.*supported.*−2\.4 points \(−3\.4 to −1\.4\), n/);
      assert.match(verdicts[2], /\+∞ doublings \(\+1\.50 to \+∞\), n = 10$/);
      assert.equal(await page.locator("#claims tbody tr.changed").count(), 1);
      assert.match(await page.textContent("#alone"), new RegExp(`1 cell in the second study alone.*${only.b[0].arm}`));
    });
  });
});

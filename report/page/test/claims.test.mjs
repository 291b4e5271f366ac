// Studies of several parts and claims: the ten rows and what they open onto, the way between parts, and the figures
// that only such studies have, all held against the document.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeReports, documents, download, marks, wide } from "./report.mjs";

const { claims, parts, verdict } = documents.article;
const named = (name) => parts.find((part) => part.name === name);
const shown = (fraction) => `${(100 * fraction).toFixed(100 * fraction >= 0.95 ? 1 : 2)}%`;
const at = (fragment) => ({ ...wide, fragment });

describeReports("the report of a study with parts and claims", ({ visit, look }) => {
  test("it opens with the recommendation, how sure that is, and what each choice costs", async () => {
    await look("article", async (page) => {
      assert.equal(await page.textContent("h1"), verdict.headline);
      assert.deepEqual(await page.locator(".said").allTextContents(), [
        `Why: ${verdict.why}`,
        `How sure: ${verdict.sure}`,
      ]);
      const { regrets, cases } = claims[4].recommender;
      assert.equal(await marks(page, "regrets", "dot"), Object.keys(regrets).length);
      assert.equal(await marks(page, "situations", "dot"), cases.length);
      const worst = Object.values(regrets).map(({ worst: { mean } }) => mean.toFixed(1));
      const words = await page.locator("#regrets svg.chart text").allTextContents();
      assert.deepEqual(
        worst.filter((value) => !words.includes(value)),
        [],
        "each rule says what it costs at worst",
      );
      const top = await page.locator("#regrets svg.chart").evaluate((svg) => svg.getBoundingClientRect().bottom);
      assert.ok(top < wide.viewport.height, `the picture ends at ${top}, below the first screen`);
    });
  });

  test("a row for each claim: its words, verdict, effect, interval, n, expectation and cost", async () => {
    await look("article", async (page) => {
      const rows = await page
        .locator("details.claim > summary")
        .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.innerText.replace(/\s+/g, " "))));
      assert.equal(rows.length, claims.length);
      rows.forEach((row, i) => {
        const { number, says, verdict: answer, differs, steps, minutes, primary, exact } = claims[i];
        assert.ok(row[0].includes(number) && row[1].includes(says) && row[2].includes(answer));
        assert.ok(row[4].includes(String(primary?.n ?? exact[0].n)));
        assert.equal(row[5].includes("differs"), differs !== null);
        assert.ok(row[6].includes(`${steps.toLocaleString("en-US")} steps`) && row[6].includes(`${minutes} min`));
      });
      assert.match(rows[0][3], /1 of 1 exact check holds/);
      assert.match(rows[1][3], /−2\.4 \(−2\.9 to −1\.9\) points/);
      assert.match(rows[2][3], /\+∞ \(\+1\.50 to \+∞\) doublings/);
      assert.equal(await page.locator("details.claim > summary svg.strip").count(), 4);
    });
  });

  test("verdicts differ in shape and in words, not in colour alone", async () => {
    await look("article", async (page) => {
      const signs = await page
        .locator(".counts li")
        .evaluateAll((all) => all.map((item) => item.querySelector("svg").innerHTML.replace(/currentColor/g, "")));
      assert.equal(signs.length, 4);
      assert.equal(new Set(signs).size, 4);
    });
  });

  test("a row opens onto its contrasts, with the region of each, its checks and the way to its parts", async () => {
    await visit("article", at("#claim-2"), async (page) => {
      const figure = page.locator("#claim-2-contrasts svg.chart");
      await figure.first().waitFor();
      assert.equal(await marks(page, "claim-2-contrasts", "dot"), 3);
      assert.equal(await marks(page, "claim-2-contrasts", "rect"), 3);
      assert.match(await page.textContent("#claim-2 .claim-body"), /shown as claimed: −2\.4 points \(95%: −2\.9/);
      const qualifiers = await page.locator("#claim-2 .qualifiers li").allTextContents();
      assert.match(qualifiers[0], /^Holds: in long networks it loses more/);
      assert.match(qualifiers[1], /^Left open: /);
      await page.evaluate(() => (document.getElementById("claim-2-contrasts-data").open = true));
      assert.equal(await page.locator("#claim-2-contrasts table.data tbody tr").count(), 3);
      await page.click("#claim-1 > summary");
      assert.match(await page.textContent("#claim-1 table.exact tbody"), /layer coupling.*at most 0.*yes/);
      await page.click("#claim-4 > summary");
      await page.click("#claim-4 .evidence-links a");
      await page.waitForFunction(() => document.querySelector("#evidence h2").textContent.includes("b-sequences"));
      assert.equal(await page.evaluate(() => location.hash), "#at=evidence&part=b-sequences");
      assert.ok(await page.locator("#claim-2[open] .qualifiers").isVisible()); // what was open stays open
    });
  });

  test("a row says what the claim cannot, how often targets are reached, which trials others share", async () => {
    await visit("article", at("#claim-3"), async (page) => {
      await page.locator("#claim-3-contrasts svg.chart").waitFor();
      const said = await page.textContent("#claim-3 .claim-body");
      const { a, b, target } = claims[2].primary;
      const words = ({ reached, trials }) => `${reached} of ${trials} trainings`;
      const reached = `The target is reached in ${words(target.a)} with ${a} and in ${words(target.b)} with ${b};`;
      assert.ok(said.includes(`${reached} where it is not, the whole budget counts.`));
      assert.match(
        await page.textContent("#claim-3 .qualifiers"),
        /\(95%: −∞ to −0\.50, .*reached in 7 of 10 trainings/,
      );
      assert.ok(said.includes(`What this cannot say: ${claims[2].limits}.`));
      assert.match(said, /40 of them are trials of claim 2 too, 100 of them are trials of claim 5 too\./);
      await page.click("#claim-2 > summary");
      assert.doesNotMatch(await page.textContent("#claim-2 .claim-body"), /cannot say|target is|of them are/);
    });
  });

  test("an end without end stays in its chart, its table and its file", async () => {
    await visit("article", at("#claim-3"), async (page) => {
      await page.locator("#claim-3-contrasts svg.chart").waitFor();
      assert.equal(await marks(page, "claim-3-contrasts", "dot"), 2);
      const drawn = await page
        .locator("#claim-3-contrasts svg.chart, #claim-3 svg.strip")
        .evaluateAll((all) => all.map((svg) => svg.outerHTML).join());
      assert.doesNotMatch(drawn, /NaN|Infinity/);
      assert.equal(await page.locator("#claim-3 svg.strip path").count(), 1); // the arrow of the upper end
      await page.evaluate(() => (document.getElementById("claim-3-contrasts-data").open = true));
      const row = await page.locator("#claim-3-contrasts table.data tbody tr").first().locator("td").allTextContents();
      assert.deepEqual(row.slice(3, 6), ["∞", "1.50", "∞"]);
      const { text } = await download(page, "#claim-3-contrasts .downloads button:text('CSV')");
      assert.match(text, /,∞,1\.5,∞,doublings,[^]*,-1,-∞,-0\.5,doublings,/);
    });
  });

  test("the ten rows can be saved as a picture and as a table", async () => {
    await visit("article", wide, async (page) => {
      const svg = await download(page, "#claims > .tools button:text('SVG')");
      const drawn = await page.evaluate((source) => {
        const root = new DOMParser().parseFromString(source, "image/svg+xml").documentElement;
        return { strips: root.querySelectorAll("svg").length, text: root.textContent };
      }, svg.text);
      assert.equal(drawn.strips, claims.filter(({ primary }) => primary).length);
      for (const { says, verdict: answer } of claims)
        assert.ok(drawn.text.includes(says) && drawn.text.includes(answer));
      assert.doesNotMatch(svg.text, /var\(|<style|class=/);
      const { name, text } = await download(page, "#claims > .tools button:text('CSV')");
      assert.equal(name, "norma-FIXTURE-article-claims.csv");
      const lines = text.trimEnd().split("\r\n");
      assert.equal(lines.length, claims.length + 1);
      assert.match(lines[2], /^2,Invented: BatchNorm loses little,qualified,.*,-2\.4,-2\.9,-1\.9,points,0\.02,10,/);
      assert.match(lines[3], /,∞,1\.5,∞,doublings,/);
    });
  });

  test("one part is on show, the first that trains; a link and a list lead to the others", async () => {
    await visit("article", wide, async (page) => {
      const current = () => page.locator(".parts a[aria-current]").textContent();
      assert.equal(await current(), "a-small");
      assert.equal(await page.locator("table.errors").count(), named("a-small").models.length);
      assert.equal(await page.locator("#error-over-batch svg.chart").count(), 2);
      await page.click(".parts a:text('b-sequences')");
      await page.waitForSelector("#test-error svg.chart");
      assert.equal(await current(), "b-sequences");
      assert.equal(await page.locator("table.errors").count(), 1);
      assert.equal(await page.locator("table.errors .lost:text('saw future tokens')").count(), 1);
      await page.click(".bar .filter summary");
      await page.selectOption("#filter-part", { label: "a-checks" });
      assert.equal(await current(), "a-checks");
      const cells = await page.locator("#exact tbody tr").allTextContents();
      assert.equal(cells.length, 2);
      assert.match(cells.join(), /batch_train_coupling0\.4/);
      assert.equal(await page.evaluate(() => location.hash), "#at=evidence&part=a-checks");
    });
  });

  test("a filter by data leaves its parts, its situations, and says so", async () => {
    await visit("article", at("#data=invented+sequences"), async (page) => {
      assert.deepEqual(await page.locator(".parts a").allTextContents(), ["b-sequences"]);
      assert.equal(await page.locator("#situations").count(), 0);
      assert.match(await page.textContent("#filtered"), /parts on invented sequences/);
      await page.click("#filtered button");
      assert.equal(await page.locator(".parts a").count(), parts.length);
      await page.click(".bar .filter summary");
      await page.selectOption("#filter-data", { label: "invented digits" });
      assert.deepEqual(await page.locator(".parts a").allTextContents(), ["a-checks", "a-small"]);
      assert.equal(await page.evaluate(() => location.hash), "#data=invented+digits");
    });
  });

  test("a fragment names part, model and arms", async () => {
    await visit("article", at("#at=gap&part=a-small&model=cnn&arm=batch&arm=layer"), async (page) => {
      assert.equal(await page.locator("#train-test-gap svg.chart").count(), 1);
      assert.equal(await marks(page, "train-test-gap", "dot"), 2 * 4); // BatchNorm at three, LayerNorm; both errors
    });
  });

  test("a part has what it measured: gap, time to the target, shifts, probes and layers", async () => {
    const part = named("b-sequences");
    const { cells } = part;
    await visit("article", at("#at=evidence&part=b-sequences"), async (page) => {
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      await page.locator("#layers svg.chart").waitFor();
      const rows = (figure) => page.locator(`#${figure} table.data tbody tr`);
      assert.equal(await marks(page, "test-error", "dot"), cells.length);
      assert.equal(await marks(page, "train-test-gap", "dot"), 2 * cells.length);
      assert.equal(await page.locator("#shifted-inputs svg.chart").count(), 2);
      assert.equal(await marks(page, "shifted-inputs", "dot"), 2 * cells.length);
      assert.equal(await marks(page, "probes", "dot"), cells.length);
      assert.equal(await marks(page, "layers", "line"), cells.length);
      assert.equal(await page.locator("#time-to-target svg.chart").count(), 2);
      assert.equal(await marks(page, "time-to-target", "dot"), 2 * (cells.length - 1)); // one never gets there
      assert.match(await page.textContent("#time-to-target svg.chart"), /not by half/);
      assert.equal(await rows("shifted-inputs").count(), 2 * cells.length);
      assert.equal(await rows("layers").count(), 8 * cells.length);
      const gap = await rows("train-test-gap").first().locator("td").allTextContents();
      assert.equal(gap[3], shown(cells[0].measures.train_error.mean));
      assert.equal(gap[4], shown(cells[0].error.mean));
      const target = await rows("time-to-target").first().locator("td").allTextContents();
      assert.deepEqual(target.slice(4, 7), ["60", "50", "90"]);
    });
  });

  test("the pointer shows the values of an effect and of a situation", async () => {
    await visit("article", wide, async (page) => {
      assert.match(
        await page.locator("#claim-2 svg.strip title").textContent(),
        /BatchNorm − LayerNorm .*: −2\.4 points \(95%: −2\.9 to −1\.9\)/,
      );
      const chart = page.locator("#situations svg.chart").first();
      await chart.evaluate((svg) => svg.scrollIntoView({ block: "center", behavior: "instant" }));
      const dot = await chart.locator("[data-mark='dot'] > *").first().boundingBox();
      await page.mouse.move(dot.x + dot.width / 2, dot.y + dot.height / 2);
      await page.waitForFunction(() => document.querySelector("#situations [aria-label='tip']")?.textContent);
      assert.match(await chart.locator("[aria-label='tip']").textContent(), /\+4\.8 points \(95%: \+4\.5 to \+5\.1\)/);
    });
  });
});

// That the page is safe to open and can be read by everybody: texts stay texts, nothing gets in or out, and the checks
// of axe-core pass.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { attacks, poison } from "./attacks.mjs";
import { open } from "./browser.mjs";
import { describeReports, documents, fill, wide } from "./report.mjs";

const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

// Nothing of what a document says has become more than text.
async function assertInert(page, headline) {
  const found = await page.evaluate(() => ({
    pwned: window.__pwned,
    elements: [...new Set([...document.querySelectorAll("body *")].map(({ localName }) => localName))],
    scripts: document.querySelectorAll("script").length,
    handlers: [...document.querySelectorAll("*")]
      .flatMap(({ attributes }) => [...attributes])
      .filter(({ name, value }) => /^on/i.test(name) || /^\s*javascript:/i.test(value)).length,
    links: [...document.querySelectorAll("[href]")].filter((node) => !node.getAttribute("href").startsWith("#")).length,
    headline: document.querySelector("h1").textContent,
    address: location.protocol,
  }));
  assert.equal(found.pwned, undefined);
  const foreign =
    /^(img|image|iframe|object|embed|link|base|form|meta|video|audio|source|math|animate|marquee|template|b)$/;
  assert.deepEqual(
    found.elements.filter((name) => foreign.test(name)),
    [],
  );
  assert.deepEqual([found.scripts, found.handlers, found.links, found.address], [2, 0, 0, "file:"]);
  assert.equal(found.headline, headline);
}

describeReports("the report, whatever it holds and whoever reads it,", ({ visit, file, url, browser }) => {
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
    const { context, page } = await open(browser(), url("plain"), wide);
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

  const kTurns = 5;
  for (let turn = 0; turn < kTurns; ++turn) {
    test(`every text may be an attack and stays a text (${turn + 1} of ${kTurns})`, async () => {
      const document = poison(documents.single, Math.floor((turn * attacks.length) / kTurns));
      // Long documents show every place with many texts, so with many attacks, in a turn or two.
      const long = turn < 2 ? ["plain", "article"] : [];
      const more = long.map((kind) => poison(documents[kind], Math.floor((turn * attacks.length) / kTurns)));
      const two = poison(documents.comparison, Math.floor((turn * attacks.length) / kTurns));
      await writeFile(file("poisoned"), fill(two));
      await visit("poisoned", wide, async (page) => {
        await page.hover("#changes svg.chart");
        await assertInert(page, two.headline);
      });
      for (const poisoned of [document, ...more]) {
        await writeFile(file("poisoned"), fill(poisoned));
        await visit("poisoned", wide, async (page) => {
          await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
          await page.hover("#answer svg.chart");
          await page.evaluate(() => document.querySelector(".bar .filter input").click());
          await page.waitForFunction(() => document.querySelectorAll("table.data").length > 0);
          await assertInert(page, poisoned.verdict.headline);
        });
      }
    });
  }

  for (const [kind, last] of [
    ["plain", "#secondary-differences"],
    ["article", "#claim-5-regrets"],
    ["comparison", "#changes"],
  ])
    test(`axe-core finds nothing in the ${kind} report, wide and narrow, light and dark`, async () => {
      await visit(kind, { ...wide, colorScheme: "light" }, async (page) => {
        const assertNothing = async (options) => {
          const { violations } = await page.evaluate((options) => globalThis.axe.run(options), {
            resultTypes: ["violations"],
            ...options,
          });
          assert.deepEqual(
            violations.map(
              ({ id, nodes }) =>
                `${id}: ${nodes
                  .map(({ html }) => html)
                  .slice(0, 3)
                  .join(" ")}`,
            ),
            [],
          );
        };
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        await page.locator(`${last} svg.chart`).last().waitFor();
        await page.evaluate(axe);
        await assertNothing({});
        // What the colour scheme changes is colours, and what the width changes is all but them.
        await page.emulateMedia({ colorScheme: "dark" });
        await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme, "dark");
        await assertNothing({ runOnly: ["color-contrast", "link-in-text-block"] });
        await page.emulateMedia({ colorScheme: "light" });
        const chart = page.locator(`${last} svg.chart`).last();
        const before = (await chart.boundingBox()).width;
        await page.setViewportSize({ width: 390, height: 900 });
        await page.waitForFunction(
          ([selector, before]) =>
            [...document.querySelectorAll(selector)].at(-1).getBoundingClientRect().width < before,
          [`${last} svg.chart`, before],
        );
        await assertNothing({ rules: { "color-contrast": { enabled: false } } });
      });
    });
});

// Reports as a reader has them: filled by norma_report, opened from a file in Chromium without a network.
// NORMA_RENDER names the program that fills the page (tests/report/render.cpp).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { pathToFileURL } from "node:url";
import { chromiumPath, hasChromium, launch, open } from "./browser.mjs";
import { fixtures } from "./fixture.mjs";

const render = process.env.NORMA_RENDER;
if (!render) throw new Error("NORMA_RENDER has to name the program that fills the page");

export const wide = { viewport: { width: 1280, height: 900 } };
export const documents = Object.fromEntries(Object.entries(fixtures).map(([kind, make]) => [kind, make()]));
export const usesBatch = ({ arms }, cell) => arms.find((arm) => arm.name === cell.arm).uses_batch;

// The number of marks of one kind in the charts of a figure.
export const marks = (page, figure, kind) => page.locator(`#${figure} svg.chart [data-mark="${kind}"] > *`).count();

export async function download(page, selector) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
}

// The page that the document fills.
export function fill(document) {
  const { status, stdout, stderr } = spawnSync(render, { input: JSON.stringify(document), maxBuffer: 1 << 26 });
  assert.equal(status, 0, String(stderr));
  return stdout;
}

// Tests that need reports of all fixtures. `body` gets { visit, look, file, url, browser }: `visit` opens a report,
// hands its page to the test, and asserts that nothing went wrong and nothing was asked for. `look` does so with one
// page for all tests that look at a kind of report: they may open what is closed, and change nothing else.
export function describeReports(title, body) {
  describe(title, { skip: hasChromium ? false : `SKIPPED: no Chromium at ${chromiumPath}` }, () => {
    let folder;
    let browser;
    const file = (kind) => join(folder, `${kind}.html`);
    const url = (kind) => pathToFileURL(file(kind)).href;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "norma-report-"));
      for (const [kind, document] of Object.entries(documents)) await writeFile(file(kind), fill(document));
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      await rm(folder, { recursive: true, force: true });
    });

    async function visit(kind, { fragment = "", ...options }, test) {
      const opened = await open(browser, url(kind) + fragment, options);
      await test(opened.page);
      await opened.context.close();
      assertQuiet(opened);
    }

    const looked = new Map();
    async function look(kind, test) {
      if (!looked.has(kind)) looked.set(kind, await open(browser, url(kind), wide));
      const opened = looked.get(kind);
      await test(opened.page);
      assertQuiet(opened);
    }

    function assertQuiet({ problems, requests }) {
      assert.deepEqual(problems, []);
      assert.deepEqual(
        requests.filter((request) => !request.startsWith("file:") && !request.startsWith("blob:")),
        [],
      );
      assert.equal(requests.filter((request) => request.startsWith("file:")).length, 1);
    }

    body({ visit, look, file, url, browser: () => browser });
  });
}

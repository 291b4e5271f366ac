// The page that `norma study` wrote, opened from its file in Chromium without a network, beside the results that it
// wrote with it. NORMA_COMMAND names the command; NORMA_TRIAL what stands in for training.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromiumPath, hasChromium, launch, open } from "./browser.mjs";

const command = process.env.NORMA_COMMAND;
if (!command) throw new Error("NORMA_COMMAND has to name the norma command");

// As wide as studies get: every arm that an MLP takes, at five normalization batches, with 29 seeds.
const study = `name = "wide"
question = "Which of <all> of these & \\"those\\"?"
arms = ["none", "batch", "batch_precise", "batch_test", "batch_renorm", "batch_noise", "layer", "group", "rms", "dyt",
        "skip_init"]
normalization_batches = [2, 4, 8, 16, 64]
seeds = 29
[data]
source = "optdigits"
train = 640
validation = 200
test = 900
[training]
sgd_batch = 64
epochs = 2
[tuning]
learning_rates = [0.03, 0.1]
seeds = 1
widen = 0
[[model]]
kind = "mlp"
depth = 2
width = 32
groups = 4
[[contrast]]
a = "batch"
b = "layer"
`;

describe("a study's page", { skip: hasChromium ? false : `SKIPPED: no Chromium at ${chromiumPath}` }, () => {
  let folder;
  let out;
  let browser;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "norma-study-"));
    out = join(folder, "out");
    await writeFile(join(folder, "wide.toml"), study);
    const { status, stderr } = spawnSync(command, ["study", join(folder, "wide.toml"), "--out", out, "--quiet"]);
    assert.equal(status, 0, String(stderr));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("is at most two megabytes", async () => {
    assert.ok((await stat(join(out, "report.html"))).size <= 2_000_000);
  });

  for (const width of [1280, 360]) {
    test(`opens at ${width} pixels and says what the results say`, async () => {
      const results = JSON.parse(await readFile(join(out, "results.json"), "utf8"));
      const url = pathToFileURL(join(out, "report.html")).href;
      const { context, page, problems, requests } = await open(browser, url, { viewport: { width, height: 800 } });
      await page.locator("svg.chart").first().waitFor();
      assert.equal(await page.textContent("h1"), results.verdict.headline);
      assert.equal(await page.textContent(".question"), 'Which of <all> of these & "those"?');
      assert.deepEqual(await page.locator(".sentences p").allTextContents(), results.verdict.sentences);
      assert.equal(await page.textContent("pre.study-file"), study);
      const text = await page.evaluate(() => document.body.innerText);
      for (const { label } of results.arms) assert.ok(text.includes(label), label);
      assert.doesNotMatch(text, /\bNaN\b|\bundefined\b|\bInfinity\b|\[object/);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
      await context.close();
      assert.deepEqual(problems, []);
      assert.deepEqual(requests, [url]);
    });
  }
});

// The explainer as a person uses it: written by `norma explain --html`, opened from a file in Chromium without a
// network; touched, dragged, typed and read. NORMA_COMMAND names the command.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromiumPath, hasChromium, launch, open } from "./browser.mjs";

const command = process.env.NORMA_COMMAND;
if (!command) throw new Error("NORMA_COMMAND has to name the norma command");

const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const wide = { viewport: { width: 1440, height: 900 } };
const narrow = { viewport: { width: 360, height: 800 } };

describe("the explainer", { skip: hasChromium ? false : `SKIPPED: no Chromium at ${chromiumPath}` }, () => {
  let folder;
  let browser;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "norma-explain-"));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  // The page of `norma explain WORDS --html`, handed to the test; nothing may go wrong and nothing be asked for.
  async function visit(words, options, body) {
    const file = join(folder, "explain.html");
    const { status, stderr } = spawnSync(command, ["explain", ...words, "--html", file]);
    assert.equal(status, 0, String(stderr));
    const { context, page, problems, requests } = await open(browser, pathToFileURL(file).href, options);
    await page.locator("svg.drawing").waitFor();
    const document = JSON.parse(await page.textContent("#document"));
    await body(page, document);
    await context.close();
    assert.deepEqual(problems, []);
    assert.deepEqual(requests, [pathToFileURL(file).href]);
  }

  const pick = (page, id) => page.locator(`label:has(#${id})`).click();
  const shared = (page) => page.locator(".cell.shares, .cell.chosen").count();
  const who = (page) => page.textContent(".who");
  const results = (page) => page.locator(".result").allTextContents();
  const moved = (page) => page.locator(".mark.up, .mark.down").count();
  const cell = (page, sample, neuron) =>
    page.getByRole("gridcell", { name: new RegExp(`^sample ${sample}, neuron ${neuron}[:,]`) }).first();
  const slide = (page, id, to) => page.locator(`#${id}`).fill(String(to));

  test("touching a neuron lights up those that share its statistics, with the library's numbers", async () => {
    await visit([], wide, async (page, document) => {
      await cell(page, 5, 2).click();
      assert.equal(await who(page), "This neuron, over all 8 samples.");
      assert.equal(await shared(page), 8);
      const answer = document.cases.find(
        ({ scene, norm, batch, training }) => scene === "network" && norm === "batch" && batch === 8 && training,
      );
      const shown = [answer.mean[1], answer.variance[1], answer.y[4 * 8 + 1]];
      (await results(page)).forEach((text, i) => {
        assert.match(text, /^−?\d+\.\d{3}$/);
        assert.ok(Math.abs(Number(text.replace("−", "-")) - shown[i]) <= 0.000501, `${text}: ${shown[i]}`);
      });
      assert.match(await page.textContent(".origin"), /libnorma computed the same/);

      await pick(page, "norm-layer");
      assert.equal(await who(page), "All 8 neurons of this sample, and of no other.");
      const names = await page.locator(".cell.shares").evaluateAll((cells) => cells.map((c) => c.ariaLabel));
      assert.equal(names.length, 7);
      for (const name of names) assert.match(name, /^sample 5, neuron \d: x −?\d+\.\d, y .*, shares its statistics$/);
    });
  });

  test("everything that libnorma computed stands in the page and agrees with the page's own arithmetic", async () => {
    await visit([], wide, async (page, document) => {
      const values = document.cases.flatMap(({ mean = [], variance = [], y = [] }) =>
        [mean, variance, y].flat(),
      ).length;
      const said = await page.textContent("#agreement");
      assert.ok(values > 3000 && said.includes(values.toLocaleString("en-US")), said);
      assert.match(said, /agrees with all of it: the largest difference is (0|\de−\d\d)\.$/);
      assert.equal(await page.locator("#agreement.notice").count(), 0);
      assert.match(await page.locator(".licences pre").textContent(), /^MIT License/); // nobody else's code is inside
    });
  });

  test("a sample that is scaled moves the others under BatchNorm, and nobody under LayerNorm", async () => {
    await visit([], wide, async (page) => {
      assert.match(await page.textContent("#movement"), /Change something/);
      await slide(page, "scale", 4);
      assert.equal(
        await page.textContent("#movement"),
        "Sample 1 ×4. Outputs of the other samples: all 56 moved. Its own: all 8 moved.",
      );
      assert.ok((await moved(page)) > 60);
      assert.match(await page.textContent(".origin"), /The inputs are yours now/);
      await page.click("#start-over");
      assert.equal(await moved(page), 0);
      await pick(page, "norm-layer");
      await slide(page, "scale", 4);
      assert.match(await page.textContent("#movement"), /other samples: none of 56 moved.*its scale divides out/);
      assert.equal(await moved(page), 0);
    });
  });

  test("a slider is dragged by the mouse and by the keyboard, and one drag is one change", async () => {
    await visit([], wide, async (page) => {
      const box = await page.locator("#batch").boundingBox();
      await page.mouse.move(box.x + box.width - 8, box.y + box.height / 2);
      await page.mouse.down();
      for (const part of [0.8, 0.6, 0.45, 0.3]) await page.mouse.move(box.x + box.width * part, box.y + box.height / 2);
      await page.mouse.up();
      const left = Number(await page.locator("#batch").inputValue()) + 1;
      assert.ok(left > 1 && left < 5, String(left));
      assert.equal(await shared(page), left);
      assert.match(
        await page.textContent("#movement"),
        new RegExp(`A batch of ${left}. Of the samples that stayed, all ${8 * left} moved`),
      );
      await page.focus("#batch");
      await page.keyboard.press("ArrowRight");
      assert.equal(await shared(page), left + 1);
      assert.equal(await page.locator("#batch").getAttribute("aria-valuetext"), `${left + 1} samples`);
      assert.ok(await page.evaluate(() => document.activeElement.id === "batch"));
    });
  });

  test("at a batch of 1 BatchNorm says why it cannot train, as the library does, and inference can", async () => {
    await visit([], wide, async (page) => {
      await cell(page, 6, 4).click();
      await slide(page, "batch", 0);
      assert.match(
        await page.textContent(".remark.refusal"),
        /BatchNorm cannot train on this batch.*It takes 2 values/,
      );
      assert.match(await page.textContent(".origin"), /libnorma refuses too: “\[batch_norm\] x: expected more/);
      assert.equal((await results(page)).at(-1), "none");
      assert.match(await cell(page, 1, 4).getAttribute("aria-label"), /no output, chosen/);
      await pick(page, "mode-inference");
      assert.equal(await page.locator(".refusal").count(), 0);
      assert.match(await who(page), /^No sample of this batch/);
      assert.notEqual((await results(page)).at(-1), "none");
      await pick(page, "norm-layer");
      await pick(page, "mode-training");
      assert.equal(await page.locator(".refusal").count(), 0);
    });
  });

  test("at inference BatchNorm couples nobody", async () => {
    await visit([], wide, async (page) => {
      await pick(page, "mode-inference");
      assert.match(await page.textContent("#movement"), /Inference. Of the outputs, all 64 moved/);
      await slide(page, "scale", 5);
      assert.match(await page.textContent("#movement"), /other samples: none of 56 moved. Its own: all 8 moved/);
    });
  });

  test("a sample can be taken out and put back", async () => {
    await visit([], wide, async (page) => {
      await cell(page, 3, 1).click();
      await page.click("#drop");
      assert.match(
        await page.textContent("#movement"),
        /Sample 3 left the batch. Outputs of the other samples: all 56/,
      );
      assert.equal(await who(page), "Sample 3 is not in the batch.");
      await cell(page, 4, 1).click();
      assert.equal(await shared(page), 7);
      await cell(page, 3, 1).click();
      await page.click("#drop");
      assert.match(await page.textContent("#movement"), /Sample 3 is back/);
      assert.equal(await shared(page), 8);
      await slide(page, "batch", 0);
      assert.equal(await page.locator("#drop").isDisabled(), true);
    });
  });

  test("images: a neuron has a map, and the choice of axes and groups decides who shares", async () => {
    await visit([], wide, async (page) => {
      await pick(page, "scene-images");
      assert.equal(await page.getByRole("gridcell").count(), 4 * 4 * 9);
      const counts = { batch: 36, layer: 36, instance: 9, rms: 36, group: 18 };
      for (const [norm, count] of Object.entries(counts)) {
        await pick(page, `norm-${norm}`);
        assert.equal(await shared(page), count, norm);
      }
      await slide(page, "groups", 2);
      assert.equal(await page.textContent("#groups ~ *, output[for=groups]"), "4 of 1 neuron");
      assert.equal(await shared(page), 9);
      await pick(page, "norm-layer");
      await pick(page, "over-c");
      assert.equal(await shared(page), 4);
      assert.equal(await who(page), "All 4 neurons of this sample, at this position alone.");
      assert.equal(await page.locator("#norm-masked").isVisible(), false);
    });
  });

  test("sequences: padding counts for BatchNorm and not for masked BatchNorm", async () => {
    await visit([], wide, async (page) => {
      await pick(page, "scene-sequences");
      assert.equal(await who(page), "This neuron, over all 4 samples, at all 6 steps, padding included.");
      assert.equal(await shared(page), 24);
      await pick(page, "norm-masked");
      assert.equal(await shared(page), 6 + 4 + 6 + 2);
      await slide(page, "length", 2);
      assert.equal(await page.textContent("output[for=length]"), "3 steps, 3 padded");
      assert.equal(await shared(page), 3 + 4 + 6 + 2);
      assert.match(await page.textContent("#movement"), /Sample 1 has 3 steps/);
      assert.equal(await page.locator(".cell.padding").count(), 4 * (3 + 2 + 4));
    });
  });

  test("the keyboard goes from neuron to neuron, and every step is said", async () => {
    await visit([], wide, async (page) => {
      await page.locator("svg.drawing [tabindex='0']").focus();
      const at = () => page.evaluate(() => document.activeElement.getAttribute("aria-label").split(":")[0]);
      const steps = {
        ArrowRight: "sample 1, neuron 4",
        ArrowUp: "sample 2, neuron 4",
        PageUp: "sample 3, neuron 4",
        End: "sample 3, neuron 8",
        ArrowLeft: "sample 3, neuron 7",
        ArrowDown: "sample 2, neuron 7",
        Home: "sample 2, neuron 1",
      };
      for (const [key, place] of Object.entries(steps)) {
        await page.keyboard.press(key);
        assert.equal(await at(), place, key);
        const said = await page.textContent("#spoken");
        assert.match(
          said,
          new RegExp(`^S${place.slice(1)}\\. This neuron, over all 8 samples\\. 8 values, mean .*output`),
        );
      }
      assert.equal(await page.locator("#spoken").getAttribute("role"), "status");
      assert.equal(await page.locator("svg.drawing [tabindex='0']").count(), 1);
      await page.keyboard.press("ArrowLeft"); // there is none
      assert.equal(await at(), "sample 2, neuron 1");
    });
  });

  test("the command line chooses where the page opens, and what is too large is drawn in part", async () => {
    await visit(["--norm", "group", "--groups", "4", "--shape", "2,8,3,2"], wide, async (page) => {
      assert.equal(await page.locator("#scene-images").isChecked(), true);
      assert.equal(await page.locator("#norm-group").isChecked(), true);
      assert.equal(await page.getByRole("gridcell").count(), 2 * 4 * 3 * 2);
      assert.match(await page.textContent("#asked"), /Of your 2 × 8 × 3 × 2, 2 × 4 × 3 × 2 are drawn/);
    });
    await visit(["--norm", "layer", "--shape", "3,5,4"], wide, async (page) => {
      assert.equal(await page.locator("#scene-sequences").isChecked(), true);
      assert.equal(await page.locator("#over-c").isChecked(), true);
      assert.equal(await page.getByRole("gridcell").count(), 3 * 5 * 4);
      assert.equal(await page.locator("#asked").isVisible(), false);
    });
  });

  test("circles show inputs or outputs", async () => {
    await visit([], wide, async (page, document) => {
      await pick(page, "show-x");
      const texts = await page.locator(".cell .value").allTextContents();
      const x = document.scenes[0].x.map((value) => value.toFixed(1).replace("-", "−"));
      assert.deepEqual(texts, x);
    });
  });

  for (const [name, options] of [
    ["wide", wide],
    ["narrow", narrow],
  ]) {
    test(`axe-core finds nothing on the ${name} page, light or dark, and nothing sticks out`, async () => {
      await visit([], { ...options, colorScheme: "light" }, async (page) => {
        await page.evaluate(axe);
        for (const scene of ["network", "images", "sequences"]) {
          await pick(page, `scene-${scene}`);
          await slide(page, "scale", 4);
          for (const [colorScheme, rules] of [
            ["light", {}],
            // What the colour scheme changes is colours.
            ["dark", { runOnly: ["color-contrast", "link-in-text-block"] }],
          ]) {
            await page.emulateMedia({ colorScheme });
            await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme, colorScheme);
            assert.ok(
              (await page.evaluate(() => document.documentElement.scrollWidth)) <= options.viewport.width,
              scene,
            );
            const { violations } = await page.evaluate((rules) => globalThis.axe.run(rules), {
              resultTypes: ["violations"],
              ...rules,
            });
            const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 2)}`);
            assert.deepEqual(found, [], scene);
          }
          const text = await page.evaluate(() => document.body.innerText);
          assert.doesNotMatch(text, /\bNaN\b|\bundefined\b|\bInfinity\b|\bnull\b|\[object/);
        }
      });
    });
  }

  test("nothing moves for those who ask for no motion", async () => {
    for (const reducedMotion of ["reduce", "no-preference"]) {
      await visit([], { ...wide, reducedMotion }, async (page) => {
        await slide(page, "scale", 4);
        const animations = await page.evaluate(() => document.getAnimations().length);
        assert.equal(animations > 0, reducedMotion === "no-preference", reducedMotion);
      });
    }
  });

  test("what shares differs from what does not by more than its colour", async () => {
    await visit([], { ...wide, reducedMotion: "reduce" }, async (page) => {
      const look = (selector) =>
        page
          .locator(selector)
          .first()
          .evaluate((node) => {
            const luminance = (colour) => {
              const [r, g, b] = colour
                .match(/[\d.]+/g)
                .slice(0, 3)
                .map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
              return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const style = getComputedStyle(node.querySelector(".body"));
            return {
              fill: luminance(style.fill),
              weight: Number(getComputedStyle(node.querySelector(".value")).fontWeight),
            };
          });
      const [shares, apart] = [await look(".cell.shares"), await look(".cell.apart")];
      // Lightness alone tells them apart, for those who see no colour; and the weight of the number.
      const contrast = (Math.max(shares.fill, apart.fill) + 0.05) / (Math.min(shares.fill, apart.fill) + 0.05);
      assert.ok(contrast >= 4.5, String(contrast));
      assert.ok(shares.weight > apart.weight);
    });
  });
});

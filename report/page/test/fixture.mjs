// Invented results documents for tests and for work on the page: node fixture.mjs KIND > results.json
//
//   plain      two models, four arms, ten seeds, the size of `norma study quick`
//   hostile    markup in every text, twelve arms, 29 seeds, long names, scripts of the world, values that do not exist
//   empty      a study that has not finished a single trial
//   large      six models, twelve arms, 29 seeds: 4176 trials
//   single     one seed: means without intervals, no contrast, no arm that shares over the batch
//   comparison two studies side by side
//   article    three parts on two data sets, and five claims, one of each verdict
//
// Every number is made up from a seeded generator, and every document says so in its name, headline and warnings.
import { pathToFileURL } from "node:url";
import { article } from "./article-fixture.mjs";
import { comparison } from "./comparison-fixture.mjs";
import { kQuickArms, kQuickModels, makeDocument, range } from "./invented.mjs";

const plain = () =>
  makeDocument({
    name: "FIXTURE plain",
    arms: kQuickArms,
    models: kQuickModels,
    batches: [2, 4, 8, 16, 64],
    seeds: range(10),
    divergence: (arm, batch) => (batch === 2 ? 0.12 : 0),
  });

// Puts an attack on each place where a text of the data could become markup, script, style or a formula.
function hostile() {
  const attacks = [
    '</script><img src=x onerror="window.__pwned=1">',
    "<svg onload=window.__pwned=1>",
    "javascript:window.__pwned=1",
    '" onmouseover="window.__pwned=1',
    "<!--<script>window.__pwned=1</script>-->",
    '=HYPERLINK("http://invalid.example")',
    "</style><style>*{display:none}</style>",
    "${window.__pwned=1}",
    "\u2028\u2029&lt;b&gt;",
    "Нормализация 归一化 التطبيع 🧪",
  ];
  const arms = range(12, 0).map((i) => ({
    name: i === 0 ? "batch" : `${attacks[i % attacks.length]} ${i}`,
    label:
      i === 5
        ? `an arm with a very long name that goes on and on ${"and on ".repeat(12)}`
        : `${attacks[i % attacks.length]} ${i}`,
    over: attacks[(i + 3) % attacks.length],
    uses_batch: i % 4 === 0,
    level: 0.02 + 0.011 * i,
  }));
  const models = range(3, 0).map((i) => ({
    ...kQuickModels[i % 2],
    name: `${attacks[i]}`,
    label: `${attacks[i + 2]} model ${i}`,
  }));
  const document = makeDocument({
    name: `FIXTURE hostile ${attacks[0]}`,
    arms,
    models,
    batches: [2, 3, 5, 64, 512],
    seeds: range(29),
    seed: 11,
    divergence: (arm, batch) => (arm.name === "batch" ? (batch === 2 ? 1 : 0.2) : 0.02),
  });
  document.study.question = `Invented numbers: ${attacks[1]}`;
  document.study.file += attacks.join("\n");
  document.verdict.headline = `Invented numbers ${attacks[0]} ${attacks[6]}`;
  document.verdict.sentences = attacks;
  document.warnings.push(...attacks);
  document.run.command = `node fixture.mjs ${attacks[0]}`;
  document.run.complete = false;
  document.run.machine.cpu = attacks[4];
  document.data.licence = attacks[6];
  document.training.note = attacks[1];
  document.models[0].kind = attacks[2];
  // Values that do not exist.
  const nothing = { mean: null, low: null, high: null };
  for (const cell of document.cells.filter((_, i) => i % 7 === 3)) {
    Object.assign(cell, {
      n: 0,
      error: nothing,
      trials: [],
      seconds: null,
      curve: [],
      tuning: [],
      learning_rate: null,
    });
  }
  document.cells
    .filter((_, i) => i % 7 === 4)
    .forEach((cell) => {
      cell.error = { ...cell.error, low: null, high: null };
      cell.curve[3].validation_error = nothing;
      cell.tuning[1].validation_error = null;
      cell.trials[0] = { ...cell.trials[0], status: "crashed", reason: attacks[0], error: null, seconds: null };
      cell.crashed = 1;
    });
  Object.assign(document.contrasts[1], {
    difference: nothing,
    effect_size: null,
    p: null,
    p_holm: null,
    n: 0,
    outcome: "no difference shown",
  });
  return document;
}

function empty() {
  const document = makeDocument({
    name: "FIXTURE empty",
    arms: kQuickArms,
    models: kQuickModels,
    batches: [2, 64],
    seeds: [],
  });
  for (const cell of document.cells)
    Object.assign(cell, { error: null, seconds: null, curve: [], tuning: [], learning_rate: null });
  document.seeds = range(10);
  document.contrasts = [];
  document.run.complete = false;
  document.run.finished = null;
  document.run.trials = { planned: 320, done: 0, ok: 0, diverged: 0, crashed: 0, tuning: 0, final: 0 };
  document.run.trial_seconds = { total: 0, median: null };
  document.verdict = { headline: "Invented numbers: no trial has finished yet.", sentences: [] };
  return document;
}

function single() {
  const document = makeDocument({
    name: "FIXTURE single",
    arms: kQuickArms.filter((arm) => !arm.uses_batch),
    models: kQuickModels.slice(0, 1),
    batches: [],
    seeds: [1],
  });
  document.verdict = { headline: "Invented numbers: one seed shows nothing.", sentences: [] };
  return document;
}

// More than any study that fits in a night.
function large() {
  const arms = range(12).map((i) => ({
    name: i === 1 ? "batch" : `arm-${i}`,
    label: i === 1 ? "BatchNorm" : `Norm ${i}`,
    over: "the features of one sample",
    uses_batch: i % 4 === 1,
    level: 0.02 + 0.003 * i,
  }));
  const models = range(6).map((i) => ({ ...kQuickModels[i % 2], name: `model-${i}`, label: `Model ${i}` }));
  return makeDocument({ name: "FIXTURE large", arms, models, batches: [2, 4, 8, 16, 64], seeds: range(29) });
}

// Numbers of as many digits as a report carries (report/compact.h).
const rounded = (make) => () =>
  JSON.parse(JSON.stringify(make(), (_, value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value)));

export const fixtures = Object.fromEntries(
  Object.entries({ plain, hostile, empty, large, single, article, comparison }).map(([kind, make]) => [
    kind,
    rounded(make),
  ]),
);

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const make = fixtures[process.argv[2]];
  if (!make) {
    console.error(`usage: node fixture.mjs ${Object.keys(fixtures).join("|")}`);
    process.exit(2);
  }
  process.stdout.write(`${JSON.stringify(make(), null, 1)}\n`);
}

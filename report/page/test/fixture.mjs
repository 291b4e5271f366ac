// Invented results documents for tests and for work on the page: node fixture.mjs KIND > results.json
//
//   plain      two models, four arms, ten seeds, the size of `norma study quick`
//   hostile    markup in every text, twelve arms, 29 seeds, long names, scripts of the world, values that do not exist
//   empty      a study that has not finished a single trial
//   large      six models, twelve arms, 29 seeds: 4176 trials
//   single     one seed: means without intervals, no contrast, no arm that shares over the batch
//
// Every number is made up from a seeded generator, and every document says so in its name, headline and warnings.
import { pathToFileURL } from "node:url";

// mulberry32: small, seeded, the same everywhere.
function generator(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

const kQuickArms = [
  { name: "none", label: "no normalization", over: "nothing", uses_batch: false, level: 0.047 },
  {
    name: "batch",
    label: "BatchNorm",
    over: "the normalization batch (and space), per feature",
    uses_batch: true,
    level: 0.034,
  },
  { name: "layer", label: "LayerNorm", over: "the features of one sample", uses_batch: false, level: 0.037 },
  {
    name: "group",
    label: "GroupNorm, 4 groups",
    over: "a group of features of one sample",
    uses_batch: false,
    level: 0.036,
  },
];

const kQuickModels = [
  { name: "mlp", kind: "mlp", label: "MLP 64-128-128-10, ReLU", factor: 1, steps: 210, seconds: 0.31 },
  { name: "cnn", kind: "cnn", label: "CNN 16-16-32, ReLU", factor: 0.62, steps: 210, seconds: 1.4 },
];

const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);

function interval(values, least = 0) {
  const middle = mean(values);
  if (values.length < 2) return { mean: middle, low: null, high: null };
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - middle) ** 2, 0) / (values.length - 1));
  const half = (1.96 * deviation) / Math.sqrt(values.length);
  return { mean: middle, low: Math.max(least, middle - half), high: middle + half };
}

function makeCell({ random, model, arm, batch, seeds, rates, divergence }) {
  const trouble = batch === null ? 0 : (0.55 * model.factor * 8) / batch ** 3;
  const level = Math.min(0.88, arm.level * model.factor + trouble);
  const trials = seeds.map((seed) => {
    const diverged = random.uniform() < divergence;
    const error = diverged
      ? 1
      : Math.round(900 * Math.min(0.9, Math.max(0.004, level * (1 + 0.11 * random.normal())))) / 900;
    return {
      seed,
      status: diverged ? "diverged" : "ok",
      ...(diverged ? { reason: "invented: the loss is not finite" } : {}),
      error,
      validation_error: diverged ? 1 : Math.min(1, error * 1.05),
      steps: diverged ? 30 : model.steps,
      seconds: model.seconds * (1 + (batch ? 0.4 / batch : 0)) * (1 + 0.05 * random.uniform()),
    };
  });
  const best = rates[Math.floor(rates.length / 2) + (batch && batch < 4 ? -1 : 0)];
  const band = (value) => ({ mean: value, low: value * 0.9, high: value * 1.12 });
  const points = 30;
  const curve = Array.from({ length: points }, (_, i) => {
    const left = Math.exp((-5 * (i + 1)) / points);
    return {
      step: Math.round(((i + 1) * model.steps) / points),
      samples: 64 * Math.round(((i + 1) * model.steps) / points),
      train_loss: band(0.012 + level + 2.2 * left * (1 + 0.05 * random.normal())),
      validation_error: band(Math.min(0.9, level + 0.8 * left * (1 + 0.05 * random.normal()))),
    };
  });
  const tuning = rates.map((rate) => ({
    learning_rate: rate,
    validation_error: Math.min(0.9, level * (1 + 0.5 * Math.log10(rate / best) ** 2 * 3 + 0.02 * random.uniform())),
  }));
  const seconds = trials.map((trial) => trial.seconds).sort((a, b) => a - b);
  return {
    model: model.name,
    arm: arm.name,
    normalization_batch: batch,
    learning_rate: best,
    at_edge: best === rates[0],
    n: trials.length,
    diverged: trials.filter((trial) => trial.status === "diverged").length,
    crashed: 0,
    error: interval(trials.map((trial) => trial.error)),
    trials,
    seconds: seconds.length ? seconds[Math.floor(seconds.length / 2)] : null,
    curve,
    tuning,
  };
}

function makeContrasts(cells, models, sharing, alone) {
  const contrasts = [];
  for (const model of models) {
    for (const a of cells.filter((cell) => cell.model === model.name && cell.arm === sharing)) {
      const b = cells.find((cell) => cell.model === model.name && cell.arm === alone);
      const differences = a.trials.map((trial, i) => trial.error - b.trials[i].error);
      const difference = interval(differences, -1);
      const shown = difference.low !== null && (difference.low > 0 || difference.high < 0);
      const p = shown ? 0.00195 : 0.31;
      contrasts.push({
        primary: a.normalization_batch === 2,
        model: model.name,
        a: { arm: a.arm, normalization_batch: a.normalization_batch },
        b: { arm: b.arm, normalization_batch: b.normalization_batch },
        difference,
        effect_size: 1.7,
        p_a_better: mean(differences.map((d) => (d < 0 ? 1 : d > 0 ? 0 : 0.5))),
        n: differences.length,
        p,
        p_holm: Math.min(1, 5 * p),
        outcome: !shown ? "no difference shown" : difference.mean > 0 ? "b better" : "a better",
      });
    }
  }
  return contrasts;
}

// Marked: whatever's interval reaches down to the lowest mean of its column.
function makeBest(cells, models, batches) {
  return models.flatMap((model) =>
    (batches.length > 0 ? batches : [null]).map((batch) => {
      const column = cells.filter(
        (cell) =>
          cell.model === model.name && [null, batch].includes(cell.normalization_batch) && cell.error.mean !== null,
      );
      const lowest = Math.min(...column.map((cell) => cell.error.mean));
      const arms = column.filter((cell) => !(cell.error.low > lowest)).map((cell) => cell.arm);
      return {
        model: model.name,
        normalization_batch: batch,
        lowest: column.find((cell) => cell.error.mean === lowest)?.arm ?? null,
        arms: arms.length < column.length ? arms : [],
      };
    }),
  );
}

function makeDocument({
  name,
  arms,
  models,
  batches,
  seeds,
  rates = [0.01, 0.03, 0.1, 0.3, 1],
  divergence = () => 0,
  seed = 7,
}) {
  const random = generator(seed);
  const cells = models.flatMap((model) =>
    arms.flatMap((arm) =>
      (arm.uses_batch ? batches : [null]).map((batch) =>
        makeCell({ random, model, arm, batch, seeds, rates, divergence: divergence(arm, batch) }),
      ),
    ),
  );
  const sharing = arms.find((arm) => arm.uses_batch);
  const alone = arms.find((arm) => !arm.uses_batch && arm.name !== "none") ?? arms.find((arm) => !arm.uses_batch);
  const lost = cells.reduce((sum, cell) => sum + cell.diverged, 0);
  const total = 2 * cells.length * seeds.length;
  return {
    format: "norma-results/1",
    norma: { version: "0.0.0-fixture", code: "fixture" },
    study: {
      name,
      question: "Invented numbers: at which normalization batch would BatchNorm lose?",
      file: `# Invented: no study made these results.\nname = "${name}"\n\n[training]\nsgd_batch = 64\nepochs = 30\n`,
    },
    run: {
      started: "2000-01-01T12:00:00Z",
      finished: "2000-01-01T12:02:00Z",
      seconds: 118.2,
      workers: 2,
      command: "node fixture.mjs",
      complete: true,
      machine: { cpu: "invented", cores: 2, memory_bytes: 25769803776, os: "invented", isa: "invented" },
      versions: { torch: "invented", blas: "invented", compiler: "GCC 12.2.0, invented" },
      trials: {
        planned: total,
        done: total,
        ok: total - lost,
        diverged: lost,
        crashed: 0,
        tuning: total / 2,
        final: total / 2,
      },
      trial_seconds: { total: 230.1, median: 0.6 },
    },
    data: {
      name: "invented digits",
      source: "fixture",
      licence: "none: invented",
      classes: 10,
      shape: [1, 8, 8],
      train: 500,
      validation: 397,
      test: 900,
      checksum: "0000",
    },
    training: {
      sgd_batch: 64,
      epochs: 30,
      steps: 210,
      optimizer: "sgd",
      momentum: 0.9,
      schedule: "cosine",
      running_statistics: "once a step, the mean over the step's groups",
    },
    seeds,
    tuning_seeds: [1001, 1002],
    learning_rates: rates,
    normalization_batches: batches,
    models: models.map(({ name: model, kind, label }) => ({ name: model, kind, label })),
    arms: arms.map(({ name: arm, label, over, uses_batch }) => ({ name: arm, label, over, uses_batch })),
    cells,
    best: makeBest(cells, models, batches),
    contrasts: sharing && alone && seeds.length > 1 ? makeContrasts(cells, models, sharing.name, alone.name) : [],
    verdict: {
      headline: "Invented numbers: BatchNorm loses to LayerNorm below a normalization batch of 8, in both networks.",
      sentences: [
        "These results are a fixture for tests of the page. No network was trained.",
        "In the MLP BatchNorm errs 54 points more than LayerNorm at 2 samples, 6 points more at 4, and no less at 64.",
      ],
    },
    warnings: ["All numbers in this document are invented: it is a fixture, not a result."],
  };
}

const range = (n, from = 1) => Array.from({ length: n }, (_, i) => from + i);

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

export const fixtures = { plain, hostile, empty, large, single };

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const make = fixtures[process.argv[2]];
  if (!make) {
    console.error(`usage: node fixture.mjs ${Object.keys(fixtures).join("|")}`);
    process.exit(2);
  }
  process.stdout.write(`${JSON.stringify(make(), null, 1)}\n`);
}

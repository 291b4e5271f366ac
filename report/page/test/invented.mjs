// What the invented results documents of fixture.mjs are made with.

// mulberry32: small, seeded, the same everywhere.
export function generator(seed) {
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

export const kQuickArms = [
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

export const kQuickModels = [
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
    leaks: false,
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

export function makeDocument({
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

export const range = (n, from = 1) => Array.from({ length: n }, (_, i) => from + i);

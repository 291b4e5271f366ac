// An invented results document of a study with parts and claims (see fixture.mjs).
import { generator, kQuickArms, kQuickModels, makeDocument, range } from "./invented.mjs";

// An article: parts on different data, and claims with every verdict, an infinite median, exact checks, a recommender.
export function article() {
  const quick = (name, more = {}) =>
    makeDocument({ name, arms: kQuickArms, models: kQuickModels, batches: [2, 4, 64], seeds: range(10), ...more });
  const part = (name, { data, training, seeds, tuning_seeds, learning_rates, normalization_batches, ...rest }) => {
    const { models, arms, cells, best, contrasts, verdict } = rest;
    const own = { data, training, seeds, tuning_seeds, learning_rates, normalization_batches };
    return {
      name,
      question: "Invented numbers: what does this part show?",
      ...own,
      models,
      arms,
      cells,
      best,
      contrasts,
      verdict,
    };
  };
  const random = generator(5);
  const some = (value, spread = 0.1) => ({ mean: value, low: value * (1 - spread), high: value * (1 + spread), n: 10 });
  const measured = (document, measures) => {
    for (const cell of document.cells) cell.measures = measures(cell);
    for (const model of document.models) model.target = { arm: "none", validation_error: 0.08 };
    document.cells.forEach((cell, i) => {
      const never = i === 1; // half of its seeds never get there
      const steps = never ? { mean: null, low: 120, high: null } : { mean: 60 + 5 * i, low: 50, high: 90 + 5 * i };
      const seconds = never ? { mean: null, low: 2, high: null } : { mean: 0.2 + 0.1 * i, low: 0.1, high: 2 };
      cell.to_target = { reached: never ? 4 : 10, steps, seconds };
    });
    return document;
  };
  const small = measured(quick("small"), ({ error }) => ({ train_error: some(error.mean * 0.4) }));
  const sequences = measured(
    quick("sequences", { batches: [64], models: kQuickModels.slice(0, 1), seed: 9 }),
    ({ error }) =>
      Object.fromEntries([
        ["train_error", some(error.mean * 0.7)],
        ["gradient_shift", some(0.4 + random.uniform())],
        ...["contrast=0.5", "longer=2x"].map((shift) => [`error@${shift}`, some(error.mean * (1 + random.uniform()))]),
        ...range(8, 0).map((layer) => [`activation_rms[${layer}]`, some(0.5 + 0.2 * layer * random.uniform())]),
      ]),
  );
  sequences.cells[1].leaks = true;
  sequences.data = { ...sequences.data, name: "invented sequences", kind: "sequences" };
  const checks = quick("checks", { arms: kQuickArms.slice(0, 1), models: [{ ...kQuickModels[0], kind: "checks" }] });
  for (const cell of checks.cells) {
    Object.assign(cell, { error: null, curve: [], tuning: [] });
    cell.measures = { layer_coupling: { mean: 0, low: 0, high: 0, n: 10 }, batch_train_coupling: some(0.4) };
  }
  const contrast = (mean, low, high, standing, more = {}) => ({
    a: "BatchNorm (a-small)",
    b: "LayerNorm (a-small)",
    measure: "test error",
    reduce: "mean",
    claimed: "a lower",
    margin: null,
    unit: "points",
    effect: { mean, low, high },
    location: "mean",
    target: null,
    n: 10,
    effect_size: 1.2,
    p_a_lower: mean < 0 ? 0.9 : 0.1,
    p: 0.002,
    p_holm: standing === "open" ? 0.3 : 0.02,
    standing,
    ...more,
  });
  const qualifier = (says, ...rest) => {
    const one = contrast(...rest);
    return { ...one, says, holds: one.standing === "shown" };
  };
  const claim = (number, says, verdict, more) => ({
    number,
    says,
    verdict,
    primary: null,
    qualifiers: [],
    exact: [],
    recommender: null,
    expects: "invented: what the literature says",
    limits: "",
    expected_verdict: "supported",
    differs: verdict === "supported" ? null : `expected supported, found ${verdict}`,
    parts: ["a-small"],
    shares: [],
    trials: 100,
    steps: 21000,
    minutes: 1.5,
    ...more,
  });
  const regret = (mean) => ({
    mean,
    low: mean * 0.8,
    high: mean * 1.2,
    worst: { mean: 4 * mean, part: "a-small", model: "mlp", normalization_batch: 2 },
  });
  const claims = [
    claim(1, "Invented: layers couple no samples", "supported", {
      exact: [{ measure: "layer_coupling", at_most: 0, at_least: null, worst: 0, n: 10, holds: true }],
      parts: ["a-checks"],
    }),
    claim(2, "Invented: BatchNorm loses little", "qualified", {
      primary: contrast(-2.4, -2.9, -1.9, "shown"),
      qualifiers: [
        qualifier("in long networks it loses more", 1.2, 0.4, 2.1, "shown", { claimed: "a higher" }),
        qualifier("it is the same within a point", 0.2, -0.5, 0.8, "open", { claimed: "same", margin: 1 }),
      ],
    }),
    claim(3, "Invented: BatchNorm is faster", "contradicted", {
      limits: "invented: whether it is faster on other machines",
      shares: [
        { claim: 2, trials: 40 },
        { claim: 5, trials: 100 },
      ],
      qualifiers: [
        qualifier("at least on one of the two", -1, -1.5, null, "open", {
          effect: { mean: -1, low: null, high: -0.5, infinite: { low: -1 } },
          unit: "doublings",
          location: "median",
          target: { a: { reached: 7, trials: 10 }, b: { reached: 6, trials: 10 } },
        }),
      ],
      primary: contrast(null, 1.5, null, "refuted", {
        effect: { mean: null, low: 1.5, high: null, infinite: { mean: 1, high: 1 } },
        measure: "steps to the target",
        unit: "doublings",
        location: "median",
        target: { a: { reached: 4, trials: 10 }, b: { reached: 9, trials: 10 } },
      }),
    }),
    claim(4, "Invented: sequences want LayerNorm", "inconclusive", {
      primary: contrast(0.3, -1, 1.7, "open"),
      parts: ["b-sequences"],
    }),
    claim(5, "Invented: choose by the architecture", "inconclusive", {
      primary: contrast(0.4, 0.1, 0.7, "open", { claimed: "same", margin: 0.5 }),
      parts: ["a-small", "b-sequences"],
      recommender: {
        situations: 4,
        judged: 8,
        abstained: 3,
        cases: [2, 4, 64].map((batch, i) => ({
          part: "a-small",
          model: "mlp",
          arm: "batch",
          normalization_batch: batch,
          layer_by_architecture: false,
          difference: { mean: 20 / batch ** 2 - 0.2, low: 20 / batch ** 2 - 0.5, high: 20 / batch ** 2 + 0.1 + i },
        })),
        pairs: [],
        regrets: {
          architecture: regret(1.2),
          recommender: regret(0.5),
          always_batch: regret(2),
          always_layer: regret(0.4),
        },
      },
    }),
  ];
  const { format, norma, study, run } = quick("FIXTURE article");
  return {
    format,
    norma,
    study: { ...study, question: "Invented numbers: which claims would hold?" },
    run,
    warnings: ["All numbers in this document are invented: it is a fixture, not a result."],
    claims,
    verdict: {
      headline:
        "Invented numbers: use LayerNorm in MLPs at normalization batch 2; elsewhere neither is shown to err less.",
      why: "Invented: of 4 situations BatchNorm errs more than LayerNorm in 2.",
      sure: "Invented: each choice is shown over the seeds and test items of its situations.",
      sentences: ["Of 5 claims: 1 supported, 1 qualified, 1 contradicted, 2 inconclusive."],
    },
    parts: [part("a-checks", checks), part("a-small", small), part("b-sequences", sequences)],
  };
}

// An invented comparison of two studies: a part with cells that changed either way, one on other samples, claims.
import { range } from "./invented.mjs";

export function comparison() {
  const error = (mean) => ({ error: { mean, low: mean * 0.9, high: mean * 1.1 }, n: 10, learning_rate: 0.1 });
  const cell = (part, arm, batch, a, b, outcome, more = {}) => ({
    part,
    model: "MLP 64-128-128-10, ReLU",
    arm,
    normalization_batch: batch,
    a: error(a),
    b: error(b),
    difference: { mean: b - a, low: b - a - 0.01, high: b - a + 0.01 },
    pairs: 10,
    p: 0.002,
    p_holm: outcome === "no difference shown" ? 0.4 : 0.01,
    outcome,
    ...more,
  });
  const claim = (number, a, b) => {
    const side = (verdict, mean) => ({
      verdict,
      effect: { mean, low: mean - 1, high: mean + 1 },
      unit: "points",
      n: 10,
    });
    return { number, says: `Invented claim ${number}`, a: side(a, -0.5), b: side(b, -2.4) };
  };
  const infinite = claim(7, "contradicted", "contradicted");
  Object.assign(infinite.b, {
    effect: { mean: null, low: 1.5, high: null, infinite: { mean: 1, high: 1 } },
    unit: "doublings",
  });
  const side = (study, trials) => ({
    study,
    command: `norma study ${study}`,
    finished: "2000-01-01T12:02:00Z",
    complete: true,
    trials,
    seconds: 118,
  });
  return {
    format: "norma-comparison/1",
    norma: { version: "0.0.0-fixture" },
    a: side("FIXTURE first", 330),
    b: side("FIXTURE second", 660),
    settings: [
      { part: "small", setting: "training.epochs", a: 15, b: 30 },
      { part: "", setting: "version.torch", a: "invented 1", b: "invented 2" },
    ],
    cells: [
      ...range(3).map((i) => cell("small", "BatchNorm", 2 ** i, 0.3 / i, 0.2 / i, "b lower")),
      cell("small", "LayerNorm", null, 0.1, 0.14, "b higher"),
      cell("sorted", "LayerNorm", null, 0.1, 0.101, "no difference shown", { pairs: 0, p: null, p_holm: null }),
      cell("sorted", "GroupNorm", null, 0.1, 0.1, "not measured", {
        b: { error: null, n: 0, learning_rate: null },
        difference: { mean: null, low: null, high: null },
        pairs: 0,
        p: null,
        p_holm: null,
      }),
    ],
    only: { a: [], b: [{ part: "small", model: "mlp", arm: "RMSNorm", normalization_batch: null }] },
    claims: [claim(5, "inconclusive", "supported"), claim(6, "qualified", "qualified"), infinite],
    headline: "Invented: of 6 cells in both studies the test error is lower in the second in 3, higher in 1.",
  };
}

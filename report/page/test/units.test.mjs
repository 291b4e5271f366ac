// The page's functions that need no browser: numbers as text, scales, labels, ranges, CSV.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const format = await load("format.ts");
const frame = await load("charts/frame.ts");
const forest = await load("charts/forest.ts");
const words = await load("contrast-words.ts");
const download = await load("download.ts");
const figure = await load("figure.ts");
const sections = await load("sections/contrasts.ts");
const sure = await load("sections/sure.ts");
const use = await load("sections/use.ts");
const view = await load("view.ts");
const looks = await load("arms.ts");
const made = await load("sections/made.ts");
const data = await load("data.ts");

test("a fraction reads as a percentage with the decimals that its size deserves", () => {
  assert.equal(format.percent(0.5634), "56.3%");
  assert.equal(format.percent(0.0371), "3.7%");
  assert.equal(format.percent(0.0042), "0.42%");
  assert.equal(format.percent(0), "0.0%");
  assert.equal(format.percent(1), "100.0%");
});

test("what does not exist reads 'no result', whatever is asked", () => {
  for (const read of [
    format.percent,
    format.points,
    format.pValue,
    format.decimal,
    format.short,
    format.count,
    format.duration,
  ]) {
    for (const value of [null, undefined, NaN, Infinity]) assert.equal(read(value), "no result");
  }
  assert.equal(format.percentInterval({ mean: 0.1, low: null, high: null }), "no interval");
});

test("a difference carries its sign, with a minus and not a hyphen", () => {
  assert.equal(format.points(0.528), "+52.8");
  assert.equal(format.points(-0.004), "−0.40");
  assert.equal(format.points(0), "0.0");
  assert.equal(format.points(-0.00001), "0.00");
});

test("a p-value never reads zero", () => {
  assert.equal(format.pValue(0), "< 0.001");
  assert.equal(format.pValue(0.00195), "0.002");
  assert.equal(format.pValue(0.31), "0.31");
  assert.equal(format.pValue(1), "1.00");
});

test("a p-value is never rounded across 0.05", () => {
  assert.equal(format.pValue(0.0494), "0.049");
  assert.equal(format.pValue(0.0496), "0.0496");
  assert.equal(format.pValue(0.04996), "< 0.05");
  assert.equal(format.pValue(0.05), "0.050");
  assert.equal(format.pValue(0.0501), "0.050");
});

const twoArms = new looks.Arms({
  arms: [
    { name: "batch", label: "BatchNorm" },
    { name: "layer", label: "LayerNorm" },
  ],
});
const contrastOf = (mean, more = {}) => ({
  primary: true,
  model: "mlp",
  a: { arm: "batch", normalization_batch: 2 },
  b: { arm: "layer", normalization_batch: null },
  difference: { mean, low: -0.01, high: 0.02 },
  effect_size: 0,
  p_a_better: 0.5,
  n: 10,
  p: 1,
  p_holm: 1,
  outcome: "no difference shown",
  ...more,
});

test("a card of a contrast says what was compared, the effect, its interval and what was decided", () => {
  const card = (mean, more) => sections.finding(twoArms, contrastOf(mean, more));
  assert.deepEqual(card(0), {
    verdict: "no difference shown",
    colour: null,
    title: "BatchNorm at 2 against LayerNorm",
    effect: "equal errors",
    interval: "95%: −1.0 to +2.0",
    facts: ["p = 1.00, 1.00 after Holm", "BatchNorm at 2 better in 50% of 10 pairs", "paired effect size 0.0"],
  });
  const shown = card(0.3, { p: 0.002, p_holm: 0.0496, outcome: "b better" });
  assert.deepEqual(
    [shown.verdict, shown.colour, shown.effect],
    ["LayerNorm is better", "var(--arm-2)", "+30.0 points"],
  );
  assert.equal(shown.facts[0], "p = 0.002, 0.0496 after Holm");
  assert.equal(card(-0.015, { p: 0.03, p_holm: 0.09 }).facts[0], "p = 0.030, 0.090 after Holm: not enough");
  assert.equal(card(null, { outcome: "not measured" }).effect, "no result");
});

test("how sure the answer is: the contrasts that show a difference, the largest of them, and the rest", () => {
  const say = (...contrasts) => sure.howSure({ models: [{ name: "mlp", label: "the MLP" }], contrasts }, twoArms);
  const none = contrastOf(0.001);
  const worse = contrastOf(0.139, {
    difference: { mean: 0.139, low: 0.12, high: 0.16 },
    p_holm: 0.02,
    outcome: "b better",
  });
  const better = contrastOf(-0.02, {
    difference: { mean: -0.02, low: -0.03, high: -0.01 },
    p_holm: 0.04,
    outcome: "a better",
  });
  assert.equal(say(), "");
  assert.equal(say({ ...worse, primary: false }), "");
  assert.equal(
    say(none, none),
    "None of 2 primary contrasts shows a difference, which is not to say that there is none.",
  );
  assert.equal(
    say(none, worse),
    "1 of 2 primary contrasts shows a difference: BatchNorm at 2 errs 13.9 points more than LayerNorm in the MLP " +
      "(95% interval +12.0 to +16.0, p = 0.020 after Holm, 10 paired seeds). " +
      "The other shows none, which is not to say that there is none.",
  );
  assert.match(
    say(worse, better),
    /^2 of 2 primary contrasts show a difference; the largest: BatchNorm at 2 errs 13\.9/,
  );
  assert.match(
    say(better),
    /LayerNorm errs 2\.0 points more than BatchNorm at 2 in the MLP \(95% interval \+1\.0 to \+3\.0/,
  );
});

test("what to use: the side that is nowhere shown to err more, and where the other is", () => {
  const models = [
    { name: "mlp", label: "the MLP" },
    { name: "cnn", label: "the CNN" },
  ];
  const say = (...contrasts) => use.whatToUse({ models, contrasts }, twoArms);
  const at = (batch, outcome, model = "mlp") =>
    contrastOf(0.1, { model, a: { arm: "batch", normalization_batch: batch }, outcome });
  const [loses, wins, open] = ["b better", "a better", "no difference shown"];
  assert.equal(say(), "");
  assert.equal(say({ ...at(2, loses), primary: false }, contrastOf(null)), "");
  assert.equal(say(at(2, open), at(4, open)), "BatchNorm or LayerNorm: no difference between them is shown.");
  assert.equal(say(at(2, loses)), "LayerNorm: it errs less than BatchNorm wherever they are compared.");
  assert.equal(
    say(at(2, loses), at(4, loses), at(64, open), at(2, loses, "cnn")),
    "LayerNorm, or BatchNorm except at normalization batch 2 and 4 in the MLP and at normalization batch 2 in the CNN.",
  );
  assert.equal(
    say(at(2, loses), at(64, wins, "cnn")),
    "LayerNorm rather than BatchNorm at normalization batch 2 in the MLP; " +
      "BatchNorm at normalization batch 64 in the CNN.",
  );
});

const part = {
  part: { name: "", question: "" },
  data: { name: "digits" },
  models: [{ name: "mlp" }, { name: "a&b=#" }],
  arms: [{ name: "batch" }, { name: "layer" }, { name: "none" }],
  normalization_batches: [2, 4],
  cells: [
    { model: "mlp", arm: "batch" },
    { model: "mlp", arm: "none" },
    { model: "a&b=#", arm: "batch" },
  ],
  contrasts: [{ model: "mlp", a: { arm: "batch" }, b: { arm: "layer" } }],
};
const study = { parts: [part], claims: [] };
const whole = { at: "", data: null, part: null, models: null, arms: null, batch: null };
const several = {
  claims: [],
  parts: [
    { ...part, part: { name: "checks" }, models: [{ name: "checks", kind: "checks" }] },
    { ...part, part: { name: "digits" } },
    { ...part, part: { name: "text" }, data: { name: "text" }, arms: [{ name: "layer" }, { name: "rms" }] },
  ],
};

test("a view reads back from the address that it writes, whatever the names", () => {
  for (const shown of [
    whole,
    { ...whole, at: "cost" },
    { ...whole, at: "cost", models: ["a&b=#"], arms: ["batch", "none"], batch: 4 },
    { ...whole, arms: ["layer"] },
  ]) {
    assert.deepEqual(view.readView(`#${view.writeView(shown)}`, study), shown);
  }
});

test("an address that names nothing of the study shows all of it", () => {
  for (const fragment of [
    "#model=gone&batch=3",
    "#arm=none&arm=layer&arm=batch",
    "#batch=%zz&arm=%",
    "#part=gone&data=gone",
  ])
    assert.deepEqual(view.readView(fragment, study), whole);
});

test("a view of several parts names one, and keeps of its filters what that part has", () => {
  const shown = { ...whole, at: "cost", data: "text", part: "text", arms: ["rms"] };
  assert.deepEqual(view.readView(`#${view.writeView(shown)}`, several), shown);
  assert.deepEqual(view.within(several, { ...shown, data: null, part: "digits" }), {
    ...whole,
    at: "cost",
    part: "digits",
  });
  // A part on other data than the view's is not shown.
  assert.equal(view.within(several, { ...whole, data: "digits", part: "text" }).part, null);
});

test("without a name the first part that trains is on show", () => {
  assert.equal(view.partOf(several, whole).part.name, "digits");
  assert.equal(view.partOf(several, { ...whole, data: "text" }).part.name, "text");
  assert.equal(view.partOf({ parts: several.parts.slice(0, 1) }, whole).part.name, "checks");
});

test("a view selects cells and contrasts, and the last name taken away brings all back", () => {
  const some = view.select(part, { models: ["mlp"], arms: ["batch", "none"] });
  assert.deepEqual([some.models.length, some.arms.length, some.cells.length, some.contrasts.length], [1, 2, 2, 0]);
  const all = ["batch", "layer", "none"];
  assert.deepEqual(view.toggle(null, "layer", all), ["batch", "none"]);
  assert.deepEqual(view.toggle(["none"], "batch", all), ["batch", "none"]);
  assert.equal(view.toggle(["batch", "none"], "layer", all), null);
  assert.equal(view.toggle(["layer"], "layer", all), null);
});

test("an arm may have any name, also one that every object has", () => {
  const arms = new looks.Arms({ arms: [{ name: "constructor" }, { name: "toString" }, { name: "batch" }] });
  assert.deepEqual(
    ["constructor", "toString", "batch"].map((name) => arms.look(name).colour),
    ["var(--arm-2)", "var(--arm-3)", "var(--arm-1)"],
  );
});

test("a length of time reads in the unit that fits", () => {
  assert.equal(format.duration(0.4234), "0.42 s");
  assert.equal(format.duration(12.3), "12 s");
  assert.equal(format.duration(118.2), "1 min 58 s");
  assert.equal(format.duration(59.7), "1 min 0 s");
  assert.equal(format.duration(7500), "2 h 5 min");
});

test("a moment reads in UTC, and one that is unreadable as it came", () => {
  assert.equal(format.moment("2026-11-23T12:00:00Z"), "23 November 2026, 12:00 UTC");
  assert.equal(format.moment("yesterday"), "yesterday");
  assert.equal(format.moment(""), "unknown");
});

test("a scale is logarithmic where the values span much, and holds them all", () => {
  const scale = frame.valueScale([3.3, 3.5, 56, null]);
  assert.equal(scale.type, "log");
  assert.ok(scale.domain[0] < 3.3 && scale.domain[0] > 2 && scale.domain[1] > 56 && scale.domain[1] < 100);
  assert.deepEqual(scale.ticks, [5, 10, 20, 50]);
});

test("a scale is linear from zero where the values are of one size", () => {
  const scale = frame.valueScale([2.1, 3.7, 4.8]);
  assert.equal(scale.type, "linear");
  assert.deepEqual(scale.domain, [0, 5]);
  assert.deepEqual(scale.ticks, [0, 1, 2, 3, 4, 5]);
});

test("a scale that may leave out zero does where zero is far", () => {
  const bits = frame.nearScale([3.37, 3.43, 4.84]);
  assert.equal(bits.type, "linear");
  assert.deepEqual(bits.domain, [3, 5]);
  assert.deepEqual(bits.ticks, [3, 3.5, 4, 4.5, 5]);
  assert.deepEqual(frame.nearScale([2.1, 3.7, 4.8]), frame.valueScale([2.1, 3.7, 4.8]));
  assert.deepEqual(frame.nearScale([0, 5, 6]), frame.valueScale([0, 5, 6]));
  assert.deepEqual(frame.nearScale([-1, 5, null]), frame.valueScale([-1, 5]));
  assert.deepEqual(frame.nearScale([0.2, 5]), frame.valueScale([0.2, 5]));
});

test("no two ticks of a scale that leaves out zero read alike, and no value stands on its edge", () => {
  for (const values of [[7], [10, 10.1], [100, 101], [1000, 1010], [0.001, 0.0012, 0.0015], [700, 1300], [6, 8]]) {
    const { domain, ticks } = frame.nearScale(values);
    const labels = ticks.map((tick) => format.short(tick));
    assert.equal(new Set(labels).size, labels.length, labels.join(" "));
    assert.ok(ticks.length >= 3 && ticks.length <= 9, labels.join(" "));
    assert.ok(domain[0] < Math.min(...values) && domain[1] > Math.max(...values), labels.join(" "));
  }
});

test("a scale of percentages ends at 100", () => {
  assert.equal(frame.valueScale([2, 100], 100).domain[1], 100);
  assert.equal(frame.valueScale([60, 100], 100).domain[1], 100);
  assert.equal(frame.valueScale([0.7, 101], 100).domain[1], 100);
});

test("a scale of nothing, of zeros and of one value is still a scale", () => {
  for (const values of [[], [null], [0, 0], [7]]) {
    const {
      domain: [low, high],
    } = frame.valueScale(values, 100);
    assert.ok(low >= 0 && high > low, JSON.stringify(values));
  }
});

test("a logarithmic scale of few decades still has numbers", () => {
  assert.ok(frame.valueScale([0.9, 9]).ticks.length >= 3);
  assert.ok(frame.valueScale([2.1, 19]).ticks.length >= 3);
});

test("a scale of many decades keeps few numbers", () => {
  assert.ok(frame.valueScale([1e-6, 5]).ticks.length <= 9);
});

test("numbers of an axis that have no room side by side are left out, powers of ten last", () => {
  const scale = { type: "log", domain: [0.04, 30], ticks: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20] };
  const read = (value) => 8 * `${value}%`.length;
  assert.deepEqual(frame.fittingTicks(scale, 2000, read), scale.ticks);
  assert.deepEqual(frame.fittingTicks(scale, 200, read), [0.1, 1, 10]);
  const linear = { type: "linear", domain: [0, 100], ticks: [0, 20, 40, 60, 80, 100] };
  assert.deepEqual(frame.fittingTicks(linear, 1000, read), linear.ticks);
  assert.ok(frame.fittingTicks(linear, 120, read).length < 6);
});

test("labels keep their order, their distance and the box", () => {
  const wanted = [100, 101, 99, 250, 251, 300];
  const placed = frame.spread(wanted, 16, 10, 300);
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  for (let i = 1; i < order.length; ++i) assert.ok(placed[order[i]] - placed[order[i - 1]] >= 16 - 1e-9);
  assert.ok(Math.min(...placed) >= 10 && Math.max(...placed) <= 300);
});

test("labels that have room stay where they want to be", () => {
  assert.deepEqual(frame.spread([40, 90, 200], 16, 0, 300), [40, 90, 200]);
});

test("labels that are too many for the box share it evenly", () => {
  assert.deepEqual(frame.spread([5, 5, 5], 16, 0, 20), [0, 10, 20]);
});

test("the numbers of a linear axis are round, few and inside", () => {
  assert.deepEqual(frame.roundTicks(210, 6), [0, 50, 100, 150, 200]);
  assert.deepEqual(frame.roundTicks(7, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
  for (const high of [1, 3, 13, 999, 123456])
    assert.ok(frame.roundTicks(high, 5).length <= 5 && frame.roundTicks(high, 5).length >= 2, String(high));
});

test("a scale of differences holds zero and every value, and is linear while they are of one size", () => {
  const small = forest.differenceScale([-0.4, 0.1, 0.6]);
  assert.equal(small.type, "linear");
  assert.ok(small.domain[0] <= -0.4 && small.domain[1] >= 0.6 && small.ticks.includes(0) && small.ticks.length >= 3);
  const large = forest.differenceScale([47, 52, 58, -0.5, 0, 0.4]);
  assert.equal(large.type, "symlog");
  assert.ok(large.domain[0] <= -0.5 && large.domain[1] >= 58 && large.ticks.includes(0));
  const none = forest.differenceScale([null, null, Infinity]);
  assert.ok(none.domain[0] < 0 && none.domain[1] > 0 && Number.isFinite(none.domain[1]));
  const tiny = forest.differenceScale([0.002, 0.004], 0);
  assert.ok(tiny.domain[1] < 0.01 && tiny.ticks.length >= 3);
});

const effect = (mean, low, high, more = {}) => ({
  a: "BatchNorm (claim6-small)",
  b: "LayerNorm (claim6-small)",
  measure: "test error",
  reduce: "mean",
  claimed: "a lower",
  margin: null,
  unit: "points",
  effect: { mean, low, high },
  target: null,
  n: 10,
  p_a_lower: 0.2,
  p_holm: 0.0098,
  standing: "shown",
  ...more,
});

test("an effect reads with its sign, its unit, its interval and its corrected p", () => {
  assert.equal(
    words.effectSentence(effect(-2.42, -2.9, -0.31)),
    "−2.4 points (95%: −2.9 to −0.31, p = 0.010 after Holm, n = 10)",
  );
  assert.equal(words.effectValue(0.001, { unit: "points" }), "0.00");
  assert.equal(words.effectValue(3.14159, { unit: "doublings" }), "+3.14");
  assert.equal(words.effectSentence({ ...effect(0, 0, 0), effect: null }), "not measured");
  assert.equal(words.effectInterval(effect(1, null, null)), "no interval");
});

test("a number that the document says is infinite is so, one that it only lacks is not there", () => {
  const effectOf = (one) =>
    data.readStudy(JSON.stringify({ format: "norma-results/1", claims: [{ primary: { effect: one } }] })).claims[0]
      .primary.effect;
  const right = { mean: null, low: 1.5, high: null, infinite: { mean: 1, high: 1 } };
  assert.deepEqual(effectOf(right), { mean: Infinity, low: 1.5, high: Infinity });
  const left = { mean: null, low: null, high: -1, infinite: { mean: -1, low: -1 } };
  assert.deepEqual(effectOf(left), { mean: -Infinity, low: -Infinity, high: -1 });
  const lacks = { mean: 2, low: null, high: null };
  assert.deepEqual(effectOf(lacks), lacks);
  assert.deepEqual(effectOf({ ...lacks, infinite: { low: "1", high: 2 } }), lacks);
  assert.deepEqual(effectOf({ ...lacks, infinite: 1 }), lacks);
});

test("what is infinite reads so, in words and in files", () => {
  const all = effect(-Infinity, -Infinity, 1);
  assert.equal(words.effectValue(Infinity, { unit: "doublings" }), "+∞");
  assert.equal(words.effectInterval(all), "−∞ to +1.0");
  assert.deepEqual(words.endsOf(all), all.effect);
  assert.deepEqual(
    [Infinity, -Infinity, -1.5].map((value) => format.extended(value, 2)),
    ["∞", "−∞", "−1.50"],
  );
  assert.equal(download.csv([[Infinity, -Infinity]]), "∞,-∞\r\n");
});

test("how often the target is reached reads as in the pages of the claims", () => {
  const target = { a: { reached: 38, trials: 40 }, b: { reached: 12, trials: 40 } };
  assert.equal(
    words.targetWords({ a: "A", b: "B", target }),
    "The target is reached in 38 of 40 trainings with A and in 12 of 40 trainings with B; where it is not, the whole " +
      "budget counts.",
  );
  assert.equal(words.targetWords(effect(0, 0, 0)), "");
});

test("a result of networks that have not learned does not count, whatever its standing", () => {
  assert.equal(words.standingWords({ learned: true, standing: "shown" }), "shown as claimed");
  assert.match(words.standingWords({ learned: false, standing: "shown" }), /neither side beats the majority baseline/);
});

test("the region of a contrast is where its interval has to lie", () => {
  assert.deepEqual(words.regionOf(effect(0, 0, 0)), [-Infinity, 0]);
  assert.deepEqual(words.regionOf(effect(0, 0, 0, { claimed: "a higher" })), [0, Infinity]);
  assert.deepEqual(words.regionOf(effect(0, 0, 0, { claimed: "same", margin: 0.5 })), [-0.5, 0.5]);
});

test("sides of the same parts name them once", () => {
  assert.equal(words.contrastName(effect(0, 0, 0)), "BatchNorm − LayerNorm (small)");
  assert.equal(words.contrastName({ a: "LayerNorm (C,H,W)", b: "BatchNorm" }), "LayerNorm (C,H,W) − BatchNorm");
});

test("CSV is quoted by RFC 4180, and text that a spreadsheet would run is disarmed", () => {
  assert.equal(
    download.csv([
      ["a", 'b "c", d'],
      [-1.5, null],
      ["=1+1", "@x"],
    ]),
    'a,"b ""c"", d"\r\n-1.5,\r\n\'=1+1,\'@x\r\n',
  );
});

test("a file's name holds letters, digits and dashes, whatever the study is called", () => {
  assert.equal(figure.fileName("quick", "cost", "svg"), "norma-quick-cost.svg");
  assert.equal(figure.fileName("../../<b> étude", "cost", "csv"), "norma-b-e-tude-cost.csv");
  assert.equal(figure.fileName("归一化", "cost", "csv"), "norma-study-cost.csv");
});

test("seeds that follow each other read as a range", () => {
  assert.equal(made.ranges([3, 1, 2, 4, 9, 11, 12]), "1 to 4, 9, 11, 12");
  assert.equal(made.ranges([]), "");
});

test("a document with nothing in it reads as one without results", () => {
  const { parts, claims, run } = data.readStudy(
    '{"format":"norma-results/1","cells":[{}],"contrasts":[{}],"claims":[{}]}',
  );
  assert.equal(parts.length, 1);
  assert.equal(parts[0].cells[0].error.mean, null);
  assert.deepEqual(parts[0].models, []);
  assert.equal(run.complete, false);
  assert.deepEqual([claims[0].primary, claims[0].qualifiers, claims[0].exact], [null, [], []]);
});

test("a study of several parts has them all, each with what is said of the whole", () => {
  const { parts } = data.readStudy(
    '{"format":"norma-results/1","study":{"name":"s"},"parts":[{"name":"a"},{"name":"b"}]}',
  );
  assert.deepEqual(
    parts.map(({ part: { name }, study: { name: of } }) => [name, of]),
    [
      ["a", "s"],
      ["b", "s"],
    ],
  );
});

test("a document of another format is refused", () => {
  assert.throws(() => data.readStudy('{"format":"norma-results/9"}'), /expected results of format norma-results\/1/);
});

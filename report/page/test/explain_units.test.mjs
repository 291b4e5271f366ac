// The explainer's functions that need no browser, its arithmetic above all: held against libnorma's answers to random
// questions (NORMA_EXPLAIN_CASES, the program tests/report/explain_cases.cpp).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { load } from "./load.mjs";

const arithmetic = await load("explain/arithmetic.ts");
const norms = await load("explain/norms.ts");
const states = await load("explain/state.ts");
const words = await load("explain/words.ts");
const layout = await load("explain/layout.ts");
const keys = await load("explain/keys.ts");

const kTolerance = 1e-6; // what the page promises; both compute in doubles

const program = process.env.NORMA_EXPLAIN_CASES;
if (!program) throw new Error("NORMA_EXPLAIN_CASES has to name the program that asks libnorma");

function near(own, theirs, what) {
  assert.equal(own.length, theirs.length, what);
  own.forEach((value, i) => {
    assert.ok(Math.abs(value - theirs[i]) <= kTolerance, `${what}[${i}]: ${value}, libnorma has ${theirs[i]}`);
  });
}

test("the page computes what libnorma computes, over many random shapes, norms, masks and given statistics", () => {
  const { status, stdout, stderr } = spawnSync(program, ["3000", "20261125"], { maxBuffer: 1 << 28 });
  assert.equal(status, 0, String(stderr));
  const cases = JSON.parse(stdout);
  const seen = { trained: 0, given: 0, refused: 0, masked: 0, grouped: 0, raw: 0 };
  for (const asked of cases) {
    const given = asked.given ?? null;
    const own = arithmetic.normalize(asked, asked.shape, {
      x: asked.x,
      gamma: asked.gamma.length > 0 ? asked.gamma : null,
      beta: asked.beta.length > 0 ? asked.beta : null,
      mask: asked.mask.length > 0 ? asked.mask.map((counts) => counts === 1) : null,
      given,
    });
    const name = JSON.stringify({ ...asked, x: undefined, y: undefined });
    assert.equal(own.y === null, "error" in asked, name);
    seen.masked += asked.mask.length > 0;
    seen.grouped += asked.groups > 1;
    seen.raw += !asked.centred;
    if (own.y === null) {
      seen.refused += 1;
      continue;
    }
    near(own.y, asked.y, `y of ${name}`);
    if (given) {
      seen.given += 1;
      continue;
    }
    seen.trained += 1;
    assert.deepEqual(own.counts, asked.counts, name);
    near(own.mean, asked.mean, `mean of ${name}`);
    const variance = asked.m2.map((m2, s) => (asked.counts[s] > 0 ? m2 / asked.counts[s] : 0));
    near(own.variance, variance, `variance of ${name}`);
  }
  for (const [kind, times] of Object.entries(seen)) assert.ok(times > 50, `${kind}: only ${times} of ${cases.length}`);
});

// A document with the scenes alone; x counts up.
function invented() {
  const scene = (name, shape, lengths = null) => {
    const size = shape.reduce((a, b) => a * b);
    const x = Array.from({ length: size }, (_, i) => ((i * 7919) % 31) / 10 - 1);
    const running = { mean: new Array(shape[1]).fill(0.5), variance: new Array(shape[1]).fill(2) };
    return { name, shape, asked: null, x, lengths, running: { batch: running, masked: running } };
  };
  return {
    format: "norma-explain/1",
    norma: { version: "0", isa: "none" },
    running_batches: 50,
    start: { scene: "network", norm: "batch", over: "all", groups: 2 },
    scenes: [scene("network", [8, 8]), scene("images", [4, 4, 3, 3]), scene("sequences", [4, 4, 6], [6, 4, 6, 2])],
    cases: [],
  };
}
const document = invented();
const open = (scene, norm, more = {}) => ({
  ...states.opening(document, scene, { norm, over: "all", groups: 2 }),
  ...more,
});
const picture = (...asked) => states.picture(document, open(...asked));

test("who shares, in words", () => {
  const said = (...asked) => words.who(picture(...asked));
  assert.equal(said("network", "batch"), "This neuron, over all 8 samples.");
  assert.equal(said("network", "batch", { batch: 1 }), "This neuron, over the one sample that is there.");
  assert.equal(said("network", "layer"), "All 8 neurons of this sample, and of no other.");
  assert.equal(said("network", "group"), "These 4 neurons of this sample, and of no other.");
  assert.equal(said("network", "instance"), "This neuron of this sample: a single value.");
  assert.equal(said("images", "batch"), "This neuron, over all 4 samples, at all 3 × 3 positions.");
  assert.equal(said("images", "layer", { over: "c" }), "All 4 neurons of this sample, at this position alone.");
  assert.equal(said("images", "rms"), "All 4 neurons of this sample, at all 3 × 3 positions.");
  assert.equal(said("images", "instance"), "This neuron of this sample, at all 3 × 3 positions.");
  assert.equal(said("sequences", "batch"), "This neuron, over all 4 samples, at all 6 steps, padding included.");
  assert.equal(said("sequences", "masked"), "This neuron, over all 4 samples, at every step that is no padding.");
  assert.equal(said("sequences", "layer", { over: "c" }), "All 4 neurons of this sample, at this step alone.");
  assert.match(said("network", "batch", { training: false }), /^No sample of this batch/);
});

test("what lights up is what shares: as many as the words say", () => {
  const shared = (...asked) => picture(...asked).sharing.length;
  assert.equal(shared("network", "batch"), 8);
  assert.equal(shared("network", "layer"), 8);
  assert.equal(shared("network", "group", { groups: 4 }), 2);
  assert.equal(shared("images", "batch"), 4 * 9);
  assert.equal(shared("images", "layer"), 4 * 9);
  assert.equal(shared("images", "instance"), 9);
  assert.equal(shared("sequences", "batch"), 24);
  assert.equal(shared("sequences", "masked"), 6 + 4 + 6 + 2);
  assert.equal(shared("network", "batch", { training: false }), 0);
  const dropped = [false, true, false, false, false, false, false, false];
  assert.equal(shared("network", "batch", { dropped, batch: 4 }), 3);
});

test("at a batch of 1 BatchNorm says why it cannot train, and what it would take", () => {
  const alone = picture("network", "batch", { batch: 1 });
  assert.equal(alone.refused, true);
  assert.match(words.remark(alone), /BatchNorm cannot train.*one value.*It takes 2 values; a second sample would do/);
  assert.ok(alone.y.every((value) => value === null));
  const image = picture("images", "batch", { batch: 1 });
  assert.equal(image.refused, false);
  assert.match(words.remark(image), /One sample is enough here, because a neuron has 9 values in it/);
  assert.equal(picture("network", "batch", { batch: 1, training: false }).refused, false);
  assert.equal(picture("network", "layer", { batch: 1 }).refused, false);
  const short = picture("sequences", "masked", { batch: 1, lengths: [1, 4, 6, 2] });
  assert.match(words.remark(short), /a second sample or a second step/);
});

function movedBy(scene, norm, before, after, change) {
  const [was, is] = [picture(scene, norm, before), picture(scene, norm, after)];
  return words.movement(change, is, states.movements(was, is)).join(" ");
}

test("scaling a sample moves its companions where statistics are shared over the batch, and nobody else's", () => {
  const scale = [1, 1, 4, 1, 1, 1, 1, 1];
  const change = { kind: "scale", sample: 2 };
  assert.match(
    movedBy("network", "batch", {}, { scale }, change),
    /Sample 3 ×4. Outputs of the other samples: all 56 moved/,
  );
  const layer = movedBy("network", "layer", {}, { scale }, change);
  assert.match(
    layer,
    /other samples: none of 56 moved. Its own: all 8 moved by less than 0.0005: its scale divides out/,
  );
  const frozen = { training: false };
  const inference = movedBy("network", "batch", frozen, { ...frozen, scale }, change);
  assert.match(inference, /other samples: none of 56 moved. Its own: all 8 moved/);
});

test("a sample that leaves, a batch that shrinks, and the mode, each with whom it moves", () => {
  const dropped = [true, false, false, false, false, false, false, false];
  const drop = { kind: "drop", sample: 0 };
  assert.match(movedBy("network", "batch", {}, { dropped }, drop), /Sample 1 left the batch. .*all 56 moved/);
  assert.match(movedBy("network", "rms", {}, { dropped }, drop), /none of 56 moved/);
  assert.match(
    movedBy("network", "group", {}, { batch: 2 }, { kind: "batch" }),
    /Of the samples that stayed, none of 16/,
  );
  assert.match(movedBy("network", "batch", {}, { batch: 2 }, { kind: "batch" }), /A batch of 2. .*all 16 moved/);
  assert.match(movedBy("network", "batch", {}, { training: false }, { kind: "mode" }), /Inference. .*all 64 moved/);
  assert.match(movedBy("network", "layer", {}, { training: false }, { kind: "mode" }), /none of 64 moved/);
  assert.match(movedBy("network", "batch", {}, { batch: 1 }, { kind: "batch" }), /There are no outputs now/);
});

test("padding moves the outputs of BatchNorm, and not those of masked BatchNorm at valid steps that stay", () => {
  const longer = { lengths: [6, 6, 6, 6] };
  const x = document.scenes[2].x;
  const padded = picture("sequences", "batch");
  assert.equal(padded.x[4 * 6 + 5], 0); // sample 2 has 4 steps
  assert.equal(picture("sequences", "batch", longer).x[4 * 6 + 5], x[4 * 6 + 5]);
  const masked = picture("sequences", "masked");
  assert.equal(masked.y[4 * 6 + 5], null);
  assert.equal(masked.presence[4 * 6 + 5], "padding");
  const own = { ...masked.state, selected: 4 * 6 + 5 };
  assert.match(words.who(states.picture(document, own)), /This step is padding/);
});

test("nothing in the drawing overlaps or leaves it, at any width", () => {
  for (const scene of [
    ...document.scenes,
    ...[
      [8, 10],
      [5, 4, 4, 4],
      [6, 6, 8],
    ].map((shape, i) => ({ ...document.scenes[i], shape, x: new Array(shape.reduce((a, b) => a * b)).fill(0) })),
  ]) {
    for (const width of [288, 358, 560, 760, 900]) {
      const { at, radius, height } = layout.layoutOf(scene, width);
      assert.equal(at.length, scene.x.length);
      at.forEach((a, i) => {
        const what = `${scene.name} ${scene.shape} at ${width}`;
        assert.ok(a.x - radius >= 0 && a.x + radius <= width && a.y >= radius && a.y + radius <= height, what);
        for (const b of at.slice(0, i)) assert.ok(Math.hypot(a.x - b.x, a.y - b.y) >= 1.9 * radius, what);
      });
    }
  }
});

test("arrow keys reach every element, and back", () => {
  const back = { ArrowRight: "ArrowLeft", ArrowLeft: "ArrowRight", ArrowUp: "ArrowDown", ArrowDown: "ArrowUp" };
  for (const scene of document.scenes) {
    const reached = new Set([0]);
    const waiting = [0];
    while (waiting.length > 0) {
      const from = waiting.pop();
      for (const [key, opposite] of Object.entries({ ...back, PageUp: "PageDown", PageDown: "PageUp" })) {
        const to = keys.follow(key, from, scene);
        if (to === null) continue;
        assert.equal(keys.follow(opposite, to, scene), from, `${scene.name}: ${key} from ${from}`);
        if (!reached.has(to)) waiting.push(to);
        reached.add(to);
      }
    }
    assert.equal(reached.size, scene.x.length, scene.name);
    assert.equal(keys.follow("a", 0, scene), null);
  }
});

test("GroupNorm with one group is LayerNorm over all, with as many as neurons InstanceNorm", () => {
  for (const rank of [2, 3, 4]) {
    const of = (norm, groups) => norms.descriptorOf({ norm, over: "all", groups }, rank).statistics;
    assert.deepEqual(of("group", 1), of("layer", 1));
  }
  const one = picture("images", "group", { groups: 4 });
  const other = picture("images", "instance");
  assert.deepEqual(one.y, other.y);
});

// The claims of a study, as the results document has them.
import type { CellName, Interval } from "./data";
import { interval, list, number, object, text } from "./json";

// How many of a side's trainings reach the target.
export interface Reached {
  reached: number;
  trials: number;
}

// Side a minus side b, in its own unit.
export interface ClaimContrast {
  a: string;
  b: string;
  measure: string;
  reduce: string;
  claimed: string; // "a lower", "a higher", "same"
  margin: number | null; // of "same"
  unit: string;
  effect: Interval | null; // null: not measured; its numbers may be infinite
  n: number;
  effect_size: number | null;
  p_a_lower: number | null;
  p: number | null;
  p_holm: number | null;
  target: { a: Reached; b: Reached } | null; // of what is measured up to a target
  learned: boolean; // at every model a side beats the majority baseline; otherwise the result does not count
  standing: string; // "shown", "refuted", "open", "not measured"
}

export interface Qualifier extends ClaimContrast {
  says: string;
  holds: boolean;
}

export interface ExactCheck {
  measure: string;
  at_most: number | null;
  at_least: number | null;
  worst: number | null;
  n: number;
  holds: boolean | null;
}

// Where a choice between BatchNorm and LayerNorm is to be made: BatchNorm's test error minus LayerNorm's, in points.
export interface Situation extends CellName {
  part: string;
  model: string;
  difference: Interval;
  layer_by_architecture: boolean;
}

// The situation where a rule costs most.
export interface Worst {
  mean: number;
  part: string;
  model: string;
  normalization_batch: number | null;
}

export interface Recommender {
  situations: Situation[];
  judged: number;
  abstained: number;
  regrets: { rule: string; regret: Interval; worst: Worst | null }[]; // in points
}

export interface Claim {
  number: number;
  says: string;
  verdict: string; // "supported", "qualified", "contradicted", "inconclusive"
  primary: ClaimContrast | null;
  qualifiers: Qualifier[];
  exact: ExactCheck[];
  recommender: Recommender | null;
  expects: string;
  limits: string; // what the experiment cannot say
  expected_verdict: string;
  differs: string;
  parts: string[];
  shares: { claim: number; trials: number }[]; // trials that other claims rest on too
  trials: number | null;
  steps: number | null;
  minutes: number | null;
}

function readReached(value: unknown): Reached {
  const { reached, trials } = object(value);
  return { reached: number(reached) ?? 0, trials: number(trials) ?? 0 };
}

function readContrast(value: unknown): ClaimContrast {
  const contrast = object(value);
  const target = contrast.target == null ? null : object(contrast.target);
  return {
    a: text(contrast.a),
    b: text(contrast.b),
    measure: text(contrast.measure),
    reduce: text(contrast.reduce),
    claimed: text(contrast.claimed),
    margin: number(contrast.margin),
    unit: text(contrast.unit),
    effect: contrast.effect == null ? null : interval(contrast.effect),
    n: number(contrast.n) ?? 0,
    effect_size: number(contrast.effect_size),
    p_a_lower: number(contrast.p_a_lower),
    p: number(contrast.p),
    p_holm: number(contrast.p_holm),
    target: target && { a: readReached(target.a), b: readReached(target.b) },
    learned: contrast.learned !== false,
    standing: text(contrast.standing),
  };
}

function readWorst(value: unknown): Worst | null {
  const worst = object(value);
  const mean = number(worst.mean);
  if (mean === null) return null;
  return {
    mean,
    part: text(worst.part),
    model: text(worst.model),
    normalization_batch: number(worst.normalization_batch),
  };
}

function readRecommender(value: unknown): Recommender {
  const recommender = object(value);
  return {
    situations: list(recommender.cases).map((item) => {
      const one = object(item);
      return {
        part: text(one.part),
        model: text(one.model),
        arm: text(one.arm),
        normalization_batch: number(one.normalization_batch),
        difference: interval(one.difference),
        layer_by_architecture: one.layer_by_architecture === true,
      };
    }),
    judged: number(recommender.judged) ?? 0,
    abstained: number(recommender.abstained) ?? 0,
    regrets: Object.entries(object(recommender.regrets)).map(([rule, regret]) => ({
      rule,
      regret: interval(regret),
      worst: readWorst(object(regret).worst),
    })),
  };
}

export function readClaim(value: unknown): Claim {
  const claim = object(value);
  return {
    number: number(claim.number) ?? 0,
    says: text(claim.says),
    verdict: text(claim.verdict),
    primary: claim.primary == null ? null : readContrast(claim.primary),
    qualifiers: list(claim.qualifiers).map((item) => ({
      ...readContrast(item),
      says: text(object(item).says),
      holds: object(item).holds === true,
    })),
    exact: list(claim.exact).map((item) => {
      const check = object(item);
      return {
        measure: text(check.measure),
        at_most: number(check.at_most),
        at_least: number(check.at_least),
        worst: number(check.worst),
        n: number(check.n) ?? 0,
        holds: typeof check.holds === "boolean" ? check.holds : null,
      };
    }),
    recommender: claim.recommender == null ? null : readRecommender(claim.recommender),
    expects: text(claim.expects),
    limits: text(claim.limits),
    expected_verdict: text(claim.expected_verdict),
    differs: text(claim.differs),
    parts: list(claim.parts).map(text),
    shares: list(claim.shares).map((item) => {
      const { claim: other, trials } = object(item);
      return { claim: number(other) ?? 0, trials: number(trials) ?? 0 };
    }),
    trials: number(claim.trials),
    steps: number(claim.steps),
    minutes: number(claim.minutes),
  };
}

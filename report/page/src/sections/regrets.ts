// What it costs to choose between BatchNorm and LayerNorm by a rule.
import { differenceScale, forestChart, type ForestRow } from "../charts/forest";
import type { Recommender, Worst } from "../claims";
import type { Interval } from "../data";
import { figure } from "../figure";
import { extended } from "../format";

const kRules: Record<string, string> = {
  architecture: "by the architecture, as the article says",
  recommender: "recommender, knowing the batches too",
  always_batch: "BatchNorm everywhere",
  always_layer: "LayerNorm everywhere",
};

// null while no rule is measured.
export function regrets(
  study: string,
  id: string,
  heading: "h2" | "h3",
  { regrets: all, judged, abstained }: Recommender,
): HTMLElement | null {
  const measured = all
    .filter(({ regret }) => regret.mean !== null)
    .sort((x, y) => (x.regret.mean ?? 0) - (y.regret.mean ?? 0));
  if (measured.length === 0) return null;
  const label = (rule: string): string => (Object.hasOwn(kRules, rule) ? (kRules[rule] ?? rule) : rule);
  const two = (value: number | null): string => extended(value, 2);
  const interval = ({ low, high }: Interval): string =>
    low === null || high === null ? "no interval" : `${two(low)} to ${two(high)}`;
  const most = (worst: Worst | null): string => (worst ? extended(worst.mean, 1) : "");
  const where = (worst: Worst | null): string =>
    worst && worst.mean > 0 ? `${worst.model} at ${worst.normalization_batch ?? "any"}, ${worst.part}` : "";
  const scale = differenceScale(
    measured.flatMap(({ regret: { mean, low, high } }) => [mean, low, high]),
    0,
  );
  return figure(study, {
    id,
    heading,
    title: "What each choice costs",
    look:
      "Look for what is nearest to zero: test error beyond that of the better of BatchNorm and LayerNorm, at the " +
      "mean over all situations, with 95% intervals over seeds, and in the situation where the rule costs most: that " +
      "one can carry the mean. The recommender goes by the other situations, and by " +
      `the architecture where it abstains: in ${abstained} of ${judged} judgements.`,
    wide: true,
    panels: [
      {
        title: "",
        draw: (width) =>
          forestChart(
            measured.map(({ rule, regret, worst }): ForestRow => ({
              name: label(rule),
              colour: "var(--accent)",
              filled: true,
              ...regret,
              words: [two(regret.mean), interval(regret), most(worst)],
              title:
                `${label(rule)}\n${two(regret.mean)} points (95%: ${interval(regret)})` +
                (where(worst) ? `\nat worst ${most(worst)} (${where(worst)})` : ""),
            })),
            {
              name: "Regret of each rule",
              axis: "regret (percentage points of test error)",
              columns: ["regret", "95% interval", "at worst"],
              scale,
            },
            width,
          ),
      },
    ],
    table: {
      columns: [
        { name: "rule" },
        { name: "regret (points)", show: two },
        { name: "95% low (points)", show: two },
        { name: "95% high (points)", show: two },
        { name: "at worst (points)", show: (value) => extended(value, 1) },
        { name: "where" },
      ],
      rows: measured.map(({ rule, regret, worst }) => [
        label(rule),
        regret.mean,
        regret.low,
        regret.high,
        worst?.mean ?? null,
        where(worst),
      ]),
    },
  });
}

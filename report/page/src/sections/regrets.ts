// What it costs to choose between BatchNorm and LayerNorm by a rule.
import { differenceScale, forestChart, type ForestRow } from "../charts/forest";
import type { Recommender } from "../claims";
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
      "mean over all situations, with 95% intervals over seeds. The recommender goes by the other situations, and by " +
      `the architecture where it abstains: in ${abstained} of ${judged} judgements.`,
    wide: true,
    panels: [
      {
        title: "",
        draw: (width) =>
          forestChart(
            measured.map(({ rule, regret }): ForestRow => ({
              name: label(rule),
              colour: "var(--accent)",
              filled: true,
              ...regret,
              words: [two(regret.mean), interval(regret)],
              title: `${label(rule)}\n${two(regret.mean)} points (95%: ${interval(regret)})`,
            })),
            {
              name: "Regret of each rule",
              axis: "regret (percentage points of test error)",
              columns: ["regret", "95% interval"],
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
      ],
      rows: measured.map(({ rule, regret }) => [label(rule), regret.mean, regret.low, regret.high]),
    },
  });
}

// How an arm looks, everywhere the same: a colour and a symbol. Colours are variables of the style sheet (they follow
// light and dark); norms that most studies have keep theirs from study to study, others take what is free.
import type { Arm, Cell, CellName, Results } from "./data";

const kColours = 10; // --arm-1 to --arm-10
const kSymbols = ["circle", "square", "diamond", "triangle", "hexagon", "star", "cross", "wye"] as const;
const kUsual = new Map([
  ["batch", 1],
  ["layer", 2],
  ["group", 3],
  ["none", 4],
  ["instance", 5],
  ["rms", 6],
  ["layer_chw", 7],
]);

export interface Look {
  colour: string;
  symbol: (typeof kSymbols)[number];
}

export class Arms {
  readonly list: Arm[];
  private readonly looks = new Map<string, Look>();
  private readonly byName = new Map<string, Arm>();

  // `shown`: the arms of the study that the view shows; looks are given to all, so that none changes with the view.
  constructor(results: Results, shown: Arm[] = results.arms) {
    this.list = shown;
    const taken = new Set(results.arms.map((arm) => kUsual.get(arm.name)).filter((place) => place !== undefined));
    let next = 1;
    for (const arm of results.arms) {
      let place = kUsual.get(arm.name);
      if (place === undefined) {
        while (taken.has(next) && next <= kColours) ++next;
        place = next++;
      }
      this.byName.set(arm.name, arm);
      this.looks.set(arm.name, {
        colour: `var(--arm-${((place - 1) % kColours) + 1})`,
        symbol: kSymbols[(place - 1) % kSymbols.length] ?? "circle",
      });
    }
  }

  look(name: string): Look {
    return this.looks.get(name) ?? { colour: "var(--ink-soft)", symbol: "circle" };
  }

  label(name: string): string {
    return this.byName.get(name)?.label ?? name;
  }

  usesBatch(name: string): boolean {
    return this.byName.get(name)?.uses_batch ?? false;
  }

  // "BatchNorm at 4", "LayerNorm".
  cellLabel({ arm, normalization_batch }: CellName): string {
    return normalization_batch === null ? this.label(arm) : `${this.label(arm)} at ${normalization_batch}`;
  }

  // The cells of a model in the order of the arms, each arm's by normalization batch.
  cellsOf(results: Results, model: string): Cell[] {
    return this.list.flatMap((arm) =>
      results.cells
        .filter((cell) => cell.model === model && cell.arm === arm.name)
        .sort((a, b) => (a.normalization_batch ?? 0) - (b.normalization_batch ?? 0)),
    );
  }
}

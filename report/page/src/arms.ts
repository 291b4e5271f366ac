// How an arm looks, everywhere the same: a colour, a symbol and a dash. Colours are variables of the style sheet (they
// follow light and dark); arms that Norma has keep theirs from study to study, others take what is free. Arms whose
// colours some eyes cannot tell apart differ in both symbol and dash (test/palette.test.mjs).
import type { Arm, Cell, CellName, Results } from "./data";

const kSolid = "none";
const kLong = "12 4";
const kDots = "2.5 4";
const kMixed = "10 4 2.5 4";
// Of the colours --arm-1 to --arm-10.
const kLooks = [
  ["circle", kSolid],
  ["square", kLong],
  ["diamond", kDots],
  ["triangle", kMixed],
  ["hexagon", kDots],
  ["star", kLong],
  ["cross", kSolid],
  ["wye", kSolid],
  ["square", kLong],
  ["diamond", kDots],
] as const;
// Arms share a place where no model can have both.
const kUsual = new Map([
  ["batch", 1],
  ["batch_naive", 1],
  ["batch_input", 1],
  ["layer", 2],
  ["group", 3],
  ["skip_init", 3],
  ["none", 4],
  ["instance", 5],
  ["rms", 6],
  ["layer_chw", 7],
  ["dyt", 7],
  ["batch_precise", 8],
  ["batch_noise", 8],
  ["batch_test", 9],
  ["batch_masked", 9],
  ["batch_recurrent", 9],
  ["batch_renorm", 10],
  ["batch_ffn", 10],
]);

export interface Look {
  colour: string;
  symbol: (typeof kLooks)[number][0];
  dash: string; // of a line
}

// The look of a place, from 1 on. Past the last colour they come again, with other symbols and dashes.
export function lookAt(place: number): Look {
  const at = place - 1;
  const round = Math.floor(at / kLooks.length);
  const [symbol, dash] = kLooks[(at + round) % kLooks.length] ?? kLooks[0];
  return { colour: `var(--arm-${(at % kLooks.length) + 1})`, symbol, dash };
}

export class Arms {
  readonly list: Arm[];
  private readonly looks = new Map<string, Look>();
  private readonly byName = new Map<string, Arm>();

  // `shown`: the arms of the study that the view shows; looks are given to all, so that none changes with the view.
  constructor(results: Results, shown: Arm[] = results.arms) {
    this.list = shown;
    const wanted = new Set(results.arms.map((arm) => kUsual.get(arm.name)).filter((place) => place !== undefined));
    const taken = new Set<number>();
    let next = 1;
    for (const arm of results.arms) {
      let place = kUsual.get(arm.name);
      if (place === undefined || taken.has(place)) {
        while (wanted.has(next) || taken.has(next)) ++next;
        place = next;
      }
      taken.add(place);
      this.byName.set(arm.name, arm);
      this.looks.set(arm.name, lookAt(place));
    }
  }

  look(name: string): Look {
    return this.looks.get(name) ?? { colour: "var(--ink-soft)", symbol: "circle", dash: kSolid };
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

// Holds the page's arithmetic against everything that libnorma computed when the page was written.
import type { Document } from "./document";
import { libraryCase, opening, picture } from "./state";

export const kAgreement = 1e-6; // a difference up to which two values are the same

export interface Check {
  values: number; // compared: means, variances, outputs
  refusals: number; // calls that both refuse
  largest: number; // difference
}

export function check(document: Document): Check {
  const found: Check = { values: 0, refusals: 0, largest: 0 };
  for (const answer of document.cases) {
    const { scene, norm, over, groups, batch, training } = answer;
    const start = opening(document, scene, { norm, over, groups });
    const state = { ...start, norm, over, groups, batch, training };
    const seen = picture(document, state);
    if (libraryCase(document, seen) !== answer) throw new Error("a case of the library has no place on the page");
    if (answer.error !== undefined || seen.refused) {
      found.largest = Math.max(found.largest, (answer.error !== undefined) === seen.refused ? 0 : Infinity);
      found.refusals += 1;
      continue;
    }
    const compare = (own: number | undefined, theirs: number): void => {
      found.values += 1;
      found.largest = Math.max(found.largest, own === undefined ? Infinity : Math.abs(own - theirs));
    };
    answer.mean?.forEach((value, s) => compare(seen.result.mean[s], value));
    answer.variance?.forEach((value, s) => compare(seen.result.variance[s], value));
    answer.y?.forEach((value, at) => compare(seen.result.y?.[at], value));
  }
  return found;
}

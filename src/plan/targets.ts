/** How many units of a network the sparse prediction predicts (contract.md, `predict.targets`). */

/** Units up to which all are predicted where the definition doesn't say, and how many else. */
const ALL_UP_TO = 1024;
const SAMPLE = 512;

/** The number of targets among `units`. */
export function chosenTargets(units: number, asked: number | 'all' | undefined): number {
  if (asked === 'all') return units;
  if (asked !== undefined) return Math.min(asked, units);
  return units <= ALL_UP_TO ? units : SAMPLE;
}

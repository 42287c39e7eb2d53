/** How many units of a network the sparse prediction predicts (contract.md, `predict.targets`), and in how many tasks. */

/** Units up to which all are predicted where the definition doesn't say, and how many else. */
const ALL_UP_TO = 1024;
const SAMPLE = 512;

/** The number of targets among `units`. */
export function chosenTargets(units: number, asked: number | 'all' | undefined): number {
  if (asked === 'all') return units;
  if (asked !== undefined) return Math.min(asked, units);
  return units <= ALL_UP_TO ? units : SAMPLE;
}

/** Targets × sources² of one task: 128 targets of 4,096 sources take minutes, and a queue's consumer has 15 of them. */
const TASK_WORK = 128 * 4096 ** 2;

/** In how many tasks so many targets are predicted, each at least one. */
export function predictionParts(targets: number, sources: number): number {
  return Math.max(1, Math.min(targets, Math.ceil((targets * sources ** 2) / TASK_WORK)));
}

/** The targets [start, end) of a part, by place among those chosen. */
export function partRange(targets: number, part: number, parts: number): [number, number] {
  return [Math.floor((part * targets) / parts), Math.floor(((part + 1) * targets) / parts)];
}

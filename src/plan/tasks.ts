/**
 * The tasks of a plan with their keys, all known before anything runs: per set the pilots and shards, merged by image
 * group where a group has more than one; per layer the correlations, as many blocks a task as fit; per pair and layer
 * the alignments. A task comes after those it needs.
 */
import { hashOf } from '../numeric/hash.ts';
import { fits, placeTask } from './fit.ts';
import type { Placed } from './fit.ts';
import { planActivations } from './activations.ts';
import type { Activated, Draft, TaskInputs } from './activations.ts';
import { clusterBytes, correlationBytes, joinBytes, matchBytes, predictBytes } from './memory.ts';
import type { Plan, Task } from './plan.ts';
import type { ComputeChoice, ProviderName } from './providers.ts';
import { chosenTargets, predictionParts } from './targets.ts';
import { ROW_SAMPLES } from './work.ts';

/** Places a task whose memory is known by provider. */
type Choose = (bytesBy: (provider: ProviderName) => number, what: string) => Placed;

/** @throws PipelineError `plan-too-large` where a reduction fits no provider that may be used */
export async function planTasks(plan: Draft, inputs: TaskInputs): Promise<Task[]> {
  const { compute, versions, where } = inputs;
  const tasks: Task[] = [];
  const add = (task: Task): number => tasks.push(task) - 1;
  const keysOf = (needs: number[]): string[] => needs.map((index) => tasks[index]!.key);
  const activated: Activated[] = [];
  const pilotByKey = new Map<string, number>();
  for (const set of plan.sets.keys()) activated.push(await planActivations(plan, set, inputs, pilotByKey, add, keysOf));

  const reduction = (provider: ProviderName): object => ({
    format: plan.format,
    code: plan.code[provider].reduce,
    provider: { name: provider, version: versions[provider] },
  });
  const heldOut = plan.fitGroups < plan.groups.count;
  const choose: Choose = (bytesBy, what) => placeTask(bytesBy, compute, what, where);
  for (const [layer, { name, taps }] of plan.layers.entries()) {
    const correlations = await correlationTasks(plan, layer, activated, compute, where, reduction, add, keysOf);
    for (const [pair, { a, b, folder }] of plan.pairs.entries()) {
      const at = { layer, pair };
      const [p, q] = [taps[a]!.units, taps[b]!.units];
      const set = setOf(plan, layer, pair);
      const block = (i: number, j: number): number => correlations.get(`${set} ${i}_${j}`)!;
      const { match, predict, cluster, seed } = plan.definition;
      if (match) {
        const { provider, projectedBytes } = choose((at) => matchBytes(at, p, q), `matching layer ${name}`);
        const needs = [block(a, b)];
        const key = await hashOf({ ...reduction(provider), kind: 'match', inputs: keysOf(needs), ...at });
        add({ id: `match-${folder}-${name}`, kind: 'match', key, needs, provider, projectedBytes, ...at });
      }
      if (predict !== false) {
        for (const direction of ['aToB', 'bToA'] as const) {
          const from = direction === 'aToB' ? a : b;
          const [sources, targets] = direction === 'aToB' ? [p, q] : [q, p];
          const chosen = chosenTargets(targets, predict.targets);
          const alphas = [...predict.alphas].sort((x, y) => x - y);
          const what = {
            ...at,
            direction,
            alphas,
            targets: chosen === targets ? 'all' : { count: chosen, seed },
          };
          const id = `predict-${direction}-${folder}-${name}`;
          const parts = predictionParts(chosen, sources);
          const load = { sources, targets: Math.ceil(chosen / parts), alphas: alphas.length, heldOut };
          const whole = choose((by) => predictBytes(by, load), `predicting layer ${name}`);
          const correlations = distinct([block(from, from), block(a, b)]);
          const inputs = keysOf(correlations);
          if (parts === 1) {
            const key = await hashOf({ ...reduction(whole.provider), kind: 'predict', inputs, ...what });
            add({ id, kind: 'predict', key, needs: correlations, ...whole, ...at, direction });
            continue;
          }
          const made: number[] = [];
          for (let part = 0; part < parts; part++) {
            const key = await hashOf({
              ...reduction(whole.provider),
              kind: 'predict-part',
              inputs,
              ...what,
              part,
              parts,
            });
            const own = { needs: correlations, ...whole, ...at, direction, part, parts };
            made.push(add({ id: `${id}-${part}`, kind: 'predict-part', key, ...own }));
          }
          const joining = choose(
            (by) => joinBytes(by, { sources, targets, chosen, alphas: alphas.length }),
            `joining the predictions of layer ${name}`,
          );
          const key = await hashOf({ ...reduction(joining.provider), kind: 'predict', inputs: keysOf(made), ...what });
          add({ id, kind: 'predict', key, needs: made, ...joining, ...at, direction });
        }
      }
      if (cluster !== false) {
        const { provider, projectedBytes } = choose(
          (at) => clusterBytes(at, p + q, cluster.k),
          `clustering layer ${name}`,
        );
        const needs = distinct([block(a, a), block(a, b), block(b, b)]);
        const key = await hashOf({
          ...reduction(provider),
          kind: 'cluster',
          inputs: keysOf(needs),
          ...at,
          cluster,
          seed,
        });
        add({ id: `cluster-${folder}-${name}`, kind: 'cluster', key, needs, provider, projectedBytes, ...at });
      }
    }
  }
  return tasks;
}

/** The set that a pair is compared in at a layer. */
export function setOf(plan: Pick<Plan, 'sets' | 'pairs'>, layer: number, pair: number): number {
  const { a, b } = plan.pairs[pair]!;
  return plan.sets.findIndex(
    (set) => set.layers.includes(layer) && set.networks.includes(a) && set.networks.includes(b),
  );
}

// the correlation tasks of a layer, and which makes each block, by `<set> <i>_<j>`
async function correlationTasks(
  plan: Draft,
  layer: number,
  activated: readonly Activated[],
  compute: ComputeChoice,
  where: TaskInputs['where'],
  reduction: (provider: ProviderName) => object,
  add: (task: Task) => number,
  keysOf: (needs: number[]) => string[],
): Promise<Map<string, number>> {
  const made = new Map<string, number>();
  const { name, taps } = plan.layers[layer]!;
  const sets = [...plan.sets.keys()].filter((set) => plan.sets[set]!.layers.includes(layer));
  for (const set of sets) {
    const { networks, provider: at } = plan.sets[set]!;
    const all = networks.flatMap((i, k) => networks.slice(k).map((j): [number, number] => [i, j]));
    const bytesOf = (provider: ProviderName, blocks: [number, number][]): number =>
      correlationBytes({
        provider,
        blocks: blocks.map(([i, j]) => ({ units: [taps[i]!.units, taps[j]!.units], same: i === j })),
        rowSamples: rowSamples(plan, set, layer),
        readBytes: groupBytes(plan, set, layer, blocks),
        heldOut: plan.fitGroups < plan.groups.count,
      });
    const together = fits(at, bytesOf(at, all));
    // partials of native tasks stay there: they are too large for an isolate
    const choice = at === 'native' ? at : compute;
    for (const blocks of together ? [all] : all.map((block) => [block])) {
      const bytesBy = (by: ProviderName): number => bytesOf(by, blocks);
      const { provider, projectedBytes } = placeTask(bytesBy, choice, `correlating layer ${name}`, where);
      const needs = [...activated[set]!.pilots, ...activated[set]!.groups];
      const key = await hashOf({
        ...reduction(provider),
        kind: 'correlate',
        inputs: keysOf(needs),
        layer,
        blocks,
        fitGroups: plan.fitGroups,
      });
      const own = together ? '' : `-${plan.networks[blocks[0]![0]]!.name}-${plan.networks[blocks[0]![1]]!.name}`;
      const id = `correlate-${name}${plan.sets.length === 1 ? '' : `-${set}`}${own}`;
      const task = add({ id, kind: 'correlate', key, needs, set, layer, blocks, provider, projectedBytes });
      for (const [i, j] of blocks) made.set(`${set} ${i}_${j}`, task);
    }
  }
  return made;
}

// what the groups of a layer have of these blocks
function groupBytes(plan: Draft, set: number, layer: number, blocks: readonly (readonly [number, number])[]): number {
  const { taps, positions } = plan.layers[layer]!;
  const units = (networks: readonly number[]): number => networks.reduce((sum, n) => sum + taps[n]!.units, 0);
  if (rowSamples(plan, set, layer) > 0) return 4 * plan.rows * positions * units([...new Set(blocks.flat())]);
  const sums = blocks.reduce((sum, [i, j]) => sum + taps[i]!.units * taps[j]!.units * (i === j ? 4 : 8), 0);
  return plan.groups.count * sums;
}

// samples that are multiplied at a time where the groups of a layer keep rows; 0 where they have moments
function rowSamples(plan: Draft, set: number, layer: number): number {
  const { taps, positions } = plan.layers[layer]!;
  const units = plan.sets[set]!.networks.reduce((sum, n) => sum + taps[n]!.units, 0);
  const largest = positions * Math.ceil(plan.rows / plan.groups.count);
  return largest < units ? Math.min(ROW_SAMPLES, largest) : 0;
}

function distinct(needs: number[]): number[] {
  return [...new Set(needs)];
}

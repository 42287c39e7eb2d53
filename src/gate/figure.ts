/**
 * A figure of results.json by its path from a layer's entry, such as `match.mean_r` or, with an alpha that picks the
 * item of the list, `predict.a_to_b.r2_held_out`. Reads own keys only.
 */
import type { LayerResult } from '../report/results.ts';

/** The figure, or the reason why there is none. */
export type Reading = number | string;

/** Follows `figure`, keys separated by dots; of a list on the way, the item whose `alpha` is the given one. */
export function readFigure(layer: LayerResult, figure: string, alpha: number | undefined): Reading {
  let reached: unknown = layer;
  let path = '';
  for (const key of figure.split('.')) {
    if (Array.isArray(reached)) {
      const item: unknown = reached.find((each) => alpha !== undefined && ownKey(each, 'alpha') === alpha);
      if (alpha === undefined) return `${path} is a list, whose items are picked by alpha`;
      if (item === undefined) return `${path} has no item of alpha ${alpha}`;
      reached = item;
    }
    if (reached === null) return `${path} is null`;
    const next = ownKey(reached, key);
    if (next === undefined) return `${path === '' ? 'the layer' : path} has no ${key}`;
    reached = next;
    path = path === '' ? key : `${path}.${key}`;
  }
  if (reached === null) return `${path} is null`;
  if (typeof reached === 'number' && Number.isFinite(reached)) return reached;
  const kind = Array.isArray(reached) ? 'a list' : typeof reached === 'object' ? 'a mapping' : 'no finite number';
  return `${path} is ${kind}`;
}

function ownKey(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

/**
 * The rules of a pipeline file that span several keys: names that differ only in case, pairs that
 * would share an output folder, layers that name every network, channel counts that agree. Works on
 * the tree, and passes over whatever is not shaped as the schema wants it: the schema says that.
 */
import { pairsOfNames, RESERVED_NETWORK_NAMES } from './names.ts';
import {
  either,
  keyPathText,
  listedNames,
  nearNames,
  problemAt,
  quoted,
  suggestion,
  type KeyPath,
  type Problem,
} from './problems.ts';
import { MAX_NETWORKS } from './schema.ts';
import { child, find, type MapTree, type Tree } from './yaml.ts';

/** All problems of these rules, in no particular order. */
export function checkRules(root: Tree): Problem[] {
  const networks = child(root, 'networks');
  const layers = child(root, 'layers');
  const sameNames = [...namesApartFromCase(networks, 'networks'), ...namesApartFromCase(layers, 'layers')];
  return [
    ...sameNames,
    ...(sameNames.length === 0 ? pairsApart(networks) : []),
    ...layersComplete(networks, layers),
    ...channelsAgree(root, networks),
  ];
}

function namesApartFromCase(mapping: Tree | undefined, section: string): Problem[] {
  if (mapping?.kind !== 'map') return [];
  const problems: Problem[] = [];
  const seen = new Map<string, string>();
  for (const [name, { start }] of mapping.entries) {
    const earlier = seen.get(name.toLowerCase());
    if (earlier === undefined) {
      seen.set(name.toLowerCase(), name);
      continue;
    }
    const message = `expected names that differ by more than case; found ${quoted(earlier)} and ${quoted(name)}`;
    problems.push(problemAt(start, [section, name], message, 'Rename one of the two.'));
  }
  return problems;
}

// folders are `<a>-<b>`, so names with dashes can meet: a, b-c and a-b, c
function pairsApart(networks: Tree | undefined): Problem[] {
  if (networks?.kind !== 'map' || networks.entries.size > MAX_NETWORKS) return [];
  const names = [...networks.entries.keys()];
  const problems: Problem[] = [];
  const owners = new Map<string, { a: number; b: number }>();
  for (const { a, b, folder } of pairsOfNames(names)) {
    const owner = owners.get(folder.toLowerCase());
    if (!owner) {
      owners.set(folder.toLowerCase(), { a, b });
      continue;
    }
    const pairs = [owner, { a, b }].map((pair) => `${quoted(names[pair.a] ?? '')} with ${quoted(names[pair.b] ?? '')}`);
    const last = names[Math.max(owner.b, b)] ?? '';
    const message = `expected an output folder of its own for every pair; found ${quoted(folder)} for both ${pairs.join(' and ')}`;
    const hint = 'Rename one of these networks.';
    problems.push(problemAt(find(networks, [last]).start, ['networks', last], message, hint));
  }
  return problems;
}

function layersComplete(networks: Tree | undefined, layers: Tree | undefined): Problem[] {
  if (networks?.kind !== 'map' || layers?.kind !== 'map' || networks.entries.size > MAX_NETWORKS) return [];
  const names = [...networks.entries.keys()];
  return [...layers.entries].flatMap(([layer, { start, value }]) => {
    if (value.kind !== 'map' || RESERVED_NETWORK_NAMES.some((key) => value.entries.has(key))) return [];
    const path: KeyPath = ['layers', layer];
    return [...strangers(value, networks, path), ...absentees(value, names, path, start)];
  });
}

// keys of a layer that are no network
function strangers(layer: MapTree, networks: MapTree, path: KeyPath): Problem[] {
  return [...layer.entries]
    .filter(([key]) => !networks.entries.has(key))
    .map(([key, { start }]) => ({
      order: start,
      start,
      path: [...path, key],
      say: () => {
        const names = [...networks.entries.keys()];
        const candidates = [...names, ...RESERVED_NETWORK_NAMES];
        const near = nearNames(key, candidates)[0];
        const message = `expected ${listedNames(names, 'network')} in ${keyPathText(path)}; found ${quoted(key)}${suggestion(key, candidates)}`;
        return { message, hint: near === undefined ? `Remove ${quoted(key)}.` : `Rename it to ${quoted(near)}.` };
      },
    }));
}

// networks without a tensor in a layer
function absentees(layer: MapTree, names: string[], path: KeyPath, start: number): Problem[] {
  const absent = names.filter((name) => !layer.entries.has(name));
  if (absent.length === 0) return [];
  const say = () => {
    const listed = either(absent.slice(0, 8), 'and') + (absent.length > 8 ? ` and ${absent.length - 8} others` : '');
    const message = `expected a tensor for every network in ${keyPathText(path)}; found none for ${listed}`;
    return { message, hint: `Add \`${absent[0] ?? ''}: <tensor>\`.` };
  };
  return [{ order: layer.end, start, path, say }];
}

// scale, mean and std of one network, its own keys before the probe's: lists among them have one length
function channelsAgree(root: Tree, networks: Tree | undefined): Problem[] {
  const ofProbe = disagreement(root, [['probe']]);
  if (networks?.kind !== 'map' || ofProbe.length > 0) return ofProbe;
  return [...networks.entries.keys()].flatMap((name) => disagreement(root, [['networks', name], ['probe']]));
}

// the first source that has a key wins
function disagreement(root: Tree, sources: KeyPath[]): Problem[] {
  const lists = ['scale', 'mean', 'std'].flatMap((key) => {
    const hits = sources.map((source) => ({ path: [...source, key], ...find(root, [...source, key]) }));
    const hit = hits.find(({ steps, path }) => steps === path.length);
    return hit?.tree.kind === 'list' && hit.tree.items.length > 1 ? [{ ...hit, count: hit.tree.items.length }] : [];
  });
  const [first] = lists;
  const second = lists.find(({ count }) => count !== first?.count);
  if (!first || !second) return [];
  const [shown, other] = second.path[0] === sources[0]?.[0] ? [second, first] : [first, second];
  const message =
    `expected ${keyPathText(shown.path)} to have as many values as ${keyPathText(other.path)}; ` +
    `found ${shown.count} and ${other.count}`;
  return [problemAt(shown.start, shown.path, message, 'Give one value, or one for each channel.')];
}

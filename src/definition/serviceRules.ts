/**
 * The rules of what a pipeline file says of the service that span several keys: addresses that have hosts, settings
 * and uploads that name a network, bounds of the gate and the layers, pairs and penalties they name, notices that are
 * whole, schedules that come due. Works on the tree, and passes over whatever is not shaped as the schema wants it.
 */
import { Cron } from 'croner';
import { pairsOfNames } from './names.ts';
import { isAddress } from './paths.ts';
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
import { DEFAULTS, MAX_NETWORKS } from './schema.ts';
import { DEFAULT_UPLOAD_NETWORK, MAX_ITEMS, ONE_KIND, settingTarget } from './serviceSchema.ts';
import { child, find, type MapTree, type Tree } from './yaml.ts';

const BOUNDS = ['at_least', 'at_most', 'drop_at_most'];

/**
 * What the service's own keys in the bucket begin with: nothing that appears there is anybody's candidate, since what a
 * run writes would start the next.
 */
export const OWN_FOLDERS = [
  'activate/',
  'incoming/',
  'inputs/',
  'inspect/',
  'pipelines/',
  'plan/',
  'reduce/',
  'report/',
  'runs/',
] as const;

/** All problems of these rules, in no particular order. */
export function checkServiceRules(root: Tree): Problem[] {
  const networks = mapOf(child(root, 'networks'));
  return [
    ...[...networks.entries.keys()].flatMap((name) => addressWhole(networks, name)),
    ...items(root, 'triggers', MAX_ITEMS.triggers).flatMap(({ item, path }) => [
      ...kindOne(item, path),
      ...['github', 'huggingface', 'webhook'].flatMap((kind) =>
        settingsKnown(networks, child(item, kind), [...path, kind]),
      ),
      ...uploadKnown(networks, item, path),
      ...uploadApart(item, path),
      ...scheduleDue(child(item, 'schedule'), [...path, 'schedule']),
    ]),
    ...items(root, 'gate', MAX_ITEMS.gate).flatMap(({ item, path }) => [
      ...boundWhole(item, path),
      ...gateKnown(root, networks, item, path),
    ]),
    ...items(root, 'notify', MAX_ITEMS.notify).flatMap(({ item, path }) => noticeWhole(item, path)),
  ];
}

function addressWhole(networks: MapTree, name: string): Problem[] {
  const network = child(networks, name);
  const model = child(network, 'model');
  const path: KeyPath = ['networks', name];
  const text = textOf(model);
  if (
    model &&
    text !== undefined &&
    !isAddress(text) &&
    /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:data|file|https?):)/i.test(text)
  ) {
    const message = `expected ${keyPathText([...path, 'model'])} to be a path or an https:// address; found ${quoted(text)}`;
    const hint = 'Give the https:// address, with `hosts: [<its host>]`, or download the file and give its path.';
    return [problemAt(model.start, [...path, 'model'], message, hint)];
  }
  if (child(network, 'hosts')) return [];
  const reasons = ['sha256', 'max_bytes'].filter((key) => child(network, key));
  if (text !== undefined && isAddress(text)) reasons.unshift('model');
  const [key] = reasons;
  if (key === undefined) return [];
  const why = key === 'model' ? 'because its model is an address' : `beside ${key}, which is of downloads`;
  const message = `expected ${keyPathText([...path, 'hosts'])}, ${why}; found no such key`;
  const { start } = find(networks, [name, key]);
  return [problemAt(start, [...path, key], message, `Add \`${hostsExample(text)}\`.`)];
}

function kindOne(item: Tree, path: KeyPath): Problem[] {
  if (item.kind !== 'map' || item.entries.size === 1) return [];
  const found = item.entries.size === 0 ? 'none' : either([...item.entries.keys()].slice(0, 8).map(quoted), 'and');
  const message = `expected ${ONE_KIND} in ${keyPathText(path)}; found ${found}`;
  const hint =
    item.entries.size === 0
      ? 'Add `schedule: "0 6 * * 1"`.'
      : 'Write a trigger of its own for each, and indent what is of it.';
  return [{ ...problemAt(item.start, path, message, hint), order: item.end }];
}

// what a payload may fill in: a key of a network that says where models come from
function settingsKnown(networks: MapTree, hook: Tree | undefined, path: KeyPath): Problem[] {
  return [...mapOf(child(hook, 'set')).entries].flatMap(([key, { start }]) => {
    const target = settingTarget(key);
    if (!target) return [];
    const at = [...path, 'set', key];
    if (!networks.entries.has(target.network))
      return [unknownName(start, at, 'network', target.network, namesOf(networks))];
    if (find(networks, [target.network, 'hosts']).steps === 2) return [];
    const hosts = keyPathText(['networks', target.network, 'hosts']);
    const message = `expected ${hosts}, because a payload sets ${target.key}; found no such key`;
    return [problemAt(start, at, message, 'Add `hosts: [github]`, or the hosts the model may come from.')];
  });
}

function uploadKnown(networks: MapTree, item: Tree, path: KeyPath): Problem[] {
  const upload = child(item, 'upload');
  if (upload?.kind !== 'map') return [];
  const written = child(upload, 'network');
  const name = written ? textOf(written) : DEFAULT_UPLOAD_NETWORK;
  if (name === undefined || networks.entries.has(name)) return [];
  const at = [...path, 'upload', 'network'];
  if (written) return [unknownName(written.start, at, 'network', name, namesOf(networks))];
  const message = `expected ${keyPathText(at)}, as no network is named ${quoted(name)}; found no such key`;
  return [problemAt(upload.start, at, message, `Add \`network: ${namesOf(networks)[0] ?? '<name>'}\`.`)];
}

// a prefix of which no key is the service's own
function uploadApart(item: Tree, path: KeyPath): Problem[] {
  const prefix = child(child(item, 'upload'), 'prefix');
  const text = textOf(prefix);
  if (!prefix || !text) return [];
  const own = OWN_FOLDERS.find((folder) => folder.startsWith(text) || text.startsWith(folder));
  if (own === undefined) return [];
  const at = [...path, 'upload', 'prefix'];
  const message = `expected ${keyPathText(at)} apart from ${own}, which is the service's own; found ${quoted(text)}`;
  return [problemAt(prefix.start, at, message, 'Write it like this: `prefix: candidates/`')];
}

// from a fixed date, so that what is valid stays so; `?` is the moment of reading, to croner
function scheduleDue(schedule: Tree | undefined, path: KeyPath): Problem[] {
  const text = textOf(schedule);
  if (!schedule || text === undefined || text.split(' ').length !== 5) return [];
  let fault = text.includes('?') ? 'which has a "?"' : '';
  try {
    const cron = new Cron(text, { mode: '5-part', utcOffset: 0, paused: true });
    if (cron.nextRun(new Date('2026-01-01T00:00:00Z')) === null) fault = 'which never comes';
  } catch (thrown) {
    fault = `which cannot be read: ${(thrown as Error).message.replace(/^CronPattern: /, '')}`;
  }
  if (fault === '') return [];
  const message = `expected ${keyPathText(path)} to be a cron pattern of minute, hour, day, month and weekday; found ${quoted(text)}, ${fault}`;
  return [
    problemAt(schedule.start, path, message, 'Write it like this: `schedule: "0 6 * * 1"`, Mondays at 6:00 UTC.'),
  ];
}

// one bound, and a drop from something
function boundWhole(rule: Tree, path: KeyPath): Problem[] {
  if (rule.kind !== 'map') return [];
  const bounds = BOUNDS.filter((key) => rule.entries.has(key));
  if (bounds.length !== 1) {
    const { start } = bounds.length === 0 ? rule : find(rule, [bounds[1]!]);
    const found = bounds.length === 0 ? 'none' : either(bounds, 'and');
    const message = `expected one of ${either(BOUNDS)} in ${keyPathText(path)}; found ${found}`;
    const hint = bounds.length === 0 ? 'Add `at_least: <number>`.' : 'Write a rule of its own for each bound.';
    return [{ ...problemAt(start, path, message, hint), order: bounds.length === 0 ? rule.end : start }];
  }
  const drop = rule.entries.get('drop_at_most');
  const against = rule.entries.get('against');
  if (drop && !against) {
    const at = [...path, 'against'];
    const message = `expected ${keyPathText(at)} beside drop_at_most, last-passed; found no such key`;
    return [{ ...problemAt(drop.start, at, message, 'Add `against: last-passed`.'), order: rule.end }];
  }
  if (!against || drop) return [];
  const message = `expected against beside drop_at_most only; found it beside ${bounds[0]}`;
  return [problemAt(against.start, [...path, 'against'], message, 'Remove `against`, or bound the drop.')];
}

// layers, pairs and penalties that results of this file have
function gateKnown(root: Tree, networks: MapTree, rule: Tree, path: KeyPath): Problem[] {
  const problems: Problem[] = [];
  const layers = mapOf(child(root, 'layers'));
  const layer = child(rule, 'layer');
  const layerName = textOf(layer);
  if (layer && layerName !== undefined && layerName !== '*' && !layers.entries.has(layerName)) {
    problems.push(unknownName(layer.start, [...path, 'layer'], 'layer', layerName, [...namesOf(layers), '*']));
  }
  const pair = child(rule, 'pair');
  const folder = textOf(pair);
  if (pair && folder !== undefined && networks.entries.size <= MAX_NETWORKS) {
    const folders = pairsOfNames(namesOf(networks)).map((each) => each.folder);
    if (!folders.includes(folder)) problems.push(unknownName(pair.start, [...path, 'pair'], 'pair', folder, folders));
  }
  const alpha = child(rule, 'alpha');
  if (alpha?.kind === 'scalar' && typeof alpha.value === 'number') {
    const alphas = alphasOf(child(root, 'predict'));
    if (!alphas.includes(alpha.value)) {
      const at = [...path, 'alpha'];
      const listed =
        alphas.length === 0
          ? 'absent where predict is false'
          : `one of predict.alphas, ${either(alphas.slice(0, 8).map(String))}`;
      const hint = alphas.length === 0 ? 'Remove it.' : 'Take one of these, or add it to predict.alphas.';
      problems.push(
        problemAt(alpha.start, at, `expected ${keyPathText(at)} to be ${listed}; found ${alpha.text}`, hint),
      );
    }
  }
  return problems;
}

function alphasOf(predict: Tree | undefined): number[] {
  if (predict?.kind === 'scalar' && predict.value === false) return [];
  const written = child(predict, 'alphas');
  if (written?.kind !== 'list') return DEFAULTS.alphas;
  return written.items.flatMap((item) =>
    item.kind === 'scalar' && typeof item.value === 'number' ? [item.value] : [],
  );
}

// url and secret, or github-status alone
function noticeWhole(notice: Tree, path: KeyPath): Problem[] {
  if (notice.kind !== 'map') return [];
  const keys = ['url', 'secret', 'github-status'].filter((key) => notice.entries.has(key));
  if (keys.join() === 'url,secret' || keys.join() === 'github-status') return [];
  const message = `expected url and secret, or github-status alone, in ${keyPathText(path)}; found ${either(keys, 'and') || 'neither'}`;
  const hint = keys.includes('github-status')
    ? 'Write a notice of its own for each.'
    : `Add \`${keys.includes('url') ? 'secret: NOTIFY_SECRET' : 'url: "https://hooks.acme.com/convergent"'}\`.`;
  return [{ ...problemAt(notice.start, path, message, hint), order: notice.end }];
}

function unknownName(start: number, path: KeyPath, what: string, name: string, known: string[]): Problem {
  const say = () => {
    const near = nearNames(name, known)[0];
    const message = `expected ${listedNames(known, what)} as ${what} in ${keyPathText(path)}; found ${quoted(name)}${suggestion(name, known)}`;
    return { message, hint: near === undefined ? `Name a ${what} of this file.` : `Write ${quoted(near)}.` };
  };
  return { order: start, start, path, say };
}

function hostsExample(model: string | undefined): string {
  const host = model !== undefined && URL.canParse(model) ? new URL(model).hostname : '';
  if (host === 'huggingface.co') return 'hosts: [huggingface]';
  return host === '' || host === 'github.com' ? 'hosts: [github]' : `hosts: [${host}]`;
}

// items of a list whose length the schema allows; the schema says it of others
function items(root: Tree, section: string, most: number): { item: Tree; path: KeyPath }[] {
  const list = child(root, section);
  if (list?.kind !== 'list' || list.items.length > most) return [];
  return list.items.map((item, index) => ({ item, path: [section, index] }));
}

function textOf(tree: Tree | undefined): string | undefined {
  return tree?.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : undefined;
}

function mapOf(tree: Tree | undefined): MapTree {
  return tree?.kind === 'map' ? tree : { kind: 'map', start: 0, end: 0, size: 0, entries: new Map() };
}

function namesOf(mapping: MapTree): string[] {
  return [...mapping.entries.keys()];
}

/**
 * The figures that results.json can have, read from its schema, so that a gate that could never pass is refused before
 * anything runs.
 */
import type { ParsedDefinition } from '../definition/definition.ts';
import { keyPathText, nearNames, quoted, suggestion, type KeyPath } from '../definition/problems.ts';
import type { GateRule } from '../definition/service.ts';
import { PipelineError } from '../errors.ts';
import { resultsJsonSchema } from '../report/results.ts';

/** A figure's path from a layer's entry, and whether an alpha must pick it. */
export interface KnownFigure {
  figure: string;
  byAlpha: boolean;
}

interface Node {
  type?: string | string[];
  properties?: Record<string, Node>;
  items?: Node | Node[];
  anyOf?: Node[];
}

/** Every number a layer of results.json can have, in the schema's order; lists without alpha have none. */
export function knownFigures(): KnownFigure[] {
  const layers = ['pairs', 'layers'].reduce(
    (node, key) => node.properties![key]!.items as Node,
    resultsJsonSchema() as Node,
  );
  return figuresOf(layers, '', false);
}

/**
 * Refuses rules whose figure no results of this definition can have: unknown, of a stage that is off, or with an alpha
 * where there is no list, or without one where there is.
 * @throws PipelineError `definition-invalid` with the place of the first such rule
 */
export function requireFigures({ definition, service, where }: ParsedDefinition): void {
  const known = knownFigures();
  for (const [index, rule] of service.gate.entries()) {
    const path = ['gate', index];
    const refuse = (key: string, expected: string, hint: string): never => {
      const at: KeyPath = [...path, key];
      throw new PipelineError('definition-invalid', `expected ${keyPathText(at)}${expected}`, {
        place: where(at),
        hint,
      });
    };
    const { figure, alpha } = rule;
    const found = known.find((each) => each.figure === figure);
    if (!found) {
      const names = known.map((each) => each.figure);
      const near = nearNames(figure, names)[0] ?? 'match.mean_r';
      return refuse(
        'figure',
        ` to be a figure of results.json; found ${quoted(figure)}${suggestion(figure, names)}`,
        `Write it like this: \`figure: ${near}\``,
      );
    }
    const stage = stageOf(rule);
    if (stage && definition[stage] === false) {
      refuse(
        'figure',
        ` to be of a stage that runs; found ${quoted(figure)}, and ${stage} is false`,
        `Remove \`${stage}: false\`, or the rule.`,
      );
    }
    if (found.byAlpha && alpha === undefined) {
      refuse(
        'alpha',
        `, because ${figure} is there for each alpha; found no such key`,
        'Add `alpha: <one of predict.alphas>`.',
      );
    }
    if (!found.byAlpha && alpha !== undefined) {
      refuse(
        'alpha',
        ` beside figures of predict.a_to_b and predict.b_to_a only; found it beside ${quoted(figure)}`,
        'Remove `alpha`.',
      );
    }
  }
}

function stageOf({ figure }: GateRule): 'match' | 'predict' | 'cluster' | undefined {
  return (['match', 'predict', 'cluster'] as const).find((stage) => figure.startsWith(`${stage}.`));
}

function figuresOf(node: Node, path: string, byAlpha: boolean): KnownFigure[] {
  if (node.anyOf) return node.anyOf.flatMap((each) => figuresOf(each, path, byAlpha));
  const types = [node.type ?? []].flat();
  if (types.includes('number') || types.includes('integer')) return [{ figure: path, byAlpha }];
  if (types.includes('array') && !Array.isArray(node.items) && node.items?.properties?.['alpha']) {
    return figuresOf(node.items, path, true);
  }
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
    figuresOf(child, path === '' ? key : `${path}.${key}`, byAlpha),
  );
}

/** What a row of the bench is: a module of rows/ that measures one thing and says it in lines of the table. */
import type { Fixtures } from './fixtures.ts';

export interface RowContext {
  fixtures: Fixtures;
  /** Folder for states and outputs, deleted afterwards. */
  scratch: string;
  /** Few rows and one round: to see that the script works, not to measure. */
  quick: boolean;
  /** Tells whoever waits, on stderr. */
  say: (text: string) => void;
}

/** One line of the table. */
export interface Line {
  what: string;
  /** In words, such as `0.42`. */
  value: string;
  aim: string;
  /** Null where it could not be measured. */
  reached: boolean | null;
}

export interface Outcome {
  lines: Line[];
  /** Markdown below the table of details: where the time goes. */
  details: string[];
  /** Figures that the plot is made from, and what else may be asked for later. */
  data?: Record<string, unknown>;
}

export interface Row {
  name: string;
  /** One sentence: what is measured, and how. */
  how: string;
  run(context: RowContext): Promise<Outcome>;
}

/** A row cannot be measured here: said in the table instead of a figure. */
export class Skipped extends Error {}

/** A line for a figure that should be no more than `most`. */
export function atMost(what: string, value: number, most: number, unit = ''): Line {
  return { what, value: `${short(value)}${unit}`, aim: `≤ ${most}${unit}`, reached: value <= most };
}

/** A line for a figure that should be no less than `least`. */
export function atLeast(what: string, value: number, least: number): Line {
  return { what, value: short(value), aim: `≥ ${least}`, reached: value >= least };
}

/** A number with about three digits. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  return size >= 0.1 || value === 0 ? value.toFixed(3) : value.toPrecision(2);
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = (row: readonly (string | number)[]): string =>
    `| ${row.map((cell) => (typeof cell === 'number' ? short(cell) : cell)).join(' | ')} |`;
  return [cells(head), cells(head.map(() => '---')), ...rows.map(cells)].join('\n');
}

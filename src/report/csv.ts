/**
 * CSV as every table of the output is written: a header, `\n` after each line, shortest round-trip
 * decimals, an empty field where a value is not applicable (contract.md, "CSV"). Sorting is the caller's.
 */
import { PipelineError } from '../errors.ts';

/** A number, a plain word, or null where the value is not applicable. */
export type Cell = number | string | null;

/**
 * The bytes of one table; every row has as many cells as `columns`. Words stand as they are: they are ours
 * and hold no comma, quote or line break.
 * @throws PipelineError `internal` on NaN and infinities: what has no value is null.
 */
export function csvBytes(columns: readonly string[], rows: Iterable<readonly Cell[]>): Uint8Array {
  let text = `${columns.join(',')}\n`;
  for (const row of rows) text += `${row.map(field).join(',')}\n`;
  return new TextEncoder().encode(text);
}

/**
 * A number's shortest round-trip decimal without exponent, for file names: 1e-7 is `0.0000001`, 2e21 is
 * `2` and 21 zeros. Finite numbers only.
 */
export function decimalText(value: number): string {
  const [mantissa = '', exponent] = String(Math.abs(value)).split('e');
  const sign = value < 0 ? '-' : '';
  if (exponent === undefined) return sign + mantissa;
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0');
}

function field(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'string') return cell;
  if (!Number.isFinite(cell)) throw new PipelineError('internal', `expected a finite number in a table; found ${cell}`);
  return String(cell);
}

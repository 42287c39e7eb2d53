/** Numbers as the page shows them, in tables and in tooltips: rounded for the eye, beside the whole number kept in the cell. */

/** What a number is: a correlation or R² (`brief`: two digits), a count, a mean count, a share, a penalty, or a residual near 0. */
export type NumberKind = 'r' | 'brief' | 'count' | 'mean' | 'share' | 'alpha' | 'residual';

/** The number as text, with a true minus sign; `–` where it is not applicable. */
export function formatNumber(value: number | null, kind: NumberKind): string {
  if (value === null) return '–';
  return textOf(value, kind).replaceAll('-', '−');
}

function textOf(value: number, kind: NumberKind): string {
  switch (kind) {
    case 'r':
    case 'brief': {
      // R² has no lower bound; −0 is 0
      const digits = kind === 'r' ? 3 : 2;
      if (Math.abs(value) >= 100) return value.toExponential(1);
      return (Math.round(value * 10 ** digits) / 10 ** digits || 0).toFixed(digits);
    }
    case 'count':
      return value.toLocaleString('en');
    case 'mean':
      return value.toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    case 'share':
      return `${Math.round(value * 100)} %`;
    case 'alpha':
      return String(value);
    case 'residual':
      return value === 0 ? '0' : value.toExponential(0);
  }
}

/** Units of what a run cost; amounts of memory are given in bytes. */
export type CostUnit = 's' | 'MiB' | '$';

/** What something cost, with its unit; `—` where it isn't known. */
export function formatCost(value: number | null, unit: CostUnit): string {
  if (value === null) return '—';
  const amount = unit === 'MiB' ? value / 2 ** 20 : value;
  // cents and more as prices are written, less by its first digits
  if (unit === '$' && amount >= 1) {
    return `$${amount.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  }
  const digits = amount >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 2 };
  const text = amount.toLocaleString('en', digits);
  return unit === '$' ? `$${text}` : `${text} ${unit}`;
}

/** Steps of tint that page.css has for cells of the overview. */
const TINTS = 10;

/** The tint of a share of the highest possible: 0 for none, or less. */
export function tintOf(share: number): number {
  return Math.round(Math.min(1, Math.max(0, share)) * TINTS);
}

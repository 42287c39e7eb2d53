/**
 * Which axis of a tap holds its units, and which axes are positions.
 */
import { PipelineError } from '../errors.ts';

/** A tap's shape read as units at positions. */
export interface UnitShape {
  unitAxis: number;
  units: number;
  /** Lengths of the axes that are neither batch nor unit, in order; empty: one position. */
  positions: number[];
}

// by rank: [batch, unit] · tokens [batch, position, unit] · [batch, unit, height, width]
const UNIT_AXES: Readonly<Record<number, number>> = { 2: 1, 3: 2, 4: 1 };

/** Whether values of this rank have a unit axis without being told. */
export function hasDefaultUnitAxis(rank: number): boolean {
  return rank in UNIT_AXES;
}

/**
 * Reads a tap's shape, batch axis first. `unitAxis` overrides the default: rank 4 → 1, rank 3 → last, rank 2 → 1.
 * @throws tap-unsupported where the rank has no default, or the axis is the batch or not there
 */
export function unitsOf(shape: readonly number[], unitAxis?: number): UnitShape {
  const rank = shape.length;
  const axis = unitAxis ?? UNIT_AXES[rank];
  if (axis === undefined) {
    throw new PipelineError('tap-unsupported', `expected rank 2, 3 or 4, found rank ${rank} [${shape.join(', ')}]`, {
      hint: rank > 4 ? 'name the unit axis with units' : undefined,
    });
  }
  const units = Number.isInteger(axis) && axis > 0 ? shape[axis] : undefined;
  if (units === undefined) {
    const expected = `a unit axis from 1 to ${rank - 1} for the shape [${shape.join(', ')}]`;
    throw new PipelineError('tap-unsupported', `expected ${expected}; found ${axis}${axis === 0 ? ', the batch' : ''}`);
  }
  return { unitAxis: axis, units, positions: shape.filter((_, i) => i !== 0 && i !== axis) };
}

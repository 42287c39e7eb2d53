/**
 * Elements of the pipeline file's schemas. A schema's error text is a small record for explain.ts, not a
 * sentence: what is expected, a line break, and an example, then known values, one a line; for unknown
 * keys the known ones, one a line; for keys that cannot be, the sentence up to "; found" and an example.
 */
import { z } from 'zod';

/** The error text of a schema, see above. */
export const says = (expected: string, example: string, known: readonly string[] = []) => ({
  error: [expected, example, ...known].join('\n'),
});

/** Strict mapping: unknown keys are refused, and the message carries the known ones. */
export function mapping<S extends z.ZodRawShape>(shape: S, expected: string, example: string) {
  const known = Object.keys(shape).join('\n');
  const text = says(expected, example).error;
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? known : text) });
}

/** Text with something to see and without control characters. */
export function plainText(expected: string, example: string) {
  return z
    .string(says(expected, example))
    .regex(/\S/)
    .refine((text) => !/\p{Cc}/u.test(text), says(expected, example));
}

/** Text of a pattern. */
export function patternText(pattern: RegExp, expected: string, example: string, known: readonly string[] = []) {
  return z.string(says(expected, example, known)).regex(pattern);
}

/** An integer from `min` to 2^53 − 1. */
export const whole = (min: number, example: string) => z.int(says(`a whole number ≥ ${min}`, example)).min(min);

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as names from '../../../src/runtime/names.ts';

const text = readFileSync(join(import.meta.dirname, '../../../wrangler.toml'), 'utf8');
const valuesOf = (key: string): string[] =>
  [...text.matchAll(new RegExp(`^${key} = "?([^"\\n]*)"?$`, 'gm'))].map((match) => match[1]!);

describe('wrangler.toml', () => {
  it('agrees with the local engine', () => {
    expect(valuesOf('compatibility_date')).toEqual([names.COMPATIBILITY_DATE]);
    expect(valuesOf('bucket_name')).toEqual([names.BUCKET]);
    // the producer, its consumer, and the consumers of dead letters and of the bucket's notifications
    expect(valuesOf('queue')).toEqual([
      names.TASK_QUEUE,
      names.TASK_QUEUE,
      names.DEAD_LETTER_QUEUE,
      names.UPLOAD_QUEUE,
    ]);
    expect(valuesOf('dead_letter_queue')).toEqual([names.DEAD_LETTER_QUEUE]);
    expect(valuesOf('max_retries')).toEqual([String(names.MAX_RETRIES), String(names.MAX_RETRIES), '5']);
    expect(valuesOf('class_name')).toEqual([
      'RunProgress',
      'Registry',
      'ComputeContainer',
      'ComputeContainer',
      'ComparisonRun',
    ]);
    for (const [name, { namespace_id, simple }] of Object.entries(names.RATE_LIMITS)) {
      const { limit, period } = simple;
      expect(text).toContain(
        `name = "${name}"\nnamespace_id = "${namespace_id}"\nsimple = { limit = ${limit}, period = ${period} }`,
      );
    }
  });
});

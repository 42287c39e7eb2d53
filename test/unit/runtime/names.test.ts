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
    // the producer, its consumer, the consumer of dead letters, and that of uploads, which has no local one
    const { TASK_QUEUE, DEAD_LETTER_QUEUE, UPLOAD_QUEUE } = names;
    expect(valuesOf('queue')).toEqual([TASK_QUEUE, TASK_QUEUE, DEAD_LETTER_QUEUE, UPLOAD_QUEUE]);
    expect(valuesOf('dead_letter_queue')).toEqual([names.DEAD_LETTER_QUEUE]);
    expect(valuesOf('max_retries').slice(0, 2)).toEqual([String(names.MAX_RETRIES), String(names.MAX_RETRIES)]);
    const container = ['ComputeContainer', 'ComputeContainer'];
    expect(valuesOf('class_name')).toEqual(['RunProgress', 'Registry', ...container, 'ComparisonRun']);
    for (const [name, { namespace_id, simple }] of Object.entries(names.RATE_LIMITS)) {
      const { limit, period } = simple;
      expect(text).toContain(
        `name = "${name}"\nnamespace_id = "${namespace_id}"\nsimple = { limit = ${limit}, period = ${period} }`,
      );
    }
  });
});

import { expect, it } from 'vitest';
import { resultsJsonSchema } from '../../../src/report/results.ts';

it('results.schema.json in the repository is the schema of results.json', async () => {
  const text = `${JSON.stringify(resultsJsonSchema(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot('../../../src/report/results.schema.json');
});

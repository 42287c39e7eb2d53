import { expect, it } from 'vitest';
import { resultsJsonSchema } from '../../../src/report/results.ts';

// rewrite it after a change of the schema: npx vitest run test/unit/report/results.test.ts --update
it('results.schema.json in the repository is the schema of results.json', async () => {
  const text = `${JSON.stringify(resultsJsonSchema(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot('../../../src/report/results.schema.json');
});

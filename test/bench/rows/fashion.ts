/** Runs of the shipped networks on more and more images, shared by the rows on memory and on scaling. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { runOurs } from '../ours.ts';
import type { OurRun, Provider } from '../ours.ts';
import type { RowContext } from '../row.ts';

const kept = new Map<string, OurRun[]>();

/** At least `count` runs on that many images, made in this process once for all rows. */
export async function fashionRuns(
  { fixtures, scratch, say }: RowContext,
  provider: Provider,
  rows: number,
  count = 1,
): Promise<OurRun[]> {
  await fixtures.need(say, 'fashion');
  const key = `${provider} ${rows}`;
  const runs = kept.get(key) ?? [];
  kept.set(key, runs);
  const file = fixtures.path(`fashion-${rows}.yaml`);
  // quick runs have fewer images than any pipeline of models.py
  if (!existsSync(file)) {
    const text = readFileSync(fixtures.path('fashion-2000.yaml'), 'utf8');
    writeFileSync(file, text.replaceAll('2000', String(rows)));
  }
  while (runs.length < count) {
    say(`${rows} images, ${provider}`);
    runs.push(await runOurs(file, provider, scratch));
  }
  return runs;
}

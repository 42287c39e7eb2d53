/** Many deliveries at once, in real workerd: each starts its run, one run, and every run ends. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunList, RunRecord } from '../../../src/service/documents.ts';
import type { Upstream } from '../../unit/triggers/upstream.ts';
import { startUpstream } from '../../unit/triggers/upstream.ts';
import { assetOf, githubAsset, githubDelivery, MODEL, releasePayload, tinyPipeline } from '../outside.ts';
import type { Delivery } from '../outside.ts';
import { startService } from '../service.ts';
import type { Service } from '../service.ts';

const SECRET = 'a secret of webhooks';
const RUNS = 200;

let upstream: Upstream;
let service: Service;

beforeAll(async () => {
  upstream = await startUpstream(githubAsset('net.onnx', MODEL.seed2));
  service = await startService(undefined, {
    variables: { CONVERGENT_SECRETS: 'HOOK', HOOK: SECRET },
    outbound: upstream.address,
  });
  const trigger = `github: { secret: HOOK, event: release, set: { networks.candidate.model: /release/assets/0/browser_download_url } }`;
  const triggers = `triggers:\n  - ${trigger}\n`;
  await service.put('one', () => tinyPipeline('one', triggers));
  await service.put('many', () => tinyPipeline('many', triggers));
});
afterAll(async () => {
  await service.close();
  await upstream.close();
});

let sentAgain = 0;

// as a sender does that hears nothing: workerd drops a connection on which it found no time to read a request for 15 s
async function deliver(pipeline: string, delivery: Delivery): Promise<{ status: number; run: string }> {
  let response: Response;
  try {
    response = await service.ask('POST', `/hooks/${pipeline}/github`, delivery);
  } catch (error) {
    if (++sentAgain > RUNS) throw error;
    return deliver(pipeline, delivery);
  }
  return { status: response.status, run: ((await response.json()) as { run: string }).run };
}

// all runs of a pipeline, page by page
async function runsOf(pipeline: string): Promise<RunRecord[]> {
  const found: RunRecord[] = [];
  let before = '';
  for (;;) {
    const page: RunList = await service.json('GET', `/runs?pipeline=${pipeline}&limit=200${before}`);
    found.push(...page.runs);
    if (page.next === null) return found;
    before = `&before=${page.next}`;
  }
}

it('one delivery that comes 50 times at once starts one run, which all 50 answers name', async () => {
  const delivery = await githubDelivery(SECRET, releasePayload(assetOf('net.onnx')));
  const answers = await Promise.all(Array.from({ length: 50 }, () => deliver('one', delivery)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  const { run } = answers[0]!;
  expect(new Set(answers.map((answer) => answer.run))).toEqual(new Set([run]));
  expect(await service.ended(run)).toMatchObject({ state: 'done', attempt: 1 });
  expect((await runsOf('one')).map(({ id }) => id)).toEqual([run]);
  // once for the asset, once for where it redirects to
  expect(upstream.seen).toHaveLength(2);
});

it(`${RUNS} deliveries at once start ${RUNS} runs, and all end done`, async () => {
  const deliveries = await Promise.all(
    Array.from({ length: RUNS }, () => githubDelivery(SECRET, releasePayload(assetOf('net.onnx')))),
  );
  const begun = performance.now();
  const answers = await Promise.all(deliveries.map((delivery) => deliver('many', delivery)));
  const answered = performance.now();
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  const started = new Set(answers.map(({ run }) => run));
  expect(started.size).toBe(RUNS);

  let open = RUNS;
  while (open > 0) {
    await sleep(250);
    open = (await runsOf('many')).filter(({ state }) => state === 'queued' || state === 'running').length;
  }
  const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(1);
  // what was measured
  // oxlint-disable-next-line no-console
  console.log(
    `${RUNS} deliveries answered in ${seconds(begun, answered)} s (${sentAgain} sent again), all runs ended after ${seconds(begun, performance.now())} s`,
  );
  const runs = await runsOf('many');
  expect(new Set(runs.map(({ id }) => id))).toEqual(started);
  expect(new Set(runs.map(({ state, attempt }) => `${state} ${attempt}`))).toEqual(new Set(['done 1']));
  // one plan and one result, whose tasks were done by the first test's run
  const [one] = await runsOf('one');
  expect(new Set(runs.map(({ plan, digest }) => `${plan} ${digest}`)).size).toBe(1);
  expect(runs[0]!.digest).toBe(one!.digest);
});

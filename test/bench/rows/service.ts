/** The service under load on the loopback: what its answers cost, and how soon followers of a run know. */
import autocannon from 'autocannon';
import type { Options } from 'autocannon';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Artifacts, RunRecord } from '../../../src/service/documents.ts';
import { median } from '../measure.ts';
import { short, table } from '../row.ts';
import type { Line, Row } from '../row.ts';
import { delivery, followRun, startService } from '../service.ts';
import type { BenchService } from '../service.ts';

const CONNECTIONS = 10;
const FOLLOWERS = 100;
/** Where workerd's writes, each synced, wait for no disk that others use too; Linux. */
const MEMORY = '/dev/shm';
/** Fewer than the service allows a pipeline, 600 a minute, and than one process works off. */
const STARTS_PER_SECOND = 4;
const MIB = 2 ** 20;

interface Measured {
  what: string;
  perSecond: number;
  p50: number;
  p99: number;
  /** Of workerd, milliseconds a request; NaN where the system doesn't say. */
  cpu: number;
}

export const service: Row = {
  name: 'service',
  how: `\`convergent serve\` on the loopback with 200 runs in its list: ${CONNECTIONS} connections for 8 s each (autocannon in the bench's own process, on the same cores; state in memory), and ${FOLLOWERS} followers of one run. Figures of this machine, without an aim.`,
  async run({ scratch, quick, say }) {
    const state = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : scratch, 'convergent-service-'));
    const remove = (): void => rmSync(state, { recursive: true, force: true });
    process.on('exit', remove);
    const served = await startService(state);
    try {
      const [cancelled, done, seconds, deliveries] = quick ? [10, 10, 1, 8] : [150, 50, 8, 40];
      await served.put('bench', 40, 20);
      say(`${cancelled + done} runs`);
      const first = await startRun(served, 'bench');
      await served.idle();
      for (let made = 0; made < cancelled; made++) {
        const id = await startRun(served, 'bench');
        // some are quicker
        await served.json('POST', `/runs/${id}/cancel`).catch(() => undefined);
      }
      for (let made = 1; made < done; made++) await startRun(served, 'bench');
      await served.idle();
      const { files } = await served.json<Artifacts>('GET', `/runs/${first}/artifacts`);
      const file = files.find(({ bytes }) => bytes >= 10_000 && bytes <= 100_000);
      if (!file) throw new Error('expected a file of 10 to 100 kB; found none');

      const authorization = { authorization: served.authorization };
      const measured: Measured[] = [];
      const measure = async (what: string, options: Omit<Options, 'url' | 'connections'>, path: string) => {
        say(what);
        measured.push(await load(served, what, path, { duration: seconds, ...options }));
      };
      await measure('list of runs (50)', { headers: authorization }, '/runs?limit=50');
      await measure('page of runs (50)', { headers: { ...authorization, accept: 'text/html' } }, '/runs');
      await measure('a run', { headers: authorization }, `/runs/${first}`);
      const artifact = `artifact of ${(file.bytes / 1000).toFixed(0)} kB`;
      await measure(artifact, { headers: authorization }, `/runs/${first}/artifacts/${file.path}`);
      const deliver = (start: boolean): Options['requests'] => [
        { setupRequest: (request) => ({ ...request, method: 'POST', ...delivery(randomUUID(), start) }) },
      ];
      await measure('webhook that asks for nothing', { requests: deliver(false)! }, '/hooks/bench/webhook');
      const starting = { requests: deliver(true)!, amount: deliveries, overallRate: STARTS_PER_SECOND };
      await measure(`webhook that starts a run, ${STARTS_PER_SECOND} a second`, starting, '/hooks/bench/webhook');
      await served.idle();

      say(`${FOLLOWERS} followers`);
      const followed = await follow(served);
      const lines = [
        ...measured.map(({ what, perSecond, p99 }) =>
          told(`service: ${what}`, `${short(perSecond)}/s, slowest 1 % ${short(p99)} ms`),
        ),
        told(
          `service: event of a run to the last of ${FOLLOWERS} followers`,
          `${short(followed.median)} ms, longest ${short(followed.longest)} ms`,
        ),
      ];
      return {
        lines,
        details: [
          table(
            ['', 'requests/s', 'ms, median', 'ms, slowest 1 %', 'ms of workerd’s CPU each'],
            measured.map(({ what, perSecond, p50, p99, cpu }) => [what, perSecond, p50, p99, cpu]),
          ),
          `${FOLLOWERS} followers each had all ${followed.events} events of a run of ${followed.tasks} tasks in order; from an event to the last follower that had it ${short(followed.median)} ms (median), from the end of the last task ${short(followed.lastTask)} ms. Memory of workerd ${followed.memory.map((bytes) => (bytes / MIB).toFixed(0)).join(' MiB before, ')} MiB after.`,
        ],
      };
    } finally {
      await served.stop();
      remove();
      process.off('exit', remove);
    }
  },
};

async function startRun(served: BenchService, pipeline: string): Promise<string> {
  return (await served.json<RunRecord>('POST', '/runs', { pipeline })).id;
}

async function load(
  served: BenchService,
  what: string,
  path: string,
  options: Omit<Options, 'url' | 'connections'>,
): Promise<Measured> {
  const before = served.workerd();
  const url = `${served.address}${path}`;
  const connections = Math.min(CONNECTIONS, options.overallRate ?? Infinity);
  const result = await autocannon({ url, connections, ...options });
  const { requests, latency, errors, timeouts, non2xx } = result;
  if (errors + timeouts + non2xx > 0 || requests.total === 0)
    throw new Error(`${what}: expected answers; found ${non2xx} refusals, ${errors} errors, ${timeouts} time-outs`);
  const cpu = (1000 * ((served.workerd()?.cpuSeconds ?? NaN) - (before?.cpuSeconds ?? NaN))) / requests.total;
  return { what, perSecond: requests.total / result.duration, p50: latency.p50, p99: latency.p99, cpu };
}

// all of them from the start, in a run that computes everything
async function follow(served: BenchService) {
  await served.put('followed', 42, 1);
  const before = served.workerd()?.residentBytes ?? NaN;
  const id = await startRun(served, 'followed');
  const followers = await Promise.all(Array.from({ length: FOLLOWERS }, () => followRun(served, id)));
  const after = served.workerd()?.residentBytes ?? NaN;
  const log = (
    await (
      await fetch(`${served.address}/runs/${id}/log?limit=10000`, { headers: { authorization: served.authorization } })
    ).text()
  )
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: number }).id);
  const [one] = followers;
  for (const received of followers) {
    const ids = received.map(({ event }) => event.id);
    if (ids.join() !== log.slice(0, ids.length).join() || received.at(-1)!.event.type !== 'state')
      throw new Error(`expected events ${log.join()}; found ${ids.join()}`);
  }
  const delays = one!.map(({ event }, at) => Math.max(...followers.map((received) => received[at]!.at)) - event.time);
  const ended = one!.flatMap(({ event }, at) => (event.type === 'task' && event.state === 'done' ? [at] : []));
  // what came before the last follower was there says nothing
  const live = ended.map((at) => delays[at]!);
  return {
    events: one!.length,
    tasks: ended.length,
    median: median(live),
    longest: Math.max(...live),
    lastTask: live.at(-1)!,
    memory: [before, after],
  };
}

function told(what: string, value: string): Line {
  return { what, value, aim: '', reached: null };
}

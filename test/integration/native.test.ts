/**
 * Native compute: the same answer as the Worker's, the same bytes each time, whatever is killed on the way, and
 * nothing left behind. One small pipeline; the machine's own onnxruntime-node in the command line's child processes.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesMarked } from '../../src/cli/state.ts';
import { readNpy } from '../../src/numeric/npy.ts';
import type { Plan } from '../../src/plan/plan.ts';
import {
  childrenOf,
  ISOLATE,
  NATIVE,
  NATIVE_VERSION,
  objectsIn,
  pipelineText,
  ROOT,
  run,
  runJson,
  start,
  temporaryFolder,
  until,
} from './command.ts';
import type { RunAnswer } from './command.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const file = join(folder.path, 'small.yaml');
const state = (name: string): string => join(folder.path, name);
const argumentsOf = (name: string, compute: readonly string[] = NATIVE): string[] => [
  'run',
  file,
  '--state',
  state(name),
  '--out',
  join(folder.path, `out-${name}`),
  ...compute,
];
beforeAll(() => {
  writeFileSync(
    file,
    pipelineText('fashion-mnist.yaml', (text) => text.replace(/rows: 10000/, 'rows: 1000')),
  );
});

// ids may be taken again by others, but not within a test
const alive = (pids: readonly number[]): number[] =>
  pids.filter((pid) => {
    try {
      process.kill(pid, 0);
      return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return false;
    }
  });
/** Objects in the bucket when a blow falls: beyond inputs and the pilots, before the last activation. */
const MIDDLE = 15;

describe.runIf(NATIVE_VERSION !== null && process.platform === 'linux')('native compute', () => {
  let reference: RunAnswer;
  beforeAll(async () => {
    reference = await runJson<RunAnswer>(argumentsOf('reference'));
  });

  it('is what runs where nobody asked for another, and says so', async () => {
    const plan = await runJson<Plan>(['plan', file, '--state', state('reference')]);
    expect(plan.providers).toEqual([{ name: 'native', version: NATIVE_VERSION }]);
    expect(plan.sets[0]!.why).toBe('asked for native');
    const record = JSON.parse(readFileSync(join(folder.path, 'out-reference/run.json'), 'utf8')) as {
      providers: unknown;
      computed: { provider: string }[];
    };
    expect(record.providers).toEqual(plan.providers);
    expect(new Set(record.computed.map(({ provider }) => provider))).toEqual(new Set(['native']));
  });

  it('agrees with the isolate within 1e-5 in every correlation', async () => {
    await runJson<RunAnswer>(argumentsOf('isolate', ISOLATE));
    let compared = 0;
    for (const layer of ['conv1', 'conv2', 'conv3', 'conv4', 'fc']) {
      for (const name of ['between', 'within_a', 'within_b']) {
        const [ours, theirs] = ['reference', 'isolate'].map((which) =>
          readNpy(new Uint8Array(readFileSync(join(folder.path, `out-${which}/seed1-seed2/${layer}/${name}.npy`)))),
        );
        expect(ours!.shape).toEqual(theirs!.shape);
        for (const [at, value] of (ours!.data as Float64Array).entries()) {
          compared++;
          if (!(Math.abs(value - Number(theirs!.data[at])) <= 1e-5)) {
            expect.fail(`${layer} ${name} at ${at}: expected ${theirs!.data[at]}; found ${value}`);
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(50_000);
  });

  it('gives the same bytes from a fresh state', async () => {
    const again = await runJson<RunAnswer>(argumentsOf('again'));
    expect(again.digest).toBe(reference.digest);
    expect(again.tasks).toEqual({ total: again.tasks.total, reused: 0, computed: again.tasks.total });
  });

  it('goes on after SIGKILL with the same bytes; its children end with it', async () => {
    const running = start([...argumentsOf('killed'), '--json']);
    await until(() => objectsIn(state('killed')) >= MIDDLE && childrenOf(running).length > 0, running);
    const children = childrenOf(running);
    running.child.kill('SIGKILL');
    await running.ended;
    await expect.poll(() => alive(children), { timeout: 20_000 }).toEqual([]);
    const answer = await runJson<RunAnswer>(argumentsOf('killed'));
    expect(answer.digest).toBe(reference.digest);
    expect(answer.tasks.reused).toBeGreaterThan(0);
    expect(answer.tasks.computed).toBeGreaterThan(0);
  });

  it('tries the task of a child that was killed again, and gives the same bytes', async () => {
    const running = start([...argumentsOf('bereft'), '--json']);
    await until(() => objectsIn(state('bereft')) >= MIDDLE && childrenOf(running).length > 0, running);
    const children = childrenOf(running);
    for (const pid of children) process.kill(pid, 'SIGKILL');
    // others take their place
    await until(() => childrenOf(running).some((pid) => !children.includes(pid)), running);
    const { code, stdout, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
    const answer = JSON.parse(stdout) as RunAnswer;
    expect(answer.digest).toBe(reference.digest);
    expect(answer.tasks.computed).toBe(answer.tasks.total);
  });

  it('leaves no child and no workerd behind after Ctrl-C', async () => {
    const running = start([...argumentsOf('interrupted'), '--json']);
    await until(() => objectsIn(state('interrupted')) >= MIDDLE && childrenOf(running).length > 0, running);
    const children = childrenOf(running);
    running.child.kill('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect(code, stderr).toBe(130);
    expect(stderr).toContain('no finished task is lost');
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'stopped' } });
    expect(alive(children)).toEqual([]);
    expect(processesMarked(state('interrupted'))).toEqual([]);
    expect(readdirSync(folder.path).filter((name) => name.includes('out-interrupted'))).toEqual([]);
  });
});

// a copy of the build, and all packages but those left out; gives its command line
function install(name: string, without: readonly string[] = []): string {
  const place = join(folder.path, name);
  cpSync(join(ROOT, 'dist'), join(place, 'dist'), { recursive: true });
  mkdirSync(join(place, 'node_modules'));
  for (const each of readdirSync(join(ROOT, 'node_modules'))) {
    if (each.startsWith('.') || without.includes(each)) continue;
    symlinkSync(join(ROOT, 'node_modules', each), join(place, 'node_modules', each));
  }
  return join(place, 'dist/cli.js');
}

describe.runIf(NATIVE_VERSION !== null)('a network that ends the process which inspects it', () => {
  it('is exit 2 with the network’s place, and leaves nothing behind', async () => {
    const script = install('ending');
    const child = join(script, '../child.js');
    const ending = `process.on('message', (job) => 'network' in job && process.kill(process.pid, 'SIGSEGV'));`;
    writeFileSync(child, `${ending}\n${readFileSync(child, 'utf8')}`);
    const ended = await run([...argumentsOf('ending'), '--json'], { script, env: { NODE_PATH: undefined } });
    expect(ended.code, ended.stderr).toBe(2);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'model-unsupported' } });
    expect(ended.stderr).toMatch(/signal SIGSEGV[\s\S]*networks\.seed1\.model/);
    expect(processesMarked(state('ending'))).toEqual([]);
    expect(readdirSync(folder.path)).not.toContain('out-ending');
  });
});

describe('where onnxruntime-node does not load', () => {
  let script: string;
  beforeAll(() => {
    script = install('without-runtime', ['onnxruntime-node']);
  });
  const env = { NODE_PATH: undefined };

  it('--compute native says so, and what to do: exit 2', async () => {
    const ended = await run([...argumentsOf('without'), '--json'], { script, env });
    expect(ended.code, ended.stderr).toBe(2);
    expect(ended.stderr).toContain('onnxruntime-node');
    expect(ended.stderr).toContain('compute: isolate');
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'usage' } });
    expect(readdirSync(folder.path)).not.toContain('out-without');
  });

  it('so does compute: native in the file, with the place', async () => {
    const asking = join(folder.path, 'asking.yaml');
    writeFileSync(asking, `${readFileSync(file, 'utf8')}\ncompute: native\n`);
    const ended = await run(['plan', asking, '--state', state('without')], { script, env });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/asking\.yaml:\d+:\d+/);
  });

  it('a plan without a choice is for the isolate', async () => {
    const plan = await runJson<Plan>(['plan', file, '--state', state('without')], { script, env });
    expect(plan.providers.map(({ name }) => name)).toEqual(['isolate']);
  });

  it('anything else than the two providers is refused', async () => {
    const ended = await run(['plan', file, '--state', state('without'), '--compute', 'gpu']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('--compute isolate or --compute native');
  });
});

/** Holds the clock over a subject: in this process with the native runtime, or in workerd with wasm. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Miniflare, Response } from 'miniflare';
import { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import { fileSource } from '../../../src/compute/files.ts';
import { DIST, planFile } from '../../../src/cli/prepare.ts';
import { loadNativeRuntime } from '../../../src/compute/native.ts';
import { COMPATIBILITY_DATE } from '../../../src/runtime/names.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { openSubject } from './subject.ts';
import type { Subject } from './subject.ts';

const WASM = ['ort-wasm-simd-threaded.wasm', 'samples.wasm'];

/** One call of a part. */
export interface Reading {
  seconds: number;
  /** Of the process that computes; null where the system doesn't say. */
  cpuSeconds: number | null;
  operations: number;
}

/** What was read, and of what. */
export interface Readings {
  sets: { batch: number; layers: string[] }[];
  layers: { name: string; positions: number; units: number[] }[];
  parts: Record<string, Reading[]>;
}

/** Reads every part `rounds` times, in turn, after one call of each that isn't counted. */
export async function readParts(
  file: string,
  provider: 'native' | 'isolate',
  rows: number,
  rounds: number,
  parts: readonly string[],
  state: string,
): Promise<Readings> {
  const prepared = await planFile(file, state, provider, () => undefined);
  const { plan } = prepared;
  const models = new Map(plan.networks.map((network, index) => [network.modelSha256, prepared.modelPaths[index]!]));
  const rowBytes = plan.data.rowShape.reduce((size, axis) => size * axis, plan.data.dtype === 'uint8' ? 1 : 4);
  const data = await fileSource(prepared.dataPath).read(plan.data.offset, plan.data.offset + rows * rowBytes);
  const { subject, cpu, stop } =
    provider === 'native' ? await openNative(plan, models, data, rows) : await openWorkerd(plan, models, data, rows);
  try {
    const readings: Record<string, Reading[]> = Object.fromEntries(parts.map((part) => [part, []]));
    for (let round = -1; round < rounds; round++) {
      for (const part of parts) {
        globalThis.gc?.();
        const [started, before] = [performance.now(), cpu()];
        const operations = await subject(part);
        const [ended, after] = [performance.now(), cpu()];
        const cpuSeconds = before === null || after === null ? null : after - before;
        if (round >= 0) readings[part]!.push({ seconds: (ended - started) / 1000, cpuSeconds, operations });
      }
    }
    const layers = plan.layers.map(({ name, positions, taps }) => ({
      name,
      positions,
      units: taps.map(({ units }) => units),
    }));
    const sets = plan.sets.map((set) => ({
      batch: set.batch,
      layers: set.layers.map((layer) => plan.layers[layer]!.name),
    }));
    return { sets, layers, parts: readings };
  } finally {
    await stop();
  }
}

interface Opened {
  subject: Subject;
  cpu: () => number | null;
  stop: () => Promise<void>;
}

async function openNative(
  plan: Plan,
  models: ReadonlyMap<string, string>,
  data: Uint8Array,
  rows: number,
): Promise<Opened> {
  const rowBytes = data.length / rows;
  const subject = await openSubject(
    await loadNativeRuntime(),
    new SampleMemory(await WebAssembly.compile(readFileSync(join(DIST, 'samples.wasm')))),
    plan,
    { file: (sha256) => Promise.resolve(fileSource(models.get(sha256)!)) },
    { rows: ([start, end]) => Promise.resolve(data.subarray(start * rowBytes, end * rowBytes)) },
    rows,
  );
  const cpu = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  return { subject, cpu, stop: () => Promise.resolve() };
}

async function openWorkerd(
  plan: Plan,
  models: ReadonlyMap<string, string>,
  data: Uint8Array,
  rows: number,
): Promise<Opened> {
  // as the engine starts it
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= '--gc-global --single-threaded-gc';
  const miniflare = new Miniflare({
    modules: [
      { type: 'ESModule', path: 'worker.js', contents: readFileSync(join(DIST, 'inside-worker.js'), 'utf8') },
      ...WASM.map((path) => ({ type: 'CompiledWasm' as const, path, contents: readFileSync(join(DIST, path)) })),
    ],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: ['nodejs_compat'],
    serviceBindings: {
      HOST: (request: { url: string }) => {
        const [, kind, sha256] = new URL(request.url).pathname.split('/');
        if (kind === 'plan') return new Response(JSON.stringify({ plan, rows }));
        return new Response(kind === 'rows' ? data : readFileSync(models.get(sha256!)!));
      },
    },
  });
  await miniflare.ready;
  const process_ = workerdOf(process.pid);
  const subject: Subject = async (part) => {
    const response = await miniflare.dispatchFetch(`http://bench/?part=${part}`);
    if (!response.ok) throw new Error(await response.text());
    return ((await response.json()) as { operations: number }).operations;
  };
  return { subject, cpu: () => cpuOf(process_), stop: () => miniflare.dispose() };
}

// the workerd that this process started; proc(5)
function workerdOf(parent: number): number | null {
  if (process.platform !== 'linux') return null;
  const found = readdirSync('/proc').find((pid) => {
    const stat = /^\d+$/.test(pid) && readStat(pid);
    return stat && stat.command === 'workerd' && Number(stat.fields[1]) === parent;
  });
  return found === undefined ? null : Number(found);
}

function cpuOf(pid: number | null): number | null {
  const stat = pid !== null && readStat(String(pid));
  return stat ? (Number(stat.fields[11]) + Number(stat.fields[12])) / 100 : null;
}

// fields from the state on
function readStat(pid: string): { command: string; fields: string[] } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    return { command: text.slice(text.indexOf('(') + 1, end), fields: text.slice(end + 2).split(' ') };
  } catch {
    return null;
  }
}

/**
 * Which service a command asks: the one at `--remote`; else the running `serve` of the state folder, which says in
 * service.json where it is; else an engine started on the folder for the question.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PipelineError } from '../errors.ts';
import { optionText, stateFolder } from './command.ts';
import type { Invocation } from './command.ts';
import { startEngine } from './engine.ts';
import { startNative } from './native.ts';
import { DIST } from './prepare.ts';
import { serviceAddress, serviceAt, serviceIn } from './remote.ts';
import type { Patience, Service } from './remote.ts';
import { openState } from './state.ts';

const FILE = 'service.json';

/** What `serve` leaves for the other commands of its user. */
export interface Served {
  address: string;
  token: string;
  pid: number;
}

/** Only its user may read it: the token allows everything. */
export function writeServed(statePath: string, served: Served): void {
  // an old file would keep its mode
  removeServed(statePath);
  writeFileSync(join(statePath, FILE), `${JSON.stringify(served)}\n`, { mode: 0o600, flag: 'wx' });
}

export function removeServed(statePath: string): void {
  rmSync(join(statePath, FILE), { force: true });
}

/** The `serve` that runs on a state folder; null where there is none, or only what a killed one left. */
export function readServed(statePath: string): Served | null {
  try {
    const served = JSON.parse(readFileSync(join(statePath, FILE), 'utf8')) as Served;
    process.kill(served.pid, 0);
    return served;
  } catch {
    return null;
  }
}

/** The service at `--remote`, `--to` or their like, with the token that is given or known for it. */
export function remoteService(url: string, invocation: Invocation, patience?: Patience): Service {
  const address = serviceAddress(url);
  const served = readServed(stateFolder(invocation));
  const known = served?.address === address.replace('//localhost:', '//127.0.0.1:') ? served.token : undefined;
  const token = optionText(invocation, 'token') ?? process.env.CONVERGENT_TOKEN ?? known;
  return serviceAt(address, token === '' ? undefined : token, patience);
}

/** What a command needs of an engine that is started for it. */
export interface EngineNeeds {
  /** Whether tasks may run in it. */
  native: boolean;
  /** Whether a state folder is made where there is none. */
  make: boolean;
}

/** Asks the service that is meant. `lasting`: it goes on when the command ends. @throws PipelineError */
export async function withService<T>(
  invocation: Invocation,
  { native, make }: EngineNeeds,
  act: (service: Service, lasting: boolean) => Promise<T>,
): Promise<T> {
  const remote = optionText(invocation, 'remote');
  if (remote !== undefined) return act(remoteService(remote, invocation), true);
  const folder = stateFolder(invocation);
  const served = readServed(folder);
  if (served) return act({ ...serviceAt(served.address, served.token), option: localOption(invocation) }, true);
  if (!make && !existsSync(folder)) {
    throw new PipelineError('not-found', `expected a state folder at ${folder}; found nothing`, {
      hint: 'name it with --state, or a service with --remote',
    });
  }
  const state = await openState(folder);
  try {
    const compute = native ? startNative(state.path, 1) : Promise.resolve(null);
    const engine = await startEngine(state.path, DIST, { compute, inspects: true });
    try {
      return await act({ ...serviceIn(engine), option: localOption(invocation) }, false);
    } finally {
      await engine.stop().catch(() => undefined);
    }
  } finally {
    state.release();
  }
}

// what a person repeats to reach the same folder
function localOption(invocation: Invocation): string {
  const state = optionText(invocation, 'state');
  return state === undefined ? '' : ` --state ${state}`;
}

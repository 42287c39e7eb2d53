/**
 * One child process as its parent holds it: started, given a job at a time, watched, ended. Whatever way it goes, the
 * one who waits for its job is told why. Nothing here tries again; the pool does.
 */
import { fork } from 'node:child_process';
import { fromRecord } from '../errors.ts';
import { deferred, type Deferred } from './deferred.ts';
import type { ChildMessage, Job, JobDone, NetworkJob } from './jobs.ts';
import { residentBytes } from './memory.ts';
import { NATIVE_ENVIRONMENT, NATIVE_V8_OPTIONS } from './native.ts';
import type { InspectedNetwork } from './network.ts';

/** The last of what a child says on stderr, kept for the message when it crashes. */
const STDERR_BYTES = 8_000;
const WORDS_LENGTH = 300;

/** Why a child process is gone: `memory`: it held so much and was ended; `no-memory`: it found none, in its words. */
export type EndReason =
  { why: 'crash' | 'no-memory'; text: string } | { why: 'memory'; bytes: number } | { why: 'time' | 'asked' };

/** Rejects whoever waits for a child that is gone. */
export class ChildEnded extends Error {
  readonly reason: EndReason;
  constructor(reason: EndReason) {
    super(`the child process ended: ${'text' in reason ? reason.text : reason.why}`);
    this.name = 'ChildEnded';
    this.reason = reason;
  }
}

export interface Child {
  /** The version of its runtime once that is loaded. Rejects with {@link ChildEnded}. */
  ready: Promise<string>;
  /**
   * Runs a job, alone; may be called before it is ready. Null: a new child is to run it. Rejects with the task's own PipelineError, after which the
   * child goes on, or with {@link ChildEnded}.
   */
  run(job: Job | NetworkJob): Promise<JobDone | InspectedNetwork | null>;
  residentBytes(): number | null;
  /** Ends the process at once; the first reason counts. */
  end(reason: EndReason): void;
  /** Resolves when the process is gone. */
  gone: Promise<void>;
}

/** Starts a child process; `module` is the built entry. */
export function startChild(module: string): Child {
  const inherited = Object.entries(process.env).filter(
    ([name]) => name !== 'NODE_OPTIONS' && name !== 'CONVERGENT_COMPUTE_TOKEN',
  );
  const forked = fork(module, [], {
    execArgv: [...NATIVE_V8_OPTIONS],
    env: { ...Object.fromEntries(inherited), ...NATIVE_ENVIRONMENT },
    // Ctrl-C on a terminal goes to all processes of its group: the parent decides when its children end
    detached: true,
    // hashes of chunks are bytes
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const ready = deferred<string>();
  const gone = deferred<void>();
  let answer: Deferred<JobDone | InspectedNetwork | null> | undefined;
  let reason: EndReason | undefined;
  let said = '';

  // nobody has to listen for either of them
  ready.promise.catch(() => {});
  forked.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-STDERR_BYTES);
  });
  forked.on('message', (message: ChildMessage) => {
    if ('ready' in message) return ready.resolve(message.ready.version);
    const waiting = answer;
    answer = undefined;
    if ('done' in message.answer) waiting?.resolve(message.answer.done);
    else if ('renew' in message.answer) waiting?.resolve(null);
    else waiting?.reject(fromRecord(message.answer.error));
  });
  const ended = (text: string): void => {
    reason ??= { why: /out of memory|bad_alloc/i.test(text) ? 'no-memory' : 'crash', text };
    const error = new ChildEnded(reason);
    ready.reject(error);
    answer?.reject(error);
    answer = undefined;
    gone.resolve();
  };
  forked.on('error', (error) => {
    // not started at all: no exit follows
    if (forked.pid === undefined) ended(error.message);
  });
  // after exit, when stderr is read to its end
  forked.on('close', (code, signal) => {
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const words = lastWords(said);
    ended(words === '' ? how : `${how}: ${words}`);
  });

  return {
    ready: ready.promise,
    gone: gone.promise,
    run(job) {
      if (reason) return Promise.reject(new ChildEnded(reason));
      answer = deferred();
      // a channel that is closed already: the exit that follows rejects the answer
      forked.send(job, () => {});
      return answer.promise;
    },
    residentBytes: () => (forked.pid === undefined ? null : residentBytes(forked.pid)),
    end(why) {
      reason ??= why;
      forked.kill('SIGKILL');
    },
  };
}

// without the stack traces of Node and V8 and the frames around their messages
function lastWords(said: string): string {
  const lines = said.split('\n').map((line) => line.replace(/^#/, '').trim());
  const words = lines.filter((line) => line !== '' && !/^(at |\d+: 0x|-----|<---|\[\d+:0x|Node\.js v|\^+$)/.test(line));
  return words.join(' ').slice(0, WORDS_LENGTH);
}

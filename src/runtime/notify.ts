import type { Notice } from '../definition/service.ts';
import type { RunRecord } from '../service/documents.ts';
import type { Env, GithubCommit } from './env.ts';
export function sendNotice(
  _env: Env,
  _notice: Notice,
  _run: RunRecord,
  _commit: GithubCommit | null,
  _index: number,
): Promise<string> {
  throw new Error('not there yet');
}

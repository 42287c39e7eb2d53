/**
 * Where a commit status belongs, from the payload of GitHub's webhook that started a run. Part of the triggers stage.
 * Source: docs.github.com/webhooks/webhook-events-and-payloads, read 2026-11.
 */
import { valueAt } from './pointer.ts';

/** A commit of a repository `owner/name`: by its hash, or by a ref that GitHub resolves, such as `tags/v1`. */
export type GithubCommit =
  { repository: string; sha: string; ref?: undefined } | { repository: string; sha?: undefined; ref: string };

/** Where the payloads have the commit's hash: by event. */
const HASHES = [
  // push: of an annotated tag, `after` is the tag's own object
  '/head_commit/id',
  '/after',
  '/workflow_run/head_sha',
  '/workflow_job/head_sha',
  '/check_run/head_sha',
  '/check_suite/head_sha',
  '/pull_request/head/sha',
  '/deployment/sha',
  // status
  '/sha',
] as const;

const REPOSITORY = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*\/(?!\.{1,2}$)[A-Za-z0-9_.-]+$/;

/**
 * The commit a payload of GitHub is about; null where it is about none, such as the deletion of a branch. A release
 * names its tag alone (`target_commitish` is where the tag would be made, not where it is).
 */
export function githubCommit(payload: unknown): GithubCommit | null {
  const repository = valueAt(payload, '/repository/full_name');
  if (typeof repository !== 'string' || !REPOSITORY.test(repository)) return null;
  for (const pointer of HASHES) {
    const sha = valueAt(payload, pointer);
    if (typeof sha === 'string' && /^(?!0+$)([0-9a-f]{40}|[0-9a-f]{64})$/.test(sha)) return { repository, sha };
  }
  const tag = valueAt(payload, '/release/tag_name');
  return typeof tag === 'string' && isRefName(tag) ? { repository, ref: `tags/${tag}` } : null;
}

// as git-check-ref-format has it, as far as it keeps a path a path
function isRefName(name: string): boolean {
  return (
    name.length <= 255 &&
    !/[\p{Cc}\s~^:?*[\\]|\.\./u.test(name) &&
    name.split('/').every((part) => part !== '' && !part.startsWith('.'))
  );
}

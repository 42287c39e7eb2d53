/** Where a commit status belongs, from the members of GitHub's documented payloads that say so. */
import { describe, expect, it } from 'vitest';
import { githubCommit } from '../../../src/triggers/commit.ts';

const SHA = '6113728f27ae82c7b1a177c8d03f9e96e0adf246';
const OTHER = 'c441029cf673f84c8b7db52d0a5944ee5c52ff89';
const repository = { full_name: 'Codertocat/Hello-World' };
const at = { repository: 'Codertocat/Hello-World', sha: SHA };

describe('githubCommit', () => {
  it.each([
    ['push', { ref: 'refs/heads/main', before: OTHER, after: SHA, head_commit: { id: SHA } }],
    [
      'push of an annotated tag',
      { ref: 'refs/tags/v1', before: '0'.repeat(40), after: OTHER, head_commit: { id: SHA } },
    ],
    ['push without its head', { after: SHA, head_commit: null }],
    ['workflow_run', { action: 'completed', workflow_run: { head_sha: SHA, head_commit: { id: OTHER } } }],
    ['workflow_job', { workflow_job: { head_sha: SHA } }],
    ['check_run', { check_run: { head_sha: SHA } }],
    ['check_suite', { check_suite: { head_sha: SHA } }],
    ['pull_request', { pull_request: { head: { sha: SHA }, base: { sha: OTHER } } }],
    ['deployment', { deployment: { sha: SHA, ref: 'main' } }],
    ['deployment_status', { deployment_status: { state: 'success' }, deployment: { sha: SHA } }],
    ['status', { sha: SHA, state: 'success' }],
  ])('finds the commit of %s', (_, payload) => {
    expect(githubCommit({ ...payload, repository })).toEqual(at);
  });

  it('gives the tag of a release, not the branch it was made for', () => {
    expect(githubCommit({ release: { tag_name: 'net/v1.0', target_commitish: 'main' }, repository })).toEqual({
      repository: 'Codertocat/Hello-World',
      ref: 'tags/net/v1.0',
    });
  });

  it('takes hashes of SHA-256 repositories', () => {
    expect(githubCommit({ after: 'ab'.repeat(32), repository })?.sha).toBe('ab'.repeat(32));
  });

  it.each([
    ['a branch that is deleted', { after: '0'.repeat(40), head_commit: null, deleted: true }],
    ['an issue', { issue: { number: 1 } }],
    ['a hash that is none', { after: 'main' }],
    ['upper case', { after: SHA.toUpperCase() }],
    ['a path as hash', { after: `${SHA}/../x` }],
    ['a tag that leaves its place', { release: { tag_name: '../../../user' } }],
    ['a tag of dots', { release: { tag_name: 'a/..' } }],
    ['a hidden tag', { release: { tag_name: '.git' } }],
    ['a tag with a query', { release: { tag_name: 'v1?x' } }],
    ['an empty tag', { release: { tag_name: '' } }],
    ['a tag with a line end', { release: { tag_name: 'v1\n' } }],
    ['a long tag', { release: { tag_name: 'v'.repeat(256) } }],
    ['a tag that is no text', { release: { tag_name: 1 } }],
  ])('finds nothing in %s', (_, payload) => {
    expect(githubCommit({ ...payload, repository })).toBeNull();
  });

  it.each([
    undefined,
    'Hello-World',
    '../user',
    'a/..',
    'a/.',
    './a',
    'a/b/c',
    'a/b?x',
    'a/b#x',
    'a b/c',
    'a%2f/c',
    1,
    'a/b\n',
  ])('finds nothing in the repository %j', (name) => {
    expect(githubCommit({ after: SHA, repository: { full_name: name } })).toBeNull();
  });

  it('finds nothing in payloads of others', () => {
    expect([
      githubCommit(null),
      githubCommit('x'),
      githubCommit({}),
      githubCommit({ repository: 'a/b', after: SHA }),
    ]).toEqual([null, null, null, null]);
  });
});

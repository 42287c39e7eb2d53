/**
 * Stored pipelines: the text and the content of every file it names, under the hash of both (a revision), and the name
 * that points at the newest one.
 */
import { parseDefinition } from '../definition/definition.ts';
import type { ParsedDefinition } from '../definition/definition.ts';
import { refuseOutside } from '../definition/paths.ts';
import { PipelineError } from '../errors.ts';
import { requireFigures } from '../gate/known.ts';
import { canonicalJson, sha256Hex } from '../numeric/hash.ts';
import type { FileReference, PipelineDetail, PipelinePut, PipelineRecord } from '../service/documents.ts';
import type { Env } from './env.ts';
import { registryOf } from './registry.ts';
import { createOnly, getVerified } from './store.ts';
import { completeBytes } from './inputs.ts';

/** One revision, parsed. */
export interface Revision extends ParsedDefinition {
  revision: string;
  text: string;
  /** By path relative to the pipeline file, `/` between folders. */
  files: Record<string, FileReference>;
}

/** Parsed revisions that an isolate keeps: every webhook reads one. */
const MOST_KEPT = 8;
// revisions are immutable; oldest first
const kept = new Map<string, Revision>();

const revisionKey = (revision: string): string => `pipelines/${revision}.json`;

/**
 * Stores a revision and points its name at it.
 * @throws PipelineError `definition-invalid`; `file-missing` for files that are not uploaded; `usage` where `name` is
 *   not the definition's own
 */
export async function storePipeline(env: Env, name: string, put: PipelinePut): Promise<PipelineRecord> {
  const { definition, service, where } = parsePipeline(put.text, name);
  if (definition.name !== name) {
    throw new PipelineError('usage', `expected name: ${name}, as in the address; found ${definition.name}`, {
      place: where(['name']),
    });
  }
  await requireFiles(env, put.files);
  const text = canonicalJson({ text: put.text, files: put.files });
  const revision = await sha256Hex(text);
  await createOnly(env.BUCKET, revisionKey(revision), new TextEncoder().encode(text));
  const now = Date.now();
  return registryOf(env).putPipeline({
    name,
    revision,
    public: service.public,
    created: now,
    updated: now,
    schedules: service.triggers.flatMap((trigger) => (trigger.kind === 'schedule' ? [trigger.cron] : [])),
    prefixes: service.triggers.flatMap((trigger) => (trigger.kind === 'upload' ? [trigger.prefix] : [])),
    hooks: [
      ...new Set(service.triggers.flatMap(({ kind }) => (kind === 'schedule' || kind === 'upload' ? [] : [kind]))),
    ],
  });
}

/** The stored pipeline of this name. @throws PipelineError `not-found` */
export async function pipelineOf(env: Env, name: string): Promise<PipelineRecord> {
  const record = await registryOf(env).getPipeline(name);
  if (!record) throw new PipelineError('not-found', `expected a pipeline; found none named ${name.slice(0, 80)}`);
  return record;
}

/** A pipeline with its text and files. @throws PipelineError `not-found` */
export async function pipelineDetail(env: Env, name: string): Promise<PipelineDetail> {
  const record = await pipelineOf(env, name);
  const { text, files } = await readRevision(env, record.revision);
  return { ...record, text, files };
}

/** A revision by its hash, for reading alone: others have the same one. @throws PipelineError `object-missing`, `input-damaged` */
export async function readRevision(env: Env, revision: string): Promise<Revision> {
  const before = kept.get(revision);
  if (before) return before;
  const bytes = await getVerified(env.BUCKET, revisionKey(revision), revision);
  const { text, files } = JSON.parse(new TextDecoder().decode(bytes)) as Pick<Revision, 'text' | 'files'>;
  const read = { ...parsePipeline(text, 'pipeline'), revision, text, files };
  kept.set(revision, read);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
  return read;
}

/**
 * A pipeline file as the service takes it.
 * @param name of the file, in messages
 * @throws PipelineError `definition-invalid`
 */
export function parsePipeline(text: string, name: string): ParsedDefinition {
  const result = parseDefinition(text, `${name}.yaml`);
  refuseOutside(result);
  requireFigures(result);
  return result;
}

async function requireFiles(env: Env, files: Readonly<Record<string, FileReference>>): Promise<void> {
  for (const [path, { sha256, bytes }] of Object.entries(files)) {
    const found = await completeBytes(env, sha256);
    if (found === bytes) continue;
    throw new PipelineError(
      'file-missing',
      `expected ${path} (${sha256}, ${bytes} bytes) to be uploaded; found ${found === null ? 'nothing' : `${found} bytes`}`,
      { hint: 'upload it first, as convergent push does' },
    );
  }
}

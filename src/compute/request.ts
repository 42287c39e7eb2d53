/**
 * The body of `POST /tasks`: uint32 length of a header, little-endian; the header as JSON; then its parts, back to
 * back. The header says which files the task reads and which rows and ranges of objects follow, so that a child
 * process finds all inputs on disk. Shared with whoever sends tasks: must not name Node.
 */
import { z } from 'zod';
import { PipelineError } from '../errors.ts';
import type { TaskPart } from './parts.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const range = z.tuple([count, count]).refine(([start, end]) => start <= end, 'expected start ≤ end');

const rowsPart = z
  .strictObject({ kind: z.literal('rows'), start: count, end: count, bytes: count })
  .refine(({ start, end, bytes }) => start < end && bytes % (end - start) === 0, 'expected whole rows, at least one');
const objectPart = z
  .strictObject({ kind: z.literal('object'), task: count, size: count, ranges: z.array(range) })
  .refine(({ size, ranges }) => ranges.every(([, end]) => end <= size), 'expected ranges within the object');
const madePart = z.strictObject({ kind: z.literal('made'), task: count, key: sha256 });

const header: z.ZodType<TaskHeader> = z.strictObject({
  planHash: sha256,
  task: count,
  files: z.array(sha256),
  parts: z.array(z.discriminatedUnion('kind', [rowsPart, objectPart, madePart])),
});

/** A task and what comes with it, in the order in which the bytes follow. */
export interface TaskHeader {
  planHash: string;
  /** Index in the plan. */
  task: number;
  /** Every file the task may read. */
  files: string[];
  parts: TaskPart[];
}

/** Bytes before the header's JSON. */
export const LENGTH_BYTES = 4;

/** What a server says of a task it has run, as JSON in this header of its answer. */
export const TASK_FIGURES = 'x-convergent-task';

/** The length and the JSON, to be followed by the parts. */
export function writeTaskHeader(value: TaskHeader): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(value));
  const bytes = new Uint8Array(LENGTH_BYTES + json.length);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}

/** @throws PipelineError `usage` for anything that isn't a header */
export function readTaskHeader(json: Uint8Array): TaskHeader {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(json));
  } catch (error) {
    throw new PipelineError('usage', `expected a task's header in JSON; found ${(error as Error).message}`, {
      cause: error,
    });
  }
  const parsed = header.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new PipelineError('usage', `expected a task's header; found at ${path.join('.') || 'its root'}: ${message}`);
}

/** The hashes of a question which inputs are missing. @throws PipelineError `usage` for anything else */
export function readHashes(value: unknown): string[] {
  const parsed = z.array(sha256).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PipelineError('usage', 'expected a list of SHA-256 hashes in lower-case hex');
}

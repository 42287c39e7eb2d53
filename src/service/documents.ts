/**
 * The documents of the service, as programs send and get them: one zod schema each, from which the types and the
 * OpenAPI document are made. Names no platform.
 */
import { z } from 'zod';
import { NAME_PATTERN } from '../definition/names.ts';
import type { ErrorRecord } from '../errors.ts';
import type { GateOutcome } from '../gate/gate.ts';
import { MOST_UPLOAD_BYTES } from '../runtime/limits.ts';

/** Longest pipeline file, characters; see definition/yaml.ts. */
export const MOST_DEFINITION_CHARACTERS = 256 * 1024;

const says = <T extends z.ZodType>(schema: T, description: string): T => schema.meta({ description });
const time = (what: string) => says(z.int(), `${what}, milliseconds since 1970.`);

export const hashSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: 'SHA-256, lower-case hex.' });

/** A fault as the service and the command line tell it (src/errors.ts). */
export const errorSchema = z
  .object({
    code: z.string(),
    message: z.string(),
    place: z
      .object({
        file: z.string().optional(),
        line: z.int().optional(),
        column: z.int().optional(),
        key: z.string().optional(),
      })
      .optional(),
    hint: z.string().optional(),
  })
  .meta({ id: 'Fault', description: 'What went wrong, where, and what to do about it.' });

/** RFC 9457. */
export const problemSchema = z
  .object({
    type: says(z.string(), 'A page about this code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: says(z.string(), 'A code of ours, such as `definition-invalid`.'),
    place: errorSchema.shape.place,
    hint: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'A problem document (RFC 9457).' });

export const nameSchema = z.string().regex(NAME_PATTERN).meta({ description: 'Name of a pipeline.' });

/** A file the definition names, by its path as written. */
export const fileSchema = z.strictObject({ sha256: hashSchema, bytes: z.int().min(0) });

/** What `put` takes. */
export const pipelinePutSchema = z
  .strictObject({
    text: says(z.string().max(MOST_DEFINITION_CHARACTERS), 'The pipeline file, YAML.'),
    files: says(
      z.record(z.string(), fileSchema),
      'The content of each file that the definition names, by its path relative to the pipeline file.',
    ).default({}),
  })
  .meta({ id: 'PipelinePut' });

export const pipelineSchema = z
  .object({
    name: nameSchema,
    revision: says(hashSchema, 'Hash of text and files: equal content, equal revision.'),
    public: z.boolean(),
    created: time('When the name was first put'),
    updated: time('When this revision was put'),
    schedules: z.array(z.string()),
    prefixes: says(z.array(z.string()), 'Prefixes of uploads that start a run.'),
    hooks: says(z.array(z.enum(['github', 'huggingface', 'webhook'])), 'Kinds of webhooks that start a run.'),
  })
  .meta({ id: 'Pipeline' });

export const pipelineDetailSchema = pipelineSchema
  .extend({ text: z.string(), files: z.record(z.string(), fileSchema) })
  .meta({ id: 'PipelineDetail' });

export const RUN_STATES = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;
export const TRIGGER_KINDS = ['api', 'page', 'cli', 'github', 'huggingface', 'webhook', 'upload', 'schedule'] as const;

const candidateSchema = z.strictObject({
  model: says(z.string().optional(), 'An https address.') as z.ZodOptional<z.ZodString>,
  sha256: hashSchema.optional(),
  object: says(z.string().optional(), 'Key of an object in the bucket.') as z.ZodOptional<z.ZodString>,
});

export const runSchema = z
  .object({
    id: z.string(),
    pipeline: says(z.string(), "The definition's name."),
    revision: says(hashSchema.nullable(), 'Revision of the stored pipeline; null: started from a plan.'),
    plan: says(hashSchema.nullable(), 'Content hash of the plan; null until it is made.'),
    state: z.enum(RUN_STATES),
    attempt: says(z.int().min(1), 'A retry is a new attempt of the same run.'),
    trigger: z.object({
      kind: z.enum(TRIGGER_KINDS),
      delivery: says(z.string().nullable(), 'Id of the delivery, or the key it was started with.'),
      by: says(z.string().nullable(), 'Name of the token, repository or object that started it.'),
    }),
    candidates: says(z.record(z.string(), candidateSchema), 'Networks whose model the trigger chose.'),
    created: time('When it was asked for'),
    started: time('When this attempt began').nullable(),
    ended: time('When it ended').nullable(),
    digest: says(hashSchema.nullable(), 'Digest of the result.'),
    gate: says(z.custom<GateOutcome>().nullable(), 'Outcome of the gate; null without one, or before.').meta({
      type: 'object',
    }),
    error: errorSchema.nullable(),
    figures: says(
      z.array(z.object({ pair: z.string(), layer: z.string(), mean_r: z.number().nullable() })),
      'Mean matched r of every pair and layer, once known.',
    ),
  })
  .meta({ id: 'Run' });

export type PipelinePut = z.output<typeof pipelinePutSchema>;
export type PipelineRecord = z.infer<typeof pipelineSchema>;
export type PipelineDetail = z.infer<typeof pipelineDetailSchema>;
export type FileReference = z.infer<typeof fileSchema>;
export type RunState = (typeof RUN_STATES)[number];
export type TriggerKind = (typeof TRIGGER_KINDS)[number];
export type Candidate = z.infer<typeof candidateSchema>;
export type RunRecord = Omit<z.infer<typeof runSchema>, 'error'> & { error: ErrorRecord | null };

/** Scopes of tokens: each includes those before it. */
export const SCOPES = ['read', 'run', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scope: z.enum(SCOPES),
    created: time('When it was made'),
    used: time('When it was last used, to the hour').nullable(),
  })
  .meta({ id: 'Token', description: 'A token without its secret, which nobody keeps.' });
export type TokenRecord = z.infer<typeof tokenSchema>;

/** What `POST /tokens` takes, and what it answers this once. */
export const newTokenSchema = z
  .strictObject({
    name: says(z.string().trim().min(1).max(100), 'Whose it is, or what for.'),
    scope: z.enum(SCOPES),
  })
  .meta({ id: 'NewToken' });
export const madeTokenSchema = z
  .object({ token: tokenSchema, secret: says(z.string(), 'The token itself, told this once.') })
  .meta({ id: 'MadeToken' });
export const tokensSchema = z.object({ tokens: z.array(tokenSchema) }).meta({ id: 'Tokens' });

export const pipelinesSchema = z
  .object({ pipelines: says(z.array(pipelineSchema), 'By name.') })
  .meta({ id: 'Pipelines' });

/** What `POST /runs` takes. */
export const newRunSchema = z
  .strictObject({
    pipeline: nameSchema,
    candidates: says(
      z.record(z.string(), candidateSchema),
      'Networks whose model is another one this time, by name.',
    ).default({}),
  })
  .meta({ id: 'NewRun' });

export const runsSchema = z
  .object({
    runs: says(z.array(runSchema), 'Newest first.'),
    next: says(z.string().nullable(), 'What `before` goes on with; null: there are no more.'),
  })
  .meta({ id: 'Runs' });

/** A task that this attempt of a run computed. */
export const runTasksSchema = z
  .object({
    tasks: z.array(
      z.object({
        task: says(z.int().min(0), 'Index in the plan.'),
        kind: z.string(),
        started: time('When it began'),
        seconds: says(z.number(), 'With its turn and transfers.'),
        computeSeconds: says(z.number().nullable(), 'In the task itself; null: not told apart.'),
        provider: z.string(),
        peakBytes: says(z.int().nullable(), 'Peak memory; null: unknown.'),
        bytes: says(z.int(), 'Size of its object.'),
        deliveries: says(z.int(), 'Which delivery of its message succeeded, from 1.'),
      }),
    ),
  })
  .meta({ id: 'RunTasks' });

/** The files of a run's result. */
export const artifactsSchema = z
  .object({
    digest: says(hashSchema.nullable(), 'Digest of the result; null before there is one.'),
    files: z.array(z.object({ path: z.string(), sha256: hashSchema, bytes: z.int() })),
  })
  .meta({ id: 'Artifacts' });

/** How far an upload is. */
export const uploadSchema = z
  .object({
    sha256: hashSchema,
    bytes: says(z.int(), 'Size of the whole.'),
    complete: z.boolean(),
    parts: says(z.array(z.int()), 'Numbers of the parts that are there, from 1; empty once complete.'),
    partBytes: says(z.int(), 'Size of every part but the last, which is what is left.'),
  })
  .meta({ id: 'Upload' });
export const newUploadSchema = z
  .strictObject({
    bytes: says(z.int().min(1).max(MOST_UPLOAD_BYTES), 'Size of the whole.'),
  })
  .meta({ id: 'NewUpload' });

/** What a webhook is answered. */
export const deliverySchema = z
  .object({
    run: says(z.string().nullable(), 'Id of the run; null: none was asked for.'),
    url: says(z.string().nullable(), 'Where it is looked at.'),
    reason: says(z.string().optional(), 'Why no run was started.'),
  })
  .meta({ id: 'Delivery' });

export type Problem = z.infer<typeof problemSchema>;
export type NewRun = z.output<typeof newRunSchema>;
export type RunList = Omit<z.infer<typeof runsSchema>, 'runs'> & { runs: RunRecord[] };
export type RunTasks = z.infer<typeof runTasksSchema>;
export type Artifacts = z.infer<typeof artifactsSchema>;
export type Upload = z.infer<typeof uploadSchema>;
export type MadeToken = z.infer<typeof madeTokenSchema>;

/** Events of a run, in the order they happened; ids rise, so that a reader can go on after the last it has. */
export type RunEvent = { id: number; time: number } & (
  | { type: 'state'; state: RunState; attempt: number }
  | { type: 'stage'; stage: 'fetch' | 'inspect' | 'plan' | 'report' | 'gate' | 'notify'; done: boolean; text: string }
  | { type: 'tasks'; total: number; reused: number; done: number; secondsLeft: number | null; kinds: KindProgress[] }
  | {
      type: 'task';
      task: string;
      kind: string;
      state: 'started' | 'done' | 'retry' | 'failed';
      delivery: number;
      seconds: number | null;
      provider: string | null;
      error: string | null;
    }
  | { type: 'layer'; pair: string; layer: string }
);
/** An event before it has its place. */
export type NewRunEvent = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, 'id' | 'time'> : never) : never;

export interface KindProgress {
  kind: string;
  total: number;
  done: number;
  /** Seconds of those computed in this attempt. */
  seconds: number;
}

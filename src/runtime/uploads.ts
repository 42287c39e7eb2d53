/**
 * R2's event notifications, from a queue: an object that appears below a prefix that a pipeline declares starts a run
 * of it, with that object as the candidate. A message delivered twice finds the run it started.
 */
import { fromUnknown } from '../errors.ts';
import type { PipelineRecord } from '../service/documents.ts';
import { uploadsFor } from '../triggers/triggers.ts';
import type { Env } from './env.ts';
import { readRevision } from './pipelines.ts';
import { registryOf } from './registry.ts';
import { startRun } from './runs.ts';

/** Starts what the messages of a batch ask for; a message that nothing asks for, or that is none, is done. */
export async function consumeUploads(batch: MessageBatch, env: Env): Promise<void> {
  for (const message of batch.messages) {
    try {
      await startUploads(env, message.body);
      message.ack();
    } catch (error) {
      if (fromUnknown(error).code === 'payload-invalid') message.ack();
      else message.retry({ delaySeconds: 10 });
    }
  }
}

async function startUploads(env: Env, message: unknown): Promise<void> {
  const failures: unknown[] = [];
  for (const pipeline of await registryOf(env).listPipelines()) {
    if (pipeline.prefixes.length === 0) continue;
    try {
      await startUploadsOf(env, pipeline, message);
    } catch (error) {
      // the other pipelines have their turn all the same
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function startUploadsOf(env: Env, pipeline: PipelineRecord, message: unknown): Promise<void> {
  const { service } = await readRevision(env, pipeline.revision);
  for (const { trigger, key, eTag } of uploadsFor(message, [{ name: pipeline.name, triggers: service.triggers }])) {
    await startRun(env, {
      pipeline,
      trigger: { kind: 'upload', delivery: eTag, by: key },
      candidates: { [trigger.network]: { object: key } },
      key: `upload ${pipeline.name} ${key} ${eTag}`,
    });
  }
}

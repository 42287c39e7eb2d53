/** A run that whoever asks may read. */
import type { Context } from 'hono';
import { z } from 'zod';
import { runOf } from '../../runtime/runs.ts';
import { registryOf } from '../../runtime/registry.ts';
import { callerOf, requireReader } from '../access.ts';
import type { ServiceEnv } from '../access.ts';
import type { RunRecord } from '../documents.ts';

export const runParams = z.object({
  id: z
    .string()
    .regex(/^[0-9A-Za-z-]{1,80}$/)
    .meta({ description: 'Id of a run.' }),
});

/**
 * The run with this id.
 * @throws PipelineError `not-found`; `unauthorized` for nobody, whether it is there or not, unless its pipeline is public
 */
export async function readableRun(c: Context<ServiceEnv>, id: string): Promise<RunRecord> {
  if (await callerOf(c)) return runOf(c.env, id);
  const run = await registryOf(c.env).getRun(id);
  await requireReader(c, run?.pipeline);
  return run!;
}

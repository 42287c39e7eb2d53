/**
 * What happens every minute: runs that are due are started, and runs whose workflow is gone are brought to an end or
 * to their beginning. Ticking twice, at once, or after a long sleep does no harm.
 */
import { dueBetween } from '../triggers/triggers.ts';
import type { PipelineRecord } from '../service/documents.ts';
import type { Env } from './env.ts';
import { registryOf } from './registry.ts';
import { mendRuns, startRun } from './runs.ts';

const TICK = 'schedule';

/**
 * Starts a run for every schedule that was due since the last tick, once however long that is ago. A tick that fails
 * is made up for by the next.
 * @param now milliseconds since 1970
 */
export async function tickSchedules(env: Env, now: number): Promise<{ started: string[]; mended: string[] }> {
  const registry = registryOf(env);
  const last = (await registry.lastTick(TICK)) ?? now;
  const started: string[] = [];
  const failures: unknown[] = [];
  for (const pipeline of await registry.listPipelines()) {
    for (const { cron, time } of dueOf(pipeline, last, now)) {
      const key = `schedule ${pipeline.name} ${cron} ${time}`;
      const trigger = { kind: 'schedule', delivery: key, by: cron } as const;
      try {
        const { run, created } = await startRun(env, { pipeline, trigger, key });
        if (created) started.push(run.id);
      } catch (error) {
        // the other pipelines have their turn all the same
        failures.push(error);
      }
    }
  }
  const mended = await mendRuns(env, now);
  // the tick isn't noted: what was not started is still due
  if (failures.length > 0) throw failures[0];
  await registry.tick(TICK, now);
  return { started, mended };
}

// a pipeline isn't due for a time before it was there
function dueOf({ schedules, created }: PipelineRecord, last: number, now: number): { cron: string; time: number }[] {
  const from = Math.max(last, created);
  return schedules.flatMap((cron) => dueBetween(cron, from, now).map((time) => ({ cron, time })));
}

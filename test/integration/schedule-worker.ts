/**
 * The real Worker, in which runs of `orphan` get their workflow at the second try, that of `ended` is ended at once, and
 * a run of `cancelled` is cancelled just before its workflow is made. A workflow that tells of a lost one is asked for
 * while another tick does all that the present one does.
 */
import type { Env, RunParameters } from '../../src/runtime/env.ts';
import { cancelRun, mendRuns } from '../../src/runtime/runs.ts';
import worker from '../../src/worker.ts';

export * from '../../src/worker.ts';

const refused = new Set<string>();

function faulty(env: Env): Env['RUNS'] {
  const runs = env.RUNS;
  const create = async (options: WorkflowInstanceCreateOptions<RunParameters>): Promise<WorkflowInstance> => {
    const { pipeline, lost } = options.params!;
    if (pipeline === 'orphan' && !refused.has(options.id!)) {
      refused.add(options.id!);
      throw new Error('no workflow today');
    }
    if (lost) await mendRuns(env, Date.now());
    if (pipeline === 'cancelled') await cancelRun(env, options.params!.run);
    const instance = await runs.create(options);
    if (pipeline === 'ended' && !lost) await instance.terminate();
    return instance;
  };
  return { get: (id: string) => runs.get(id), create } as unknown as Env['RUNS'];
}

export default {
  fetch: (request, env, context) => worker.fetch(request, { ...env, RUNS: faulty(env) }, context),
} satisfies ExportedHandler<Env>;

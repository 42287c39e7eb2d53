/**
 * The real Worker, in which runs of `orphan` get their workflow at the second try, that of `ended` is ended at once, and
 * a run of `cancelled` is cancelled just before its workflow is made.
 */
import type { Env, RunParameters } from '../../src/runtime/env.ts';
import { cancelRun } from '../../src/runtime/runs.ts';
import worker from '../../src/worker.ts';

export * from '../../src/worker.ts';

const refused = new Set<string>();

function faulty(env: Env): Env['RUNS'] {
  const runs = env.RUNS;
  const create = async (options: WorkflowInstanceCreateOptions<RunParameters>): Promise<WorkflowInstance> => {
    const { pipeline } = options.params!;
    if (pipeline === 'orphan' && !refused.has(options.id!)) {
      refused.add(options.id!);
      throw new Error('no workflow today');
    }
    if (pipeline === 'cancelled') await cancelRun(env, options.params!.run);
    const instance = await runs.create(options);
    if (pipeline === 'ended') await instance.terminate();
    return instance;
  };
  return { get: (id: string) => runs.get(id), create } as unknown as Env['RUNS'];
}

export default {
  fetch: (request, env, context) => worker.fetch(request, { ...env, RUNS: faulty(env) }, context),
} satisfies ExportedHandler<Env>;

/** The real Worker, in which runs of `orphan` get their workflow at the second try, and that of `ended` is ended at once. */
import type { Env, RunParameters } from '../../src/runtime/env.ts';
import worker from '../../src/worker.ts';

export * from '../../src/worker.ts';

const refused = new Set<string>();

function faulty(runs: Env['RUNS']): Env['RUNS'] {
  const create = async (options: WorkflowInstanceCreateOptions<RunParameters>): Promise<WorkflowInstance> => {
    const { pipeline } = options.params!;
    if (pipeline === 'orphan' && !refused.has(options.id!)) {
      refused.add(options.id!);
      throw new Error('no workflow today');
    }
    const instance = await runs.create(options);
    if (pipeline === 'ended') await instance.terminate();
    return instance;
  };
  return { get: (id: string) => runs.get(id), create } as unknown as Env['RUNS'];
}

export default {
  fetch: (request, env, context) => worker.fetch(request, { ...env, RUNS: faulty(env.RUNS) }, context),
} satisfies ExportedHandler<Env>;

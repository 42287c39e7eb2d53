/**
 * A plan with its forecast: the last step of planning a run. The bill is that of the same pipeline deployed, where each
 * task is placed by what fits, whatever this machine runs it on.
 */
import { forecastPlan } from './forecast.ts';
import { makePlan } from './plan.ts';
import type { Plan, PlanInputs } from './plan.ts';

/** What a container has, where this machine's native runtime doesn't load: for the forecast alone, nothing runs by it. */
const CONTAINER_RUNTIME = 'onnxruntime-node 1.30.0';

/** The plan of these inputs, forecast included. @throws PipelineError as makePlan */
export async function makeForecastPlan(inputs: PlanInputs): Promise<Plan> {
  const plan = await makePlan(inputs);
  const deployed = await makePlan({
    ...inputs,
    compute: 'auto',
    versions: { ...inputs.versions, native: inputs.versions.native ?? CONTAINER_RUNTIME },
  });
  const { kinds, reportSeconds } = forecastPlan(plan, inputs.models);
  return { ...plan, forecast: { kinds, reportSeconds, deployed: forecastPlan(deployed, inputs.models) } };
}

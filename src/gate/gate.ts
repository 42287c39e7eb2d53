/** Placeholder of types until the stage lands. */
export interface RuleOutcome {
  passed: boolean;
  text: string;
}
export interface GateOutcome {
  passed: boolean;
  against: string | null;
  rules: RuleOutcome[];
}
import type { GateRule } from '../definition/service.ts';
import type { Results } from '../report/results.ts';
export function evaluateGate(_rules: readonly GateRule[], _results: Results, _previous: Results | null): GateOutcome {
  throw new Error('not there yet');
}

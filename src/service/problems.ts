/** Faults as RFC 9457 problem documents, and back. */
import { HTTPException } from 'hono/http-exception';
import type { ZodError } from 'zod';
import { CODES, fromRecord, fromUnknown, PipelineError } from '../errors.ts';
import type { ErrorCode, ErrorRecord } from '../errors.ts';
import type { Problem } from './documents.ts';

/** What each code is called; a fault's own message says the rest. */
const titleOf = (code: ErrorCode): string => code.charAt(0).toUpperCase() + code.slice(1).replaceAll('-', ' ');

/** Seconds after which a caller that went too fast may come again. */
const RETRY_SECONDS = 60;

/** A fault as a problem document. What is `internal` keeps its text to itself. */
export function problemOf(error: PipelineError, status: number = CODES[error.code].http): Problem {
  const { code, place, hint } = error;
  return {
    type: `/docs#${code}`,
    title: titleOf(code),
    status,
    detail: code === 'internal' ? 'the service failed; its log says more' : error.plainMessage,
    code,
    ...(place && { place: place as Problem['place'] }),
    ...(hint !== undefined && { hint }),
  };
}

/** The fault that a problem document tells. */
export function fromProblem({ code, detail, place, hint }: Problem): PipelineError {
  const known = Object.hasOwn(CODES, code) ? (code as ErrorCode) : 'internal';
  return fromRecord({
    code: known,
    message: detail,
    ...(place && { place: place as NonNullable<ErrorRecord['place']> }),
    ...(hint !== undefined && { hint }),
  });
}

/** Answers whatever was thrown with a problem document. */
export function answerProblem(thrown: unknown): Response {
  // Hono's own: a body that is no JSON, another media type
  const status = thrown instanceof HTTPException ? thrown.status : undefined;
  const error = status === undefined ? fromUnknown(thrown) : new PipelineError('usage', (thrown as Error).message);
  const problem = problemOf(error, status);
  return Response.json(problem, {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(problem.status === 401 && { 'www-authenticate': 'Bearer realm="convergent"' }),
      ...(problem.status === 429 && { 'retry-after': String(RETRY_SECONDS) }),
    },
  });
}

/** Throws what is wrong with a request that its schema refused: the first field, and how many more there are. */
export function refuseInvalid(
  result: { success: true } | { success: false; target: string; error: Pick<ZodError, 'issues'> },
): void {
  if (result.success) return;
  const { target, error } = result;
  const [issue] = error.issues;
  const key = (issue?.path ?? []).map(String).join('.');
  const others = error.issues.length > 1 ? `; and ${error.issues.length - 1} more` : '';
  throw new PipelineError('usage', `${WHERE[target] ?? target}${key && ` ${key}`}: ${issue?.message}${others}`, {
    place: key === '' ? undefined : { key },
  });
}

const WHERE: Record<string, string> = { json: 'body', param: 'address', query: 'query', header: 'header' };

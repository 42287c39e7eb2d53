/**
 * Which secrets a pipeline may use, and where each may be sent. CONVERGENT_SECRETS lists them, comma-separated:
 * `NAME` to check signatures with, `NAME@host` or `NAME@host1@host2` to send to these hosts as well. The value stands
 * in the variable of that name. Errors name the name alone, never a value.
 */
import { PipelineError } from '../errors.ts';

const LIST = 'CONVERGENT_SECRETS';
const ENTRY = /^[A-Z][A-Z0-9_]*(@[a-z0-9-]+(\.[a-z0-9-]+)+)*$/;

/** @throws PipelineError `secret-missing` where the name isn't listed, or has no value */
export function secretFor(env: Record<string, unknown>, name: string): string {
  return listed(env, name).value;
}

/**
 * A secret that goes to `host`, a lower-case host name.
 * @throws PipelineError `secret-missing`; `forbidden` where it isn't bound to the host
 */
export function secretTo(env: Record<string, unknown>, name: string, host: string): string {
  const { value, hosts } = listed(env, name);
  if (!hosts.includes(host)) {
    throw new PipelineError('forbidden', `expected the secret ${name} to be bound to where it goes; found it is not`, {
      hint: `Whoever runs the service can bind it: ${name}@<host> in ${LIST}.`,
    });
  }
  return value;
}

function listed(env: Record<string, unknown>, name: string): { value: string; hosts: string[] } {
  const list = env[LIST];
  for (const item of typeof list === 'string' ? list.split(',') : []) {
    const entry = item.trim();
    if (entry === '') continue;
    const [first, ...hosts] = entry.split('@');
    if (first !== name) continue;
    // not repeated: somebody may have put a value here
    if (!ENTRY.test(entry)) {
      throw new PipelineError('secret-missing', `expected ${name} in ${LIST} as ${name}@<host>; found another form`);
    }
    const value = env[name];
    if (typeof value !== 'string' || value === '') {
      throw new PipelineError('secret-missing', `expected a value of the secret ${name}; found none`, {
        hint: `Set ${name} where the service runs: in the environment, or with wrangler secret put.`,
      });
    }
    return { value, hosts };
  }
  throw new PipelineError('secret-missing', `expected the secret ${name} in ${LIST}; found it is not listed`, {
    hint: `Whoever runs the service can list it: ${LIST}="…,${name}".`,
  });
}

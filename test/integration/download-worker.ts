/** A Worker that downloads what it is asked to by POST, and says what it did to the bucket; GET gives an object. */
import { fromUnknown } from '../../src/errors.ts';
import type { AddressRules } from '../../src/definition/service.ts';
import { downloadModel } from '../../src/runtime/download.ts';

export default {
  async fetch(request: Request, env: { BUCKET: R2Bucket }): Promise<Response> {
    if (request.method === 'GET')
      return new Response((await env.BUCKET.get(new URL(request.url).pathname.slice(1)))?.body);
    const { url, rules } = await request.json<{ url: string; rules: AddressRules }>();
    const calls: string[] = [];
    const result = await downloadModel(recorded(env.BUCKET, calls), url, rules, fetch).catch((thrown: unknown) => ({
      error: fromUnknown(thrown).toJSON(),
    }));
    return Response.json({ result, calls });
  },
};

// every call that goes through, with the key it is about; those of multipart uploads as well
function recorded<T extends object>(target: T, calls: string[]): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        calls.push(typeof args[0] === 'string' ? `${String(name)} ${args[0]}` : String(name));
        const result: unknown = await value.apply(target, args);
        return name === 'createMultipartUpload' ? recorded(result as object, calls) : result;
      };
    },
  });
}

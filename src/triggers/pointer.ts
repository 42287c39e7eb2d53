/** JSON Pointer (RFC 6901) into a parsed document. Part of the triggers stage; reads own members only. */

/** The value at `pointer`, or undefined where nothing stands there or the pointer isn't one. */
export function valueAt(document: unknown, pointer: string): unknown {
  if (pointer !== '' && !pointer.startsWith('/')) return undefined;
  let value = document;
  for (const escaped of pointer.split('/').slice(1)) {
    if (/~(?![01])/.test(escaped)) return undefined;
    const token = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || token === '__proto__') return undefined;
    // an item of a list is named by its index without leading zeros; `-` is the one after the last
    if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(token)) return undefined;
    if (!Object.hasOwn(value, token)) return undefined;
    value = (value as Record<string, unknown>)[token];
  }
  return value;
}

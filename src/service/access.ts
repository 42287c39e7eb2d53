/** Who may do what: tokens by hash. */
import { sha256Hex } from '../numeric/hash.ts';

/** Whether an Authorization header carries `token`; in constant time, as digests of both are compared. */
export async function bearerIs(header: string | undefined, token: string): Promise<boolean> {
  const given = /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
  if (given === undefined) return false;
  const [a, b] = [await sha256Hex(given), await sha256Hex(token)];
  let different = 0;
  for (let at = 0; at < a.length; at++) different |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return different === 0;
}

/** The digest of a result: one hash that two runs of the same comparison share (contract.md, "digest"). */
import { sha256Hex } from '../numeric/hash.ts';

/** A file's path below the output folder, with `/`, and its SHA-256 in lower-case hex. */
export interface HashedFile {
  path: string;
  sha256: string;
}

/** SHA-256 over the lines `<sha256>  <path>\n` of all .npy, .npz and .csv among `files`, in byte order of their paths. */
export function digestOf(files: readonly HashedFile[]): Promise<string> {
  const encoder = new TextEncoder();
  const lines = files
    .filter(({ path }) => /\.(npy|npz|csv)$/.test(path))
    .map(({ path, sha256 }) => ({ key: encoder.encode(path), line: `${sha256}  ${path}\n` }))
    .sort((x, y) => compareBytes(x.key, y.key));
  return sha256Hex(lines.map(({ line }) => line).join(''));
}

function compareBytes(x: Uint8Array, y: Uint8Array): number {
  const length = Math.min(x.length, y.length);
  for (let i = 0; i < length; i++) {
    if (x[i] !== y[i]) return x[i]! - y[i]!;
  }
  return x.length - y.length;
}

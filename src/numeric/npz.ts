/**
 * NPZ: several named arrays in one object, as numpy.load opens them; the form of every object the
 * stages hand over. Carries its own checksum: a last member `sha256`, uint8 [members × 32], with
 * SHA-256 of each member's name followed by the bytes of its .npy, in member order.
 * The same arrays give the same bytes everywhere: members are stored, their dates fixed.
 */
import { unzipSync, zipSync, type Zippable } from 'fflate';
import { PipelineError } from '../errors.ts';
import { readNpy, writeNpyAfter } from './npy.ts';
import type { NpyArray, NpyArrays, NpyData, NpyDtype } from './npy.ts';

const CHECKSUM = 'sha256';
const CHECKSUM_BYTES = 32;
const END_BYTES = 22; // end-of-directory record of a zip without comment
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

/**
 * Writes arrays as one .npz, in the order of the record's keys. Names are letters, digits and `_` and start
 * with a letter; `sha256` is ours. The arrays are only read. Needs about twice their bytes; below 4 GB.
 *
 * @throws internal: a name that isn't allowed, a shape that isn't the array's
 */
export async function writeNpz(
  members: Readonly<Record<string, { data: NpyData; shape: readonly number[] }>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const names = Object.keys(members);
  const sums = new Uint8Array(names.length * CHECKSUM_BYTES);
  const files: Zippable = {};
  for (const [i, name] of names.entries()) {
    if (!NAME.test(name) || name === CHECKSUM)
      throw new PipelineError('internal', `expected a member name; found '${name}'`);
    const { data, shape } = members[name]!;
    // name and file in one buffer: hashed whole, then stored without the name
    const named = writeNpyAfter(new TextEncoder().encode(name), data, shape);
    sums.set(await sha256(named), i * CHECKSUM_BYTES);
    files[`${name}.npy`] = named.subarray(name.length);
  }
  files[`${CHECKSUM}.npy`] = writeNpyAfter(new Uint8Array(0), sums, [names.length, CHECKSUM_BYTES]);
  // zip dates are local time without a zone, and fflate asks the date for its local fields
  return zipSync(files, { level: 0, mtime: new Date(1980, 0, 1, 12) }) as Uint8Array<ArrayBuffer>;
}

/**
 * Reads an .npz of {@link writeNpz} and verifies the checksum of every member it returns; `only` limits
 * that to the names given, without it all are read and their set must be complete. Arrays are copies, owned
 * by the caller. Bytes that differ from what was written either fail or give the very same arrays.
 *
 * @throws object-damaged on any fault; `source` names the object
 */
export async function readNpz(
  bytes: Uint8Array,
  only?: readonly string[],
  source = 'object',
): Promise<Record<string, NpyArray>> {
  const damaged = (found: string, cause?: unknown): PipelineError =>
    new PipelineError('object-damaged', `${source}: expected a whole .npz with its checksums; found ${found}`, {
      cause,
    });

  // the directory: names in order, and the files of the members wanted
  const names: string[] = [];
  let files: Record<string, Uint8Array>;
  try {
    files = unzipStored(bytes, names, only);
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
  if (names.pop() !== CHECKSUM) throw damaged('no checksums at its end');

  // the members, each against its checksum
  const arrays: Record<string, NpyArray> = {};
  try {
    const sums = readNpy(files[CHECKSUM]!, CHECKSUM, ['uint8']);
    if (sums.shape.length !== 2 || sums.shape[1] !== CHECKSUM_BYTES || sums.shape[0] !== names.length) {
      throw new Error(`${names.length} members and checksums of shape (${sums.shape.join(', ')})`);
    }
    for (const name of only ?? names) {
      const i = names.indexOf(name);
      if (i < 0) throw new Error(`no member '${name}'`);
      const file = files[name]!;
      const named = new Uint8Array(name.length + file.length);
      named.set(new TextEncoder().encode(name));
      named.set(file, name.length);
      const sum = await sha256(named);
      if (sum.some((byte, k) => byte !== sums.data[i * CHECKSUM_BYTES + k])) {
        throw new Error(`member '${name}' with another checksum`);
      }
      arrays[name] = readNpy(file, name);
    }
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
  return arrays;
}

/**
 * One array of an object that was read, with the dtype and shape its reader relies on; −1 in `shape` lets
 * that axis be anything.
 *
 * @throws object-damaged: absent, another dtype or another shape
 */
export function takeMember<D extends NpyDtype>(
  members: Readonly<Record<string, NpyArray>>,
  name: string,
  dtype: D,
  shape: readonly number[],
): NpyArrays[D] {
  const found = members[name];
  const fits =
    found?.dtype === dtype &&
    found.shape.length === shape.length &&
    found.shape.every((axis, i) => shape[i] === -1 || shape[i] === axis);
  if (found === undefined || !fits) {
    const what = found === undefined ? 'no such member' : `${found.dtype} (${found.shape.join(', ')})`;
    throw new PipelineError(
      'object-damaged',
      `member '${name}': expected ${dtype} (${shape.join(', ')}); found ${what}`,
    );
  }
  return found.data as NpyArrays[D];
}

// the zip's members by name without `.npy`, those wanted only; pushes all names, in the directory's order
function unzipStored(
  bytes: Uint8Array,
  names: string[],
  only: readonly string[] | undefined,
): Record<string, Uint8Array> {
  const end = bytes.length - END_BYTES;
  const signature = [0x50, 0x4b, 5, 6];
  if (end < 0 || signature.some((byte, i) => bytes[end + i] !== byte))
    throw new Error(`${bytes.length} bytes without a zip's end`);
  const seen = new Set<string>();
  let totalBytes = 0;
  const files = unzipSync(bytes, {
    // called once per entry, so that a hostile directory ends here before anything of its size is allocated
    filter(entry) {
      const name = entry.name.replace(/\.npy$/, '');
      totalBytes += entry.size;
      if (name === entry.name || !NAME.test(name) || seen.has(name)) throw new Error('a member name that is not ours');
      if (entry.compression !== 0 || entry.size !== entry.originalSize) throw new Error(`member '${name}' compressed`);
      if (!(totalBytes <= bytes.length)) throw new Error(`members of ${totalBytes} bytes in ${bytes.length}`);
      seen.add(name);
      names.push(name);
      return name === CHECKSUM || only === undefined || only.includes(name);
    },
  });
  return Object.fromEntries(Object.entries(files).map(([file, content]) => [file.slice(0, -4), content]));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

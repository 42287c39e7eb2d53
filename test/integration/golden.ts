/** Reads .npz files that numpy wrote (compressed or not); ours carry checksums and have a reader of their own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { readNpy } from '../../src/numeric/npy.ts';
import { ROOT } from './command.ts';

/** Float64 arrays of test/reference/<name>, by member. */
export function readGolden(name: string): (member: string) => Float64Array {
  const files = unzipSync(new Uint8Array(readFileSync(join(ROOT, 'test/reference', name))));
  return (member) => {
    const file = files[`${member}.npy`];
    if (!file) throw new Error(`no member ${member} in ${name}`);
    return Float64Array.from(readNpy(file, member).data);
  };
}

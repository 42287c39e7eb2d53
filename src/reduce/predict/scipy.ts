/** Sparse weights as the file that scipy.sparse.load_npz opens: the form of the weights of wide layers. */
import { crc32 } from '../../numeric/crc32.ts';
import { writeNpy } from '../../numeric/npy.ts';
import { zipDirectory, zipLocalHeader } from '../../numeric/zip.ts';
import { scipyCsr } from './weights.ts';
import type { SparseWeights } from './weights.ts';

/** The bytes of the .npz, float64 [targets × sources] in compressed rows. */
export function scipyNpz(weights: SparseWeights, targets: number, sources: number): Uint8Array<ArrayBuffer> {
  const files = Object.entries(scipyCsr(weights, targets, sources)).map(([name, member]) => {
    const bytes = 'npy' in member ? member.npy : writeNpy(member.data, member.shape);
    return { name: `${name}.npy`, sizeBytes: bytes.length, bytes, crc: crc32(bytes) };
  });
  const pieces = [
    ...files.flatMap((file) => [zipLocalHeader(file, file.crc), file.bytes]),
    zipDirectory(
      files,
      files.map(({ crc }) => crc),
    ),
  ];
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Bodies with a bound. */
import { PipelineError } from '../errors.ts';

/** The body of a request, whole. @throws PipelineError `too-large` before more than `most` bytes are held */
export async function boundedBytes(request: Request, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): PipelineError =>
    new PipelineError('too-large', `expected a body of at most ${most} bytes; found more`);
  if (Number(request.headers.get('content-length')) > most) throw tooLarge();
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request.body ?? []) {
    length += piece.length;
    if (length > most) throw tooLarge();
    pieces.push(piece);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

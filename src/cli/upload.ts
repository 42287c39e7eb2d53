/**
 * Files to a service, named by their content: what is there isn't sent, and a long file goes in parts, of which those
 * that arrived before stay. The service checks every hash.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { fromUnknown } from '../errors.ts';
import type { Upload } from '../service/documents.ts';
import { transferText } from './progress.ts';
import type { ProgressDisplay } from './progress.ts';
import type { Service } from './remote.ts';

/** A longer file is sent in parts. */
const WHOLE_BYTES = 64 * 2 ** 20;
const READ_BYTES = 256 * 1024;

/** A file on disk and its content. */
export interface LocalFile {
  path: string;
  sha256: string;
  sizeBytes: number;
}

/** What an upload moved. */
export interface Sent {
  files: number;
  bytes: number;
}

/** Sends what the service lacks. @throws PipelineError as asking does */
export async function sendFiles(
  service: Service,
  files: readonly LocalFile[],
  display: Pick<ProgressDisplay, 'show'>,
  signal: AbortSignal,
): Promise<Sent> {
  // what is missing first, so that the line knows how much there is to send
  const missing: { file: LocalFile; known: Upload | null }[] = [];
  for (const file of new Map(files.map((each) => [each.sha256, each])).values()) {
    const known = await uploadOf(service, file, signal);
    if (!known?.complete) missing.push({ file, known });
  }
  const wanted = ({ file, known }: (typeof missing)[number]): number => file.sizeBytes - presentBytes(file, known);
  const total = missing.reduce((sum, each) => sum + wanted(each), 0);
  const begun = performance.now();
  let sent = 0;
  const count = (bytes: number): void => {
    sent += bytes;
    display.show(transferText('sent', sent, total, (performance.now() - begun) / 1000));
  };
  for (const { file, known } of missing) {
    if (file.sizeBytes <= WHOLE_BYTES) await sendRange(service, address(file), file, 0, file.sizeBytes, count, signal);
    else await sendParts(service, file, known, count, signal);
  }
  return { files: missing.length, bytes: total };
}

// null: nothing is there
function uploadOf(service: Service, file: LocalFile, signal: AbortSignal): Promise<Upload | null> {
  return service.json<Upload>(address(file), { signal }).catch((error: unknown) => {
    if (fromUnknown(error).code === 'not-found') return null;
    throw error;
  });
}

async function sendParts(
  service: Service,
  file: LocalFile,
  known: Upload | null,
  count: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const begin = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: () => JSON.stringify({ bytes: file.sizeBytes }),
    repeatable: true,
    signal,
  } as const;
  const { partBytes, parts } = known ?? (await service.json<Upload>(address(file), begin));
  for (let from = 0, part = 1; from < file.sizeBytes; from += partBytes, part++) {
    if (parts.includes(part)) continue;
    const to = Math.min(file.sizeBytes, from + partBytes);
    await sendRange(service, `${address(file)}/parts/${part}`, file, from, to, count, signal);
  }
  // the service reads the whole once more to hash it
  await service.ask(`${address(file)}/complete`, { method: 'POST', repeatable: true, signal }, drain);
}

// bytes [from, to) of a file as the body of a PUT; what a failed try sent doesn't count
async function sendRange(
  service: Service,
  path: string,
  file: LocalFile,
  from: number,
  to: number,
  count: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let counted = 0;
  const body = (): ReadableStream<Uint8Array> | Uint8Array => {
    if (counted > 0) count(-counted);
    counted = 0;
    if (from === to) return new Uint8Array(0);
    const pieces = createReadStream(file.path, { start: from, end: to - 1, highWaterMark: READ_BYTES });
    async function* told(): AsyncGenerator<Uint8Array, void> {
      for await (const piece of pieces as AsyncIterable<Uint8Array>) {
        yield piece;
        counted += piece.length;
        count(piece.length);
      }
    }
    return Readable.toWeb(Readable.from(told())) as ReadableStream<Uint8Array>;
  };
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(to - from) };
  await service.ask(path, { method: 'PUT', headers, body, signal }, drain);
}

function presentBytes({ sizeBytes }: LocalFile, known: Upload | null): number {
  if (!known) return 0;
  return known.parts.reduce(
    (sum, part) => sum + Math.min(known.partBytes, sizeBytes - (part - 1) * known.partBytes),
    0,
  );
}

function address({ sha256 }: LocalFile): string {
  return `/uploads/${sha256}`;
}

async function drain(response: Response): Promise<void> {
  await response.arrayBuffer();
}

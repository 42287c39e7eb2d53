/**
 * The inputs of a task as a child process finds them: files of the cache by content, rows and ranges of objects in
 * the spooled body of the request, or rows in the file of the probe data and objects that this server made. Reads by
 * range; what wasn't sent can't be read.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../errors.ts';
import type { RangeSource } from '../numeric/range.ts';
import type { RowRange } from '../plan/groups.ts';
import type { PlannedData } from '../plan/plan.ts';
import { bytesOfRow } from '../plan/work.ts';
import type { TaskInputs } from '../task/task.ts';
import { partBytes, type TaskPart } from './parts.ts';

/** Where a task's inputs lie. */
export interface InputPlaces {
  /** Folder of files by SHA-256. */
  filesFolder: string;
  /** SHA-256 of those the task may read. */
  files: string[];
  /** Folder of the server's own objects, by task key. */
  madeFolder: string;
  /** The bytes of `parts`, back to back. */
  spoolPath: string;
  parts: TaskPart[];
}

/** What tells where a row stands. */
type ProbeFile = Pick<PlannedData, 'sha256' | 'dtype' | 'rowShape' | 'offset'>;

export interface OpenInputs extends TaskInputs {
  /** Closes all files; sources that were given out fail from then on. */
  close(): Promise<void>;
}

// bytes of an object that lie together in the spool
interface Piece {
  start: number;
  end: number;
  at: number;
}

/** Opens the spool, and files as they are asked for; `data`: where rows stand in a file of the probe data. */
export async function openInputs(places: InputPlaces, data: ProbeFile): Promise<OpenInputs> {
  const parts: { part: TaskPart; at: number }[] = [];
  let spoolBytes = 0;
  for (const part of places.parts) {
    parts.push({ part, at: spoolBytes });
    spoolBytes += partBytes(part);
  }
  const spool = await open(places.spoolPath);
  const handles = [spool];
  const fileAt = async (path: string, what: string): Promise<RangeSource> => {
    const handle = await open(path);
    handles.push(handle);
    const { size } = await handle.stat();
    return { size, read: (start, end) => readRange(handle, start, end, what, size) };
  };
  const file = async (sha256: string): Promise<RangeSource> => {
    if (!places.files.includes(sha256)) throw notSent(`file ${sha256}`);
    return fileAt(join(places.filesFolder, sha256), `file ${sha256}`);
  };
  let probe: Promise<RangeSource> | undefined;

  return {
    file,

    async rows([start, end]: RowRange) {
      if (places.files.includes(data.sha256)) {
        const bytes = bytesOfRow(data);
        return (await (probe ??= file(data.sha256))).read(data.offset + start * bytes, data.offset + end * bytes);
      }
      const rows = parts.filter(({ part }) => part.kind === 'rows') as {
        part: Extract<TaskPart, { kind: 'rows' }>;
        at: number;
      }[];
      const first = rows.find(({ part }) => part.start <= start && start < part.end)?.part;
      const rowBytes = first ? first.bytes / (first.end - first.start) : 0;
      const bytes = new Uint8Array((end - start) * rowBytes);
      for (let row = start; row < end;) {
        const found = rows.find(({ part }) => part.start <= row && row < part.end);
        if (!found) throw notSent(`row ${row}`);
        const { part, at } = found;
        if (part.bytes !== rowBytes * (part.end - part.start)) throw notSent(`row ${row} of ${rowBytes} bytes`);
        const last = Math.min(end, part.end);
        const target = bytes.subarray((row - start) * rowBytes, (last - start) * rowBytes);
        await readInto(target, spool, at + (row - part.start) * rowBytes, 'the spooled rows');
        row = last;
      }
      return bytes;
    },

    async object(task): Promise<RangeSource> {
      const found = parts.find(({ part }) => part.kind !== 'rows' && part.task === task);
      if (found?.part.kind === 'made') return fileAt(join(places.madeFolder, found.part.key), `object of task ${task}`);
      if (found?.part.kind !== 'object') throw notSent(`the object of task ${task}`);
      const { size, ranges } = found.part;
      const pieces = joined(ranges, found.at);
      return {
        size,
        async read(start: number, end: number) {
          const what = `bytes [${start}, ${end}) of the object of task ${task}`;
          const piece = pieces.find((candidate) => candidate.start <= start && end <= candidate.end);
          if (!piece) throw notSent(what);
          const from = piece.at + start - piece.start;
          return readRange(spool, from, from + end - start, what, spoolBytes);
        },
      };
    },

    async close() {
      await Promise.all(handles.map((handle) => handle.close()));
    },
  };
}

// ranges that follow each other in the object as they do in the spool are one
function joined(ranges: readonly (readonly [number, number])[], at: number): Piece[] {
  const pieces: Piece[] = [];
  let next = at;
  for (const [start, end] of ranges) {
    const last = pieces.at(-1);
    if (last?.end === start) last.end = end;
    else pieces.push({ start, end, at: next });
    next += end - start;
  }
  return pieces;
}

async function readRange(
  handle: FileHandle,
  start: number,
  end: number,
  what: string,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!(start >= 0 && start <= end && end <= size))
    throw new PipelineError('internal', `${what}: expected a range within ${size} bytes; found [${start}, ${end})`);
  const bytes = new Uint8Array(end - start);
  await readInto(bytes, handle, start, what);
  return bytes;
}

async function readInto(target: Uint8Array, handle: FileHandle, start: number, what: string): Promise<void> {
  for (let filled = 0; filled < target.length;) {
    const { bytesRead } = await handle.read(target, filled, target.length - filled, start + filled);
    if (bytesRead === 0)
      throw new PipelineError('input-damaged', `${what}: expected ${target.length} bytes; found ${filled}`);
    filled += bytesRead;
  }
}

function notSent(what: string): PipelineError {
  return new PipelineError('internal', `expected a task to read what was sent with it; found it reading ${what}`);
}

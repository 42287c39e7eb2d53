/**
 * The output folder: written beside its place and renamed, so that it is whole or absent. A folder that
 * holds anything but results of ours is never touched.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { PipelineError } from '../errors.ts';

/** First member of run.json, by which a folder is known as ours. */
export const RUN_SCHEMA = 'convergent/run/1';

/** @throws PipelineError `out-refused` where `folder` exists and is not ours */
export function requireOurs(folder: string): void {
  if (!existsSync(folder)) return;
  let found: string;
  try {
    const names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
    if (names.length === 0) return;
    const ours = names.includes('run.json') ? filesOfRun(join(folder, 'run.json')) : [];
    const stranger = names.find((name) => name !== 'run.json' && !ours.includes(name));
    if (ours.length > 0 && stranger === undefined) return;
    found = `${stranger ?? 'run.json'}, which no run of ours wrote`;
  } catch (error) {
    found = (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? 'a file' : (error as Error).message;
  }
  throw new PipelineError(
    'out-refused',
    `expected an output folder that is absent, empty or ours at ${folder}; found ${found}`,
    {
      hint: 'choose another with --out, or remove it yourself',
    },
  );
}

// the files that a run.json of ours says it stands beside
function filesOfRun(path: string): string[] {
  const { schema, files } = JSON.parse(readFileSync(path, 'utf8')) as { schema?: unknown; files?: string[] };
  return schema === RUN_SCHEMA && Array.isArray(files) ? files : [];
}

/** A folder being written; nothing stands at its place until `finish`. */
export interface OutputFolder {
  write: (path: string, bytes: Uint8Array | string) => void;
  finish: () => void;
  /** Removes what was written. */
  abandon: () => void;
}

/** Starts writing `folder`. @throws PipelineError `out-refused` */
export function openOutput(folder: string): OutputFolder {
  requireOurs(folder);
  const place = resolve(folder);
  const beside = (what: string): string => join(dirname(place), `.${basename(place)}.${what}`);
  const [partial, old] = [beside('convergent-partial'), beside('convergent-old')];
  try {
    // what a killed run left
    if (!existsSync(place) && existsSync(old)) renameSync(old, place);
    for (const stale of [partial, old]) rmSync(stale, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
  } catch (error) {
    throw new PipelineError(
      'out-refused',
      `expected an output folder that can be written at ${folder}; found ${(error as Error).message}`,
      { hint: 'choose another with --out', cause: error },
    );
  }
  return {
    write(path, bytes) {
      const target = join(partial, ...path.split('/'));
      if (!target.startsWith(partial + sep))
        throw new PipelineError('internal', `expected a path inside the output folder; found ${path}`);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    },
    finish() {
      if (existsSync(place)) renameSync(place, old);
      renameSync(partial, place);
      rmSync(old, { recursive: true, force: true });
    },
    abandon() {
      rmSync(partial, { recursive: true, force: true });
    },
  };
}

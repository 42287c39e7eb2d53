/** Probe data as the commands read it: its header, and its content hashed in one pass. */
import { openSync, closeSync, readSync, statSync } from 'node:fs';
import { hashFile, requireFile } from '../compute/files.ts';
import type { Place } from '../errors.ts';
import { located } from '../plan/layers.ts';
import type { PlannedData } from '../plan/plan.ts';
import { parseProbeHeader, probeHeadBytes } from '../plan/probe.ts';
import type { ProbeHeader } from '../plan/probe.ts';

/** Probe data: what the plan needs of it, how many rows it has, and the list of its chunks' hashes. */
export interface ProbeFile {
  path: string;
  data: PlannedData;
  rows: number;
  /** [chunks × 32] */
  chunkHashes: Uint8Array;
}

/** The header of a .npy file of probe data. @throws PipelineError `data-invalid` */
export function readProbeHeader(path: string, place?: Place): ProbeHeader {
  requireFile(path, 'probe data', place);
  const sizeBytes = statSync(path).size;
  const head = new Uint8Array(probeHeadBytes(sizeBytes));
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return located(place ?? { file: path }, () => parseProbeHeader(head, path, sizeBytes));
}

/** Reads probe data once, front to back: its hash and its chunks' hashes. */
export async function readProbe(path: string, place?: Place): Promise<ProbeFile> {
  const { rows, ...header } = readProbeHeader(path, place);
  const { sha256, chunksSha256, chunkHashes } = await hashFile(path);
  return { path, data: { ...header, sha256, chunksSha256 }, rows, chunkHashes };
}

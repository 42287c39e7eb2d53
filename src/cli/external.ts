/** The files beside a model that its weights lie in, as the commands read them: by range, never whole. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RangeSource } from '../numeric/range.ts';
import type { ReadExternal } from '../onnx/external.ts';
import { requireFile } from './files.ts';

/** Opens the files beside the model at `modelPath`. @throws PipelineError `file-missing` naming the path */
export function besideModel(modelPath: string): ReadExternal {
  // async, so that a missing file rejects
  return async (location) => {
    const path = join(dirname(modelPath), location);
    requireFile(path, `weights of ${modelPath}`);
    return fileSource(path);
  };
}

/** A file by range; open only while it is read. */
export function fileSource(path: string): RangeSource {
  return {
    size: statSync(path).size,
    read: async (start, end) => {
      const bytes = new Uint8Array(end - start);
      const file = openSync(path, 'r');
      try {
        let at = 0;
        // a read may give less than asked for; 0: the file has become shorter
        for (let count = -1; at < bytes.length && count !== 0; at += count) {
          count = readSync(file, bytes, at, bytes.length - at, start + at);
        }
        return bytes.subarray(0, at);
      } finally {
        closeSync(file);
      }
    },
  };
}

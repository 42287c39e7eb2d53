/**
 * What an inspection is kept under, by whoever keeps it: the command line as a file, the service in the bucket. Apart
 * from the code that inspects, whose hash is part of the key.
 */
import { hashOf } from '../numeric/hash.ts';

/** All that an inspection follows from. */
export interface InspectionIdentity {
  /** Hash of the code that inspects. */
  code: string;
  /** Name and version of the runtime that measures. */
  runtime: string;
  /** SHA-256 of the model's bytes. */
  model: string;
  /** The files beside the model, in its order: weights outside may decide shapes too. Only these two members count. */
  external: readonly { location: string; sha256: string }[];
  /** One row of the input, batch left out. */
  inputShape: readonly number[];
  /** Value or node names, in the order they are measured in. */
  taps: readonly string[];
}

/** The key of an inspection, SHA-256 in lower-case hex. */
export function inspectionKey({
  code,
  runtime,
  model,
  external,
  inputShape,
  taps,
}: InspectionIdentity): Promise<string> {
  const files = external.map(({ location, sha256 }) => ({ location, sha256 }));
  return hashOf({ code, runtime, model, external: files, inputShape, taps });
}

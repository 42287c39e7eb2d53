/**
 * From a stored pipeline to a plan, inside the Worker: models fetched, inspected and planned, one workflow step each.
 * What the command line does with files, this does with the bucket; the plan is the same.
 */
import type { Definition } from '../definition/definition.ts';
import { PipelineError } from '../errors.ts';
import { inspectModel } from '../inspect/inspect.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { inspectionKey } from '../inspect/key.ts';
import { readRows } from '../inspect/layout.ts';
import { sha256Hex, toHex } from '../numeric/hash.ts';
import { externalFiles } from '../onnx/external.ts';
import { networkInput, parseModel } from '../onnx/model.ts';
import { WASM_VERSION } from '../onnx/wasm.ts';
import { makeForecastPlan } from '../plan/deployed.ts';
import type { ExternalData } from '../plan/layers.ts';
import { located, modelRow } from '../plan/layers.ts';
import type { CodeHashes, PlannedData } from '../plan/plan.ts';
import { parseProbeHeader, probeHeadBytes } from '../plan/probe.ts';
import type { ComputeChoice } from '../plan/providers.ts';
import type { Candidate } from '../service/documents.ts';
import { tooLarge } from '../triggers/address.ts';
import { checkPin, downloadModel } from './download.ts';
import type { Env } from './env.ts';
import { withIsolateRuntime } from './isolate.ts';
import { nativeVersion } from './native.ts';
import type { Revision } from './pipelines.ts';
import { chunksKey, createOnly, getVerified, inputKey, putPlan, verifiedSource } from './store.ts';
import type { StoredFile } from './store.ts';

declare const CODE_HASHES: CodeHashes;

/** A model in the bucket. */
export interface FetchedModel {
  sha256: string;
  bytes: number;
}

/** A network's model as it was inspected: where the inspection stands, and its external data. */
export interface InspectedModel {
  /** Key in the bucket. */
  inspection: string;
  external: ExternalData[];
}

/**
 * Puts the model of one network into the bucket, from wherever this run takes it.
 * @throws PipelineError `file-missing`, and what a download throws: an object's size and hash are bounded as a
 *   download's are
 */
export async function fetchModel(
  env: Env,
  { definition, files, where }: Revision,
  index: number,
  candidate: Candidate | undefined,
): Promise<FetchedModel> {
  const { name, model, address } = definition.networks[index]!;
  const place = where(['networks', name, 'model']);
  if (candidate?.object !== undefined) {
    const { object, sha256 } = candidate;
    const pins = [address?.sha256, sha256];
    return located(place, () => takeObject(env.BUCKET, object, address?.maxBytes ?? Infinity, pins));
  }
  const source = candidate?.model ?? model;
  if (source.includes('://')) {
    const rules = address && { ...address, ...(candidate?.sha256 !== undefined && { sha256: candidate.sha256 }) };
    if (!rules) throw new PipelineError('address-refused', `expected hosts of ${name}; found none declared`, { place });
    return located(place, () => downloadModel(env.BUCKET, source, rules, fetch));
  }
  const file = files[normalised(source)];
  if (file) return { sha256: file.sha256, bytes: file.bytes };
  throw new PipelineError('file-missing', `expected a model at ${model}; found no such file with this revision`, {
    place,
    hint: 'push the pipeline again',
  });
}

/** Inspects the model of one network, once for its content and taps. @throws PipelineError as inspection does */
export async function inspectNetwork(
  env: Env,
  revision: Revision,
  index: number,
  { sha256 }: FetchedModel,
): Promise<InspectedModel> {
  const { definition, where } = revision;
  const network = definition.networks[index]!;
  const place = where(['networks', network.name, 'model']);
  const { data } = await probeOf(env, revision);
  const bytes = await getVerified(env.BUCKET, inputKey(sha256), sha256);
  const model = located(place, () => parseModel(bytes));
  const locations = externalFiles(model);
  const external: (ExternalData & StoredFile)[] = [];
  for (const location of locations) {
    external.push({ location, ...(await storedFile(env, revision, beside(network.model, location), place)) });
  }
  const { shape: inputShape } = readRows(
    data.rowShape,
    definition.probe.layout,
    modelRow(networkInput(model).dims, data.rowShape),
    network.layout,
  );
  const taps = definition.layers.map((layer) => layer.taps[index]!.tensor);
  const { inspect: code } = CODE_HASHES;
  const hash = await inspectionKey({ code, runtime: WASM_VERSION, model: sha256, external, inputShape, taps });
  const key = `inspect/${hash}.json`;
  let inspection = await (await env.BUCKET.get(key))?.json<ModelInspection>();
  if (!inspection) {
    const source = (location: string) => {
      const file = external.find((entry) => entry.location === location)!;
      return Promise.resolve(verifiedSource(env.BUCKET, file));
    };
    inspection = await located(place, () =>
      withIsolateRuntime((runtime) => inspectModel(bytes, runtime, { inputShape, taps, external: source })),
    );
    await env.BUCKET.put(key, JSON.stringify(inspection));
  }
  const { externalData } = inspection;
  return { inspection: key, external: external.filter(({ location }) => externalData.includes(location)) };
}

/** Plans a revision whose models were inspected; gives the plan's hash. @throws PipelineError as planning does */
export async function planRevision(
  env: Env,
  revision: Revision,
  inspected: readonly InspectedModel[],
): Promise<string> {
  const { definition, text, where } = revision;
  const { data, rows } = await probeOf(env, revision);
  const models: ModelInspection[] = [];
  for (const { inspection } of inspected)
    models.push(await (await env.BUCKET.get(inspection))!.json<ModelInspection>());
  const native = await nativeVersion(env);
  const plan = await makeForecastPlan({
    definition,
    definitionSha256: await sha256Hex(text),
    models,
    externalData: inspected.map(({ external }) => external),
    data,
    dataRows: rows,
    code: CODE_HASHES,
    compute: computeChoice(env, definition, native),
    versions: { isolate: WASM_VERSION, ...(native !== null && { native }) },
    where,
  });
  return putPlan(env.BUCKET, plan);
}

// as the command line chooses it; deployed, whichever a task fits
function computeChoice(env: Env, { compute }: Definition, native: string | null): ComputeChoice {
  if (compute === 'native' && native === null) {
    throw new PipelineError('usage', 'expected a compute server, which compute: native needs; found none', {
      hint: 'use compute: isolate, or deploy the compute server',
    });
  }
  if (compute) return compute;
  if (native === null) return 'isolate';
  return env.LOCAL ? 'native' : 'auto';
}

async function probeOf(env: Env, revision: Revision): Promise<{ data: PlannedData; rows: number }> {
  const { definition, where } = revision;
  const place = where(['probe', 'data']);
  const path = definition.probe.data;
  const file = await storedFile(env, revision, path, place);
  const head = await verifiedSource(env.BUCKET, file).read(0, probeHeadBytes(file.sizeBytes));
  const { rows, ...header } = located(place, () => parseProbeHeader(head, path, file.sizeBytes));
  return { data: { ...file, ...header }, rows };
}

// a file of the revision that is read by range
async function storedFile(
  env: Env,
  { files }: Revision,
  path: string,
  place: ReturnType<Revision['where']>,
): Promise<StoredFile> {
  const file = files[normalised(path)];
  const chunks = file && (await env.BUCKET.get(chunksKey(file.sha256)));
  if (!file || !chunks) {
    throw new PipelineError('file-missing', `expected ${path} with this revision; found nothing`, {
      place,
      hint: 'push the pipeline again',
    });
  }
  const chunksSha256 = await sha256Hex(new Uint8Array(await chunks.arrayBuffer()));
  return { sha256: file.sha256, sizeBytes: file.bytes, chunksSha256 };
}

// an object that was put into the bucket becomes an input, under its hash: read once for the hash, then copied
async function takeObject(
  bucket: R2Bucket,
  key: string,
  maxBytes: number,
  pins: readonly (string | undefined)[],
): Promise<FetchedModel> {
  const object = await bucket.get(key);
  if (!object) throw new PipelineError('file-missing', `expected a model in the bucket at ${key}; found nothing`);
  const { size: bytes, etag } = object;
  if (bytes > maxBytes) {
    await object.body.cancel();
    throw tooLarge({ maxBytes }, `${bytes} at ${key}`);
  }
  const digest = new crypto.DigestStream('SHA-256');
  await object.body.pipeTo(digest);
  const sha256 = toHex(new Uint8Array(await digest.digest));
  for (const pinned of pins) checkPin(pinned, sha256);
  if ((await bucket.head(inputKey(sha256))) !== null) return { sha256, bytes };
  const copy = await bucket.get(key, { onlyIf: { etagMatches: etag } });
  if (!copy || !('body' in copy)) {
    throw new PipelineError('download-failed', `expected ${key} to stay as it is; found another object there`);
  }
  await createOnly(bucket, inputKey(sha256), copy.body.pipeThrough(new FixedLengthStream(bytes)));
  return { sha256, bytes };
}

function beside(model: string, location: string): string {
  return normalised(model.includes('/') ? `${model.slice(0, model.lastIndexOf('/'))}/${location}` : location);
}

/** A path as revisions name files: no `.` in it, `/` between folders. */
export function normalised(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/**
 * Graph inputs, graph outputs, and the types a file notes for values in between.
 */
import { elementTypeName, MOST_DIMS } from './tensor.ts';
import { eachField, invalid, type RawField } from './wire.ts';

/** Length of an axis: fixed, named, or unknown. */
export type Dim = number | string | null;

/** A named value with what the file says of its type. */
export interface ValueInfo extends RawField {
  name: string;
  /** `float32`, …; null where the file doesn't say, `not a tensor` for sequences, maps and optionals. */
  elemType: string | null;
  /** null where not even the rank is known. */
  dims: Dim[] | null;
}

/** Reads a ValueInfoProto. */
export function readValueInfo(body: Uint8Array, where: string): Omit<ValueInfo, keyof RawField> {
  const info: Omit<ValueInfo, keyof RawField> = { name: '', elemType: null, dims: null };
  eachField(body, where, (field) => {
    if (field.number === 1) info.name = field.text();
    else if (field.number === 2) Object.assign(info, readType(field.bytes(), `${where} ${info.name}`));
  });
  return info;
}

// TypeProto: tensor_type 1, denotation 6, everything else isn't a dense tensor
function readType(body: Uint8Array, where: string): { elemType: string | null; dims: Dim[] | null } {
  let elemType: string | null = null;
  let dims: Dim[] | null = null;
  eachField(body, where, (field) => {
    if (field.number === 1) {
      eachField(field.bytes(), where, (inner) => {
        if (inner.number === 1) elemType = elementTypeName(inner.integer());
        else if (inner.number === 2) dims = readShape(inner.bytes(), where);
      });
    } else if (field.number !== 6) elemType = 'not a tensor';
  });
  return { elemType, dims };
}

function readShape(body: Uint8Array, where: string): Dim[] {
  const dims: Dim[] = [];
  eachField(body, where, (field) => {
    if (field.number !== 1) return;
    if (dims.length >= MOST_DIMS) throw invalid(`${where}: has more than ${MOST_DIMS} axes`);
    let dim: Dim = null;
    eachField(field.bytes(), where, (inner) => {
      // some exporters write a free axis as −1
      if (inner.number === 1) dim = inner.integer() < 0 ? null : inner.integer();
      else if (inner.number === 2) dim = inner.text() || null;
    });
    dims.push(dim);
  });
  return dims;
}

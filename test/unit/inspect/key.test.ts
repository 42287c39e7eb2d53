import { describe, expect, it } from 'vitest';
import { inspectionKey } from '../../../src/inspect/key.ts';

const IDENTITY = {
  code: 'c0de',
  runtime: 'onnxruntime-web 1.30.0',
  model: 'ab'.repeat(32),
  external: [{ location: 'w.bin', sha256: 'cd'.repeat(32) }],
  inputShape: [1, 28, 28],
  taps: ['/conv1/relu', 'logits'],
};

describe('inspectionKey(identity)', () => {
  it('stays what it was: inspections that are kept stay found', async () => {
    expect(await inspectionKey(IDENTITY)).toBe('df36369c00df58893da14af8553d59de0764d25f6c752070b7c9e654f86dbbd0');
  });

  it('is another for another code, runtime, model, file beside it, shape or order of taps, and for nothing else', async () => {
    const [file] = IDENTITY.external;
    const others = [
      { code: 'other' },
      { runtime: 'onnxruntime-node 1.30.0' },
      { model: 'ba'.repeat(32) },
      { external: [] },
      { external: [{ ...file!, location: 'v.bin' }] },
      { external: [{ ...file!, sha256: 'dc'.repeat(32) }] },
      { inputShape: [28, 28, 1] },
      { taps: ['logits', '/conv1/relu'] },
    ];
    const keys = await Promise.all(
      [IDENTITY, ...others.map((other) => ({ ...IDENTITY, ...other }))].map(inspectionKey),
    );
    expect(new Set(keys).size).toBe(others.length + 1);
    const stored = { ...file!, sizeBytes: 7, path: '/elsewhere/w.bin' };
    expect(await inspectionKey({ ...IDENTITY, external: [stored] })).toBe(keys[0]);
  });
});

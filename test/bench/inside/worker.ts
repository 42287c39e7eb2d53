/** The Worker that holds a subject inside workerd: one part per request, timed by the host. Inputs come from the host. */
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import kernel from '../../../src/accumulate/samples.wat';
import { bufferSource } from '../../../src/numeric/range.ts';
import { loadWasmRuntime } from '../../../src/onnx/wasm.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { openSubject } from './subject.ts';
import type { Subject } from './subject.ts';

interface Host {
  fetch(url: string): Promise<Response>;
}

let subject: Promise<Subject> | undefined;

export default {
  async fetch(request: Request, { HOST }: { HOST: Host }): Promise<Response> {
    const { searchParams } = new URL(request.url);
    try {
      const run = await (subject ??= open(HOST));
      const operations = await run(searchParams.get('part')!);
      return Response.json({ operations });
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
    }
  },
};

async function open(host: Host): Promise<Subject> {
  const bytes = async (path: string): Promise<Uint8Array> =>
    new Uint8Array(await (await host.fetch(`http://host/${path}`)).arrayBuffer());
  const { plan, rows } = JSON.parse(new TextDecoder().decode(await bytes('plan'))) as { plan: Plan; rows: number };
  const data = await bytes('rows');
  const rowBytes = data.length / rows;
  return openSubject(
    await loadWasmRuntime(wasm),
    new SampleMemory(kernel),
    plan,
    { file: async (sha256) => bufferSource(await bytes(`file/${sha256}`)) },
    { rows: ([start, end]) => Promise.resolve(data.subarray(start * rowBytes, end * rowBytes)) },
    rows,
  );
}

/**
 * What the bench works on: networks and images that models.py writes when they are missing, and the peer, which wants
 * Python's libraries. Where they aren't there, rows that need them are skipped with a line that says so.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failed, run } from './measure.ts';
import type { Ran } from './measure.ts';
import { Skipped } from './row.ts';

/** Shapes of models.py that rows use, and the last file that each writes. */
const SHAPES = {
  fashion: 'fashion-60000.yaml',
  caffenet: 'caffenet.yaml',
  'caffenet-conv': 'caffenet-conv.yaml',
  resnet50: 'resnet50.yaml',
  vit_b_16: 'vit_b_16.yaml',
  wide: 'wide1024.yaml',
} as const;
/** Exit code of the peer without its libraries. */
const WITHOUT_LIBRARIES = 3;
const PYTHONS = [process.env.CONVERGENT_BENCH_PYTHON, 'python3', '/usr/bin/python3'];

export type Shape = keyof typeof SHAPES;

export class Fixtures {
  /** Where everything is kept from one bench to the next. */
  readonly folder = process.env.CONVERGENT_BENCH_DATA ?? join(tmpdir(), 'convergent-bench');
  #python: Promise<string | null> | undefined;

  /** The path of a file of the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes what is missing of these shapes. @throws Skipped without PyTorch or the images */
  async need(say: (text: string) => void, ...shapes: readonly Shape[]): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    const missing = shapes.filter((shape) => !existsSync(this.path(SHAPES[shape])));
    if (missing.length === 0) return;
    say(`writing ${missing.join(', ')} into ${this.folder}`);
    const python = await this.#findPython();
    try {
      await run(python, [join(import.meta.dirname, 'models.py'), this.folder, ...missing]);
    } catch (error) {
      throw new Skipped(`models.py could not write ${missing.join(', ')}: ${lastLine(error)}`, { cause: error });
    }
  }

  /** Runs the peer; its answer and what the whole process cost. @throws Skipped without its libraries */
  async peer(...args: readonly string[]): Promise<Ran & { answer: PeerAnswer }> {
    const script = join(import.meta.dirname, 'peer.py');
    const ran = await run(await this.#findPython(), [script, ...args, '--json']);
    return { ...ran, answer: JSON.parse(ran.stdout) as PeerAnswer };
  }

  /** Versions of the peer's libraries, null without them. */
  async peerVersions(): Promise<Record<string, string> | null> {
    try {
      return (await this.peer('matmul', '8', '8')).answer.versions;
    } catch (error) {
      if (error instanceof Skipped) return null;
      throw error;
    }
  }

  async #findPython(): Promise<string> {
    const found = await (this.#python ??= firstPython());
    if (found === null)
      throw new Skipped('no Python with numpy, scipy, scikit-learn, torch, torchvision, onnx and yaml here');
    return found;
  }
}

/** What peer.py prints, as far as rows read it. */
export interface PeerAnswer {
  versions: Record<string, string>;
  /** By stage for a job, of the kernel alone otherwise. */
  seconds: number & Record<string, number>;
  objective: number;
  labels: number[];
  alphas: { alpha: number; seconds: number; objective: number; max_kkt: number; mean_nonzero: number }[];
}

async function firstPython(): Promise<string | null> {
  for (const python of PYTHONS) {
    if (!python) continue;
    try {
      await run(python, [join(import.meta.dirname, 'peer.py'), 'matmul', '8', '8']);
      return python;
    } catch (error) {
      const absent = error instanceof Failed && [WITHOUT_LIBRARIES, 'ENOENT'].includes(error.exitCode as never);
      if (!absent) throw error;
    }
  }
  return null;
}

function lastLine(error: unknown): string {
  const text = error instanceof Failed ? error.stderr : String(error);
  return text.trim().split('\n').at(-1) ?? '';
}

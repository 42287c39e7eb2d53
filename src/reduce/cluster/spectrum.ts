/**
 * The k lowest eigenvectors of a graph's normalised Laplacian L = I − D^-½ W D^-½ (Chung, "Spectral Graph
 * Theory", 1997, §1.2): eigenvalue 0 has one vector per component, D^½ 1 over it, so those are written down;
 * the others are found beside them, by Lanczos where k is small beside the graph, else directly.
 */
import { PipelineError } from '../../errors.ts';
import { lowestEigenpairs } from '../../numeric/eigen.ts';
import { lowestByLanczos, type Product } from '../../numeric/lanczos.ts';
import type { Random } from '../../numeric/random.ts';
import type { Eigenpairs } from '../../numeric/tridiagonal.ts';
import type { EdgeBlock, Graph } from './graph.ts';

/** Below this many vertices, or with fewer than this many per eigenvector, the direct way is faster. */
const DIRECT_VERTICES = 128;
const DIRECT_PER_VECTOR = 12;
/** Lanczos stops at this ‖Lv − λv‖, and gives up after this share of the vertices in steps. */
const TOLERANCE = 1e-11;
const MOST_STEPS = 0.55;
/** Residual and deviation from orthonormality above which the result is refused. */
const REFUSED = 1e-8;

/**
 * The k lowest eigenpairs of L, values rising from 0, vectors orthonormal and with fixed signs. With more than k
 * components the eigenvalue 0 has more than k vectors: the k components with the most vertices have theirs then
 * (ties: lowest vertex first).
 *
 * @param k at most the graph's vertices.
 * @throws internal if the vectors found aren't eigenvectors.
 */
export function lowestOfLaplacian(graph: Graph, k: number, random: Random): Eigenpairs {
  const zeros = componentVectors(graph, k);
  const rest = k - zeros.length;
  const { values, vectors } = rest === 0 ? { values: [], vectors: [] } : beside(graph, zeros, rest, random);
  const pairs = {
    // rounding may leave one of a nearly disconnected graph below 0
    values: Float64Array.from([...zeros.map(() => 0), ...values], (value) => Math.max(0, value)),
    vectors: [...zeros, ...vectors],
  };
  assertEigenpairs(graph, pairs);
  return pairs;
}

// D^½ 1 over each of the k largest components, length 1
function componentVectors({ degree, component, components }: Graph, k: number): Float64Array[] {
  const size = new Int32Array(components);
  const sum = new Float64Array(components);
  for (let v = 0; v < degree.length; v++) {
    size[component[v]!]!++;
    sum[component[v]!]! += degree[v]!;
  }
  const largest = [...size.keys()].sort((a, b) => size[b]! - size[a]! || a - b).slice(0, k);
  return largest.map((c) => degree.map((d, v) => (component[v] === c ? Math.sqrt(d / sum[c]!) : 0)));
}

function beside(graph: Graph, zeros: readonly Float64Array[], k: number, random: Random): Eigenpairs {
  const n = graph.degree.length;
  if (n > DIRECT_VERTICES && n > DIRECT_PER_VECTOR * k) {
    const options = { locked: zeros, tolerance: TOLERANCE, mostSteps: Math.floor(MOST_STEPS * n), random };
    const pairs = lowestByLanczos(laplacianProduct(graph), n, k, options);
    if (pairs !== null) return pairs;
  }
  // L + 3 z zᵀ for each z: what had eigenvalue 0 has 3, above all others (L's reach to 2)
  const matrix = new Float64Array(n * n);
  for (const z of zeros) {
    for (let v = 0; v < n; v++) if (z[v] !== 0) for (let w = 0; w <= v; w++) matrix[v * n + w]! += 3 * z[v]! * z[w]!;
  }
  for (let v = 0; v < n; v++) matrix[v * n + v]! += 1;
  for (const { first, start, neighbour, weight } of graph.edges) {
    for (let i = 0; i + 1 < start.length; i++) {
      for (let e = start[i]!; e < start[i + 1]!; e++) matrix[neighbour[e]! * n + first + i]! -= weight[e]!;
    }
  }
  return lowestEigenpairs(matrix, n, k);
}

function laplacianProduct({ edges }: Graph): Product {
  return (x, y) => {
    y.set(x);
    for (const block of edges) subtractEdges(block, x, y);
  };
}

// y −= D^-½ W D^-½ x, for the edges of one block both ways
function subtractEdges({ first, start, neighbour, weight }: EdgeBlock, x: Float64Array, y: Float64Array): void {
  for (let i = 0; i + 1 < start.length; i++) {
    const here = x[first + i]!;
    let sum = 0;
    for (let e = start[i]!, end = start[i + 1]!; e < end; e++) {
      const w = neighbour[e]!;
      sum += weight[e]! * x[w]!;
      y[w]! -= weight[e]! * here;
    }
    y[first + i]! -= sum;
  }
}

function assertEigenpairs(graph: Graph, { values, vectors }: Eigenpairs): void {
  const multiply = laplacianProduct(graph);
  const image = new Float64Array(graph.degree.length);
  let worst = 0;
  vectors.forEach((vector, index) => {
    multiply(vector, image);
    let square = 0;
    for (let v = 0; v < image.length; v++) square += (image[v]! - values[index]! * vector[v]!) ** 2;
    worst = Math.max(worst, Math.sqrt(square));
    for (let other = 0; other <= index; other++) {
      let dot = 0;
      for (let v = 0; v < image.length; v++) dot += vector[v]! * vectors[other]![v]!;
      worst = Math.max(worst, Math.abs(dot - (other === index ? 1 : 0)));
    }
  });
  if (!(worst <= REFUSED)) {
    throw new PipelineError(
      'internal',
      `expected orthonormal eigenvectors to ${REFUSED}, found a deviation of ${worst}`,
    );
  }
}

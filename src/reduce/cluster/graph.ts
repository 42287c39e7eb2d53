/**
 * The graph of a clustering: units joined where they correlate above the threshold. Vertices are the live
 * units with an edge; neighbours stand in compressed rows.
 */

export interface Graph {
  /** [vertices] unit of each vertex, rising. */
  units: Int32Array;
  /** Live units without an edge. */
  isolated: number;
  /** Neighbours of vertex v: neighbour[start[v]] … neighbour[start[v + 1] − 1], rising. */
  start: Int32Array;
  neighbour: Int32Array;
  /** W_ij / √(d_i d_j) beside each neighbour, d = row sums of W. */
  weight: Float64Array;
  /** [vertices] row sums of W, > 0. */
  degree: Float64Array;
  /** [vertices] connected component, numbered by first vertex. */
  component: Int32Array;
  components: number;
}

/**
 * W_ij = r_ij where r_ij > threshold, i ≠ j, over live units. O(n²).
 *
 * @param r [n × n] symmetric, row-major; only its upper triangle is read.
 * @param threshold ≥ 0, so that every edge has a positive weight.
 */
export function thresholdGraph(r: Float64Array, dead: Uint8Array, threshold: number): Graph {
  const n = dead.length;
  const degreeOfUnit = new Float64Array(n);
  const edgesOfUnit = new Int32Array(n);
  const isEdge = (i: number, j: number): boolean => dead[i] === 0 && dead[j] === 0 && r[i * n + j]! > threshold;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      if (!isEdge(i, j)) continue;
      degreeOfUnit[i]! += r[i * n + j]!;
      degreeOfUnit[j]! += r[i * n + j]!;
      edgesOfUnit[i]!++;
      edgesOfUnit[j]!++;
    }
  }

  const units = Int32Array.from(edgesOfUnit.keys()).filter((unit) => edgesOfUnit[unit]! > 0);
  const vertexOf = new Int32Array(n);
  units.forEach((unit, vertex) => (vertexOf[unit] = vertex));
  const degree = Float64Array.from(units, (unit) => degreeOfUnit[unit]!);
  const start = new Int32Array(units.length + 1);
  units.forEach((unit, vertex) => (start[vertex + 1] = start[vertex]! + edgesOfUnit[unit]!));
  const neighbour = new Int32Array(start[units.length]!);
  const weight = new Float64Array(neighbour.length);
  // a row of the upper triangle gives both ends of its edges, so that rows fill in rising order
  const fill = start.slice(0, -1);
  const add = (v: number, w: number, value: number): void => {
    neighbour[fill[v]!] = w;
    weight[fill[v]!++] = value;
  };
  for (let v = 0; v < units.length; v++) {
    const i = units[v]!;
    const scale = 1 / Math.sqrt(degree[v]!);
    for (let j = i + 1; j < n; j++) {
      if (!isEdge(i, j)) continue;
      const w = vertexOf[j]!;
      const value = r[i * n + j]! * scale * (1 / Math.sqrt(degree[w]!));
      add(v, w, value);
      add(w, v, value);
    }
  }

  let isolated = 0;
  for (let i = 0; i < n; i++) if (dead[i] === 0 && edgesOfUnit[i] === 0) isolated++;
  return { units, isolated, start, neighbour, weight, degree, ...findComponents(start, neighbour) };
}

// breadth first from each vertex not yet met
function findComponents(start: Int32Array, neighbour: Int32Array): Pick<Graph, 'component' | 'components'> {
  const vertices = start.length - 1;
  const component = new Int32Array(vertices).fill(-1);
  const queue = new Int32Array(vertices);
  let components = 0;
  for (let root = 0; root < vertices; root++) {
    if (component[root]! >= 0) continue;
    component[root] = components;
    queue[0] = root;
    for (let head = 0, tail = 1; head < tail; head++) {
      const v = queue[head]!;
      for (let e = start[v]!; e < start[v + 1]!; e++) {
        const w = neighbour[e]!;
        if (component[w]! >= 0) continue;
        component[w] = components;
        queue[tail++] = w;
      }
    }
    components++;
  }
  return { component, components };
}

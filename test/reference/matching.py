"""Golden values of reduce/match: scipy.optimize.linear_sum_assignment on matrices that both sides make themselves.

Made with Python 3.11, numpy 1.24.2, scipy 1.10.1. Run from the repository's root; writes
test/reference/matching.json:
  python3 test/reference/matching.py
Each problem: `kind`, `rows`, `columns`, `seed`, of which test/unit/reduce/match/problems.ts makes the same matrix (up
to rounding in sums), and `objective`, the largest sum over min(rows, columns) pairs.
"""
import json

import numpy as np
import scipy
from scipy.optimize import linear_sum_assignment


def uniforms(seed, count):
    """Numbers in [0, 1): the congruential generator of problems.ts."""
    state, out = seed, np.empty(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = state / 2**32
    return out


def features(u, samples, inputs, units):
    """ReLU features of the same inputs; u: samples × inputs numbers, then inputs × units."""
    x = u[: samples * inputs].reshape(samples, inputs) - 0.5
    w = u[samples * inputs :].reshape(inputs, units) - 0.5
    return np.maximum(x @ w, 0)


def matrix(kind, rows, columns, seed):
    shape = (rows, columns)
    if kind == "uniform":
        return uniforms(seed, rows * columns).reshape(shape)
    if kind == "signed":
        return 2 * uniforms(seed, rows * columns).reshape(shape) - 1
    if kind == "integer":
        return np.floor(10 * uniforms(seed, rows * columns)).reshape(shape)
    if kind == "tied":
        return np.floor(2 * uniforms(seed, rows * columns)).reshape(shape)
    if kind == "product":
        return np.outer(np.arange(1, rows + 1), np.arange(1, columns + 1)) / (rows * columns)
    # correlations of two layers of the same `inputs` inputs; every seventh unit dead
    inputs = {"correlation": 24, "lowrank": 3}[kind]
    samples = 200
    u = uniforms(seed, samples * inputs + inputs * (rows + columns))
    z = features(u, samples, inputs, rows + columns)
    z -= z.mean(0)
    z /= np.maximum(z.std(0), 1e-300)
    r = z[:, :rows].T @ z[:, rows:] / samples
    r[::7] = 0
    r[:, ::7] = 0
    return r


if __name__ == "__main__":
    problems = []
    sizes = [(1, 1), (1, 9), (9, 1), (5, 5), (40, 90), (90, 40), (130, 130), (90, 260), (260, 90), (300, 300)]
    for kind in ["uniform", "signed", "integer", "tied", "product", "correlation", "lowrank"]:
        for seed, (rows, columns) in enumerate(sizes):
            r = matrix(kind, rows, columns, seed)
            i, j = linear_sum_assignment(r, maximize=True)
            problems.append({"kind": kind, "rows": rows, "columns": columns, "seed": seed, "objective": r[i, j].sum()})
    versions = {"numpy": np.__version__, "scipy": scipy.__version__}
    with open("test/reference/matching.json", "w") as file:
        json.dump({"versions": versions, "problems": problems}, file)
        file.write("\n")

"""Golden values of reduce/cluster: eigenvalues from scipy, clusters from scikit-learn's SpectralClustering and KMeans.

Made with Python 3.11, numpy 1.24.2, scipy 1.10.1, scikit-learn 1.2.1. Run from the repository's root; writes
test/reference/clustering.json:
  python3 test/reference/clustering.py
`graphs`: `sizes` and `seed`, of which test/unit/reduce/cluster/planted.ts makes the same correlations, `cross`, the
share of pairs of different clusters with an edge, and `threshold`; `eigenvalues`, the lowest of I − D^-½ W D^-½ by
scipy.linalg.eigh, and `labels` of SpectralClustering with as many clusters as sizes (null where there are
more components). `points`: the same for k-means, `inertia` being the best of 50 restarts.
"""
import json

import numpy as np
import scipy
import sklearn
from scipy.linalg import eigh
from sklearn.cluster import KMeans, SpectralClustering

from matching import uniforms


def planted(sizes, seed, cross):
    """Correlations [n × n]: high inside a cluster, and for a share of the other pairs a low one above 0.2."""
    n = sum(sizes)
    # unit i's cluster: clusters take turns while they have units left, so that both networks hold all of them
    left, member = list(sizes), []
    while len(member) < n:
        for c in range(len(sizes)):
            if left[c]:
                left[c] -= 1
                member.append(c)
    u = uniforms(seed, n * n).reshape(n, n)
    r = np.eye(n)
    for i in range(n):
        for j in range(i + 1, n):
            if member[i] == member[j]:
                r[i, j] = 0.5 + 0.4 * u[i, j]
            else:
                r[i, j] = 0.25 if u[i, j] < cross else 0.1 * u[i, j]
            r[j, i] = r[i, j]
    return r, member


def points(sizes, seed, d, spread):
    """Groups around 10 · (±1, ±1, …), signs by the bits of the group's number."""
    n = sum(sizes)
    u = uniforms(seed, n * d).reshape(n, d)
    group = np.repeat(np.arange(len(sizes)), sizes)
    return np.array([[10 * (1 if (g >> t) & 1 else -1) for t in range(d)] for g in group]) + spread * (u - 0.5)


if __name__ == "__main__":
    graphs = []
    for seed, (sizes, cross) in enumerate(
        [([20, 20, 20], 0.05), ([60, 25, 12, 6], 0.02), ([40, 30, 20, 10, 8, 7, 5], 0.01), ([9, 7, 5], 0.0), ([90, 90], 0.3)]
    ):
        r, _ = planted(sizes, seed, cross)
        w = np.where(r > 0.2, r, 0)
        np.fill_diagonal(w, 0)
        d = w.sum(0)
        laplacian = np.eye(len(d)) - w / np.sqrt(np.outer(d, d))
        found = None
        if cross > 0:
            model = SpectralClustering(len(sizes), affinity="precomputed", random_state=0, assign_labels="kmeans")
            found = model.fit_predict(w).tolist()
        values = eigh(laplacian, eigvals_only=True)[: 2 * len(sizes)].tolist()
        graphs.append(
            {"sizes": sizes, "seed": seed, "cross": cross, "threshold": 0.2, "eigenvalues": values, "labels": found}
        )
    clouds = []
    for seed, (sizes, d, spread, k) in enumerate(
        [([30, 30, 30, 30], 2, 4, 4), ([50, 20, 10, 5], 3, 8, 4), ([40, 40, 40, 40, 40, 40], 5, 3, 6), ([25, 25], 2, 30, 1)]
    ):
        model = KMeans(k, n_init=50, random_state=0, tol=0).fit(points(sizes, seed, d, spread))
        clouds.append({"sizes": sizes, "seed": seed, "d": d, "spread": spread, "k": k, "inertia": model.inertia_})
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}
    with open("test/reference/clustering.json", "w") as file:
        json.dump({"versions": versions, "graphs": graphs, "points": clouds}, file)
        file.write("\n")

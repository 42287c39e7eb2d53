"""The three alignments as a careful user of scipy and scikit-learn writes them, from correlation matrices.

Used by peer.py, which times them; they share nothing with the product. r is signed and float64 throughout.
"""
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import SpectralClustering
from sklearn.linear_model import Lasso

MOST_SWEEPS = 100_000


def match(between):
    """Units of a and of b paired so that Σ r is largest."""
    return linear_sum_assignment(between, maximize=True)


def lasso(gram, cross, alphas, tol):
    """argmin ½(1 − 2 w·c + wᵀGw) + α‖w‖₁ for each column c of `cross` [p × q] and each α, falling; yields α, [q × p].

    scikit-learn wants samples beside the Gram matrix: the p rows √p·G^½ have exactly XᵀX / p = G. Warm start along
    the alphas. `tol` is of coordinates' steps and of the duality gap: 1e-4, scikit-learn's own, ends within 4e-9 of the
    smallest objective (KKT violation 4e-5); 1e-6 within 1e-11, in twice the time.
    """
    p = len(gram)
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * p * np.finfo(float).eps
    values, vectors = values[kept], vectors[:, kept]
    x = np.asfortranarray(np.sqrt(p) * (vectors * np.sqrt(values)) @ vectors.T)
    y = np.sqrt(p) * (vectors / np.sqrt(values)) @ (vectors.T @ cross)
    # X's own product, so that scikit-learn's check of the two against each other holds whatever the rounding
    model = Lasso(precompute=x.T @ x, fit_intercept=False, tol=tol, max_iter=MOST_SWEEPS, warm_start=True)
    for alpha in sorted(alphas, reverse=True):
        model.set_params(alpha=alpha)
        yield alpha, model.fit(x, y).coef_.reshape(-1, p).copy()


def lasso_quality(gram, cross, weights, alpha):
    """Objective and largest KKT violation of each target's weights [q × p]."""
    gradient = cross.T - weights @ gram
    fitted = np.einsum("qp,qp->q", weights, cross.T + gradient)  # 2 w·c − wᵀGw
    objective = (1 - fitted) / 2 + alpha * np.abs(weights).sum(1)
    inactive = np.maximum(np.abs(gradient) - alpha, 0)
    violation = np.where(weights != 0, np.abs(gradient - alpha * np.sign(weights)), inactive)
    return objective, violation.max(1)


def cluster(graph, k, seed=1):
    """Labels of the units of a graph of non-negative weights; −1 where a unit has no edge."""
    linked = np.flatnonzero(graph.sum(1) > 0)
    labels = np.full(len(graph), -1)
    if len(linked) == 0:
        return labels
    model = SpectralClustering(
        min(k, len(linked)), affinity="precomputed", assign_labels="kmeans", n_init=10, random_state=seed
    )
    labels[linked] = model.fit_predict(graph[np.ix_(linked, linked)])
    return labels


def cut(graph, labels):
    """Σ cut(c) / vol(c) over the clusters: what spectral clustering relaxes; smaller is better."""
    degrees, total = graph.sum(1), 0.0
    for label in range(labels.max() + 1):
        inside = labels == label
        volume = degrees[inside].sum()
        total += (volume - graph[np.ix_(inside, inside)].sum()) / volume if volume > 0 else 0
    return float(total)

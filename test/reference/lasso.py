"""Golden values of reduce/predict: sklearn.linear_model.Lasso on standardised samples.

Made with Python 3.11, numpy 1.24.2, scikit-learn 1.2.1. Run from the repository's root; writes
test/reference/lasso.json:
  python3 test/reference/lasso.py
Each problem: `gram` [n × n] and `c` [targets × n], the correlations of seeded samples; `alphas`, falling; and per
alpha and target sklearn's `coefficients`, its `objective` ½(1 − 2 w·c + wᵀGw) + α‖w‖₁, and `eigenvalue`, the
smallest of the support's Gram matrix (1 for an empty one).
"""
import json

import numpy as np
import sklearn
from sklearn.linear_model import Lasso

ALPHAS = [0.3, 0.1, 0.03, 0.01, 0.003]


def standardised(x):
    return (x - x.mean(0)) / x.std(0)


def relu_layers(rng, samples, inputs, units):
    """Random ReLU features of the same inputs: predictors and targets, as two networks have them."""
    x = rng.standard_normal((samples, inputs)) / np.sqrt(np.arange(1, inputs + 1))
    return [np.maximum(x @ rng.standard_normal((inputs, n)) + 0.3, 0) for n in units]


def ill_conditioned(rng, samples, n, targets):
    """Predictors whose Gram matrix has condition about 9e4: a steep spectrum, mixed."""
    mixing = np.linalg.qr(rng.standard_normal((n, n)))[0] * np.geomspace(1, 2.5e-3, n)
    x = rng.standard_normal((samples, n)) @ mixing.T
    return x, x @ rng.standard_normal((n, targets)) + 0.1 * rng.standard_normal((samples, targets))


def duplicated(rng, samples, n, targets):
    """Every predictor twice, the second time negated for some."""
    half = rng.standard_normal((samples, n)) @ rng.standard_normal((n, n))
    signs = np.where(np.arange(n) % 3 == 0, -1, 1)
    return np.hstack([half, half * signs]), half @ rng.standard_normal((n, targets)) + rng.standard_normal((samples, targets))


def solve(name, predictors, targets):
    x, y = standardised(predictors), standardised(targets)
    samples, n = x.shape
    gram, c = x.T @ x / samples, y.T @ x / samples
    np.fill_diagonal(gram, 1)
    coefficients, objectives, eigenvalues = [], [], []
    for alpha in ALPHAS:
        model = Lasso(alpha=alpha, fit_intercept=False, precompute=samples * gram, tol=1e-14, max_iter=10_000_000)
        model.fit(x, y)
        w = np.atleast_2d(model.coef_)
        coefficients.append(w.tolist())
        objectives.append([0.5 * (1 - 2 * v @ k + v @ gram @ v) + alpha * np.abs(v).sum() for v, k in zip(w, c)])
        eigenvalues.append([min([1.0, *np.linalg.eigvalsh(gram[np.ix_(v != 0, v != 0)])]) for v in w])
    condition = np.linalg.cond(gram)
    print(f"{name}: {n} predictors, condition {condition:.1e}, nonzero {[np.count_nonzero(w) for w in coefficients]}")
    return {
        "name": name,
        "gram": gram.tolist(),
        "c": c.tolist(),
        "alphas": ALPHAS,
        "coefficients": coefficients,
        "objective": objectives,
        "eigenvalue": eigenvalues,
    }


problems = [
    solve("ReLU features", *relu_layers(np.random.default_rng(1), 2000, 12, (24, 3))),
    solve("more predictors than samples", *relu_layers(np.random.default_rng(2), 15, 12, (24, 3))),
    solve("condition 9e4", *ill_conditioned(np.random.default_rng(3), 2000, 16, 3)),
    solve("duplicated predictors", *duplicated(np.random.default_rng(4), 500, 8, 3)),
    solve("one predictor", *relu_layers(np.random.default_rng(5), 200, 4, (1, 2))),
]
with open("test/reference/lasso.json", "w") as out:
    json.dump({"sklearn": sklearn.__version__, "problems": problems}, out)
    out.write("\n")

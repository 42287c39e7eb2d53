#!/usr/bin/env python3
"""Golden values for the shipped networks seed1 and seed2 on all 10,000 probe images.

Shares nothing with the product: activations from PyTorch (float32, weights read from the ONNX files),
moments by two passes in float64, matching from scipy, LASSO from scikit-learn. What the product must
agree with is in fashion-mnist.npz; README.md says which array is what and to how many digits.

    OMP_NUM_THREADS=1 python3 fashion_mnist.py [--precision float64] [--out fashion-mnist.npz]
"""
import argparse
import platform
import time
from pathlib import Path

import numpy as np
import onnx
import scipy
import sklearn
import torch
from onnx import numpy_helper
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import Lasso

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "pipelines" / "fashion-mnist"
LAYERS = ["conv1", "conv2", "conv3", "conv4", "fc"]
PREDICTED = ["conv1", "conv2", "conv3", "fc"]  # conv3 of seed2 has dead units
ALPHAS = [0.3, 0.1, 0.03, 0.01, 0.003]
# image groups of the contract: row i is in group floor(i / BLOCK) mod GROUPS; holdout 0.2 scores the last 4 groups
GROUPS, BLOCK, SCORED_GROUPS = 20, 50, 4
IMAGES_PER_BATCH = 100


def load_weights(path, dtype):
    """The initializers of an ONNX file by name, as tensors."""
    initializers = onnx.load(path).graph.initializer
    return {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()).to(dtype) for item in initializers}


def activations(weights, images):
    """Each layer's activations: after the ReLU, before pooling; for fc the logits. [batch × unit × …]."""
    taps, x = {}, images
    for layer in LAYERS[:-1]:
        x = torch.relu(torch.conv2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], padding=1))
        taps[layer] = x
        if layer in ("conv1", "conv2"):
            x = torch.max_pool2d(x, 2)
    taps["fc"] = x.flatten(1) @ weights["fc.weight"].T + weights["fc.bias"]
    return taps


def probe(dtype):
    """The probe images, preprocessed in float32 as the pipeline declares; [10000 × 1 × 28 × 28]."""
    x = np.load(SHIPPED / "test-images.npy").astype(np.float32)[:, None]
    return torch.from_numpy((x / np.float32(255) - np.float32(0.286)) / np.float32(0.353)).to(dtype)


def all_samples(seed, images, dtype):
    """One network's activations on all images: layer → [images × positions × units]."""
    weights = load_weights(str(SHIPPED / f"seed{seed}.onnx"), dtype)
    batches = {layer: [] for layer in LAYERS}
    for batch in images.split(IMAGES_PER_BATCH):
        for layer, tap in activations(weights, batch).items():
            batches[layer].append(tap.flatten(2).transpose(1, 2).numpy() if tap.ndim == 4 else tap[:, None].numpy())
    return {layer: np.concatenate(parts) for layer, parts in batches.items()}


def blocks(samples):
    """The samples of IMAGES_PER_BATCH images at a time, [samples × units] in float64."""
    for start in range(0, len(samples), IMAGES_PER_BATCH):
        part = samples[start : start + IMAGES_PER_BATCH]
        yield part.reshape(-1, part.shape[2]).astype(np.float64)


def moments(samples):
    """Mean, population covariance and dead units of [images × positions × units], by two passes in float64."""
    count = samples.shape[0] * samples.shape[1]
    # sums of blocks first: the error then grows with the number of blocks, not of samples
    mean = np.sum([block.sum(0) for block in blocks(samples)], axis=0) / count
    centred = (block - mean for block in blocks(samples))
    covariance = np.sum([block.T @ block for block in centred], axis=0) / count
    dead = samples.max((0, 1)) == samples.min((0, 1))
    return mean, covariance, dead


def correlate(covariance, dead):
    """Standard deviations and Pearson r; a dead unit has std 0 and r 0 everywhere, a live one r 1 with itself."""
    std = np.where(dead, 0, np.sqrt(np.diag(covariance)))
    inverse = np.where(dead, 0, 1 / np.where(dead, 1, std))
    r = np.clip(covariance * inverse[:, None] * inverse[None, :], -1, 1)
    np.fill_diagonal(r, np.where(dead, 0, 1))
    return std, r


def lasso(gram, target, alpha):
    """argmin of ½(1 − 2 w·c + wᵀGw) + α‖w‖₁ by scikit-learn."""
    # scikit-learn wants samples beside the Gram matrix: p rows √p·G^½ have exactly XᵀX / p = G
    values, vectors = np.linalg.eigh(gram)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # y with XᵀY / p = c; c is in the range of G, so the pseudo-inverse of the root loses nothing
    x, y = np.sqrt(len(gram)) * root, np.sqrt(len(gram)) * (np.linalg.pinv(root) @ target)
    model = Lasso(alpha=alpha, precompute=len(gram) * gram, fit_intercept=False, tol=1e-12, max_iter=1_000_000)
    return model.fit(x, y).coef_


def predict(joint, p):
    """LASSO from the first p units to the others, fitted on 16 image groups and scored on 4. Per α, per target."""
    group = np.arange(len(joint)) // BLOCK % GROUPS
    fitted = group < GROUPS - SCORED_GROUPS
    mean, covariance, constant = moments(joint[fitted])
    std, r = correlate(covariance, constant)
    scored_samples = joint[~fitted]
    constant_scored = moments(scored_samples)[2]
    predictors = np.flatnonzero(~constant[:p])
    targets = p + np.flatnonzero(~(constant | constant_scored)[p:])
    q = joint.shape[2] - p
    gram = r[np.ix_(predictors, predictors)]

    shape = (len(ALPHAS), q)
    result = {
        "r2_fit_units": np.full(shape, np.nan),
        "r2_held_out_units": np.full(shape, np.nan),
        "objective": np.full(shape, np.nan),
        "kkt": np.full(shape, np.nan),
        "weights": np.zeros((*shape, p)),
    }
    for k, alpha in enumerate(ALPHAS):
        for target in targets:
            c = r[predictors, target]
            w = lasso(gram, c, alpha)
            gradient = c - gram @ w
            violation = np.where(w != 0, np.abs(gradient - alpha * np.sign(w)), np.maximum(np.abs(gradient) - alpha, 0))
            result["weights"][k, target - p, predictors] = w
            result["r2_fit_units"][k, target - p] = 2 * w @ c - w @ gram @ w
            result["objective"][k, target - p] = (1 - 2 * w @ c + w @ gram @ w) / 2 + alpha * np.abs(w).sum()
            result["kkt"][k, target - p] = violation.max()

    # the scored part on its samples, not from moments: units standardised by the fitted part
    inverse = np.where(constant, 0, 1 / np.where(constant, 1, std))
    error, total = np.zeros(shape), np.zeros(q)
    mean_scored = np.sum([block.sum(0) for block in blocks(scored_samples)], axis=0)
    mean_scored = (mean_scored / (len(scored_samples) * joint.shape[1]) - mean) * inverse
    for block in blocks(scored_samples):
        z = (block - mean) * inverse
        total += ((z[:, p:] - mean_scored[p:]) ** 2).sum(0)
        for k in range(len(ALPHAS)):
            error[k] += ((z[:, p:] - z[:, :p] @ result["weights"][k].T) ** 2).sum(0)
    live = targets - p
    result["r2_held_out_units"][:, live] = 1 - error[:, live] / total[live]
    result["r2_fit"] = result["r2_fit_units"][:, live].mean(1)
    result["r2_held_out"] = result["r2_held_out_units"][:, live].mean(1)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["float32", "float64"], default="float32", help="of the activations")
    parser.add_argument("--out", type=Path, default=HERE / "fashion-mnist.npz")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dtype = getattr(torch, options.precision)

    started = time.time()
    images = probe(dtype)
    net_a, net_b = all_samples(1, images, dtype), all_samples(2, images, dtype)
    versions = {"python": platform.python_version(), "activations": options.precision}
    versions |= {module.__name__: module.__version__ for module in (np, scipy, sklearn, torch, onnx)}
    out = {"alphas": np.array(ALPHAS), "versions": np.array([" ".join(item) for item in versions.items()])}
    for layer in LAYERS:
        p = net_a[layer].shape[2]
        joint = np.concatenate([net_a.pop(layer), net_b.pop(layer)], axis=2)
        mean, covariance, dead = moments(joint)
        std, r = correlate(covariance, dead)
        between = r[:p, p:]
        rows, columns = linear_sum_assignment(between, maximize=True)
        arrays = {
            "mean_a": mean[:p], "mean_b": mean[p:], "std_a": std[:p], "std_b": std[p:],
            "between": between, "within_a": r[:p, :p], "within_b": r[p:, p:],
            "matching_objective": between[rows, columns].sum(keepdims=True), "matching_partner": columns,
        }
        if layer in PREDICTED:
            arrays |= {f"predict_{name}": value for name, value in predict(joint, p).items()}
        out |= {f"{layer}_{name}": value for name, value in arrays.items()}

        # what stands in README.md
        semi = (between.max(1).mean(), between.max(0).mean())
        print(
            f"{layer}: dead a {np.flatnonzero(dead[:p]).tolist()}, dead b {np.flatnonzero(dead[p:]).tolist()}; mean r "
            f"matched {between[rows, columns].mean():.4f}, semi a {semi[0]:.4f}, semi b {semi[1]:.4f}"
        )
        if layer in PREDICTED:
            for k, alpha in enumerate(ALPHAS):
                print(
                    f"  alpha {alpha}: r2 fit {arrays['predict_r2_fit'][k]:.6f}, "
                    f"held out {arrays['predict_r2_held_out'][k]:.6f}, "
                    f"max kkt {np.nanmax(arrays['predict_kkt'][k]):.1e}"
                )
    np.savez_compressed(options.out, **out)
    print(f"{options.out}: {options.out.stat().st_size} bytes, {time.time() - started:.0f} s")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What one would write instead of the product: PyTorch, scipy and scikit-learn, on the same pipeline file.

    peer.py --job fashion [--rows 10000] [--json]           pipelines/fashion-mnist.yaml
    peer.py --job caffenet-conv --folder <of models.py>     <folder>/caffenet-conv.yaml; --without predict
    peer.py match between.npy                               seconds and Σ r
    peer.py lasso gram.npy cross.npy 0.1,0.01               seconds, objectives, KKT; cross is [p × q]
    peer.py cluster graph.npy 16                            seconds, labels, Σ cut/vol
    peer.py matmul [units samples]                          GFLOP/s of the float32 Gram product

Prints one JSON document, with seconds by stage on the wall and of CPU (the better one on a busy machine). Without
its libraries it says so in one line and exits with 3.
Made with Python 3.11, PyTorch 1.13, scikit-learn 1.2, scipy 1.10, numpy 1.24, ONNX 1.12, PyYAML 6.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

try:
    import numpy as np
    import scipy
    import sklearn
    import torch
    from threadpoolctl import threadpool_limits

    import alignments
    from comparison import run_job
except ImportError as error:
    print(f"expected numpy, scipy, scikit-learn, torch, torchvision, onnx and yaml; {error}", file=sys.stderr)
    sys.exit(3)

REPEATS = 3  # of a micro-benchmark


def repeat(action):
    """Median seconds of a few calls, and the last answer."""
    times = []
    for _ in range(REPEATS):
        since = time.perf_counter()
        answer = action()
        times.append(time.perf_counter() - since)
    return median(times), answer


def run_micro(kind, given, options):
    """One of the alignments on matrices from files, or the Gram product."""
    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads)
    if kind == "matmul":
        units, samples = [int(each) for each in given] or (1024, 32768)
        joint = torch.randn(units, samples)
        seconds, _ = repeat(lambda: torch.mm(joint, joint.T))
        return {"seconds": seconds, "gflops": 2 * units * units * samples / seconds / 1e9}
    matrix = np.load(given[0]).astype(np.float64)
    if kind == "match":
        seconds, chosen = repeat(lambda: alignments.match(matrix))
        return {"seconds": seconds, "objective": matrix[chosen].sum()}
    if kind == "cluster":
        k = int(given[1])
        seconds, labels = repeat(lambda: alignments.cluster(matrix, k))
        return {"seconds": seconds, "cut": alignments.cut(matrix, labels), "labels": labels.tolist()}
    cross = np.load(given[1]).astype(np.float64)
    alphas = [float(alpha) for alpha in given[2].split(",")]
    since, rows = time.perf_counter(), []
    for alpha, weights in alignments.lasso(matrix, cross, alphas, options.tol):
        seconds = time.perf_counter() - since
        objective, kkt = alignments.lasso_quality(matrix, cross, weights, alpha)
        nonzero = (weights != 0).sum(1).mean()
        rows.append({
            "alpha": alpha, "seconds": seconds, "objective": objective.mean(), "max_kkt": kkt.max(),
            "mean_nonzero": nonzero,
        })
        since = time.perf_counter()
    return {"seconds": sum(row["seconds"] for row in rows), "tol": options.tol, "alphas": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("micro", nargs="*", help="match, lasso, cluster or matmul, and its files")
    parser.add_argument("--job", help="fashion, or the name of a pipeline in --folder")
    parser.add_argument("--folder", type=Path, help="what models.py wrote")
    parser.add_argument("--rows", type=int, help="instead of the pipeline's")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--tol", type=float, default=1e-4, help="of scikit-learn's Lasso; its own default")
    parser.add_argument("--without", nargs="*", default=[], choices=["match", "predict", "cluster"])
    parser.add_argument("--json", action="store_true", help="one line instead of an indented document")
    options = parser.parse_args()
    arguments = {"match": [1], "lasso": [3], "cluster": [2], "matmul": [0, 2]}
    if options.job:
        answer = run_job(options)
    elif options.micro and len(options.micro) - 1 in arguments.get(options.micro[0], []):
        answer = run_micro(options.micro[0], options.micro[1:], options)
    else:
        parser.error("expected --job, or one of match, lasso, cluster, matmul with its files")
    answer["versions"] = {module.__name__: module.__version__ for module in (np, scipy, sklearn, torch)}
    print(json.dumps(answer, indent=None if options.json else 1, default=float))


if __name__ == "__main__":
    main()

"""A comparison of networks with PyTorch, on a pipeline file of the product, as peer.py times it.

Activations and Gram products are float32, sums over batches float64; correlations by part of the rows, so that
predictions can be scored on images they were not fitted on. Shares nothing with the product but the definition.
"""
import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import torch
import yaml
from onnx import numpy_helper
from threadpoolctl import threadpool_limits

import alignments
import networks
from models import PICTURED, WIDTHS, preprocess

ROOT = Path(__file__).resolve().parents[2]
PREDICT = {"alphas": [0.3, 0.1, 0.03, 0.01, 0.003], "holdout": 0.2}
CLUSTER = {"k": 16, "threshold": 0.2}
GROUPS, BLOCK = 20, 50  # image groups: row i is in group ⌊i / block⌋ mod groups
MOST_SAMPLES = 65_536  # of a float32 product
FEW_SAMPLES = 4_096  # fewer than this wait for the next batch: fully connected layers
MIN_VARIANCE = 1e-12  # a unit below it is dead


class Clock:
    """Seconds on the wall and of CPU by stage, from the start of the process, Python's and its imports included."""

    def __init__(self):
        # Linux: start in ticks since boot, to 10 ms
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        self.started = time.perf_counter() - uptime + ticks / os.sysconf("SC_CLK_TCK")
        self.wall, self.cpu, self.last = {}, {}, (self.started, 0)
        self.end("start")

    def end(self, stage):
        """What passed since the last end belongs to `stage`."""
        now = (time.perf_counter(), time.process_time())
        for seconds, since, until in zip((self.wall, self.cpu), self.last, now):
            seconds[stage] = seconds.get(stage, 0) + until - since
        self.last = now

    def readings(self):
        totals = {"total": time.perf_counter() - self.started}, {"total": time.process_time()}
        return {"seconds": self.wall | totals[0], "cpu_seconds": self.cpu | totals[1]}


def load_network(path):
    """The module of a model file of models.py (weights from the .pt beside it) or of a shipped one (from the ONNX)."""
    shape = path.stem.rsplit("-", 1)[0]
    if shape in PICTURED:
        net = PICTURED[shape][0]()
    elif shape in [f"wide{width}" for width in WIDTHS]:
        net = networks.Wide(int(shape[4:]))
    else:
        net = networks.SmallNet()
        stored = onnx.load(str(path)).graph.initializer
        net.load_state_dict({item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in stored})
        return net.eval()
    net.load_state_dict(torch.load(path.with_suffix(".pt")))
    return net.eval()


def read_pipeline(options):
    """The job's pipeline file, with the product's defaults; paths made absolute."""
    path = options.folder / f"{options.job}.yaml" if options.folder else ROOT / "pipelines/fashion-mnist.yaml"
    if not options.folder and options.job != "fashion":
        raise SystemExit(f"expected --folder, made by models.py, for job {options.job}")
    definition = yaml.safe_load(path.read_text())
    if definition.get("positions", "all") != "all":
        raise SystemExit(f"{path}: expected all positions; found {definition['positions']}")
    for stage, default in [("match", {}), ("predict", PREDICT), ("cluster", CLUSTER)]:
        given = definition.get(stage, True)
        off = given is False or stage in options.without
        definition[stage] = None if off else default | (given if isinstance(given, dict) else {})
    probe = definition["probe"]
    shared = {"scale": 1, "mean": [0], "std": [1]} | {key: probe[key] for key in ("scale", "mean", "std") if key in probe}
    definition["preprocessing"] = [
        shared | {key: net[key] for key in shared if key in net} for net in definition["networks"].values()
    ]
    definition["models"] = [path.parent / net["model"] for net in definition["networks"].values()]
    definition["data"] = path.parent / probe["data"]
    definition["rows"] = options.rows or probe.get("rows")
    return definition


def parts(rows, holdout):
    """Rows to fit on and rows to score, by image groups."""
    groups = min(GROUPS, rows)
    block = max(1, min(BLOCK, rows // groups))
    scored = 0 if holdout == 0 else min(groups - 1, max(1, int(holdout * groups + 0.5)))
    group = np.arange(rows) // block % groups
    return [np.flatnonzero(group < groups - scored), np.flatnonzero(group >= groups - scored)]


class Moments:
    """Count, sums and Gram matrix of one layer's joint units on one part of the rows."""

    def __init__(self):
        self.samples, self.sum, self.gram = 0, 0, 0
        self.waiting = []  # joint samples not multiplied yet
        self.starts = []  # where each network's units start among the joint ones

    def add(self, taps):
        """Adds a batch: each network's [batch × unit × …], or tokens [batch × position × unit]."""
        units = [(tap.transpose(1, 2) if tap.ndim == 3 else tap).transpose(0, 1).flatten(1) for tap in taps]
        self.starts = np.cumsum([0, *(len(each) for each in units)])
        self.waiting.append(torch.cat(units))
        if sum(part.shape[1] for part in self.waiting) >= FEW_SAMPLES:
            self.flush()

    def flush(self):
        if not self.waiting:
            return
        joint = self.waiting[0] if len(self.waiting) == 1 else torch.cat(self.waiting, 1)
        for part in joint.split(MOST_SAMPLES, 1):
            gram, total = torch.mm(part, part.T), part.sum(1)
            if self.samples == 0:
                self.gram, self.sum = gram.double(), total.double()
            else:
                self.gram += gram
                self.sum += total
            self.samples += part.shape[1]
        self.waiting = []

    def covariance(self):
        """Mean and population covariance, float64."""
        mean = (self.sum / self.samples).numpy()
        return mean, self.gram.numpy() / self.samples - np.outer(mean, mean)

    def __add__(self, other):
        if self.samples == 0 or other.samples == 0:
            return self if other.samples == 0 else other
        both = Moments()
        both.samples, both.starts = self.samples + other.samples, self.starts
        both.sum, both.gram = self.sum + other.sum, self.gram + other.gram
        return both


def correlate(covariance):
    """Deviations and r of a covariance; a dead unit has deviation 0 and r 0 everywhere."""
    variance = np.diag(covariance)
    dead = variance <= MIN_VARIANCE
    std = np.sqrt(np.where(dead, 0, variance))
    inverse = np.where(dead, 0, 1 / np.where(dead, 1, std))
    r = np.clip(covariance * inverse[:, None] * inverse, -1, 1)
    np.fill_diagonal(r, ~dead)
    return std, r


def activate(nets, images, layers, batches):
    """Each layer's Moments on each part of the rows; `batches` are pairs of a part (0 or 1) and its rows."""
    torch.set_num_threads(1)
    moments = {layer: [Moments(), Moments()] for layer in layers}
    with torch.no_grad():
        for part, rows in batches:
            chosen, inputs, taps = images["rows"][rows], {}, []
            for net, how in zip(nets, images["preprocessing"]):
                key = str(how)
                if key not in inputs:
                    inputs[key] = preprocess(chosen, **how)
                taps.append(net(inputs[key]))
            for layer in layers:
                moments[layer][part].add([tap[layer] for tap in taps])
    for layer in layers:
        for part in moments[layer]:
            part.flush()
    return moments


def activate_parallel(nets, images, rows_of_parts, layers, batch, threads):
    """The same on several threads, each with every n-th batch: PyTorch's own threads spin when the machine is busy."""
    batches = [
        (part, rows[start : start + batch])
        for part, rows in enumerate(rows_of_parts)
        for start in range(0, len(rows), batch)
    ]
    with ThreadPoolExecutor(threads) as pool:
        shares = list(pool.map(lambda n: activate(nets, images, layers, batches[n::threads]), range(threads)))
    total = shares[0]
    for share in shares[1:]:
        for layer in layers:
            total[layer] = [mine + other for mine, other in zip(total[layer], share[layer])]
    return total


def predict(fit, scored, sources, targets, alphas, tol):
    """R², weights' count and KKT for each α, predicting units `targets` from units `sources` of the joint moments.

    The objective is the mean over targets; r2_held_out is None where no rows are scored.
    """
    mean, covariance = fit.covariance()
    std, r = correlate(covariance)
    # the scored part in units standardised by the fitted part
    scale = np.where(std > 0, std, 1)
    scored_mean, scored_covariance = (scored if scored.samples else fit).covariance()
    scored_covariance = scored_covariance / scale[:, None] / scale
    shift = (scored_mean - mean) / scale
    second = scored_covariance + np.outer(shift, shift)
    sources = sources[std[sources] > 0]
    targets = targets[(std[targets] > 0) & (np.diag(scored_covariance)[targets] > MIN_VARIANCE)]
    gram, cross = r[np.ix_(sources, sources)], r[np.ix_(sources, targets)]
    scored_gram, scored_cross = second[np.ix_(sources, sources)], second[np.ix_(sources, targets)]
    rows = []
    for alpha, weights in alignments.lasso(gram, cross, alphas, tol):
        explained = 2 * np.einsum("qp,pq->q", weights, cross) - np.einsum("qp,qp->q", weights @ gram, weights)
        error = np.diag(second)[targets] - 2 * np.einsum("qp,pq->q", weights, scored_cross)
        error += np.einsum("qp,qp->q", weights @ scored_gram, weights)
        objective, kkt = alignments.lasso_quality(gram, cross, weights, alpha)
        held_out = 1 - error / np.diag(scored_covariance)[targets]
        rows.append({
            "alpha": alpha, "r2_fit": explained.mean(), "r2_held_out": held_out.mean() if scored.samples else None,
            "mean_nonzero": (weights != 0).sum(1).mean(), "max_kkt": kkt.max(), "objective": objective.mean(),
        })
    return rows


def run_job(options):
    """Runs a pipeline file; seconds by stage and the summary numbers."""
    clock = Clock()
    load_before = os.getloadavg()[0]
    torch.set_num_threads(1)
    threadpool_limits(1)  # threads are ours, over batches and over predictions
    definition = read_pipeline(options)
    nets = [load_network(path) for path in definition["models"]]
    data = np.load(definition["data"], mmap_mode="r")
    rows = min(definition["rows"] or len(data), len(data))
    images = {"rows": data[:rows], "preprocessing": definition["preprocessing"]}
    clock.end("load")

    layers = list(definition["layers"])
    stages = {stage: definition[stage] for stage in ("match", "predict", "cluster")}
    holdout = stages["predict"]["holdout"] if stages["predict"] else 0
    moments = activate_parallel(nets, images, parts(rows, holdout), layers, options.batch, options.threads)
    clock.end("activate")

    results, jobs = [], []
    names = list(definition["networks"])
    for (a, name_a), (b, name_b) in combinations(enumerate(names), 2):
        for layer in layers:
            fit, scored = moments[layer]
            total = fit + scored
            starts = fit.starts
            units_a, units_b = np.arange(starts[a], starts[a + 1]), np.arange(starts[b], starts[b + 1])
            _, covariance = total.covariance()
            pair = np.concatenate([units_a, units_b])
            std, r = correlate(covariance[np.ix_(pair, pair)])
            p, q = len(units_a), len(units_b)
            between = r[:p, p:]
            result = {"pair": f"{name_a}-{name_b}", "layer": layer, "units": [p, q], "samples": total.samples}
            result["dead"] = int((std == 0).sum())
            results.append(result)
            clock.end("correlate")

            if stages["match"] is not None:
                chosen = alignments.match(between)
                semi = {"semi_mean_r_a": between.max(1).mean(), "semi_mean_r_b": between.max(0).mean()}
                result["match"] = {"mean_r": between[chosen].mean(), **semi}
            clock.end("match")

            if stages["cluster"]:
                graph = np.where(r > stages["cluster"]["threshold"], r, 0)
                np.fill_diagonal(graph, 0)
                labels = alignments.cluster(graph, stages["cluster"]["k"])
                isolated = int(((labels < 0) & (std > 0)).sum())
                result["cluster"] = {"isolated": isolated, "cut": alignments.cut(graph, labels)}
            clock.end("cluster")
            if stages["predict"]:
                jobs += [(result, "a_to_b", fit, scored, units_a, units_b)]
                jobs += [(result, "b_to_a", fit, scored, units_b, units_a)]

    # scikit-learn's solver lets go of the interpreter: one direction per core
    with ThreadPoolExecutor(options.threads) as pool:
        work = [
            (result, direction, pool.submit(predict, *given, stages["predict"]["alphas"], options.tol))
            for result, direction, *given in sorted(jobs, key=lambda job: -len(job[4]))
        ]
        for result, direction, answer in work:
            result.setdefault("predict", {})[direction] = answer.result()
    clock.end("predict")
    return {
        "job": options.job, "rows": rows, "threads": options.threads, "batch": options.batch, "tol": options.tol,
        **clock.readings(), "load": [load_before, os.getloadavg()[0]], "layers": results,
    }

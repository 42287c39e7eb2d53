#!/usr/bin/env python3
"""Trains the four shipped networks on Fashion-MNIST and writes what the two pipelines read.

One architecture, four initialisations: the seed alone draws the initial weights, the order of the
data and the flips. Runs on one CPU thread, so that the same machine gives the same bytes again.
Takes about a minute per epoch and network. Made with Python 3.11, PyTorch 1.13, ONNX 1.12, numpy 1.24.

    python3 train.py [--data /usr/share/datasets/fashion-mnist] [--out .] [--seeds 1 2 3 4] [--epochs 5]
"""
import argparse
import gzip
import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

DATA = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts them
SCALE, MEAN, STD = 255.0, 0.286, 0.353  # the same three as under `probe` in ../fashion-mnist.yaml
OPSET = 13
BATCH = 128
PEAK_LEARNING_RATE = 3e-3
MIN_ACCURACY = 0.88


class SmallNet(nn.Module):
    """Four 3×3 convolutions and one fully connected layer: 5.6 million multiply-adds per image."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv4 = nn.Conv2d(64, 128, 3, padding=1)
        self.fc = nn.Linear(128 * 7 * 7, 10)

    def forward(self, images):
        """Logits [batch × 10] of images [batch × 1 × 28 × 28]."""
        x = torch.max_pool2d(torch.relu(self.conv1(images)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.relu(self.conv4(torch.relu(self.conv3(x))))
        return self.fc(x.flatten(1))


# the nodes of SmallNet in the order of its forward pass: what each is called in the ONNX file
NODES = [
    ("Conv", "/conv1/conv"), ("Relu", "/conv1/relu"), ("MaxPool", "/conv1/pool"),
    ("Conv", "/conv2/conv"), ("Relu", "/conv2/relu"), ("MaxPool", "/conv2/pool"),
    ("Conv", "/conv3/conv"), ("Relu", "/conv3/relu"),
    ("Conv", "/conv4/conv"), ("Relu", "/conv4/relu"),
    ("Flatten", "/fc/flatten"), ("Gemm", "/fc/gemm"),
]


def read_idx(path):
    """An idx file of unsigned bytes, gzipped, as a uint8 array; refuses other element types and a wrong length."""
    raw = gzip.decompress(Path(path).read_bytes())
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: expected an idx file of unsigned bytes, found magic {raw[:4].hex()}")
    shape = np.frombuffer(raw, ">u4", raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def preprocess(images):
    """uint8 [n × 28 × 28] to float32 [n × 1 × 28 × 28], as the pipelines declare it."""
    x = images.astype(np.float32)[:, None]
    return torch.from_numpy((x / np.float32(SCALE) - np.float32(MEAN)) / np.float32(STD))


def accuracy(net, images, labels):
    """Share of images whose largest logit is their label."""
    with torch.no_grad():
        right = [(net(x).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500))]
    return sum(right) / len(labels)


def train(seed, images, labels, epochs):
    """A trained SmallNet. Adam, one-cycle learning rate, random horizontal flips."""
    torch.manual_seed(seed)
    net = SmallNet()
    steps = len(images) // BATCH  # a last, smaller batch is left out; each epoch leaves out others
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=epochs * steps)
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(images))
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            x = images[rows]
            flipped = torch.rand(BATCH) < 0.5
            x[flipped] = x[flipped].flip(3)
            loss = nn.functional.cross_entropy(net(x), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"seed {seed}, epoch {epoch + 1} of {epochs}: training loss {total / steps:.4f}", flush=True)
    return net


def export(net, path):
    """Writes net as ONNX with free batch axis, nodes called as in NODES and each value `<node>_output`."""
    torch.onnx.export(
        net, torch.zeros(2, 1, 28, 28), path, opset_version=OPSET, input_names=["images"], output_names=["logits"],
        dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
    )
    model = onnx.load(path)
    found = [node.op_type for node in model.graph.node]
    if found != [op for op, _ in NODES]:
        raise ValueError(f"expected the operators {[op for op, _ in NODES]}, the export has {found}")
    model.graph.name = "fashion-mnist"
    # the exporter's names are numbers or differ by version; tap names should be readable and stay
    renamed = {}
    for node, (_, name) in zip(model.graph.node, NODES):
        node.name = name
        node.input[:] = [renamed.get(value, value) for value in node.input]
        if node.output[0] != "logits":
            renamed[node.output[0]] = f"{name}_output"
            node.output[0] = f"{name}_output"
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the four .gz files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    options.out.mkdir(parents=True, exist_ok=True)

    # the probe data of the pipelines: the test images, as they are
    test_images = read_idx(options.data / "t10k-images-idx3-ubyte.gz")
    np.save(options.out / "test-images.npy", test_images)

    images = preprocess(read_idx(options.data / "train-images-idx3-ubyte.gz"))
    labels = torch.from_numpy(read_idx(options.data / "train-labels-idx1-ubyte.gz").astype(np.int64))
    test_labels = torch.from_numpy(read_idx(options.data / "t10k-labels-idx1-ubyte.gz").astype(np.int64))
    for seed in options.seeds:
        net = train(seed, images, labels, options.epochs).eval()
        path = options.out / f"seed{seed}.onnx"
        export(net, str(path))
        score = accuracy(net, preprocess(test_images), test_labels)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"seed {seed}: test accuracy {score:.4f}, sha256 {digest}", flush=True)
        if score < MIN_ACCURACY:
            raise SystemExit(f"seed {seed}: expected a test accuracy of at least {MIN_ACCURACY}, found {score:.4f}")


if __name__ == "__main__":
    main()

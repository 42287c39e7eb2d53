#!/usr/bin/env python3
"""Writes the bench's networks (ONNX, weights drawn from seeds), probe images and pipeline files into a folder.

    python3 models.py <folder> [fashion caffenet caffenet-conv resnet50 vit_b_16 wide] [--rows 512] [--alive]

One shape or several; default all of them, 3.8 GB in two minutes. Two networks per shape (seeds 1 and 2), four of the
CaffeNets. `--alive` prints the share of live units per tap. Made with Python 3.11, PyTorch 1.13,
torchvision 0.14, ONNX 1.12, numpy 1.24; the same machine writes the same bytes again.
"""
import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

import networks

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "pipelines" / "fashion-mnist"
DATA = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts them
OPSET = 14
FASHION = {"scale": 255, "mean": [0.286], "std": [0.353]}  # as in pipelines/fashion-mnist.yaml
IMAGENET = {"scale": 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
WIDTHS = [64, 128, 256, 512, 1024]
FASHION_ROWS = [2000, 10000, 20000, 60000]
# shape → module, edge of the image, number of networks, rows of the pipeline
PICTURED = {
    "caffenet": (networks.CaffeNet, 227, 4, 256),
    "caffenet-conv": (lambda: networks.CaffeNet("conv"), 227, 4, 256),
    "resnet50": (networks.ResNet50, 224, 2, 128),
    "vit_b_16": (networks.VitB16, 224, 2, 64),
}


def read_images(name):
    """The images of an idx file of Fashion-MNIST, uint8 [n × 28 × 28]."""
    sys.path.insert(0, str(SHIPPED))
    from train import read_idx

    return read_idx(DATA / f"{name}-images-idx3-ubyte.gz")


def pictures(count, items):
    """Natural-ish images, uint8 [count × 227 × 227 × 3]; row i is drawn from i alone, so that more rows keep the first.

    Clouds of 1/f noise in a random colour, before them 3 to 8 tinted garments of random sizes, then sensor noise.
    """
    edge, padded = 227, 256
    frequency = np.hypot(np.fft.fftfreq(padded)[:, None], np.fft.rfftfreq(padded)[None])
    falloff = 1 / np.maximum(frequency, 1 / padded) ** 1.3
    out = np.empty((count, edge, edge, 3), np.uint8)
    for row in range(count):
        random = np.random.default_rng([2015, row])
        phase = np.exp(2j * np.pi * random.random((3, *frequency.shape)))
        clouds = np.fft.irfft2(phase * falloff, (padded, padded))[:, :edge, :edge]
        # the three channels share most of their clouds, as they do in photographs
        clouds = 0.8 * clouds[:1] + 0.4 * clouds
        image = random.uniform(0.2, 0.8, (3, 1, 1)) + random.uniform(0.05, 0.25) * clouds / clouds.std()
        image = torch.from_numpy(image.astype(np.float32))
        for _ in range(random.integers(3, 9)):
            size = int(random.integers(40, 200))
            item = torch.from_numpy(items[random.integers(len(items))].astype(np.float32) / 255)[None, None]
            if random.random() < 0.5:
                item = item.flip(3)
            item = torch.nn.functional.interpolate(item, (size, size), mode="bilinear", align_corners=False)[0, 0]
            top, left = random.integers(-size // 3, edge - size * 2 // 3, 2)
            rows, columns = slice(max(0, top), min(edge, top + size)), slice(max(0, left), min(edge, left + size))
            item = item[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            tint = torch.from_numpy(random.uniform(0.1, 1, (3, 1, 1)).astype(np.float32))
            cover = (item * 8).clamp(0, 1)
            image[:, rows, columns] = image[:, rows, columns] * (1 - cover) + tint * item * cover
        noise = random.normal(0, 0.02, (3, edge, edge)).astype(np.float32)
        out[row] = ((image.numpy() + noise).clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    return out


def preprocess(images, scale, mean, std):
    """uint8 rows, nhw or nhwc, to float32 nchw as a pipeline declares it."""
    x = torch.from_numpy(images.astype(np.float32))
    x = x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()
    shape = (1, -1, 1, 1)
    return (x / scale - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)


def export(net, image, path):
    """Writes net as ONNX with free batch axis, its taps as outputs; returns their names."""

    class Listed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, images):
            return tuple(self.net(images).values())

    with torch.no_grad():
        names = list(net(image[None]))
    torch.onnx.export(
        Listed().eval(), image[None].repeat(2, 1, 1, 1), str(path), opset_version=OPSET, input_names=["images"],
        output_names=names, dynamic_axes={name: {0: "batch"} for name in ["images", *names]},
    )
    model = onnx.load(str(path))
    model.graph.name = path.stem
    model.doc_string = ""
    for node in model.graph.node:  # the exporter notes source paths in some
        node.doc_string = ""
    del model.graph.value_info[:]
    onnx.save(model, str(path))
    torch.save(net.state_dict(), path.with_suffix(".pt"))  # for peer.py
    return names


def pipeline(path, models, layers, data, layout, preprocessing, rows, **stages):
    """Writes a pipeline file; models and data relative to it or absolute."""
    lines = [f"name: {path.stem}", "networks:"]
    lines += [f"  {name}: {{ model: {model} }}" for name, model in models.items()]
    lines += ["layers:"] + [f"  {name}: {tensor}" for name, tensor in layers.items()]
    lines += ["probe:", f"  data: {data}", f"  layout: {layout}"]
    lines += [f"  {key}: {value}" for key, value in preprocessing.items()]
    lines += [f"  rows: {rows}"] + [f"{key}: {value}" for key, value in stages.items()]
    path.write_text("\n".join(lines) + "\n")


def write_fashion(folder):
    """The 60,000 training images and the shipped networks on 2,000 to 60,000 of them."""
    np.save(folder / "train-images.npy", read_images("train"))
    models = {f"seed{seed}": SHIPPED / f"seed{seed}.onnx" for seed in (1, 2)}
    layers = {name: f"/{name}/relu" for name in ["conv1", "conv2", "conv3", "conv4"]} | {"fc": "logits"}
    for rows in FASHION_ROWS:
        pipeline(folder / f"fashion-{rows}.yaml", models, layers, "train-images.npy", "nhw", FASHION, rows)


def write_wide(folder, alive):
    """Pairs of nets with one layer of 64 to 1,024 units at nine positions, on the shipped test images."""
    images = np.load(SHIPPED / "test-images.npy")
    sample = preprocess(images[:: len(images) // 512][:512], **FASHION)
    for width in WIDTHS:
        models = {}
        for seed in (1, 2):
            path = folder / f"wide{width}-{seed}.onnx"
            net = networks.draw(lambda: networks.Wide(width), seed, sample)
            names = export(net, sample[0], path)
            models[f"seed{seed}"] = path.name
            report(path, net, sample, alive)
        layers = {name: name for name in names}
        pipeline(folder / f"wide{width}.yaml", models, layers, SHIPPED / "test-images.npy", "nhw", FASHION, 10000)


def write_pictured(shape, folder, rows, alive):
    """The networks of one shape, its pictures (written once), pipelines with and without prediction."""
    make, edge, count, pipeline_rows = PICTURED[shape]
    data = folder / f"pictures-{edge}.npy"
    if not data.exists() or len(np.load(data, mmap_mode="r")) != rows:
        drawn = pictures(rows, read_images("t10k"))
        for each in (227, 224):
            np.save(folder / f"pictures-{each}.npy", np.ascontiguousarray(drawn[:, :each, :each]))
    sample = preprocess(np.load(data)[: networks.PICTURES], **IMAGENET)
    models = {}
    for seed in range(1, count + 1):
        path = folder / f"{shape}-{seed}.onnx"
        net = networks.draw(make, seed, sample)
        names = export(net, sample[0], path)
        models[f"seed{seed}"] = path.name
        report(path, net, sample, alive)
    pair = dict(list(models.items())[:2])
    layers = {name: name for name in names}
    shared = (data.name, "nhwc", IMAGENET, min(rows, pipeline_rows))
    pipeline(folder / f"{shape}.yaml", pair, layers, *shared)
    pipeline(folder / f"{shape}-unpredicted.yaml", pair, layers, *shared, predict="false")
    if count > 2:
        pipeline(folder / f"{shape}-four.yaml", models, layers, *shared, predict="false")


def report(path, net, sample, alive):
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - STARTED:.0f} s", flush=True)
    if not alive:
        return
    with torch.no_grad():
        for name, tap in net(sample).items():
            units = (tap.transpose(1, 2) if tap.ndim == 3 else tap).transpose(0, 1).flatten(1)
            live = (units.amax(1) > units.amin(1)).float().mean()
            active = (units > 0).float().mean()
            print(f"  {name} {list(tap.shape[1:])}: live {live:.3f}, active {active:.2f}, std {units.std():.2f}")


def main():
    shapes = ["fashion", *PICTURED, "wide"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("shapes", nargs="*", help=" ".join(shapes))
    parser.add_argument("--rows", type=int, default=512, help="pictures to draw")
    parser.add_argument("--alive", action="store_true", help="print the share of live units per tap")
    options = parser.parse_args()
    unknown = set(options.shapes) - set(shapes)
    if unknown:
        parser.error(f"expected shapes among {', '.join(shapes)}; found {', '.join(sorted(unknown))}")
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    warnings.filterwarnings("ignore")  # the exporter on constant folding, on shapes it cannot infer, on g.op
    for shape in options.shapes or shapes:
        if shape == "fashion":
            write_fashion(options.folder)
        elif shape == "wide":
            write_wide(options.folder, options.alive)
        else:
            write_pictured(shape, options.folder, options.rows, options.alive)


STARTED = time.perf_counter()
if __name__ == "__main__":
    main()

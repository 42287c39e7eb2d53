"""Golden files of numeric/npy.ts and numeric/npz.ts: what numpy writes, and what numpy opened of ours.

Made with Python 3.11, numpy 1.24.2. Run from the repository's root; writes test/reference/npy.json:
  python3 test/reference/npy.py
`files`: .npy bytes of numpy. `savez`: an .npz of numpy with our checksum member. `ours`: an .npz written by
writeNpz under Node, kept only after numpy.load gave back the same arrays and hashlib the same checksums.
"""
import base64
import hashlib
import io
import json
import subprocess

import numpy as np
from numpy.lib import format as npy


def saved(array, version=None, **options):
    out = io.BytesIO()
    if version is None:
        np.save(out, array, **options)
    else:
        npy.write_array(out, array, version=version)
    return out.getvalue()


def text(raw):
    return base64.b64encode(raw).decode()


halves = np.arange(12) / 2 - 2
files = {
    # dtypes, one to four axes, an empty axis
    "float64 (12,)": saved(halves),
    "float64 (3, 4)": saved(halves.reshape(3, 4)),
    "float32 (3, 4)": saved(halves.reshape(3, 4).astype("<f4")),
    "int32 (2, 3, 2)": saved(np.arange(12, dtype="<i4").reshape(2, 3, 2) - 5),
    "uint8 (1, 2, 3, 2)": saved(np.arange(12, dtype="u1").reshape(1, 2, 3, 2)),
    "float64 (0, 4)": saved(np.zeros((0, 4))),
}
# headers on both sides of a 64-byte boundary and exactly on it, where numpy adds a whole block
for last in (1, 10, 100):
    for axes in range(14, 20):
        shape = (*[1] * (axes - 1), last)
        files[f"uint8 ({', '.join(map(str, shape))})"] = saved(np.full(shape, 7, "u1"))
read_only = {
    "version 2": saved(halves.reshape(3, 4), version=(2, 0)),
    "version 3": saved(halves.reshape(3, 4), version=(3, 0)),
    "view": saved(np.arange(24.0).reshape(4, 6)[:, ::2]),
}
refused = {
    "fortran": saved(np.asfortranarray(halves.reshape(3, 4))),
    "big-endian": saved(halves.astype(">f4")),
    "object": saved(np.array([{}, None]), allow_pickle=True),
    "structured": saved(np.zeros(2, [("a", "<f4"), ("b", "<i4")])),
    "scalar": saved(np.float64(3)),
    "int64": saved(np.arange(3)),
    "float16": saved(np.zeros(3, "<f2")),
    "bool": saved(np.zeros(3, "?")),
    "unicode": saved(np.array(["a", "b"])),
}

arrays = {
    "moments": np.outer(np.arange(5.0), np.arange(1.0, 4)) / 3,
    "count": np.array([3], "<i4"),
    "dead": np.array([0, 1, 0], "u1"),
    "mean_f32": np.array([0.1, 0.2], "<f4"),
    "none": np.zeros((0, 3)),
}


def checksum(name, file, chunk=8 * 2**20):
    chunks = (file[at : at + chunk] for at in range(0, len(file), chunk))
    return hashlib.sha256(name.encode() + b"".join(hashlib.sha256(c).digest() for c in chunks)).digest()


sums = [checksum(name, saved(array)) for name, array in arrays.items()]
sha256 = np.frombuffer(b"".join(sums), "u1").reshape(-1, 32)
savez = io.BytesIO()
np.savez(savez, **arrays, sha256=sha256)

SCRIPT = """
import { readNpz, writeNpz } from './src/numeric/npz.ts';
const members = await readNpz(Buffer.from(process.argv[1], 'base64'));
process.stdout.write(await writeNpz(members));
"""
command = ["node", "--input-type=module", "-e", SCRIPT, text(savez.getvalue())]
ours = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
opened = np.load(io.BytesIO(ours))
assert opened.files == [*arrays, "sha256"]
for name, array in {**arrays, "sha256": sha256}.items():
    assert opened[name].dtype == array.dtype and opened[name].shape == array.shape, name
    assert opened[name].tobytes() == array.tobytes(), name

golden = {
    "numpy": np.__version__,
    "files": {name: text(raw) for name, raw in files.items()},
    "readOnly": {name: text(raw) for name, raw in read_only.items()},
    "refused": {name: text(raw) for name, raw in refused.items()},
    "savez": text(savez.getvalue()),
    "ours": text(ours),
}
with open("test/reference/npy.json", "w") as out:
    json.dump(golden, out, indent=1)
    out.write("\n")

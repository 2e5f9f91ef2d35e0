"""Take a trained spiking network out of Python, and compare what comes of it.

    python examples/mnist/spiking_mnist.py --hidden 50 --save net.safetensors --data-dir DIR
    python examples/mnist/spiking_export.py net.safetensors --data-dir DIR

The network is loaded in a fresh process, and written as JSON, C, ONNX and NIR. Each of these runs
on test images. What is compared with the network itself, in float64, are the classes and the spikes
of every neuron (ONNX: of the output neurons) at every step. Arithmetic that rounds in another order
can turn a spike round only where a membrane comes close to its threshold: images on which all stay
further away than 1e-4 are counted apart. Needs a C compiler, onnx, onnxruntime, nir and h5py.
A network trained with ``--reset zero`` is also run by snnTorch, from the NIR file.

Makes a table of formats: images with the same class, and with the same spikes.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from mnist import files
from shared.options import make_parser, number
from synann.export import load_json, load_nir, save_c, save_json, save_nir, save_onnx
from synann.spiking import SpikingNetwork

MARGIN = 1e-4
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic"]
FLAGS = ["-std=c99", "-O2", *WARNINGS, "-shared", "-fPIC"]
FRESH = """
import sys, numpy as np
from synann.spiking import SpikingNetwork
network = SpikingNetwork.from_file(sys.argv[1])
x = np.load(sys.argv[2])
np.savez(sys.argv[3], *(a for pair in network.run(x) for a in pair), network.predict(x))
"""
# Writes spikes and summed membranes of one image after the other.
PROGRAM = """#include "net.c"
void run(const {real} *x, int images, unsigned char *spikes, int *classes);
void run(const {real} *x, int images, unsigned char *spikes, int *classes)
{{
    static net_state state;
    for (int k = 0; k < images; k++, x += {features}) {{
        net_init(&state);
        net_input(&state, x);
        for (int step = 0; step < {steps}; step++) {{
            net_advance(&state);
{copies}        }}
        classes[k] = net_best(state.membrane_sum);
    }}
}}
"""
COPY = """            for (int i = 0; i < {units}; i++)
                *spikes++ = state.{out}_{k}[i] > 0;
"""

# Spikes (steps, images, neurons), and classes (images,) by the sums of the membranes.
Found = tuple[np.ndarray, np.ndarray | None]


def of_network(network: SpikingNetwork, x: np.ndarray) -> Found:
    """Spikes of all layers, and classes."""
    spikes = np.concatenate([spikes for spikes, _ in network.run(x)], axis=2)
    return spikes > 0, network.predict(x)


def fresh_process(network: SpikingNetwork, x: np.ndarray, folder: Path) -> Found:
    network.save(folder / "net.safetensors")
    np.save(folder / "x.npy", x)
    paths = [str(folder / name) for name in ("net.safetensors", "x.npy", "out.npz")]
    subprocess.run([sys.executable, "-c", FRESH, *paths], check=True)
    with np.load(folder / "out.npz") as arrays:
        *pairs, classes = arrays.values()
    same = zip(pairs, (a for pair in network.run(x) for a in pair), strict=True)
    if not all(a.tobytes() == b.tobytes() for a, b in same):
        raise SystemExit("a fresh process computes other bits")
    return np.concatenate(pairs[::2], axis=2) > 0, classes


def json_file(network: SpikingNetwork, x: np.ndarray, folder: Path) -> Found:
    save_json(network, folder / "net.json")
    again = load_json(folder / "net.json")
    for one, two in zip(network.run(x), again.run(x), strict=True):
        if any(a.tobytes() != b.tobytes() for a, b in zip(one, two, strict=True)):
            raise SystemExit("JSON gives other bits")
    return of_network(again, x)


def c_file(dtype: str) -> Callable[..., Found]:
    def run(network: SpikingNetwork, x: np.ndarray, folder: Path) -> Found:
        save_c(network, folder / "net.c", name="net", dtype=dtype)
        copies = "".join(
            COPY.format(
                units=layer.units,
                out="out" if layer.neuron.order == "article" else "spikes",
                k=k,
            )
            for k, layer in enumerate(network.layers)
        )
        real = "float" if dtype == "float32" else "double"
        sizes = {"features": network.in_features, "steps": network.steps}
        (folder / "run.c").write_text(PROGRAM.format(real=real, copies=copies, **sizes))
        library = folder / f"run-{dtype}.so"
        subprocess.run(["cc", *FLAGS, "-o", library, folder / "run.c", "-lm"], check=True)
        rows, units = x.astype(dtype), sum(layer.units for layer in network.layers)
        spikes = np.empty((len(x), network.steps, units), np.uint8)
        classes = np.empty(len(x), np.int32)
        pointers = (a.ctypes.data_as(ctypes.c_void_p) for a in (rows, spikes, classes))
        first, *rest = pointers
        ctypes.CDLL(str(library)).run(first, len(x), *rest)
        return spikes.transpose(1, 0, 2) > 0, classes

    return run


def onnx_file(dtype: str) -> Callable[..., Found]:
    def run(network: SpikingNetwork, x: np.ndarray, folder: Path) -> Found:
        save_onnx(network, folder / "net.onnx", dtype=dtype)
        session = onnxruntime.InferenceSession(folder / "net.onnx")
        scores, spikes = session.run(["scores", "spikes"], {"x": x.astype(dtype)})
        return spikes > 0, scores.argmax(axis=1)

    return run


def in_words(network: SpikingNetwork) -> bool:
    """Whether NIR has a word for the neurons' reset."""
    return all(layer.neuron.reset == "zero" for layer in network.layers)


def nir_file(network: SpikingNetwork, x: np.ndarray, folder: Path) -> Found:
    """With metadata for what NIR has no word for, such as a reset that subtracts."""
    save_nir(network, folder / "net.nir", strict=in_words(network))
    return of_network(load_nir(folder / "net.nir"), x)


def by_snntorch(network: SpikingNetwork, x: np.ndarray, folder: Path) -> Found:
    """The same NIR file, read and run by snnTorch, in float32: spikes of the output neurons."""
    import nir
    import torch
    from snntorch.import_nir import import_from_nir

    save_nir(network, folder / "net.nir")
    with contextlib.redirect_stdout(io.StringIO()):
        module = import_from_nir(nir.read(folder / "net.nir"))
    images, state, spikes = torch.as_tensor(x.astype(np.float32)), None, []
    with torch.no_grad():
        for _ in range(network.steps):
            out, state = module(images) if state is None else module(images, state)
            spikes.append(out.numpy() > 0)
    return np.stack(spikes), None


FORMATS = {
    "safetensors, fresh process": fresh_process,
    "JSON": json_file,
    "C, float64": c_file("float64"),
    "C, float32": c_file("float32"),
    "ONNX, float64": onnx_file("float64"),
    "ONNX, float32": onnx_file("float32"),
    "NIR": nir_file,
}


def clear(network: SpikingNetwork, x: np.ndarray) -> np.ndarray:
    """Images on which every membrane stays away from its threshold, (images,)."""
    away = np.full(len(x), np.inf)
    for layer, (_, membranes) in zip(network.layers, network.run(x), strict=True):
        distance = np.abs(membranes - layer.neuron.threshold)
        away = np.minimum(away, distance.min(axis=(0, 2)))
    return away > MARGIN


def main(arguments: list[str] | None = None) -> dict[str, tuple[float, float, float]]:
    """Return for each format the percentages of images that the table shows."""
    parser = make_parser(__doc__)
    parser.add_argument("network", type=Path, help="file that spiking_mnist.py --save has written")
    files.add_options(parser)
    parser.add_argument("--images", type=number(int, 1), default=1000, help="of the test images")
    options = parser.parse_args(arguments)
    network = SpikingNetwork.from_file(options.network)
    if any(layer.neuron.order == "immediate" for layer in network.layers):
        raise SystemExit("the membranes of this network are known after their reset alone")
    try:
        data = files.load(options)
    except files.DataError as error:
        raise SystemExit(str(error)) from None
    x = data.test_x[: options.images].astype(np.float64)
    spikes, classes = of_network(network, x)
    apart = clear(network, x)
    right = np.mean(classes == data.test_y[: len(x)])
    print(
        f"{network.in_features}-{'-'.join(str(layer.units) for layer in network.layers)}, "
        f"{network.steps} steps; {len(x)} test images, {100 * right:.1f} % of them right; on "
        f"{100 * apart.mean():.1f} % all membranes stay more than {MARGIN:g} from the threshold"
    )
    formats = FORMATS | ({"NIR, by snnTorch": by_snntorch} if in_words(network) else {})
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, run in formats.items():
            found, chosen = run(network, x, Path(folder))
            same = (found == spikes[..., -found.shape[2] :]).all(axis=(0, 2))
            agrees = np.nan if chosen is None else (chosen == classes).mean()
            agree = agrees, same[apart].mean(), same.mean()
            rows[name] = tuple(100 * float(share) for share in agree)
        table = [
            (name, *(None if np.isnan(share) else share for share in shares))
            for name, shares in rows.items()
        ]
        sizes = [f"{p.name} {p.stat().st_size}" for p in sorted(Path(folder).glob("net.*"))]
    headers = ("images in %", "same class", "same spikes, clear ones", "same spikes, all")
    print(tabulate(table, headers, floatfmt=".1f"))
    print(f"bytes: {', '.join(sizes)} (C and ONNX in float32)")
    return rows


if __name__ == "__main__":
    main()

"""Take the digits network out of Python: a C file for a small device, ONNX and JSON.

    python examples/edge.py        after examples/digits.py; trains a small network if there is none

It compiles the C file, runs it on the test images and reports bytes, agreement and time; then the
same in whole numbers. `examples/studies/edge_learner.py` learns in C. Needs gcc and onnx.

Makes the files digits.c, .o, .onnx, .json, digits-int16.c and digits-int8.c, and a table of bytes.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

import synann as syn
from shared.datasets import Dataset, load_digits
from shared.options import make_folder, make_parser
from synann.export import save_c, save_json, save_onnx

KINDS = (".c", ".o", ".onnx", ".json")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def load_model(path: Path, data: Dataset) -> syn.SynaMLP:
    """The trained network, or a smaller one trained now."""
    if path.exists():
        return syn.SynaMLP.from_file(path)
    print(f"{path} is not there: training a network with 32 hidden neurons")
    model = syn.SynaMLP(data.train_x.shape[1], 32, data.classes)
    model.fit(data.train_x, data.train_y, epochs=30, batch_size=64)
    return model


def compile_c(source: Path) -> tuple[ctypes.CDLL, int, int]:
    """The file as a library; bytes of code and constants, and of variables, as an object (-Os)."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise SystemExit("examples/edge.py needs gcc")
    library, made = source.with_suffix(".so"), source.with_suffix(".o")
    for options in (["-O2", "-shared", "-fPIC", "-o", library], ["-Os", "-c", "-o", made]):
        subprocess.run([gcc, *FLAGS, *options, source, "-lm"], check=True)
    report = subprocess.run(["size", made], check=True, capture_output=True, text=True).stdout
    text, variables, zeros, *_ = (int(field, 0) for field in report.splitlines()[1].split()[:3])
    return ctypes.CDLL(str(library.resolve())), text, variables + zeros


def pointer(a: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(a.ctypes.data)


def run_network(model: syn.SynaMLP, data: Dataset, folder: Path) -> None:
    """The network as C beside Python's, and the sizes of all its files."""
    source = folder / "digits.c"
    save_c(model, source, name="digits")
    save_onnx(model, folder / "digits.onnx")
    save_json(model, folder / "digits.json")
    library, text, _ = compile_c(source)
    logits = np.empty((len(data.test_x), data.classes), np.float32)
    x = np.ascontiguousarray(data.test_x, np.float32)
    library.digits_logits(pointer(x[0]), pointer(logits[0]))
    start = time.perf_counter()
    for image, out in zip(x, logits, strict=True):
        library.digits_logits(pointer(image), pointer(out))
    seconds = time.perf_counter() - start
    want = model.decision_function(x.astype(np.float64))
    same = np.mean(logits.argmax(axis=1) == want.argmax(axis=1))
    hidden, inputs = model.hidden, model.in_features
    constants = 4 * (hidden * (inputs + 1) + data.classes * (hidden + 1))
    constants += 4 * hidden * hidden if model.layer == "synapse" else 0
    rows = [
        ("constants, float32", constants),
        ("code (gcc -Os, without math.h's functions)", text - constants),
        ("stack of a call, about", 4 * (2 * hidden + data.classes)),
        *((f"digits{kind}", (folder / f"digits{kind}").stat().st_size) for kind in KINDS),
    ]
    correct = np.mean(logits.argmax(axis=1) == data.test_y)
    print(tabulate(rows, (f"digits network {inputs}-{hidden}-{data.classes}", "bytes")))
    print(
        f"C and Python agree on {100 * same:.2f} % of {len(x)} test images; logits differ by at "
        f"most {np.abs(logits - want).max() / np.abs(want).max():.1e} of the largest\n"
        f"accuracy of the C file there: {100 * correct:.2f} %; "
        f"{1e6 * seconds / len(x):.0f} µs an image here, called from Python"
    )


def run_integers(model: syn.SynaMLP, data: Dataset, folder: Path) -> None:
    """The network in whole numbers beside Python's."""
    pixels = np.rint(16 * data.test_x).astype(np.uint8)  # counts up to 16
    want = model.decision_function(data.test_x.astype(np.float64))
    logits = np.empty(want.shape, np.int64)
    for dtype in ("int16", "int8"):
        source = folder / f"digits-{dtype}.c"
        save_c(model, source, name="digits", dtype=dtype, levels=16)
        library, text, _ = compile_c(source)
        for image, out in zip(pixels, logits, strict=True):
            library.digits_logits(pointer(image), pointer(out))
        unit = float(source.read_text().split("One unit of a logit is ")[1].split()[0])
        same = np.mean(logits.argmax(axis=1) == want.argmax(axis=1))
        error = np.abs(unit * logits - want).max() / np.abs(want).max()
        print(
            f"in whole numbers, {dtype}: {text} bytes of code and constants; the same class on "
            f"{100 * same:.2f} %; logits differ by at most {error:.1e} of the largest"
        )


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--model", type=Path, default=Path("outputs/digits-synapse.safetensors"))
    options = parser.parse_args(arguments)
    data = load_digits()
    make_folder(options.output)
    model = load_model(options.model, data)
    run_network(model, data, options.output)
    run_integers(model, data, options.output)


if __name__ == "__main__":
    main()

"""The kernels on many shapes: as a script, a digest of all that a built module computes.

``python -m tests.synann_core.native.shapes FOLDER`` loads the module in a folder, which may have
been built with sanitizers, or for vectors of another width: the digests must be the same.
"""

import hashlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import numpy as np

SIZES = [(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 64, 64), (1, 33, 130), (2, 3, 31)]
SIZES += [(5, 17, 65), (9, 40, 257), (3, 70, 128), (131, 2, 63), (260, 1, 40), (7, 8, 129)]
SIZES += [(1, 40, 1100), (140, 3, 400), (150, 2, 17), (3, 1, 1030)]
EPS = {np.float32: 2.0**-24, np.float64: 2.0**-53}


def arguments(rows, m, n, kind, seed=0):
    """y, ȳ, β, β̄, grad, dy, dβ, some of whose factors are close to 0 or closed."""
    rng = np.random.default_rng([seed, rows, m, n])
    y, beta = rng.random((rows, n)), rng.random((m, n))
    if seed == 1:
        y, beta = y**8, beta**8
    elif seed == 2:
        y, beta = 1 - y**8, 1 - beta**8
        y[::2, ::5] = beta[::2, ::5] = 1
    grad, dy, dbeta = (rng.normal(size=s) for s in ((rows, m), y.shape, beta.shape))
    arrays = y, 1 - y, beta, 1 - beta, grad, dy, dbeta
    return [a.astype(kind) for a in arrays]


def results(kernels, rows, m, n, kind, seed):
    """Everything that the contraction's kernels compute for these arguments."""
    y, y_bar, beta, beta_bar, grad, dy, dbeta = arguments(rows, m, n, kind, seed)
    for bars in ((None, None), (y_bar, beta_bar)):
        factors = (y, bars[0], beta, bars[1])
        for careful, floor in ((0, 0.0), (1, 0.0), (1, EPS[kind])):
            out = np.full((rows, m), 7, kind)
            kernels.log_product(*factors, out, 0, rows, 0, m, careful, floor)
            yield out
            gy, gbeta = np.full_like(y, 7), np.full_like(beta, 7)
            kernels.gradients(*factors, grad, gy, gbeta, 0, n, careful, EPS[kind])
            yield from (gy, gbeta)
        if bars[0] is None and m and n and rows:  # kernels that look whether all is in [0, 1]
            out = np.full((rows, m), 7, kind)
            if kernels.log_product(*factors, out, 0, rows, 0, m, 2, 0.0):
                yield out
            if rows == 1 or m < 8:
                kernels.gradients(*factors, grad, gy, gbeta, 0, n, 2, EPS[kind])
                yield from (gy, gbeta)
        out = np.full((rows, m), 7, kind)
        rest = y, bars[0], dy, beta, bars[1], dbeta, out
        kernels.tangent(*rest, 0, rows, 0, m, EPS[kind])
        yield out
        inside = np.full(rows, 7, np.uint8)
        kernels.domain(*factors, inside)
        yield inside.astype(kind)
        inside[::2] = 0  # these kernels take any row
        out, guarded = np.full((2, rows, m), 7, kind)
        kernels.log_product_outside(*factors, inside, out, guarded, 0, rows, EPS[kind])
        kernels.gradients_outside(*factors, inside, grad, gy, gbeta, 0, n, EPS[kind])
        yield from (out, guarded, gy, gbeta)


def digest(kernels):
    """A number for all bits; every NaN counts as the same one."""
    total = hashlib.sha256()
    with np.errstate(all="ignore"):
        for size in SIZES:
            for kind in (np.float32, np.float64):
                for seed in range(3):
                    for a in results(kernels, *size, kind, seed):
                        total.update(np.where(np.isnan(a), kind("nan"), a).tobytes())
    return total.hexdigest()


def load(folder):
    """The module in a folder."""
    (path,) = Path(folder).rglob("_kernels*.so")
    loader = importlib.machinery.ExtensionFileLoader("_kernels", str(path))
    return importlib.util.module_from_spec(importlib.util.spec_from_loader("_kernels", loader))


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        module = load(folder)
        module.__loader__.exec_module(module)
        for variant in module.variants:
            module.use(variant)
            print(digest(module), variant)

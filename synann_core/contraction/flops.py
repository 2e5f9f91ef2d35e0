"""Tell torch's FLOP counters what the contraction's operators cost."""

from __future__ import annotations

import importlib.abc
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from synann_core._lib.typing import Shape

__all__ = ["count"]

_COUNTERS = "torch.utils.flop_counter"


def count(log_product: Any, log_product_vjp: Any) -> None:
    """Have the two operators counted, also by a counter that is imported later.

    Importing it now would import Triton, which takes as long as all that is here.
    """
    formulas = {log_product: _forward, log_product_vjp: _backward}
    if _COUNTERS in sys.modules:
        _register(sys.modules[_COUNTERS], formulas)
    else:
        sys.meta_path.insert(0, _AtImport(formulas))


def _forward(y: Shape, y_bar: Any, beta: Shape, *_: Any, **__: Any) -> int:
    """Three an input, output and row: product, complement and the product of all."""
    return 3 * y[0] * beta[0] * beta[1]


def _backward(y: Shape, y_bar: Any, beta: Shape, *_: Any, **__: Any) -> int:
    """Seven: the factor again, a division, and a product and a sum for each of two gradients."""
    return 7 * y[0] * beta[0] * beta[1]


def _register(counters: ModuleType, formulas: dict[Any, Any]) -> None:
    for operator, formula in formulas.items():
        counters.register_flop_formula(operator)(formula)


class _AtImport(importlib.abc.MetaPathFinder):
    """Finds the module of the counters as it is, and registers the formulas when it has run."""

    def __init__(self, formulas: dict[Any, Any]) -> None:
        self.formulas = formulas

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != _COUNTERS:
            return None
        later = sys.meta_path[sys.meta_path.index(self) + 1 :]
        found = (finder.find_spec(name, path, target) for finder in later)
        spec = next((spec for spec in found if spec is not None), None)
        loader: Any = None if spec is None else spec.loader
        if loader is None:
            return spec
        run = loader.exec_module

        def run_and_register(module: ModuleType) -> None:
            run(module)
            _register(module, self.formulas)
            sys.meta_path.remove(self)  # only now: a spec may be asked for without an import

        loader.exec_module = run_and_register
        return spec

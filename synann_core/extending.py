"""For those who build on the core: what adapters to frameworks are made of.

The formulas of a layer are in `synann_core.layer`. Here are the checks, the questions to torch and
the records that layers and models of every framework share; what runs neurons, forward and backward
(`run_neurons`, `run_neurons_vjp` and their records); and files, which are written whole or not at
all. These names are public: they change only with a line in the changelog.
"""

from __future__ import annotations

import importlib

from synann_core._lib.arguments import broadcast_shape, check_plain, check_shape, check_tensor
from synann_core._lib.autodiff import widened
from synann_core._lib.checks import as_tuple, check_int, check_number, check_option, to_numpy
from synann_core._lib.files import (
    check_tensors,
    read_config,
    read_tensors,
    write_tensors,
    write_whole,
)
from synann_core._lib.numerics import sum_to_shape
from synann_core._lib.patches import PatchAxis, height_and_width
from synann_core._lib.torch_modes import torch_values_known, torch_watcher
from synann_core._lib.typing import Array, Namespace, NumpyArray, Space
from synann_core.models.architecture import Architecture, GateKind, LayerKind
from synann_core.models.explanations import (
    Explanation,
    against_background,
    checked_names,
    expected_gradients,
)
from synann_core.models.passes import NORM_EPS, NORM_MOMENTUM
from synann_core.models.passes import parts as classifier_parts
from synann_core.spiking.neurons.dispatch import forward as run_neurons
from synann_core.spiking.neurons.dispatch import vjp as run_neurons_vjp
from synann_core.spiking.neurons.files import check_rule_state, rule_state
from synann_core.spiking.neurons.files import described as neuron_described
from synann_core.spiking.neurons.files import restored as neuron_restored
from synann_core.spiking.neurons.formulas import membranes
from synann_core.spiking.neurons.records import Inputs as NeuronInputs
from synann_core.spiking.neurons.records import Parameters as NeuronParameters
from synann_core.spiking.neurons.records import Plan as NeuronPlan
from synann_core.spiking.neurons.records import Upstream as NeuronUpstream
from synann_core.spiking.neurons.records import mapped

__all__ = [
    "NORM_EPS",
    "NORM_MOMENTUM",
    "Architecture",
    "Array",
    "Explanation",
    "GateKind",
    "LayerKind",
    "Namespace",
    "NeuronInputs",
    "NeuronParameters",
    "NeuronPlan",
    "NeuronUpstream",
    "NumpyArray",
    "PatchAxis",
    "Space",
    "against_background",
    "as_tuple",
    "broadcast_shape",
    "check_int",
    "check_number",
    "check_option",
    "check_plain",
    "check_rule_state",
    "check_shape",
    "check_tensor",
    "check_tensors",
    "checked_names",
    "classifier_parts",
    "expected_gradients",
    "height_and_width",
    "mapped",
    "membranes",
    "neuron_described",
    "neuron_restored",
    "read_config",
    "read_tensors",
    "register_torch_operators",
    "rule_state",
    "run_neurons",
    "run_neurons_vjp",
    "sum_to_shape",
    "to_numpy",
    "torch_values_known",
    "torch_watcher",
    "widened",
    "write_tensors",
    "write_whole",
]


def register_torch_operators() -> None:
    """Make the contraction's kernels operators of torch now, not when torch first traces one.

    A program that torch.export has saved holds the operators ``synann::log_product`` and
    ``synann::log_product_vjp`` by name: whoever loads it needs them.
    """
    importlib.import_module("synann_core.contraction.torch_operators")

"""What FLOP counters of torch see of the contraction."""

import pytest
import torch
from array_api_compat import torch as xp

from synann_core.contraction import torch_operators
from synann_core.contraction.factors import probability_factors
from tests.synann_core.contraction.test_native_processes import python


def test_counters_see_the_operators():
    from torch.utils.flop_counter import FlopCounterMode

    y, beta = torch.rand(3, 5, requires_grad=True), torch.rand(4, 5, requires_grad=True)
    counter = FlopCounterMode(display=False)
    with counter:
        value = torch_operators.forward(probability_factors(y, beta, xp=xp), xp=xp)[0]
        forward = counter.get_total_flops()
        value.sum().backward()
    assert forward == 3 * 3 * 4 * 5  # rows, outputs and inputs
    assert counter.get_total_flops() - forward == 7 * 3 * 4 * 5
    counted = counter.get_flop_counts()["Global"]
    assert {str(name) for name in counted} == {"synann.log_product", "synann.log_product_vjp"}


PROCESS = """
import sys, torch
{}
layer = synann_torch.Synapse(5, 4, output="surprisal", excitation="none")
with FlopCounterMode(display=False) as counter:
    layer(torch.rand(3, 5))
print(counter.get_total_flops(), sum("_AtImport" in str(finder) for finder in sys.meta_path))
"""


@pytest.mark.parametrize("first", ["the layers", "the counters"])
def test_either_may_be_imported_first(first):
    imports = ["import synann_torch", "from torch.utils.flop_counter import FlopCounterMode"]
    lines = imports if first == "the layers" else imports[::-1]
    assert python(PROCESS.format("\n".join(lines))) == ["180", "0"]


def test_a_look_for_the_counters_is_no_import():
    """Tools ask for a module's spec, to see whether there is one, without importing it."""
    lines = [
        "import importlib.util, synann_torch",
        "found = [importlib.util.find_spec('torch.utils.flop_counter') for _ in range(2)]",
        "assert all(spec.name == 'torch.utils.flop_counter' for spec in found)",
        "from torch.utils.flop_counter import FlopCounterMode",
    ]
    assert python(PROCESS.format("\n".join(lines))) == ["180", "0"]


def test_layers_do_not_import_the_counters():
    name = "torch.utils.flop_counter"
    lines = f"import sys, torch; before = {name!r} in sys.modules; import synann_torch"
    assert python(f"{lines}; print(before == ({name!r} in sys.modules))") == ["True"]

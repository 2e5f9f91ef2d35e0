"""What FLOP counters of torch see of the contraction."""

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


COUNTED = """
layer = synann_torch.Synapse(5, 4, output="surprisal", excitation="none")
with FlopCounterMode(display=False) as counter:
    layer(torch.rand(3, 5))
print(counter.get_total_flops(), sum("_AtImport" in str(finder) for finder in sys.meta_path))
"""


def test_layers_imported_first_leave_the_counters_alone():
    """Nor is a look for the module's spec, as tools take it, an import."""
    lines = [
        "import importlib.util, sys, torch",
        "name = 'torch.utils.flop_counter'",
        "before = name in sys.modules",
        "import synann_torch",
        "found = [importlib.util.find_spec(name) for _ in range(2)]",
        "assert all(spec.name == name for spec in found)",
        "assert before == (name in sys.modules)",
        "from torch.utils.flop_counter import FlopCounterMode",
    ]
    assert python("\n".join(lines) + COUNTED) == ["180", "0"]


def test_counters_may_be_imported_first():
    lines = "import sys, torch\nfrom torch.utils.flop_counter import FlopCounterMode\n"
    assert python(lines + "import synann_torch" + COUNTED) == ["180", "0"]

"""The library on NumPy against every golden value."""

import numpy as np
import pytest

import synann_core as syn
from reference import golden
from synann_core import spiking
from tests.helpers import EPS, TINY, assert_close, assert_relative

FILES = ("elementwise", "tensor", "learning", "codes")
CASES = {name: golden.load(name)["cases"] for name in FILES}
ULP = 4
GRADIENT = 1e-12  # of the largest entry

# The arguments of each function, as the golden files name them; the last one may be upstream.
ARGUMENTS = {
    "log_transmission": ("y", "beta"),
    "log_transmission_vjp": ("y", "beta", "grad_log"),
    "log_transmission_jvp": ("y", "beta", "dy", "dbeta"),
    "contributions": ("y", "beta"),
    "synapse_tensor": ("x", "y", "alpha", "beta"),
    "synapse_tensor_vjp": ("x", "y", "alpha", "beta", "grad"),
    "surprisal_synapse_tensor": ("u", "v", "theta", "gamma"),
    "surprisal_synapse_tensor_vjp": ("u", "v", "theta", "gamma", "grad"),
    "cross_entropy": ("logits", "target"),
    "cross_entropy_vjp": ("logits", "target", "grad"),
    "surprisal_rule": ("u", "v", "theta", "gamma", "target"),
}
GRADIENTS = {
    "log_transmission_vjp": ("y", "beta"),
    "synapse_tensor_vjp": ("x", "y", "alpha", "beta"),
    "surprisal_synapse_tensor_vjp": ("u", "v", "theta", "gamma"),
    "cross_entropy_vjp": ("logits", "target"),
    "surprisal_rule": ("theta", "gamma"),
}


def outputs(*files):
    return [
        pytest.param(file, case, output, id=f"{case}-{output}")
        for file in files
        for case, entry in CASES[file].items()
        for output in entry["outputs"]
    ]


def assert_ulp(got, want):
    """Within ULP units in the last place of every entry."""
    got, want = np.asarray(got), np.asarray(want)
    # Below the normal numbers a unit no longer shrinks.
    unit = EPS["float64"] * 2.0 ** np.floor(np.log2(np.maximum(np.abs(want), TINY["float64"])))
    assert_close(got, want, ULP, scale=np.where(np.isfinite(unit), unit, 0.0))


@pytest.mark.parametrize(("file", "case", "output"), outputs("elementwise"))
def test_elementwise(file, case, output):
    inputs = dict(CASES[file][case]["inputs"])
    options = {k: inputs.pop(k) for k in ("chemical_potential",) if k in inputs}
    assert_ulp(
        getattr(syn, output)(*inputs.values(), **options), CASES[file][case]["outputs"][output]
    )


@pytest.mark.parametrize(("file", "case", "output"), outputs("tensor", "learning"))
def test_tensor_and_learning(file, case, output):
    inputs, want = CASES[file][case]["inputs"], CASES[file][case]["outputs"][output]
    got = getattr(syn, output)(*(inputs[name] for name in ARGUMENTS[output]))
    if output in GRADIENTS:
        assert tuple(want) == GRADIENTS[output]
        for part, name in zip(got, GRADIENTS[output], strict=True):
            assert_close(part, want[name], GRADIENT)
    elif output == "log_transmission_jvp":
        assert_close(got, want, GRADIENT)
    elif output == "contributions":
        assert_ulp(got, want)
    else:
        check_values(output, inputs, got, want)


def check_values(output, inputs, got, want):
    if output == "cross_entropy":
        # terms of one sign, but the logits' differences are as exact as the largest logit
        scale = np.abs(inputs["logits"]).max() + 1.0
        assert_close(got, want, 8 * EPS["float64"], scale=scale)
        return
    n = inputs["y"].shape[-1]
    limit = (10 + np.sqrt(n)) * EPS["float64"]
    if output == "synapse_tensor":
        # s = αx·e^T: an error in T is a relative error in s, of the size of T.
        log_s = syn.log_transmission(inputs["y"], inputs["beta"])
        size = 1.0 + np.where(np.isfinite(log_s), np.abs(log_s), 0.0)
        assert_close(got, want, limit, scale=np.abs(want) * size)
    else:
        assert_relative(got, want, limit)


def test_every_function_with_golden_values_is_compared():
    files = [CASES[name] for name in FILES if name != "codes"]
    named = {output for file in files for case in file.values() for output in case["outputs"]}
    public = {name for name in syn.__all__ if name.islower()}
    # Without golden values: what draws random numbers, names a branch, builds a graph, or is a vjp
    # of one element.
    without = {"initial_beta", "log_transmission_variant", "synapse_vjp", "surprisal_synapse_vjp"}
    without |= {"bayes_graph"}
    assert named == public - without


def test_a_wrong_last_digit_would_be_seen():
    want = CASES["elementwise"]["complement"]["outputs"]["complement"]
    middle = want.size // 2
    for units, seen in [(3, False), (6, True)]:
        got = want.copy()
        got[middle] += units * np.spacing(got[middle])
        if seen:
            with pytest.raises(AssertionError, match="allowed"):
                assert_ulp(got, want)
        else:
            assert_ulp(got, want)


def random_options(a):
    return {"steps": int(a["steps"]), "key": int(a["key"]), "max_rate": float(a["rate"])}


CODES = {
    "rate_signed": lambda a: spiking.rate_encode(a["x"], signed=True, **random_options(a)),
    "poisson": lambda a: spiking.poisson_encode(a["x"], **random_options(a)),
    "poisson_signed": lambda a: spiking.poisson_encode(a["x"], signed=True, **random_options(a)),
    "phase": lambda a: spiking.phase_encode(a["x"], int(a["steps"]), bits=int(a["bits"])),
    "burst": lambda a: spiking.burst_encode(
        a["x"], int(a["steps"]), most=int(a["most"]), longest=int(a["longest"])
    ),
    "ttfs": lambda a: spiking.ttfs_encode(a["x"], int(a["steps"]), tau=float(a["tau"])),
    "ttfs_linear": lambda a: spiking.ttfs_encode(a["x"], int(a["steps"]), linear=True),
    "hsa_modified": lambda a: spiking.hsa_encode(
        a["x"], a["kernel"], threshold=float(a["threshold"]), end="partial"
    ),
}


@pytest.mark.parametrize("case", CASES["codes"])
def test_codes(case):
    entry = CASES["codes"][case]
    np.testing.assert_array_equal(CODES[case](entry["inputs"]), entry["outputs"]["spikes"])
    assert np.unique(entry["outputs"]["spikes"]).size > 1

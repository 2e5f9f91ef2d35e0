"""Mistakes in the arguments: each a clear error that names the parameter and what was received."""

import importlib

import numpy as np
import pytest
import torch

import synann_core as syn

N, M, B = 4, 3, 5
GOOD = {
    "x": np.full((B, M), 0.5),
    "y": np.full((B, N), 0.5),
    "alpha": np.full(M, 0.5),
    "beta": np.full((M, N), 0.5),
    "grad": np.full((B, M), 0.5),
    "dy": np.full((B, N), 0.5),
    "dbeta": np.full((M, N), 0.5),
}
SURPRISAL = {"u": "x", "v": "y", "theta": "alpha", "gamma": "beta"}

# function: names of its parameters. Element-wise ones get equal shapes.
ELEMENTWISE = {
    "surprisal": ("p",),
    "probability": ("u",),
    "complement": ("w",),
    "bose_einstein": ("energy", "chemical_potential"),
    "odds": ("p",),
    "logit": ("p",),
    "expit": ("z",),
    "odds_ratio": ("p", "q"),
    "swap_ratio": ("x", "y", "beta"),
    "synapse": ("x", "y", "alpha", "beta"),
    "synapse_vjp": ("x", "y", "alpha", "beta", "grad"),
    "surprisal_synapse": ("u", "v", "theta", "gamma"),
    "surprisal_synapse_vjp": ("u", "v", "theta", "gamma", "grad"),
}
TENSOR = {
    "log_transmission": ("y", "beta"),
    "log_transmission_vjp": ("y", "beta", "grad"),
    "log_transmission_jvp": ("y", "beta", "dy", "dbeta"),
    "log_transmission_variant": ("y", "beta"),
    "contributions": ("y", "beta"),
    "synapse_tensor": ("x", "y", "alpha", "beta"),
    "synapse_tensor_vjp": ("x", "y", "alpha", "beta", "grad"),
    "surprisal_synapse_tensor": ("u", "v", "theta", "gamma"),
    "surprisal_synapse_tensor_vjp": ("u", "v", "theta", "gamma", "grad"),
}
PARAMETERS = [(f, p) for f, names in (ELEMENTWISE | TENSOR).items() for p in names]


def call(function, changes):
    """Call with good arguments, some of them changed."""
    names = (ELEMENTWISE | TENSOR)[function]
    if function in ELEMENTWISE:
        values = {name: np.full(3, 0.5) for name in names} | changes
    else:
        values = {name: GOOD[SURPRISAL.get(name, name)] for name in names} | changes
    if function == "bose_einstein":
        return syn.bose_einstein(values["energy"], chemical_potential=values["chemical_potential"])
    return getattr(syn, function)(*values.values())


def expect(error, function, parameter, value):
    with pytest.raises(error) as caught:
        call(function, {parameter: value})
    assert f"`{parameter}`" in str(caught.value)
    assert "Received: " in str(caught.value)
    return str(caught.value)


def test_every_public_function_is_listed():
    names = set()
    for module in ("surprisals", "log_odds", "synapses", "transmission", "tensor"):
        names |= set(importlib.import_module(f"synann_core.{module}").__all__)
    assert names == set(ELEMENTWISE | TENSOR)


@pytest.mark.filterwarnings("ignore")  # NumPy's of matrix, torch's of CSR
@pytest.mark.parametrize(
    "change",
    [
        lambda a: np.ma.masked_array(a, a > 0.0),
        np.asmatrix,
        lambda a: torch.tensor(a).to_sparse(),
        lambda a: torch.tensor(a).to_sparse_csr(),
    ],
)
def test_arrays_whose_meaning_would_be_lost_are_refused(change):
    value = change(np.full((B, M), 0.5))
    message = rf"`p` must be a plain dense array\. Received: .*{type(value).__name__}"
    with pytest.raises(TypeError, match=message):
        syn.surprisal(value)
    with pytest.raises(TypeError, match="`beta` must be a plain dense array"):
        syn.log_transmission(GOOD["y"], beta=value)


def test_an_array_in_a_file_is_a_plain_one(tmp_path):
    mapped = np.memmap(tmp_path / "a", np.float64, "w+", shape=(3,))
    mapped[:] = 0.5
    assert np.array_equal(syn.surprisal(mapped), syn.surprisal(np.full(3, 0.5)))


@pytest.mark.parametrize(("function", "parameter"), PARAMETERS)
def test_good_arguments_pass(function, parameter):
    call(function, {})


@pytest.mark.parametrize(("function", "parameter"), PARAMETERS)
def test_other_kinds_of_objects(function, parameter):
    for value in ([0.5, 0.5, 0.5], (0.5,), "0.5", None, 0.5j, {0.5}, object()):
        message = expect(TypeError, function, parameter, value)
        assert type(value).__name__ in message


@pytest.mark.parametrize(("function", "parameter"), PARAMETERS)
def test_dtypes_that_are_not_real_floating(function, parameter):
    names = (ELEMENTWISE | TENSOR)[function]
    shape = (3,) if function in ELEMENTWISE else GOOD[SURPRISAL.get(parameter, parameter)].shape
    assert parameter in names
    for dtype in ("int64", "uint8", "bool", "complex128"):
        message = expect(TypeError, function, parameter, np.ones(shape, dtype=dtype))
        assert dtype in message


@pytest.mark.parametrize(("function", "parameter"), PARAMETERS)
def test_ints_beyond_float64(function, parameter):
    if function in ELEMENTWISE or parameter in ("x", "alpha", "u", "theta", "grad"):
        assert "an int beyond float64" in expect(ValueError, function, parameter, 10**400)


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "array_api_strict"])
@pytest.mark.parametrize(("function", "parameter"), PARAMETERS)
def test_mixed_libraries(function, parameter, library):
    if len((ELEMENTWISE | TENSOR)[function]) == 1:
        return  # one argument cannot be mixed
    other = pytest.importorskip(library)
    shape = (3,) if function in ELEMENTWISE else GOOD[SURPRISAL.get(parameter, parameter)].shape
    message = expect(TypeError, function, parameter, other.full(shape, 0.5))
    assert "numpy.ndarray" in message


@pytest.mark.parametrize("function", [f for f, names in ELEMENTWISE.items() if len(names) > 1])
def test_shapes_that_do_not_broadcast(function):
    for parameter in ELEMENTWISE[function]:
        message = expect(ValueError, function, parameter, np.ones(2))
        assert "(2,)" in message


WRONG_SHAPES = [
    ("log_transmission", "y", (B, N + 1)),
    ("log_transmission", "y", ()),
    ("log_transmission", "beta", (N,)),
    ("log_transmission", "beta", (2, M, N)),
    ("log_transmission_vjp", "grad", (B, N)),
    ("log_transmission_vjp", "grad", (M,)),
    ("log_transmission_jvp", "dy", (N,)),
    ("log_transmission_jvp", "dbeta", (N, M)),
    ("contributions", "y", (B, M)),
    ("synapse_tensor", "x", (B, N)),
    ("synapse_tensor", "x", (B + 1, M)),
    ("synapse_tensor", "alpha", (B, M)),
    ("synapse_tensor", "alpha", (N,)),
    ("synapse_tensor", "alpha", (1,)),
    ("synapse_tensor_vjp", "grad", (B, 1)),
    ("surprisal_synapse_tensor", "u", (B, N)),
    ("surprisal_synapse_tensor", "v", (B, M)),
    ("surprisal_synapse_tensor", "theta", (N,)),
    ("surprisal_synapse_tensor", "gamma", (M,)),
    ("surprisal_synapse_tensor_vjp", "grad", (B, N)),
]


@pytest.mark.parametrize(("function", "parameter", "shape"), WRONG_SHAPES)
def test_wrong_shapes(function, parameter, shape):
    message = None
    with pytest.raises(ValueError, match="Received: ") as caught:
        call(function, {parameter: np.full(shape, 0.5)})
    message = str(caught.value)
    assert str(shape) in message
    # A size that two arguments disagree about may be blamed on either of them.
    assert any(f"`{name}`" in message for name in TENSOR[function])


@pytest.mark.parametrize("function", TENSOR)
def test_numbers_where_arrays_are_needed(function):
    for parameter in ("y", "beta", "v", "gamma"):
        if parameter in TENSOR[function] and function != "log_transmission_variant":
            expect(ValueError, function, parameter, 0.5)


def test_arrays_are_positional_only_and_parameters_may_be_named():
    x, y = GOOD["x"], GOOD["y"]
    with pytest.raises(TypeError):
        syn.synapse_tensor(x=x, y=y, alpha=GOOD["alpha"], beta=GOOD["beta"])
    named = syn.synapse_tensor(x, y, alpha=GOOD["alpha"], beta=GOOD["beta"])
    np.testing.assert_array_equal(named, syn.synapse_tensor(x, y, GOOD["alpha"], GOOD["beta"]))
    with pytest.raises(TypeError):
        syn.bose_einstein(1.0, 0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 2.0])
def test_values_are_never_checked(value):
    for function, parameter in PARAMETERS:
        shape = (3,) if function in ELEMENTWISE else GOOD[SURPRISAL.get(parameter, parameter)].shape
        call(function, {parameter: np.full(shape, value)})

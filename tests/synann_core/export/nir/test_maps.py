"""Linear nodes as matrices: convolutions and pooling are torch's."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from synann_core.export.nir.maps import Map, floats
from synann_core.export.nir.nodes import Node

MOST = 1 << 20


def mapped(shape, *nodes, most=MOST):
    found = Map(shape, most)
    for kind, fields in nodes:
        found.add(Node(kind, fields))
    return found


def applied(found, x):
    matrix, bias = found.arrays()
    return (x.reshape(len(x), -1) @ matrix.T + bias).reshape(len(x), *found.shape)


def convolution(rng, axes, each, outputs, **options):
    weight = rng.normal(size=(outputs, each, *(3, 2)[:axes]))
    fields = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | options
    return {"weight": weight, "bias": rng.normal(size=outputs)} | fields


OPTIONS = [
    {},
    {"stride": (2, 1), "padding": (1, 2)},
    {"dilation": 2, "groups": 2},
    {"padding": "same"},
    {"padding": "valid", "dilation": np.array([1, 2])},
    {"padding": b"same", "dilation": 2},
    {"padding": (7, 4), "dilation": 3, "stride": (3, 4)},  # windows that read zeros alone
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_convolutions(options):
    rng = np.random.default_rng(0)
    groups = options.get("groups", 1)
    fields = convolution(rng, 2, 4 // groups, 6, **options)
    x = rng.normal(size=(3, 4, 7, 6))
    found = mapped((4, 7, 6), ("Conv2d", fields))
    known = {
        key: value.decode() if isinstance(value, bytes) else value
        for key, value in fields.items()
        if key not in ("weight", "bias")
    }
    known = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in known.items()}
    arrays = (torch.as_tensor(a) for a in (x, fields["weight"], fields["bias"]))
    wanted = functional.conv2d(*arrays, **known).numpy()
    np.testing.assert_allclose(applied(found, x), wanted, atol=1e-13)


def test_convolutions_in_one_dimension():
    rng = np.random.default_rng(0)
    fields = convolution(rng, 1, 2, 4, stride=2, padding=1)
    x = rng.normal(size=(3, 2, 9))
    wanted = functional.conv1d(
        *map(torch.as_tensor, (x, fields["weight"], fields["bias"])), stride=2, padding=1
    )
    found = mapped((2, 9), ("Conv1d", fields))
    np.testing.assert_allclose(applied(found, x), wanted.numpy(), atol=1e-13)


@pytest.mark.parametrize(
    ("stride", "padding"), list(itertools.product((2, np.array([2, 3])), (0, (1, 0))))
)
def test_pooling(stride, padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 6, 7))
    fields = {"kernel_size": np.array([2, 3]), "stride": stride, "padding": padding}
    steps = stride.tolist() if isinstance(stride, np.ndarray) else stride
    wanted = functional.avg_pool2d(torch.as_tensor(x), (2, 3), steps, padding).numpy()
    mean = mapped((3, 6, 7), ("AvgPool2d", fields))
    total = mapped((3, 6, 7), ("SumPool2d", fields))
    np.testing.assert_allclose(applied(mean, x), wanted, atol=1e-13)
    np.testing.assert_allclose(applied(total, x), 6 * wanted, atol=1e-13)


def test_a_window_of_zeros_costs_nothing():
    """A million places of which one reads the input: a loop over them takes half a minute."""
    fields = {"kernel_size": 1000, "stride": 1, "padding": 500}
    matrix, _ = mapped((1, 1, 1), ("SumPool2d", fields)).arrays()
    assert matrix.tolist() == [[1.0]] * 4


def test_maps_follow_each_other():
    rng = np.random.default_rng(0)
    fields, affine = convolution(rng, 2, 1, 2), rng.normal(size=(3, 2 * 2 * 3))
    found = mapped((1, 4, 4), ("Conv2d", fields))
    found.flatten()
    found.add(Node("Affine", {"weight": affine, "bias": np.arange(3)}))
    found.add(Node("Scale", {"scale": np.array([1.0, 2.0, 3.0])}))
    found.add(Node("Linear", {"weight": np.ones((2, 3), np.float32)}))
    x = rng.normal(size=(5, 1, 4, 4))
    arrays = (torch.as_tensor(a) for a in (x, fields["weight"], fields["bias"]))
    inner = functional.conv2d(*arrays).numpy().reshape(5, -1)
    wanted = (inner @ affine.T + np.arange(3)) @ np.array([[1.0, 2, 3]] * 2).T
    np.testing.assert_allclose(applied(found, x), wanted, atol=1e-12)
    assert not found.is_identity
    assert found.after_neurons().is_identity


CONV = {"weight": np.ones((1, 1, 2, 2)), "bias": np.ones(1), "stride": 1, "padding": 0}
CONV |= {"dilation": 1, "groups": 1}


@pytest.mark.parametrize(
    ("shape", "kind", "fields", "message"),
    [
        ((3,), "Linear", {"weight": np.eye(2)}, r"weight has shape \(2, 2\) after \(3,\)"),
        ((3,), "Linear", {"weight": np.ones(3)}, "weight has shape"),
        ((3,), "Linear", {}, "has no `weight`"),
        ((2,), "Linear", {"weight": np.array([["a", "b"]])}, "`weight` are not numbers"),
        ((2,), "Linear", {"weight": np.array([[np.nan, 1.0]])}, "not finite numbers"),
        ((2,), "Affine", {"weight": np.eye(2), "bias": np.ones(3)}, "bias has shape"),
        ((3,), "Scale", {"scale": np.ones(2)}, "scale has 2 numbers"),
        ((3,), "Conv2d", CONV, "not channels and 2 axes"),
        ((3, 4, 4), "Conv2d", CONV, "after 3 channels"),
        ((1, 1, 4), "Conv2d", CONV, "does not fit into"),
        ((1, 4, 4), "Conv2d", CONV | {"stride": 0}, "`stride` must be 1 or more"),
        ((1, 4, 4), "Conv2d", CONV | {"stride": 2.0}, "`stride` must be 2 whole"),
        ((1, 4, 4), "Conv2d", CONV | {"stride": [1, 1, 1]}, "`stride` must be 2 whole"),
        ((1, 4, 4), "Conv2d", CONV | {"groups": 1 << 40}, "`groups` must be 1 whole"),
        ((1, 4, 4), "Conv2d", CONV | {"padding": "most"}, "`padding` must be 'valid'"),
        ((1, 4, 4), "Conv2d", CONV | {"padding": 1 << 29}, "stands for a matrix of"),
        ((1, 4, 4), "Conv2d", CONV | {"bias": np.ones(2)}, "bias has shape"),
        ((1, 4, 4), "Conv2d", CONV | {"weight": np.ones((1, 1, 2))}, "weight has shape"),
        ((1 << 20, 4, 4), "SumPool2d", CONV | {"kernel_size": 4}, "stands for a matrix of"),
        ((1, 4, 4), "AvgPool2d", CONV | {"kernel_size": 1 << 30}, "stands for a matrix of"),
    ],
)
def test_nodes_that_do_not_fit(shape, kind, fields, message):
    with pytest.raises(ValueError, match=message):
        mapped(shape, (kind, fields))


def test_matrices_are_bounded():
    with pytest.raises(ValueError, match="a matrix of 9 x 9, more than `most_weights` = 80"):
        mapped((9,), most=80).arrays()
    assert mapped((9,), most=81).arrays()[0].shape == (9, 9)
    square = ("Scale", {"scale": np.ones(1000)})
    with pytest.raises(ValueError, match="too many large linear nodes"):
        mapped((1000,), *[square] * 9)


def test_floats_keep_their_dtype():
    for given, wanted in ((np.float32, np.float32), (np.int64, np.float64), (float, np.float64)):
        assert floats({"x": np.ones(2, given)}, "x").dtype == wanted
    assert floats({"v_threshold": [np.inf]}, "v_threshold") == np.inf

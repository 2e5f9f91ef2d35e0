"""Networks in whole numbers: the same integers as here, close to the network's logits."""

import ctypes
import re
import subprocess

import numpy as np
import pytest

import synann_core as syn
from synann_core.export import save_c, save_c_learner
from synann_core.export.c.integers import integers
from tests.export_models import broken, compiled, fitted, rows
from tests.whole_numbers import STRICT, network_logits


def written(model, folder, dtype, levels):
    save_c(model, folder / "net.c", name="net", dtype=dtype, levels=levels)
    return compiled(folder / "net.c", STRICT)


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
@pytest.mark.parametrize(("dtype", "levels"), [("int16", 255), ("int16", 16), ("int8", 255)])
def test_integers_are_the_same_and_close(layer, gate, dtype, levels, tmp_path):
    model, X = fitted(layer, gate)
    x = np.rint(levels * X).astype(np.uint8)
    library = written(model, tmp_path, dtype, levels)
    got = rows(library.net_logits, x, 3, np.int64)
    want, unit = network_logits(model, dtype, levels, x)
    np.testing.assert_array_equal(got, want)
    exact = model.decision_function(x / levels)
    limit = 1e-3 if dtype == "int16" else 0.1
    np.testing.assert_allclose(unit * got, exact, atol=limit * np.abs(exact).max())
    assert f"unit of a logit is {unit:.6g} nats" in (tmp_path / "net.c").read_text()
    chosen = [library.net_predict(row.ctypes.data_as(ctypes.c_void_p)) for row in x]
    assert chosen == got.argmax(axis=1).tolist()


def extreme(rng, hidden, gate, layer):
    """Weights of all sizes, rows of zeros, closed and open synapses, log-odds up to the bound."""
    model = syn.SynaMLP(5, hidden, 4, gate=gate, layer=layer)
    first = rng.normal(0, 1, (hidden, 5)) * 10.0 ** rng.uniform(-9, 2.9, (hidden, 1))
    first[:2] = 0.0
    model.weights["hidden.weight"] = first
    model.weights["hidden.bias"] = np.where(
        np.arange(hidden) % 3, 0.0, 900.0 * rng.normal(size=hidden)
    )
    model.weights["hidden.bias"][0] = 0.0
    if layer == "synapse":
        model.weights["synapse.beta_logit"] = rng.normal(0, 20, (hidden, hidden))
        model.weights["synapse.beta_logit"][-1] = 40.0
    return model


@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
@pytest.mark.parametrize("layer", ["synapse", "none"])
@pytest.mark.parametrize("dtype", ["int16", "int8"])
def test_nothing_overflows_in_extreme_networks(gate, layer, dtype, tmp_path):
    rng = np.random.default_rng(7)
    model = extreme(rng, 70, gate, layer)
    x = np.concatenate([rng.integers(0, 256, (40, 5)), [[255] * 5, [0] * 5]]).astype(np.uint8)
    got = rows(written(model, tmp_path, dtype, 255).net_logits, x, 4, np.int64)
    want, unit = network_logits(model, dtype, 255, x)
    np.testing.assert_array_equal(got, want)
    assert np.isfinite(unit * got).all()


def test_every_strength_keeps_its_accuracy(tmp_path):
    """Sums of 200 equal log(1 − βy), for β from 1e-5 to close to 1, within the units' rounding."""
    n = 200
    model = syn.SynaMLP(2, n, n)
    model.weights["hidden.bias"][:] = 40.0  # y = 1 but for a unit
    beta = np.concatenate([np.geomspace(1e-5, 0.5, n // 2), 1.0 - np.geomspace(1e-3, 0.5, n // 2)])
    model.weights["synapse.beta_logit"][:] = syn.logit(beta)[:, None]
    model.weights["output.weight"] = np.eye(n)
    model.weights["output.bias"][:] = 0.0
    found = integers(model, "int16", 255)
    got = rows(
        written(model, tmp_path, "int16", 255).net_logits, np.zeros((1, 2), np.uint8), n, np.int64
    )[0]
    rounded = np.rint(beta * 2**16) / 2**16 * (1.0 - 2.0**-16)
    # A product of 200 factors is rounded 200 times, β y and 1 − βy by at most half a unit each.
    error = n * (2.0**-17 / (1.0 - rounded) + 2.0**-16) + 2.0**-15
    difference = np.abs(got * found.unit - n * np.log1p(-rounded) / 1.00001**0.5)
    assert (difference < error + 1e-4 * n * -np.log1p(-rounded)).all()


def test_files_have_no_floating_point_and_no_library(tmp_path):
    save_c(fitted()[0], tmp_path / "net.c", name="net", dtype="int16")
    save_c_learner(0.0, np.full((3, 4), 0.5), tmp_path / "layer.c", dtype="int32")
    for name in ("net", "layer"):
        text = (tmp_path / f"{name}.c").read_text()
        assert re.findall(r"#include.*", text) == ["#include <stdint.h>"]
        assert not re.findall(r"\b(?:float|double)\b", text)
        subprocess.run(["gcc", "-c", "-o", tmp_path / "o", tmp_path / f"{name}.c"], check=True)
        found = subprocess.run(["nm", "-u", tmp_path / "o"], check=True, capture_output=True)
        needed = {line.split()[-1] for line in found.stdout.decode().splitlines()}
        assert needed <= {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}


def steep():
    model = fitted(hidden=3)[0]
    model.weights["hidden.weight"] = model.weights["hidden.weight"] * 1e6
    return model


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (steep, {}, ValueError, "`model` must have log-odds within"),
        (lambda: syn.SynaMLP(2, 1024, 2), {}, ValueError, "`model` must have at most 1023"),
        (lambda: broken("output.bias", np.nan), {}, ValueError, "`model`.*finite"),
        (lambda: fitted(hidden=3)[0], {"levels": 256}, ValueError, "`levels` must be at most"),
        (lambda: fitted(hidden=3)[0], {"levels": 0}, ValueError, "`levels` must be at least"),
        (lambda: fitted(hidden=3)[0], {"levels": 2.0}, TypeError, "`levels` must be an int"),
    ],
)
def test_what_whole_numbers_cannot_hold(model, options, error, message, tmp_path):
    with pytest.raises(error, match=f"{message}.*Received"):
        save_c(model(), tmp_path / "net.c", dtype="int16", **options)
    assert not list(tmp_path.iterdir())

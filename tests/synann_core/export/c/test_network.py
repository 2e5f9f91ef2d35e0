"""Networks in C compute what `SynaMLP` computes."""

import ctypes

import numpy as np
import pytest

import synann_core as syn
from synann_core.export import save_c
from tests.export_models import compiled, fitted, rows
from tests.helpers import assert_close, assert_relative


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_networks(layer, gate, dtype, tmp_path):
    model, X = fitted(layer, gate)
    source = tmp_path / "net.c"
    save_c(model, source, name="net", dtype=dtype)
    library = compiled(source)
    x = X.astype(dtype)
    want = model.decision_function(X)
    got = rows(library.net_logits, x, 3)
    assert_close(got, want, 1e-6 if dtype == "float32" else 1e-12)
    chosen = [library.net_predict(row.ctypes.data_as(ctypes.c_void_p)) for row in x]
    clear = np.diff(np.sort(want, axis=1))[:, -1] > 1e-4
    np.testing.assert_array_equal(np.array(chosen)[clear], want.argmax(axis=1)[clear])


def test_every_strength_keeps_its_accuracy(tmp_path):
    """Logits that are the sums of 200 equal log(1 − βy), for β from 1e-9 to close to 1."""
    n = 200
    model = syn.SynaMLP(2, n, n)
    model.weights["hidden.bias"][:] = 40.0  # y = 1, whose logarithm is 0
    beta = np.concatenate([np.geomspace(1e-9, 0.5, n // 2), 1.0 - np.geomspace(1e-6, 0.5, n // 2)])
    model.weights["synapse.beta_logit"][:] = syn.logit(beta)[:, None]
    model.weights["output.weight"] = np.eye(n)
    model.weights["output.bias"][:] = 0.0
    model.weights = {name: weight.astype(np.float32) for name, weight in model.weights.items()}
    save_c(model, tmp_path / "net.c", name="net")
    x = np.zeros((1, 2), np.float32)
    got = rows(compiled(tmp_path / "net.c").net_logits, x, n)
    # β itself is rounded to float32, which near 1 is all that is lost.
    strengths = syn.expit(model.weights["synapse.beta_logit"][:, 0]).astype(np.float64)
    assert_relative(got[0], n * np.log1p(-strengths) / 1.00001**0.5, 5e-7)


def test_many_equal_terms_do_not_drift(tmp_path):
    """2000 equal inputs, whose products are each rounded the same way."""
    model = syn.SynaMLP(2000, 3, 2, layer="none")
    model.weights["hidden.weight"][:] = np.array([[1e-3], [1.1e-3], [1.7e-3]])
    save_c(model, tmp_path / "wide.c", name="wide")
    x = np.full((1, 2000), 0.7, np.float32)
    got = rows(compiled(tmp_path / "wide.c").wide_logits, x, 2)
    assert_close(got, model.decision_function(x.astype(float)), 3e-7)

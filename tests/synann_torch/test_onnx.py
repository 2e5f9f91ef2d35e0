"""Exported to ONNX and run by onnxruntime: the same numbers, also where βy is small."""

import numpy as np
import onnxruntime
import pytest
import torch

from synann_torch import SynaCNN, Synapse, SynaRNN
from tests.helpers import EPS, assert_close
from tests.synann_torch.test_layer import SPACES

# Of the exporter's own parts.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*treespec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def run(module, example, *inputs, path):
    """Outputs of onnxruntime, for any number of rows."""
    module.eval()
    rows = torch.export.Dim("rows", min=1)
    program = torch.onnx.export(
        module, (example,), dynamo=True, dynamic_shapes=({0: rows},), verbose=False
    )
    program.save(path)
    session = onnxruntime.InferenceSession(path)
    name = session.get_inputs()[0].name
    return [session.run(None, {name: given.numpy()})[0] for given in inputs]


@pytest.mark.parametrize(("excitation", "space"), [("input", SPACES[0]), ("mixture", SPACES[1])])
def test_parity(space, excitation, tmp_path):
    """At ordinary inputs, near closed factors, and where log(1 − βy) would be lost."""
    torch.manual_seed(0)
    layer = Synapse(40, 40, excitation=excitation, space=space, output="surprisal", alpha=False)
    with torch.no_grad():
        layer.beta_logit.copy_(torch.randn(40, 40) * 3)
        layer.beta_logit[:20] = -20.0
        layer.beta_logit[-1, :5] = 30.0
    y = torch.rand(600, 40)
    y[300:] = 10.0 ** (-8 * y[300:])
    y[:5, :10] = 1.0
    if space == "surprisal":
        y = -torch.log(y)
    for got, given in zip(
        run(layer, y[:3], y, y[:1], path=tmp_path / "layer.onnx"), (y, y[:1]), strict=True
    ):
        want = layer(given).detach()
        assert_close(got, want, 2 * (10 + 40**0.5) * EPS["float32"], scale=np.abs(want.numpy()))
    alone = Synapse(40, 40, excitation="none", space=space, output="surprisal", alpha=False)
    alone.beta_logit = layer.beta_logit
    (got,) = run(alone, y[:3], y[300:], path=tmp_path / "alone.onnx")
    want = alone(y[300:]).detach()
    assert float(want.min()) < 1e-6  # about 1e-9 for each of the inputs
    assert_close(got, want, 2 * (10 + 40**0.5) * EPS["float32"], scale=np.abs(want.numpy()))


def test_strengths_that_vanish(tmp_path):
    """γ = log(1 + e^200) is 200: the exporter's own form of it would overflow."""
    layer = Synapse(2, 2, excitation="none", space="surprisal", alpha=False)
    with torch.no_grad():
        layer.beta_logit.copy_(torch.tensor([[-200.0, -0.5], [200.0, 0.0]]))
    v = torch.tensor([[0.5, 1.0], [3.0, 0.0], [1e-3, 20.0]])
    (gamma,) = run(Gamma(layer), v, v, path=tmp_path / "gamma.onnx")
    assert_close(gamma, (layer.gamma + v[:, None, :]).detach(), 4 * EPS["float32"])
    (got,) = run(layer, v, v, path=tmp_path / "layer.onnx")
    assert_close(got, layer(v).detach(), 32 * EPS["float32"])


class Gamma(torch.nn.Module):
    """γ + v, as the layer forms it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, v):
        return self.layer.gamma + v[:, None, :]


MODELS = {
    "SynaCNN": lambda: (SynaCNN(width=4, hidden=8), torch.rand(6, 1, 8, 8)),
    "SynaRNN": lambda: (SynaRNN(4, 8, batch_first=True), torch.rand(6, 3, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name, tmp_path):
    model, y = MODELS[name]()
    (got,) = run(model, y[:3], y, path=tmp_path / "model.onnx")
    want = model(y)
    assert_close(got, (want[0] if isinstance(want, tuple) else want).detach(), 1e-5)

"""The hand-written backward pass of SynaMLP against torch's autograd of the same forward pass."""

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

import synann_core as syn
from synann_core.models import passes

pytestmark = pytest.mark.kernel_branches

CASES = [(layer, gate) for layer in ("synapse", "dense", "none") for gate in ("sigmoid", "softmax")]


def network(layer, gate, seed, scale=1.0):
    """Weights of every kind away from their special initial values, a batch, targets, dropout."""
    rng = np.random.default_rng(seed)
    model = syn.SynaMLP(5, 7, 3, layer=layer, gate=gate, seed=seed)
    weights = {
        k: torch.tensor(w + scale * 0.3 * np.abs(rng.normal(size=w.shape)))
        for k, w in model.weights.items()
    }
    x = torch.tensor(rng.random((6, 5)))
    target = torch.tensor(rng.dirichlet(np.ones(3), size=6))
    return weights, x, target, torch.tensor((rng.random((6, 7)) > 0.3) / 0.7)


def loss_by_autograd(weights, x, target, keep, layer, gate):
    """The forward pass in torch's own terms."""

    def norm(name, z):
        options = {"training": True, "eps": passes.NORM_EPS}
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return torch.nn.functional.batch_norm(z, None, None, w, b, **options)

    h = norm("norm1", x @ weights["hidden.weight"].T + weights["hidden.bias"])
    y = torch.sigmoid(h) if gate == "sigmoid" else torch.softmax(h, dim=1)
    if layer == "synapse":
        beta = torch.sigmoid(weights["synapse.beta_logit"])
        z = y.log() + torch.log1p(-beta * y[:, None, :]).sum(-1)
    elif layer == "dense":
        z = y @ weights["dense.weight"].T + weights["dense.bias"]
    else:
        z = y
    z = norm("norm2", z)
    out = (z if keep is None else z * keep) @ weights["output.weight"].T + weights["output.bias"]
    return -(target * torch.log_softmax(out, dim=1)).sum(1).mean()


def largest_relative_error(gradients, wanted):
    """Error of each gradient in units of its largest entry.

    Gradients that batch norm makes 0 are measured against those of the weights beside them.
    """
    least = 1e-3 * max(float(w.abs().max()) for w in wanted.values())
    return max(
        float((gradients[k] - w).abs().max()) / max(float(w.abs().max()), least)
        for k, w in wanted.items()
    )


def both(layer, gate, seed, dropout):
    weights, x, target, keep = network(layer, gate, seed)
    keep = keep if dropout else None
    leaves = {k: w.clone().requires_grad_(True) for k, w in weights.items() if ".running_" not in k}
    loss = loss_by_autograd(leaves, x, target, keep, layer, gate)
    wanted = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
    got_loss, _, gradients, running = passes.train_step(
        weights, x, target, keep, layer=layer, gate=gate, xp=xp
    )
    assert abs(got_loss.item() - loss.item()) < 1e-12
    assert gradients.keys() == wanted.keys()
    return gradients, wanted, running


@pytest.mark.parametrize(("layer", "gate"), CASES)
@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gradients_of_every_weight_equal_autograd(layer, gate, dropout, seed):
    gradients, wanted, _ = both(layer, gate, seed, dropout)
    # Not a few eps: batch norm magnifies rounding by 1/deviation, 100 for the outputs of softmax.
    assert largest_relative_error(gradients, wanted) < 1e-10


@pytest.mark.parametrize(("layer", "gate"), CASES)
def test_a_gradient_wrong_by_half_a_thousandth_is_seen(layer, gate):
    gradients, wanted, _ = both(layer, gate, 0, False)
    for name in set(gradients) - {"hidden.bias", "dense.bias"}:  # those are 0 under batch norm
        planted = {**gradients, name: gradients[name] * 1.0005}
        assert largest_relative_error(planted, wanted) > 1e-7, name


def test_running_statistics_equal_torch():
    weights, x, target, _ = network("none", "sigmoid", 0)
    _, _, _, running = passes.train_step(
        weights, x, target, None, layer="none", gate="sigmoid", xp=xp
    )
    norm = torch.nn.BatchNorm1d(7, dtype=torch.float64)
    norm.running_mean.copy_(weights["norm1.running_mean"])
    norm.running_var.copy_(weights["norm1.running_var"])
    norm(x @ weights["hidden.weight"].T + weights["hidden.bias"])
    close = {"rtol": 1e-14, "atol": 1e-14}
    torch.testing.assert_close(running["norm1.running_mean"], norm.running_mean, **close)
    torch.testing.assert_close(running["norm1.running_var"], norm.running_var, **close)
    assert running.keys() == {k for k in weights if ".running_" in k}


@pytest.mark.parametrize(("layer", "gate"), CASES)
def test_parts_add_up_to_the_logits_of_evaluation_mode(layer, gate):
    weights, x, _, _ = network(layer, gate, 4)
    options = {"layer": layer, "gate": gate, "xp": xp}
    logits = passes.logits(weights, x, **options)
    constant, parts = passes.parts(weights, x, **options)
    assert parts.shape == (6, 3, 7)
    size = constant.abs().max() + parts.abs().sum(-1).max()
    assert float((constant + parts.sum(-1) - logits).abs().max()) < 1e-14 * float(size)
    alone = torch.cat([passes.logits(weights, row[None], **options) for row in x])
    torch.testing.assert_close(alone, logits, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("layer", "gate"), CASES)
@pytest.mark.parametrize("strength", [-1e3, 1e3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saturated_gates_and_strengths_give_finite_numbers(layer, gate, strength, dtype):
    weights, x, target, keep = (
        {k: w.to(dtype) for k, w in part.items()} if isinstance(part, dict) else part.to(dtype)
        for part in network(layer, gate, 5)
    )
    weights["norm1.weight"] = weights["norm1.weight"] * 1e4
    if layer == "synapse":
        weights["synapse.beta_logit"] = torch.full_like(weights["synapse.beta_logit"], strength)
    options = {"layer": layer, "gate": gate, "xp": xp}
    loss, out, gradients, running = passes.train_step(weights, x, target, keep, **options)
    constant, parts = passes.parts(weights, x, **options)
    logits = passes.logits(weights, x, **options)
    for value in (loss, out, constant, parts, logits, *gradients.values(), *running.values()):
        assert torch.isfinite(value).all()
        assert value.dtype == dtype


def test_a_batch_of_equal_samples_gives_finite_gradients():
    weights, x, target, keep = network("synapse", "sigmoid", 6)
    x = x[:1].expand(6, 5)  # batch norm divides 0 by √eps
    loss, _, gradients, _ = passes.train_step(
        weights, x, target, keep, layer="synapse", gate="sigmoid", xp=xp
    )
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients.values())


@pytest.mark.parametrize(("layer", "gate"), CASES)
def test_a_weighted_row_is_a_repeated_one(layer, gate):
    weights, x, target, keep = network(layer, gate, 7)
    counts = torch.tensor([1, 3, 2, 1, 4, 1])
    options = {"layer": layer, "gate": gate, "xp": xp}
    loss, out, gradients, running = passes.train_step(
        weights, x, target, keep, counts.double() * (6 / counts.sum().double()), **options
    )
    repeated = [part.repeat_interleave(counts, dim=0) for part in (x, target, keep)]
    want_loss, _, wanted, want_running = passes.train_step(weights, *repeated, **options)
    assert abs(loss.item() - want_loss.item()) < 1e-12
    assert largest_relative_error(gradients, wanted) < 1e-10
    total = int(counts.sum())
    for name, value in running.items():
        mean = want_running[name]
        if name.endswith("var"):  # without Bessel's correction
            old = weights[name] * (1 - passes.NORM_MOMENTUM)
            mean = old + (mean - old) * (total - 1) / total
        torch.testing.assert_close(value, mean, rtol=1e-12, atol=1e-12)
    assert out.shape == (6, 3)


def test_equal_weights_are_none():
    weights, x, target, keep = network("synapse", "sigmoid", 8)
    options = {"layer": "synapse", "gate": "sigmoid", "xp": xp}
    plain = passes.train_step(weights, x, target, keep, **options)
    weighted = passes.train_step(weights, x, target, keep, torch.ones(6, dtype=x.dtype), **options)
    assert abs(plain[0].item() - weighted[0].item()) < 1e-14
    assert largest_relative_error(weighted[2], plain[2]) < 1e-10

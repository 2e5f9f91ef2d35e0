"""Forward and backward pass of SynaMLP, written by hand as pure functions of arrays.

    X → Dense → batch norm → gate → synapse tensor (log output) → batch norm → dropout → Dense

`weights` is a flat dictionary with the tensor names of the file format. Forward functions return
what their backward twin needs; a backward function returns the gradient of its input and adds those
of its weights to `gradients`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from synann_core import optim
from synann_core._lib.files import check_tensors
from synann_core._lib.numerics import softplus
from synann_core._lib.typing import Array, Namespace
from synann_core.layer import beta_of, initial_beta_logit, logit_gradient
from synann_core.learning import _cross_entropy, _cross_entropy_vjp, _log_softmax
from synann_core.log_odds import _expit
from synann_core.models.architecture import Architecture, GateKind, LayerKind
from synann_core.models.training import Step
from synann_core.transmission import _contributions, _log_transmission, _log_transmission_vjp

Arrays = dict[str, Array]

#: Added to the variance by the batch norms of `SynaMLP`.
NORM_EPS = 1e-5
#: Share of the newest batch in the running statistics.
NORM_MOMENTUM = 0.1
_NORM_START = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}


class Batch(NamedTuple):
    """What one step is trained on."""

    x: Array  # (rows, features)
    target: Array  # (rows, classes), one-hot
    keep: Array | None  # dropout mask, divided by the probability of keeping; None for none
    weight: Array | None = None  # (rows,), of mean 1 over all samples


def shapes(
    in_features: int, hidden: int, classes: int, layer: LayerKind
) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor, by its name."""
    dense = {
        "hidden": (hidden, in_features),
        **({"dense": (hidden, hidden)} if layer == "dense" else {}),
        "output": (classes, hidden),
    }
    result: dict[str, tuple[int, ...]] = {}
    for name, shape in dense.items():
        result |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    if layer == "synapse":
        result["synapse.beta_logit"] = (hidden, hidden)
    for name in ("norm1", "norm2"):
        result |= {f"{name}.{key}": (hidden,) for key in _NORM_START}
    return result


def initial_weights(chosen: Architecture, rng: np.random.Generator) -> Arrays:
    """Dense layers as in torch, β from `initial_beta`, batch norm as the identity; float64."""
    sizes = shapes(chosen.in_features, chosen.hidden, chosen.classes, chosen.layer)
    weights: Arrays = {}
    for name, shape in sizes.items():
        module, key = name.split(".")
        if module.startswith("norm"):
            weights[name] = np.full(shape, _NORM_START[key])
        elif module == "synapse":
            weights[name] = initial_beta_logit(*shape, mean_input=chosen.mean_input, rng=rng)
        else:
            bound = sizes[f"{module}.weight"][1] ** -0.5
            weights[name] = rng.uniform(-bound, bound, shape)
    return weights


def checked_weights(
    tensors: dict[str, Any], config: dict[str, Any], parameter: str, source: str
) -> dict[str, Any]:
    """The tensors of a file, if they are those of a model with this configuration.

    Messages name the `parameter` that holds them, and the `source` that they were read from.
    """
    sizes = shapes(*(config[key] for key in ("in_features", "hidden", "classes", "layer")))
    # torch's BatchNorm counts its batches, and its synapse layer says what it computes.
    unneeded = (".num_batches_tracked", "._extra_state")
    check_tensors(parameter, source, tensors, sizes, lambda name: name.endswith(unneeded))
    for name in ("norm1.running_var", "norm2.running_var"):
        if (tensors[name] < 0.0).any():
            raise ValueError(
                f"`{parameter}` must hold variances ≥ 0 in `{name}`. Received: {source} "
                f"with {tensors[name].min()}"
            )
    return {name: tensors[name] for name in sizes}


def trainable(name: str) -> bool:
    """Whether training changes this tensor by its gradient: all but running statistics."""
    return ".running_" not in name


def logits(weights: Arrays, x: Array, *, layer: LayerKind, gate: GateKind, xp: Namespace) -> Array:
    """Evaluation mode: batch norm with its running statistics, no dropout; (batch, classes)."""
    h = normalise(weights, "norm1", dense(weights, "hidden", x, xp), xp)
    y, log_y = _gate(h, gate, xp)
    z = _layer(weights, y, log_y, layer, xp)
    return dense(weights, "output", normalise(weights, "norm2", z, xp), xp)


def parts(
    weights: Arrays, x: Array, *, layer: LayerKind, gate: GateKind, xp: Namespace
) -> tuple[Array, Array]:
    """Take the logits of `logits` apart: a constant (classes,), parts (batch, classes, hidden)."""
    h = normalise(weights, "norm1", dense(weights, "hidden", x, xp), xp)
    y, log_y = _gate(h, gate, xp)
    scale = _scale(weights, "norm2", xp)
    shift = weights["norm2.bias"] - scale * weights["norm2.running_mean"]
    output = weights["output.weight"] * scale  # (classes, hidden)
    if layer == "dense":
        shift = shift + scale * weights["dense.bias"]
        split = y[:, None, :] * xp.matmul(output, weights["dense.weight"])
    elif layer == "none":
        split = y[:, None, :] * output
    else:
        mask = weights.get("synapse.mask")  # torch's layer may have one
        beta = beta_of(weights["synapse.beta_logit"], mask, xp=xp)
        added = _contributions(y, beta, xp=xp)
        split = log_y[:, None, :] * output - xp.matmul(output, added)
    constant = weights["output.bias"] + xp.matmul(weights["output.weight"], shift)
    return constant, split


def input_gradients(
    weights: Arrays, x: Array, *, layer: LayerKind, gate: GateKind, xp: Namespace
) -> Array:
    """Gradients of the logits of `logits` by the features, (batch, classes, features)."""
    y, _ = _gate(normalise(weights, "norm1", dense(weights, "hidden", x, xp), xp), gate, xp)
    first, output = _scale(weights, "norm1", xp), weights["output.weight"]
    output = output * _scale(weights, "norm2", xp)
    each = []
    for k in range(output.shape[0]):
        grad = xp.broadcast_to(output[k, :], y.shape)
        gy, glog_y = _layer_vjp(weights, y, layer, grad, {}, xp)
        gh = _gate_vjp(y, gate, gy, glog_y, xp) * first
        each.append(xp.matmul(gh, weights["hidden.weight"]))
    return xp.stack(each, axis=1)


def train(
    weights: Arrays,
    state: optim.State,
    batch: Batch,
    rate: float,
    *,
    optimizer: optim.Optimizer,
    layer: LayerKind,
    gate: GateKind,
    xp: Namespace,
) -> Step:
    """One step of an optimizer on one batch."""
    loss, out, gradients, running = train_step(weights, *batch, layer=layer, gate=gate, xp=xp)
    trained = {name: weights[name] for name in gradients}
    new, state = optimizer.update(trained, gradients, state, rate)
    return Step(loss, out, {**weights, **new, **running}, state)


def train_step(
    weights: Arrays,
    x: Array,
    target: Array,
    keep: Array | None,
    weight: Array | None = None,
    *,
    layer: LayerKind,
    gate: GateKind,
    xp: Namespace,
) -> tuple[Array, Array, Arrays, Arrays]:
    """Mean loss, logits, gradients of the trainable weights, and new running statistics.

    `keep` is the dropout mask, already divided by the probability of keeping; None for no dropout.
    With a `weight` (rows,) each row counts that often, in the mean loss and in batch norm.
    """
    share = None if weight is None else (weight / xp.sum(weight))[:, None]
    h = dense(weights, "hidden", x, xp)
    h_norm, h_kept = _batch_norm(weights, "norm1", h, share, xp)
    y, log_y = _gate(h_norm, gate, xp)
    z = _layer(weights, y, log_y, layer, xp)
    z_norm, z_kept = _batch_norm(weights, "norm2", z, share, xp)
    kept = z_norm if keep is None else z_norm * keep
    out = dense(weights, "output", kept, xp)
    each = xp.full_like(out[:, 0], 1.0 / out.shape[0])
    losses = _cross_entropy(out, target, xp=xp)
    loss = xp.mean(losses if weight is None else weight * losses)

    gradients: Arrays = {}
    each = each if weight is None else weight * each
    gout = _cross_entropy_vjp(out, target, each, xp=xp)[0]
    gkept = _dense_vjp(weights, "output", kept, gout, gradients, xp)
    gz_norm = gkept if keep is None else gkept * keep
    gz = _batch_norm_vjp(weights, "norm2", z_kept, gz_norm, gradients, xp)
    gy, glog_y = _layer_vjp(weights, y, layer, gz, gradients, xp)
    gh_norm = _gate_vjp(y, gate, gy, glog_y, xp)
    gh = _batch_norm_vjp(weights, "norm1", h_kept, gh_norm, gradients, xp)
    _dense_vjp(weights, "hidden", x, gh, gradients, xp)
    running = _running(weights, "norm1", h_kept) | _running(weights, "norm2", z_kept)
    return loss, out, gradients, running


def dense(weights: Mapping[str, Array], name: str, x: Array, xp: Namespace) -> Array:
    """Apply the dense layer of this name, (rows, inputs) to (rows, outputs)."""
    return xp.matmul(x, xp.matrix_transpose(weights[f"{name}.weight"])) + weights[f"{name}.bias"]


def _dense_vjp(
    weights: Arrays, name: str, x: Array, grad: Array, gradients: Arrays, xp: Namespace
) -> Array:
    gradients[f"{name}.weight"] = xp.matmul(xp.matrix_transpose(grad), x)
    gradients[f"{name}.bias"] = xp.sum(grad, axis=0)
    return xp.matmul(grad, weights[f"{name}.weight"])


def normalise(weights: Mapping[str, Array], name: str, x: Array, xp: Namespace) -> Array:
    """Apply the batch norm of this name with its running statistics."""
    deviation = xp.sqrt(weights[f"{name}.running_var"] + NORM_EPS)
    standard = (x - weights[f"{name}.running_mean"]) / deviation
    return standard * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _scale(weights: Mapping[str, Array], name: str, xp: Namespace) -> Array:
    """What the batch norm of this name multiplies by, with its running statistics."""
    return weights[f"{name}.weight"] / xp.sqrt(weights[f"{name}.running_var"] + NORM_EPS)


class _Norm(NamedTuple):
    """What batch norm keeps of a batch, feature by feature."""

    standard: Array  # (rows, features)
    deviation: Array
    mean: Array
    variance: Array
    share: Array | None  # (rows, 1), of the rows; None where all have the same


def _shared(values: Array, share: Array | None, xp: Namespace) -> Array:
    """The part of a sum over rows that each row has: the mean where all have the same."""
    return xp.mean(values, axis=0) if share is None else share * xp.sum(values, axis=0)


def _batch_norm(
    weights: Arrays, name: str, x: Array, share: Array | None, xp: Namespace
) -> tuple[Array, _Norm]:
    def mean_of(values: Array) -> Array:
        return xp.mean(values, axis=0) if share is None else xp.sum(share * values, axis=0)

    mean = mean_of(x)
    centred = x - mean
    variance = mean_of(centred * centred)
    deviation = xp.sqrt(variance + NORM_EPS)
    standard = centred / deviation
    result = standard * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return result, _Norm(standard, deviation, mean, variance, share)


def _batch_norm_vjp(
    weights: Arrays, name: str, kept: _Norm, grad: Array, gradients: Arrays, xp: Namespace
) -> Array:
    gradients[f"{name}.weight"] = xp.sum(grad * kept.standard, axis=0)
    gradients[f"{name}.bias"] = xp.sum(grad, axis=0)
    along = kept.standard * _shared(grad * kept.standard, kept.share, xp)
    change = grad - _shared(grad, kept.share, xp) - along
    return weights[f"{name}.weight"] / kept.deviation * change


def _running(weights: Arrays, name: str, kept: _Norm) -> Arrays:
    rows = kept.standard.shape[0]
    # Of weighted rows nobody knows how many there are: their variance is that of all there are.
    unbiased = rows / max(rows - 1, 1) if kept.share is None else 1.0
    new = {"running_mean": kept.mean, "running_var": kept.variance * unbiased}
    return {
        f"{name}.{key}": (1.0 - NORM_MOMENTUM) * weights[f"{name}.{key}"] + NORM_MOMENTUM * value
        for key, value in new.items()
    }


def _gate(h: Array, gate: GateKind, xp: Namespace) -> tuple[Array, Array]:
    """Probability y and log y; the logarithm apart, so that it stays finite where y underflows."""
    if gate == "softmax":
        log_y = _log_softmax(h, xp=xp)
        return xp.exp(log_y), log_y
    return _expit(h, xp=xp), 0.0 - softplus(-h, xp)


def _gate_vjp(y: Array, gate: GateKind, gy: Array, glog_y: Array, xp: Namespace) -> Array:
    if gate == "softmax":
        toward = gy * y + glog_y
        return toward - y * xp.sum(toward, axis=-1, keepdims=True)
    return (gy * y + glog_y) * (1.0 - y)


def _layer(weights: Arrays, y: Array, log_y: Array, layer: LayerKind, xp: Namespace) -> Array:
    """Log output of the square synapse tensor, or what stands in its place.

    α is left out: it adds a constant to every log output, and batch norm subtracts it again.
    """
    if layer == "dense":
        return dense(weights, "dense", y, xp)
    if layer == "none":
        return y
    beta = beta_of(weights["synapse.beta_logit"], xp=xp)
    return log_y + _log_transmission(y, beta, xp=xp)


def _layer_vjp(
    weights: Arrays, y: Array, layer: LayerKind, grad: Array, gradients: Arrays, xp: Namespace
) -> tuple[Array, Any]:
    """Gradients with respect to y and to log y."""
    if layer == "dense":
        return _dense_vjp(weights, "dense", y, grad, gradients, xp), 0.0
    if layer == "none":
        return grad, 0.0
    beta = beta_of(weights["synapse.beta_logit"], xp=xp)
    gy, gbeta = _log_transmission_vjp(y, beta, grad, xp=xp)
    gradients["synapse.beta_logit"] = logit_gradient(beta, gbeta)
    return gy, grad

"""Forward and backward pass of a spiking network, as pure functions of a flat dict of weights.

Layer k: currents from its inputs (a Linear layer, or a synapse tensor), then neurons. A constant
input is multiplied once, not at every step, and has one product in the backward pass; a sequence
is one product of (steps · batch) rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import device

from synann_core import optim
from synann_core._lib.typing import Array, Namespace
from synann_core.layer import beta_of, logit_gradient
from synann_core.learning import initial_beta
from synann_core.log_odds import logit
from synann_core.models.training import like
from synann_core.spiking.network import losses
from synann_core.spiking.neurons import dynamics
from synann_core.transmission import _log_transmission, _log_transmission_vjp

Arrays = dict[str, Array]
Trace = tuple[Any, ...]  # inputs, parameters and state of the neurons, currents, potentials, spikes

LEARNED = ("decay", "threshold", "synaptic_decay")


def initial_weights(in_features: int, layers: tuple[Any, ...], seed: int) -> dict[str, Any]:
    """Linear layers as in torch, β from `initial_beta`, the neurons' own numbers."""
    rng = np.random.default_rng(seed)
    weights: dict[str, Any] = {}
    for k, layer in enumerate(layers):
        n, bound = layer.units, in_features**-0.5
        if layer.kind == "linear":
            weights[f"{k}.weight"] = rng.uniform(-bound, bound, (n, in_features))
            weights[f"{k}.bias"] = rng.uniform(-bound, bound, n)
        else:
            beta = initial_beta(n, in_features, mean_input=layer.mean_input, rng=rng)
            weights[f"{k}.beta_logit"] = logit(beta)
            # The log-transmission is about −1: currents of either sign, around 0.
            gain = rng.uniform(-layer.spread, layer.spread, n)
            weights[f"{k}.gain"], weights[f"{k}.bias"] = gain, gain.copy()
        for name in layer.learn:
            weights[f"{k}.{name}"] = np.full(n, getattr(layer.neuron, name))
        if layer.recurrent:
            weights[f"{k}.recurrent"] = rng.uniform(-(n**-0.5), n**-0.5, (n, n))
        in_features = n
    return weights


def forward(
    weights: Arrays, x: Array, *, layers: tuple[Any, ...], steps: int, xp: Namespace
) -> list[Trace]:
    """Run all layers on x, (batch, features) for a constant input or (steps, batch, features)."""
    traces: list[Trace] = []
    for k, layer in enumerate(layers):
        params = _params(weights, k, layer, x, xp)
        times = steps if x.ndim == 2 else None
        currents, transmission = _currents(weights, k, layer, x, xp)
        shape = currents.shape if times else currents.shape[1:]
        at_rest = xp.full(shape, layer.neuron.rest, dtype=x.dtype, device=device(x))
        zeros = xp.zeros_like(at_rest)
        state = (
            at_rest,
            zeros if "synaptic_decay" in params else None,
            None,
            zeros if layer.neuron.adaptation else None,
        )
        spikes, potential, _ = dynamics.run(
            params, state, currents, rule=layer.neuron.rule, steps=times, xp=xp
        )
        traces.append((x, params, state, currents, potential, spikes, times, transmission))
        x = spikes
    return traces


def output(trace: Trace, layer: Any, xp: Namespace) -> tuple[Array, Array]:
    """Spikes and membranes of a layer."""
    _, params, _, _, potential, spikes, _, _ = trace
    rule = layer.neuron.rule
    if not rule.immediate:
        return spikes, potential
    return spikes, dynamics.membrane(potential, spikes, params, rule, xp)


def backward(
    weights: Arrays,
    traces: list[Trace],
    gspikes: Array | None,
    gmembrane: Array | None,
    *,
    layers: tuple[Any, ...],
    xp: Namespace,
) -> Arrays:
    """Gradients of all weights from those of the last layer's spikes and membranes."""
    gradients: Arrays = {}
    for k in reversed(range(len(layers))):
        layer = layers[k]
        x, params, state, currents, potential, _, times, transmission = traces.pop()
        grads = (gspikes, gmembrane, (None,) * 4)
        learned = (*layer.learn, *(("recurrent",) if layer.recurrent else ()))
        options = {"rule": layer.neuron.rule, "steps": times, "xp": xp}
        gcurrents, gparams, _ = dynamics.vjp(
            params, state, currents, potential, grads, **options, learned=bool(learned)
        )
        for name in learned:
            g = gparams[name]
            extra = tuple(range(g.ndim - weights[f"{k}.{name}"].ndim))
            gradients[f"{k}.{name}"] = xp.sum(g, axis=extra) if extra else g
        rows = xp.reshape(gcurrents, (-1, layer.units))
        inputs = xp.reshape(x, (-1, x.shape[-1]))
        gx = _currents_vjp(weights, k, layer, inputs, transmission, rows, gradients, xp)
        gspikes, gmembrane = (None if gx is None else xp.reshape(gx, x.shape)), None
    return gradients


def value_and_gradients(
    weights: Arrays,
    x: Array,
    target: Array,
    *,
    layers: tuple[Any, ...],
    steps: int,
    loss: str,
    xp: Namespace,
) -> tuple[Array, Array, Array, Arrays]:
    """Mean loss, last spikes and membranes, gradients."""
    traces = forward(weights, x, layers=layers, steps=steps, xp=xp)
    spikes, membrane = output(traces[-1], layers[-1], xp)
    value, gspikes, gmembrane = losses.loss(loss, spikes, membrane, target, xp)
    gradients = backward(weights, traces, gspikes, gmembrane, layers=layers, xp=xp)
    return value, spikes, membrane, gradients


def train(
    weights: Arrays,
    state: dict[str, Any],
    x: Array,
    target: Array,
    rate: Any,
    *,
    optimizer: optim.SGD | optim.Adam,
    layers: tuple[Any, ...],
    steps: int,
    loss: str,
    xp: Namespace,
) -> tuple[Array, Array, Arrays, dict[str, Any]]:
    """One step: loss, scores, new weights, new optimizer state."""
    value, spikes, membrane, gradients = value_and_gradients(
        weights, x, target, layers=layers, steps=steps, loss=loss, xp=xp
    )
    new, state = optimizer.update(weights, gradients, state, rate)
    scores = losses.scores("membrane", spikes, membrane, xp)
    return value, scores, kept_in_range(new, xp), state


def kept_in_range(weights: Arrays, xp: Namespace) -> Arrays:
    """Decays in [0, 1] and thresholds not negative, after a step of the optimizer."""
    kept = dict(weights)
    for name, w in weights.items():
        if name.endswith((".decay", ".synaptic_decay")):
            kept[name] = xp.minimum(xp.maximum(w, xp.zeros_like(w)), xp.ones_like(w))
        elif name.endswith(".threshold"):
            kept[name] = xp.maximum(w, xp.zeros_like(w))
    return kept


def _params(
    weights: Arrays, k: int, layer: Any, reference: Array, xp: Namespace
) -> dynamics.Params:
    params: dynamics.Params = {}
    for name in (*LEARNED, "recurrent"):
        value = weights.get(f"{k}.{name}", getattr(layer.neuron, name))
        if value is not None:
            known = f"{k}.{name}" in weights
            params[name] = value if known else _constant(value, reference, xp)
    return params


def _constant(value: Any, reference: Array, xp: Namespace) -> Array:
    if hasattr(value, "ndim"):
        return like(value, reference, xp)
    return xp.asarray(value, dtype=reference.dtype, device=device(reference))


def _currents(
    weights: Arrays, k: int, layer: Any, x: Array, xp: Namespace
) -> tuple[Array, Array | None]:
    """Currents, and the log-transmission that a synapse layer made them of."""
    bias = weights[f"{k}.bias"]
    rows = xp.reshape(x, (-1, x.shape[-1]))
    transmission = None
    if layer.kind == "linear":
        result = xp.matmul(rows, xp.matrix_transpose(weights[f"{k}.weight"])) + bias
    else:
        transmission = _log_transmission(rows, beta_of(weights[f"{k}.beta_logit"], xp=xp), xp=xp)
        result = weights[f"{k}.gain"] * transmission + bias
    return xp.reshape(result, (*x.shape[:-1], layer.units)), transmission


def _currents_vjp(
    weights: Arrays,
    k: int,
    layer: Any,
    x: Array,
    transmission: Array | None,
    grad: Array,
    gradients: Arrays,
    xp: Namespace,
) -> Array | None:
    """Add the gradients of the weights; return that of the inputs (None for the first layer's)."""
    gradients[f"{k}.bias"] = xp.sum(grad, axis=0)
    if transmission is None:
        gradients[f"{k}.weight"] = xp.matmul(xp.matrix_transpose(grad), x)
        return xp.matmul(grad, weights[f"{k}.weight"]) if k else None
    gradients[f"{k}.gain"] = xp.sum(grad * transmission, axis=0)
    beta = beta_of(weights[f"{k}.beta_logit"], xp=xp)
    gx, gbeta = _log_transmission_vjp(x, beta, grad * weights[f"{k}.gain"], xp=xp)
    gradients[f"{k}.beta_logit"] = logit_gradient(beta, gbeta)
    return gx if k else None

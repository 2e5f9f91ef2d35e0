"""Forward and backward pass of a spiking network, as pure functions of a flat dict of weights.

Layer k: currents from its inputs (a Linear layer, or a synapse tensor), then neurons. A constant
input is multiplied once, not at every step, and has one product in the backward pass; a sequence
is one product of (steps · batch) rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from synann_core import optim
from synann_core._lib.numerics import sum_to_shape
from synann_core._lib.typing import Array, Namespace, NumpyArray
from synann_core.layer import beta_of, initial_beta_logit, logit_gradient
from synann_core.models.passes import dense
from synann_core.models.training import Step, like
from synann_core.spiking.network import losses
from synann_core.spiking.network.layer import Layer
from synann_core.spiking.neurons import dispatch
from synann_core.spiking.neurons.formulas import membranes
from synann_core.spiking.neurons.records import Inputs, Parameters, Plan, Run, State, Upstream
from synann_core.transmission import _log_transmission, _log_transmission_vjp

Arrays = dict[str, Array]


class Architecture(NamedTuple):
    """Layers, steps and loss of a network, without its weights; a constant to JAX."""

    layers: tuple[Layer, ...]
    steps: int
    loss: losses.Loss


class Trace(NamedTuple):
    """Arrays that a layer keeps for its backward pass."""

    x: Array
    inputs: Inputs
    run: Run
    plan: Plan
    transmission: Array | None  # of a synapse layer


class Evaluation(NamedTuple):
    """Mean loss of a batch, output of the last layer, gradients of the weights."""

    loss: Array
    spikes: Array
    membrane: Array
    gradients: Arrays


def initial_weights(in_features: int, layers: tuple[Layer, ...], seed: int) -> dict[str, Any]:
    """Return Linear layers as in torch, β from `initial_beta`, the neurons' own numbers."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NumpyArray] = {}
    for k, layer in enumerate(layers):
        n, bound = layer.units, in_features**-0.5
        if layer.kind == "linear":
            weights[f"{k}.weight"] = rng.uniform(-bound, bound, (n, in_features))
            weights[f"{k}.bias"] = rng.uniform(-bound, bound, n)
        else:
            weights[f"{k}.beta_logit"] = initial_beta_logit(
                n, in_features, mean_input=layer.mean_input, rng=rng
            )
            # The log-transmission is about −1: currents of either sign, around 0.
            gain = rng.uniform(-layer.spread, layer.spread, n)
            weights[f"{k}.gain"], weights[f"{k}.bias"] = gain, gain.copy()
        for name in layer.learn:
            weights[f"{k}.{name}"] = np.full(n, getattr(layer.neuron, name))
        if layer.recurrent:
            weights[f"{k}.recurrent"] = rng.uniform(-(n**-0.5), n**-0.5, (n, n))
        in_features = n
    return weights


def shapes(in_features: int, layers: tuple[Layer, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights, by their names."""
    found: dict[str, tuple[int, ...]] = {}
    for k, layer in enumerate(layers):
        n = layer.units
        if layer.kind == "linear":
            found |= {f"{k}.weight": (n, in_features), f"{k}.bias": (n,)}
        else:
            found |= {f"{k}.beta_logit": (n, in_features), f"{k}.gain": (n,), f"{k}.bias": (n,)}
        for name in layer.learned:
            found[f"{k}.{name}"] = (n, n) if name == "recurrent" else (n,)
        in_features = n
    return found


def constants(layers: tuple[Layer, ...], reference: Array, xp: Namespace) -> Arrays:
    """Return what neurons do not learn as arrays like `reference`, under the weights' names."""
    found: Arrays = {}
    for k, layer in enumerate(layers):
        learned = layer.learned
        for name in Parameters._fields:
            value = getattr(layer.neuron, name)
            if value is not None and name not in learned:
                value = value if hasattr(value, "ndim") else np.full(layer.units, value)
                found[f"{k}.{name}"] = like(value, reference, xp)
    return found


def forward(values: Arrays, x: Array, *, architecture: Architecture, xp: Namespace) -> list[Trace]:
    """Run all layers on x, (batch, features) for a constant input or (steps, batch, features).

    `values` are the weights, and beside them the constants.
    """
    traces: list[Trace] = []
    for k, layer in enumerate(architecture.layers):
        neuron, times = layer.neuron, architecture.steps if x.ndim == 2 else None
        currents, transmission = _currents(values, k, layer, x, xp)
        shape = currents.shape if times else currents.shape[1:]
        at_rest = xp.full(shape, neuron.rest, dtype=x.dtype, device=device(x))
        zeros = xp.zeros_like(at_rest)
        state: State[Array] = State(
            at_rest,
            None if neuron.synaptic_decay is None else zeros,
            adaptation=zeros if neuron.adaptation else None,
        )
        own: dict[str, Any] = {name: values.get(f"{k}.{name}") for name in Parameters._fields}
        inputs = Inputs(Parameters(**own), state, currents)
        plan = Plan(neuron.rule, times, learned=bool(layer.learned))
        run = dispatch.forward(inputs, plan=plan, xp=xp)
        traces.append(Trace(x, inputs, run, plan, transmission))
        x = run.spikes
    return traces


def output(trace: Trace, layer: Layer, xp: Namespace) -> tuple[Array, Array]:
    """Return spikes and membranes of a layer."""
    run, params = trace.run, trace.inputs.parameters
    return run.spikes, membranes(run.potential, run.spikes, params, layer.neuron.rule, xp)


def backward(
    values: Arrays,
    traces: list[Trace],
    upstream: Upstream,
    *,
    layers: tuple[Layer, ...],
    xp: Namespace,
) -> Arrays:
    """Return the gradients of all weights from those of the last layer's spikes and membranes.

    Each trace is released after use.
    """
    gradients: Arrays = {}
    for k in reversed(range(len(layers))):
        trace = traces.pop()
        found = dispatch.vjp(trace.inputs, trace.run.potential, upstream, plan=trace.plan, xp=xp)
        for name in layers[k].learned:
            key = f"{k}.{name}"
            gradients[key] = sum_to_shape(getattr(found, name), values[key].shape, xp)
        gx, added = _currents_vjp(values, k, trace, found.currents, xp)
        gradients |= added
        upstream = Upstream(spikes=gx)
    return gradients


def evaluate(
    weights: Arrays,
    fixed: Arrays,
    x: Array,
    target: Array,
    *,
    architecture: Architecture,
    xp: Namespace,
) -> Evaluation:
    """Return the mean loss of a batch, the output, and the gradients of the weights."""
    values, layers = {**fixed, **weights}, architecture.layers
    traces = forward(values, x, architecture=architecture, xp=xp)
    spikes, membrane = output(traces[-1], layers[-1], xp)
    value, upstream = losses.loss(architecture.loss, spikes, membrane, target, xp)
    gradients = backward(values, traces, upstream, layers=layers, xp=xp)
    return Evaluation(value, spikes, membrane, gradients)


def train(
    weights: Arrays,
    state: optim.State,
    fixed: Arrays,
    x: Array,
    target: Array,
    rate: float,
    *,
    optimizer: optim.Optimizer,
    architecture: Architecture,
    xp: Namespace,
) -> Step:
    """Take one step of an optimizer on one batch."""
    found = evaluate(weights, fixed, x, target, architecture=architecture, xp=xp)
    new, state = optimizer.update(weights, found.gradients, state, rate)
    scores = losses.scores("membrane", found.spikes, found.membrane, xp)
    return Step(found.loss, scores, kept_in_range(new, xp), state)


def kept_in_range(weights: Arrays, xp: Namespace) -> Arrays:
    """Return weights with decays in [0, 1] and thresholds not negative, after a step."""
    kept = dict(weights)
    for name, w in weights.items():
        if name.endswith((".decay", ".synaptic_decay")):
            kept[name] = xp.minimum(xp.maximum(w, xp.zeros_like(w)), xp.ones_like(w))
        elif name.endswith(".threshold"):
            kept[name] = xp.maximum(w, xp.zeros_like(w))
    return kept


def _currents(
    values: Arrays, k: int, layer: Layer, x: Array, xp: Namespace
) -> tuple[Array, Array | None]:
    """Return currents, and the log-transmission that a synapse layer made them of."""
    rows = xp.reshape(x, (-1, x.shape[-1]))
    transmission = None
    if layer.kind == "linear":
        result = dense(values, str(k), rows, xp)
    else:
        transmission = _log_transmission(rows, beta_of(values[f"{k}.beta_logit"], xp=xp), xp=xp)
        result = values[f"{k}.gain"] * transmission + values[f"{k}.bias"]
    return xp.reshape(result, (*x.shape[:-1], layer.units)), transmission


def _currents_vjp(
    values: Arrays, k: int, trace: Trace, grad: Array, xp: Namespace
) -> tuple[Array | None, Arrays]:
    """Return the gradients of the inputs (None for the first layer's) and of the weights."""
    x = xp.reshape(trace.x, (-1, trace.x.shape[-1]))
    grad = xp.reshape(grad, (-1, grad.shape[-1]))
    gradients = {f"{k}.bias": xp.sum(grad, axis=0)}
    if trace.transmission is None:
        gradients[f"{k}.weight"] = xp.matmul(xp.matrix_transpose(grad), x)
        gx = xp.matmul(grad, values[f"{k}.weight"]) if k else x
    else:
        gradients[f"{k}.gain"] = xp.sum(grad * trace.transmission, axis=0)
        beta = beta_of(values[f"{k}.beta_logit"], xp=xp)
        gx, gbeta = _log_transmission_vjp(x, beta, grad * values[f"{k}.gain"], xp=xp)
        gradients[f"{k}.beta_logit"] = logit_gradient(beta, gbeta)
    return (xp.reshape(gx, trace.x.shape) if k else None), gradients

"""Make a layer of a neuron node, and a neuron node of a layer.

NIR's neurons are equations in time: τ dv/dt = (v_leak − v) + r I, a spike where v > v_threshold,
and then v = v_reset. One step of Euler's method with a step dt has decay = 1 − dt/τ and gain =
r dt/τ. What NIR has no word for (order and kind of the reset, test, surrogate, adaptation) is in
the metadata of the node, as JSON.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

import numpy as np

from synann_core._lib.typing import NumpyArray
from synann_core.export.nir.maps import Map, floats
from synann_core.export.nir.nodes import Link
from synann_core.spiking import LIF, Layer, Surrogate
from synann_core.spiking.neurons.files import SURROGATE, keys

Resistance = Literal["matched", "unit"]
KEY = "synann"
WORDLESS = (
    *("order", "reset", "fires", "surrogate", "detach_reset", "adaptation", "adaptation_decay"),
)
_MOST_TEXT = 10_000  # characters of metadata

Fields = dict[str, NumpyArray]


def layer_of(link: Link, linear: Map, dt: float) -> tuple[Layer, dict[str, NumpyArray]]:
    """Return a layer and its weights, "weight", "bias" and "recurrent"."""
    kind, fields = link.node.kind, link.node.fields
    weight, bias = linear.arrays()
    n = weight.shape[0]
    synaptic, leaky = kind.startswith("Cuba"), kind not in ("IF", "I")
    r = _each(fields, "r", n)
    scale, options = np.ones(()), dict[str, Any]()
    if leaky:
        rate = dt / _each(fields, "tau_mem" if synaptic else "tau", n)
        options["decay"], gain = _decay(rate), r * rate
        options["rest"] = _one(_each(fields, "v_leak", n), "v_leak")
    else:
        options["decay"], gain = 1.0, r * dt
    if synaptic:
        rate = dt / _each(fields, "tau_syn", n)
        options["synaptic_decay"] = _decay(rate)
        scale = _near_one(_each(fields, "w_in", n) * rate)
    gain = _near_one(gain)
    if (gain == gain.flat[0]).all():
        options["gain"] = float(gain.flat[0])
    else:
        scale = scale * gain
    options["threshold"] = None
    if kind in ("LIF", "CubaLIF", "IF"):
        options["threshold"] = _number(_each(fields, "v_threshold", n))
        options["reset_to"] = _one(_each(fields, "v_reset", n), "v_reset")
    neuron = LIF(**options, **_wordless(fields.get("metadata"), options["threshold"] is None))
    weights = {"weight": scaled(weight, scale), "bias": scaled(bias[:, None], scale)[:, 0]}
    if link.recurrent is not None:
        back = Map((n,), linear.most)
        back.add(link.recurrent)
        matrix, added = back.arrays()
        if matrix.shape != (n, n):
            raise ValueError(f"what leads back to it has shape {matrix.shape}")
        weights["recurrent"] = scaled(matrix, scale)
        weights["bias"] = weights["bias"] + scaled(added[:, None], scale)[:, 0]
    return Layer(n, neuron, recurrent=link.recurrent is not None), weights


def node_fields(
    layer: Layer, numbers: dict[str, NumpyArray], dt: float, resistance: Resistance, strict: bool
) -> tuple[str, dict[str, Any], NumpyArray]:
    """Return kind and fields of the node for a layer's neurons, and what its weights are times.

    ValueError where NIR has no such neuron; without `strict`, where not even the metadata help.
    """
    neuron, n = layer.neuron, layer.units
    fires = numbers.get("threshold") is not None
    if strict and fires:
        _check_words(neuron)
    decay = np.broadcast_to(numbers["decay"], n)
    synaptic = numbers.get("synaptic_decay")
    every = np.ones(n)
    fields: dict[str, Any] = {}
    kind = f"{'Cuba' if synaptic is not None else ''}LI{'F' if fires else ''}"
    if synaptic is None and (decay == 1.0).all():
        if neuron.rest:
            raise ValueError(f"`rest` must be 0 where nothing decays. Received: {neuron.rest}")
        kind, matched = "IF" if fires else "I", every * neuron.gain / dt
    else:
        tau = _tau(decay, "decay", dt)
        matched = neuron.gain * (tau / dt)
        fields |= {"tau_mem" if synaptic is not None else "tau": tau, "v_leak": every * neuron.rest}
    if synaptic is not None:
        fields["tau_syn"] = _tau(np.broadcast_to(synaptic, n), "synaptic_decay", dt)
        fields["w_in"] = fields["tau_syn"] / dt
    fields["r"], scale = (matched, every) if resistance == "matched" else (every, matched)
    if fires:
        fields["v_threshold"] = np.array(np.broadcast_to(numbers["threshold"], n))
        fields["v_reset"] = every * neuron.reset_to
    said = {name: getattr(neuron, name) for name in WORDLESS}
    said["surrogate"] = dataclasses.asdict(neuron.surrogate)
    return kind, fields | {"metadata": {KEY: json.dumps(said)}}, scale


def _check_words(neuron: LIF) -> None:
    """Refuse neurons that a reader who knows NIR alone would run in another way."""
    for name, fits, wanted in (
        ("reset", neuron.reset == "zero", "'zero', to a value"),
        ("order", neuron.order != "article", "'snntorch' or 'immediate'"),
        ("fires", neuron.fires == ">", "'>'"),
        ("adaptation", not neuron.adaptation, "0"),
    ):
        if not fits:
            raise ValueError(
                f"`{name}` must be {wanted}, which is all that NIR has a word for (with "
                "strict=False the metadata say the rest, to this library alone). "
                f"Received: {getattr(neuron, name)!r}"
            )


def _wordless(metadata: Any, integrator: bool) -> dict[str, Any]:
    """What the metadata of this library say; NIR's own meaning where there are none."""
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    text = text.decode("utf-8") if isinstance(text, bytes) else text
    if text is None:
        return {"order": "immediate", "reset": "none" if integrator else "zero"}
    if not isinstance(text, str) or len(text) > _MOST_TEXT:
        raise ValueError(f"its metadata {KEY!r} are not text")
    said = keys(json.loads(text), f"its metadata {KEY!r}", WORDLESS)
    surrogate = keys(said["surrogate"], "its surrogate", SURROGATE)
    return said | {"surrogate": Surrogate(**surrogate)}


def _tau(decay: NumpyArray, name: str, dt: float) -> NumpyArray:
    if (decay >= 1.0).any():
        raise ValueError(
            f"`{name}` must be below 1, or 1 for all neurons of a layer without synaptic currents: "
            f"NIR has time constants. Received: {decay.max()}"
        )
    return np.asarray(dt / (1.0 - decay))


def _decay(rate: NumpyArray) -> Any:
    if not (rate >= 0.0).all() or not (rate <= 1.0).all():
        raise ValueError(
            f"its time constants must be at least `dt`: dt/tau is {rate.min()} to {rate.max()}"
        )
    return _number(1.0 - rate)


def _each(fields: dict[str, Any], name: str, n: int) -> NumpyArray:
    """One number, or one a neuron."""
    if name == "v_reset" and fields.get(name) is None:
        return np.zeros(1)
    values = floats(fields, name).ravel()
    if values.size not in (1, n):
        raise ValueError(f"its `{name}` has {values.size} numbers for {n} neurons")
    if name.startswith("tau") and not (values > 0.0).all():
        raise ValueError(f"its `{name}` must be above 0")
    return values


def _number(values: NumpyArray) -> Any:
    """A float where all are the same, but for a single ∞, which only an array may hold."""
    if (values == values[0]).all() and np.isfinite(values[0]):
        return float(values[0])
    return values


def _one(values: NumpyArray, name: str) -> float:
    if (values != values[0]).any():
        raise ValueError(f"its `{name}` must be the same for all neurons")
    return float(values[0])


def _near_one(values: NumpyArray) -> NumpyArray:
    """Exactly 1 where rounding alone makes the difference: r is τ/dt for most."""
    limit = 8 * np.finfo(values.dtype).eps
    return np.where(np.abs(values - 1.0) <= limit, np.ones_like(values), values)


def scaled(rows: NumpyArray, scale: NumpyArray) -> NumpyArray:
    """Return rows times one number each; the same array where all are 1."""
    if (scale == 1.0).all():
        return rows
    result: NumpyArray = rows * scale.reshape(-1, 1).astype(rows.dtype)
    return result

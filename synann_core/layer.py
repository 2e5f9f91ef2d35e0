"""The synapse layer's mathematics, once for the layers of every framework.

A layer trains logits: β is their sigmoid, kept below 1 by eps, so that a surprisal output is finite
for inputs in [0, 1]; a mixture is the softmax of logits of its own. The functions take arrays of
any namespace, all of the dtype to compute in, and check nothing: layers check what they are given.
Matrices are (outputs, inputs) here and in torch. A kernel of Keras is (inputs, units), as those of
its Dense are, and comes transposed; so does a mask.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from synann_core._lib.arguments import check_plain, check_shape
from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.checks import check_inside, check_option
from synann_core._lib.numerics import expm1, softplus
from synann_core._lib.states import check_choices
from synann_core._lib.torch_modes import is_torch_namespace
from synann_core._lib.typing import Array, Namespace, Shape, Space
from synann_core.learning import _drawn_inputs, initial_beta_logit
from synann_core.strengths import _logit_tensor, _sigmoid, beta_of, gamma_of, logit_gradient
from synann_core.surprisals import _complement
from synann_core.tensor import _surprisal_synapse_tensor
from synann_core.transmission import _contributions, _log_transmission

__all__ = [
    "Excitation",
    "Gate",
    "Watch",
    "Weights",
    "beta_of",
    "check_mask",
    "check_state",
    "check_values",
    "checked_gate",
    "checked_options",
    "chosen_excitation",
    "contributions",
    "excitation_of",
    "forward",
    "gamma_of",
    "gated",
    "gated_state",
    "initial_beta_logit",
    "initial_mixing_logit",
    "input_error",
    "logit_gradient",
    "state_of",
    "warn_of_values",
]

#: Where x comes from: the inputs themselves, a mixture of them, or x = 1.
Excitation = Literal["auto", "input", "mixture", "none"]
#: How activations become numbers that a synapse takes.
Gate = Literal["sigmoid", "softmax", "exp"]

# An array or tensor of any library; nothing of it is checked here, not even by a type checker.
Tensor = Any

_SPACES = ("probability", "surprisal")
_GATES = ("sigmoid", "softmax", "exp")
# What a layer's state tells of it, as places in these lists: new values go to the end.
_STATE: dict[str, tuple[str | None, ...]] = {
    "excitation": ("input", "mixture", "none"),
    "space": _SPACES,
    "output": _SPACES,
    "gate": (None, *_GATES),
}
# Inputs that have most of the weight of an initial mixture, and how much.
_MIXED, _MIXED_SHARE = 8, 0.9
_WATCHED = 64  # in the long run one of so many calls looks at its values


class Weights(NamedTuple):
    """What a layer trains, and its mask."""

    beta_logit: Tensor  # (outputs, inputs)
    theta: Tensor | None = None  # −log α, (outputs,); None for α = 1
    mixing_logit: Tensor | None = None  # (outputs, inputs)
    mask: Tensor | None = None  # bool, (outputs, inputs): False where there is no synapse


class Watch:
    """Looks at a layer's inputs now and then: often at first, in the long run at one in 64 calls.

    Each call takes 1 from `wait`. Below 0 it is time to `look`, as soon as that disturbs nothing.
    """

    __slots__ = ("period", "wait")

    def __init__(self) -> None:
        self.wait, self.period = 0, 1

    def look(self, value: Tensor, space: Space, *, xp: Namespace, stacklevel: int) -> bool:
        """Warn of inputs y as `warn_of_values` does, which says whether it did; then wait."""
        self.period = min(4 * self.period, _WATCHED)
        self.wait = self.period - 1
        return warn_of_values("y", value, space, xp=xp, stacklevel=stacklevel + 1)


def checked_options(
    excitation: Excitation, space: Space, output: Space | None
) -> tuple[Excitation, Space, Space]:
    """Check a layer's options; the outputs are in the inputs' space if nothing else is said."""
    check_option("excitation", excitation, ("auto", "input", "mixture", "none"))
    check_option("space", space, _SPACES)
    return excitation, space, check_option("output", space if output is None else output, _SPACES)


def checked_gate(gate: Gate | None) -> Gate | None:
    """Check a layer's gate; None is none."""
    return gate if gate is None else check_option("gate", gate, _GATES)


def chosen_excitation(excitation: Excitation, inputs: int, outputs: int, where: str) -> Excitation:
    """Return what `excitation` stands for in a layer of these sizes, "auto" resolved.

    `where` says in the layer's own words when "input" is possible, for the error.
    """
    square = inputs == outputs
    if excitation == "input" and not square:
        raise ValueError(
            f"`excitation` must not be 'input' unless {where}. "
            f"Received: 'input' with {inputs} and {outputs}"
        )
    if excitation != "auto":
        return excitation
    return "input" if square else "mixture"


def state_of(*patch: int, **options: str | None) -> list[int]:
    """Numbers that say what a layer of such patches and options computes, beside its weights."""
    return [*(values.index(options[name]) for name, values in _STATE.items()), *patch]


def check_state(argument: str, state: Sequence[float], *patch: int, **options: str | None) -> None:
    """Refuse the state of a layer that computes something else from the same weights.

    A state may be a mean of states, and one of a later version may say more.
    """
    check_choices(argument, "layer", _STATE, state, options)
    sizes = tuple(state[len(_STATE) :][: len(patch)])
    if any(not abs(a - b) < 0.5 for a, b in zip(sizes, patch, strict=False)):
        raise ValueError(f"`{argument}` must be of patches of {patch}. Received: {sizes}")


def check_mask(
    mask: Tensor, shape: tuple[int | str, ...], *, readable: bool, xp: Namespace
) -> None:
    """Refuse a mask of another shape, in which a name stands for any size, or not of 0 and 1."""
    check_plain("mask", mask)
    check_shape("mask", mask, *shape)
    if readable and not bool(xp.all((mask == 0) | (mask == 1))):
        raise ValueError("`mask` must hold only 0 and 1. Received: other values")


def input_error(name: str, dtype: object, shape: Shape, size: int, *, floating: bool) -> Exception:
    """What to raise for an input that is not floating-point, or not of shape (..., size)."""
    if not floating:
        return TypeError(f"`{name}` must have a real floating-point dtype. Received: {dtype}")
    return ValueError(f"`{name}` must have shape (..., {size}). Received: shape {tuple(shape)}")


def gated(h: Tensor, gate: Gate, *, space: Space, xp: Namespace) -> Tensor:
    """Make probabilities, or their surprisals, of real numbers h (..., inputs).

    "softmax" runs over the last axis. "exp" is 1 − e^−max(h, 0): h is read as the surprisal that
    the input is silent; the surprisal of it is at most that of the smallest normal number.
    """
    surprisal = space == "surprisal"
    if gate == "sigmoid":
        return softplus(-h, xp) if surprisal else _sigmoid(h, xp)
    if gate == "exp":
        least = float(xp.finfo(h.dtype).smallest_normal) if surprisal else 0.0
        h = xp.clip(h, least, None)
        return _complement(h, xp=xp) if surprisal else -expm1(-h, xp)
    if not surprisal:
        return _softmax(h, xp)
    h = h - stop_gradient(xp.max(h, axis=-1, keepdims=True), xp)
    return xp.log(xp.sum(xp.exp(h), axis=-1, keepdims=True)) - h


def excitation_of(
    y: Tensor, weights: Weights, *, excitation: Excitation, space: Space, xp: Namespace
) -> Tensor | float:
    """Excitatory inputs, in the layer's space: y itself, mixtures (..., outputs), or 1."""
    surprisal = space == "surprisal"
    if excitation == "none":
        return 0.0 if surprisal else 1.0
    if weights.mixing_logit is None:
        return y
    if not surprisal:
        return _mixture(y, weights.mixing_logit, xp)
    # Relative to the least surprising input nothing underflows that matters.
    limits = xp.finfo(y.dtype)
    least = stop_gradient(xp.min(y, axis=-1, keepdims=True), xp)
    least = xp.clip(least, None, float(limits.max))
    mixed = _mixture(xp.exp(least - y), weights.mixing_logit, xp)
    return least - xp.log(xp.clip(mixed, float(limits.smallest_normal), None))


def forward(
    y: Tensor,
    x: Tensor | float | None,
    weights: Weights,
    *,
    excitation: Excitation,
    space: Space,
    output: Space,
    xp: Namespace,
) -> Tensor:
    """Outputs (..., outputs) for inhibitory inputs y (..., inputs).

    x (..., outputs) excites in place of what `excitation` says. Inputs are in `space`, outputs in
    `output`; x is kept at or above the smallest normal number where its logarithm is taken.
    """
    if x is None:
        x = excitation_of(y, weights, excitation=excitation, space=space, xp=xp)
    theta: Tensor | float = 0.0 if weights.theta is None else weights.theta
    if space == "surprisal":
        gamma = gamma_of(weights.beta_logit, weights.mask, xp=xp)
        result = _surprisal_synapse_tensor(x, y, theta, gamma, xp=xp)
        return xp.exp(-result) if output == "probability" else result
    if output == "probability":
        given = None if isinstance(x, float) else x
        logit, mask = weights.beta_logit, weights.mask
        return _logit_tensor(given, y, logit, weights.theta, mask, xp=xp)
    beta = beta_of(weights.beta_logit, weights.mask, xp=xp)
    result = -_log_transmission(y, beta, xp=xp)
    if not isinstance(x, float):
        smallest = float(xp.finfo(y.dtype).smallest_normal)
        result = result - xp.log(xp.clip(x, smallest, None))
    return result if weights.theta is None else result + theta


def contributions(y: Tensor, weights: Weights, *, space: Space, xp: Namespace) -> Tensor:
    """What each input adds to the surprisal of each output, (..., outputs, inputs)."""
    if space == "probability":
        return _contributions(y, beta_of(weights.beta_logit, weights.mask, xp=xp), xp=xp)
    gamma = gamma_of(weights.beta_logit, weights.mask, xp=xp)
    return _complement(gamma + y[..., None, :], xp=xp)


def gated_state(
    h: Tensor,
    projected: Tensor,
    recurrent: Tensor,
    synapse: Callable[[Tensor, Tensor], Tensor],
    *,
    xp: Namespace,
) -> Tensor:
    """State of a recurrent cell after one step, ``h + z (s − h)``, from the state before.

    With W y + b in the halves of `projected`, ``s = synapse(h, σ(first))`` and
    ``z = σ(second + recurrent)``.
    """
    size = h.shape[-1]
    z = _sigmoid(projected[..., size:] + recurrent, xp)
    s = synapse(h, _sigmoid(projected[..., :size], xp))
    return h + z * (s - h)


def check_values(name: str, value: Tensor, space: Space, *, xp: Namespace) -> Tensor:
    """Refuse probabilities outside [0, 1], surprisals below 0, and NaN.

    Values a few ulp outside come back clipped, with the derivatives of `value`; else `value` does.
    """
    high, bounds = (1.0, "[0, 1]") if space == "probability" else (math.inf, "[0, ∞]")
    return check_inside(name, value, 0.0, high, f"values in {bounds}", xp=xp)


def warn_of_values(
    name: str, value: Tensor, space: Space, *, xp: Namespace, stacklevel: int = 2
) -> bool:
    """Warn of what `check_values` would refuse; whether there was a warning."""
    try:
        check_values(name, value, space, xp=xp)
    except ValueError as error:
        text = f"{error}. The formula may give NaN there: a `gate` makes probabilities of them."
        warnings.warn(text, RuntimeWarning, stacklevel=stacklevel)
        return True
    return False


def initial_mixing_logit(
    m: int, n: int, *, rng: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Logits of mixtures of n inputs, (m, n): each has most of its weight on a few of them.

    Were all inputs in all mixtures alike, all would have nearly the same value.
    """
    logit = rng.normal(0.0, 0.1, (m, n))
    rest = n - _MIXED
    if rest > 0:
        share = math.log(_MIXED_SHARE / _MIXED * rest / (1.0 - _MIXED_SHARE))
        np.put_along_axis(logit, _drawn_inputs(rng, m, n, _MIXED), share, axis=1)
    return logit


def _softmax(logit: Array, xp: Namespace) -> Array:
    """Softmax over the last axis, likewise."""
    if hasattr(xp, "softmax"):
        return xp.softmax(logit, -1)
    e = xp.exp(logit - xp.max(logit, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def _mixture(y: Array, logit: Array, xp: Namespace) -> Array:
    shares = xp.matrix_transpose(_softmax(logit, xp))
    tensor: Any = y
    if not is_torch_namespace(xp) or tensor.is_meta:  # a device that autocast does not know
        return xp.matmul(y, shares)
    import torch

    # Of all operations of a layer autocast would change this one.
    with torch.autocast(tensor.device.type, enabled=False):
        return xp.matmul(y, shares)

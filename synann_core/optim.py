"""Optimizers and learning-rate schedules as pure functions of arrays, for any namespace.

An optimizer keeps no state of its own: ``init`` makes the state, ``update`` returns new parameters
and new state, so that a whole training step can be jit-compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from synann_core._lib.arguments import namespace_of
from synann_core._lib.checks import check_fields
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import Namespace

__all__ = ["SGD", "Adam", "RMaxProp", "constant", "cosine", "one_cycle"]

Arrays = dict[str, Any]
State = dict[str, Any]
Schedule = Callable[[float], float]
ScheduleName = Literal["constant", "cosine", "one_cycle"]


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum.

    ``v ← momentum·v + g``, ``p ← p − rate·v`` (``rate·(g + momentum·v)`` with `nesterov`).

    Parameters
    ----------
    learning_rate : float
        Step size, > 0 to learn.
    momentum : float
        In [0, 1).
    nesterov : bool
        Nesterov's form.
    weight_decay : float
        Decay of the weights per unit of rate, apart from the gradient: ``p ← p − rate·decay·p``.

    Raises
    ------
    ValueError
        If a number is out of its range.
    TypeError
        If a parameter is not a number, or `nesterov` not a bool.

    Notes
    -----
    Without decay the steps are those of ``torch.optim.SGD``, whose own `weight_decay` differs: it
    is added to the gradient, and so passes through the momentum.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.optim import SGD
    >>> rule, p = SGD(0.1), {"w": np.array([1.0])}
    >>> p, state = rule.update(p, {"w": np.array([2.0])}, rule.init(p), 0.1)
    >>> p["w"]
    array([0.8])
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_fields(
            self, learning_rate=(0.0, math.inf), momentum=(0.0, 1.0), weight_decay=(0.0, math.inf)
        )
        if not isinstance(self.nesterov, bool):
            raise TypeError(f"`nesterov` must be a bool. Received: {self.nesterov!r}")

    def init(self, parameters: Arrays) -> State:
        """State for parameters that have not been updated yet."""
        return {"velocity": _zeros(parameters)}

    def update(
        self, parameters: Arrays, gradients: Arrays, state: State, rate: float | Any
    ) -> tuple[Arrays, State]:
        """Return parameters and state after one step of size `rate`."""
        _namespace(parameters, gradients)
        velocity = {k: self.momentum * state["velocity"][k] + g for k, g in gradients.items()}
        step = velocity
        if self.nesterov:
            step = {k: g + self.momentum * velocity[k] for k, g in gradients.items()}
        decay = 1.0 - rate * self.weight_decay
        new = {k: p * decay - rate * step[k] for k, p in parameters.items()}
        return new, {"velocity": velocity}


@dataclass(frozen=True)
class Adam:
    """Adam with decoupled weight decay (AdamW).

    Parameters
    ----------
    learning_rate : float
        Step size.
    beta1, beta2 : float
        Decay of the running mean and mean square of the gradient, in [0, 1).
    eps : float
        Added to the root mean square; ≥ 1e-30, for 0/0 where a gradient is always 0.
    weight_decay : float
        Decay of the weights per unit of rate, apart from the gradient.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a number, or out of its range.

    Notes
    -----
    Source: Kingma and Ba (2015); Loshchilov and Hutter (2019) for the decay.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.optim import Adam
    >>> rule, p = Adam(), {"w": np.array([1.0])}
    >>> p, state = rule.update(p, {"w": np.array([2.0])}, rule.init(p), 0.1)
    >>> p["w"].round(6)                            # the first step has the size of the rate
    array([0.9])
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_fields(
            self,
            learning_rate=(0.0, math.inf),
            beta1=(0.0, 1.0),
            beta2=(0.0, 1.0),
            eps=(1e-30, math.inf),
            weight_decay=(0.0, math.inf),
        )

    def init(self, parameters: Arrays) -> State:
        """State for parameters that have not been updated yet."""
        # The bias corrections 1 − beta^t: floats, so that a compiled step need not know t.
        return {
            "mean": _zeros(parameters),
            "square": _zeros(parameters),
            "decay1": 1.0,
            "decay2": 1.0,
        }

    def update(
        self, parameters: Arrays, gradients: Arrays, state: State, rate: float | Any
    ) -> tuple[Arrays, State]:
        """Return parameters and state after one step of size `rate`."""
        b1, b2, xp = self.beta1, self.beta2, _namespace(parameters, gradients)
        mean = {k: b1 * state["mean"][k] + (1.0 - b1) * g for k, g in gradients.items()}
        square = {k: b2 * state["square"][k] + (1.0 - b2) * (g * g) for k, g in gradients.items()}
        decay1, decay2 = state["decay1"] * b1, state["decay2"] * b2
        step, scale = rate / (1.0 - decay1), (1.0 - decay2) ** -0.5
        decay = 1.0 - rate * self.weight_decay
        new = {}
        for k, p in parameters.items():
            new[k] = p * decay - step * mean[k] / (xp.sqrt(square[k]) * scale + self.eps)
        return new, {"mean": mean, "square": square, "decay1": decay1, "decay2": decay2}


@dataclass(frozen=True)
class RMaxProp:
    """Steps in proportion to the largest recent gradient of each parameter, as in SuperSpike.

    ``v ← max(decay·v, g²)``, ``p ← p − rate·g/(√v + eps)``.

    Parameters
    ----------
    learning_rate : float
        Step size, which no step exceeds.
    decay : float
        Share of the largest square that is left after a step, in [0, 1).
    eps : float
        Added to the root, ≥ 1e-30, for 0/0 where a gradient is always 0.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a number, or out of its range.

    Notes
    -----
    A neuron that seldom fires seldom has a gradient. By a running mean of squares it would then
    take a leap; by the largest one it does not. Source: Zenke and Ganguli (2018).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.optim import RMaxProp
    >>> rule, p = RMaxProp(), {"w": np.array([1.0])}
    >>> p, state = rule.update(p, {"w": np.array([2.0])}, rule.init(p), 0.1)
    >>> p["w"].round(6)                            # the first step has the size of the rate
    array([0.9])
    """

    learning_rate: float = 1e-3
    decay: float = 0.9
    eps: float = 1e-8

    def __post_init__(self) -> None:
        check_fields(self, learning_rate=(0.0, math.inf), decay=(0.0, 1.0), eps=(1e-30, math.inf))

    def init(self, parameters: Arrays) -> State:
        """State for parameters that have not been updated yet."""
        return {"most": _zeros(parameters)}

    def update(
        self, parameters: Arrays, gradients: Arrays, state: State, rate: float | Any
    ) -> tuple[Arrays, State]:
        """Return parameters and state after one step of size `rate`."""
        xp = _namespace(parameters, gradients)
        most = {k: xp.maximum(self.decay * state["most"][k], g * g) for k, g in gradients.items()}
        new = {
            k: p - rate * gradients[k] / (xp.sqrt(most[k]) + self.eps)
            for k, p in parameters.items()
        }
        return new, {"most": most}


Optimizer = SGD | Adam | RMaxProp


def constant(progress: float) -> float:
    """Schedule: factor 1 throughout.

    Examples
    --------
    >>> constant(0.3)
    1.0
    """
    return 1.0


def cosine(progress: float) -> float:
    """Schedule: half a cosine from 1 at progress 0 to 0 at progress 1.

    Examples
    --------
    >>> cosine(0.0), round(cosine(0.5), 12), cosine(1.0)
    (1.0, 0.5, 0.0)
    """
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float) -> float:
    """Schedule: a linear rise from 0.04 to 1 over the first 30 %, then half a cosine down to 0.

    Examples
    --------
    >>> one_cycle(0.0), one_cycle(0.3), one_cycle(1.0)
    (0.04, 1.0, 0.0)
    """
    peak, start = 0.3, 0.04
    if progress < peak:
        return start + (1.0 - start) * progress / peak
    return cosine((progress - peak) / (1.0 - peak))


def _zeros(parameters: Arrays) -> Arrays:
    xp = _namespace(parameters)
    return {k: xp.zeros_like(p) for k, p in parameters.items()}


def _namespace(parameters: Arrays, gradients: Arrays | None = None) -> Namespace:
    """Return the one namespace of all arrays, none of which is masked, sparse or the like."""
    groups = {"parameters": parameters, "gradients": gradients or {}}
    for group in groups.values():
        for value in group.values():
            if type(value) is not np.ndarray:
                named = {f"{g}[{k!r}]": a for g, own in groups.items() for k, a in own.items()}
                return namespace_of(**named) or numpy_namespace
    return numpy_namespace

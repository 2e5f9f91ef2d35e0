"""Neurons that compete: one fires and keeps the others down, and STDP makes it fit its input.

Without labels, each comes to stand for a pattern that keeps coming back. A threshold that rises
with every spike, and weights of a constant sum, keep all of them in play.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and numbers out of range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_fields, check_number
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.plasticity.stdp import STDP
from synann_core.spiking.plasticity.traces import State, named_state, silent_state, state_shapes

_AXES = {"membrane": "Bm", "raised": "m"}  # of the state


@dataclass(frozen=True)
class WinnerTakeAll:
    """Leaky integrate-and-fire neurons, of which at most one fires in a step.

    From the membrane m, with input current I, in each sample::

        m = decay·m + I
        the neuron with the largest m − threshold − raised fires, if that is above 0
        m = reset_to for the one that fired; all others lose `inhibition`
        raised = adaptation_decay·raised + adaptation·(its spikes in the batch)

    Parameters
    ----------
    decay : float
        Share of the membrane that is left after a step, in [0, 1].
    threshold : float
        Above the membrane at rest, which is 0; ≥ 0.
    reset_to : float
        Membrane after a spike, below `threshold`.
    inhibition : float
        What a spike takes from the membranes of the others, ≥ 0.
    adaptation, adaptation_decay : float
        What a spike adds to the neuron's own threshold, ≥ 0, and the share of it that is left after
        a step, in [0, 1]. Slow, it outlasts samples: all of a batch share it.

    Notes
    -----
    Numbers are in the unit of `threshold`, time in steps. The defaults are in mV and ms, as in
    P. Diehl and M. Cook, "Unsupervised learning of digit recognition using spike-timing-dependent
    plasticity", Frontiers in Computational Neuroscience 9:99 (2015), whose layer of inhibitory
    neurons is here one step without a delay, and whose neurons have conductances and rest for 5 ms
    after a spike.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import WinnerTakeAll
    >>> layer = WinnerTakeAll(decay=0.5, threshold=1.0, inhibition=1.0, adaptation=0.5)
    >>> spikes, state = layer.run(np.tile([1.2, 1.1], (4, 1, 1)))  # 4 steps, 1 sample, 2 neurons
    >>> spikes[:, 0]
    array([[1., 0.],
           [0., 1.],
           [0., 0.],
           [1., 0.]])
    >>> state["raised"].round(3)
    array([1. , 0.5])
    """

    decay: float = math.exp(-1 / 100)
    threshold: float = 13.0
    reset_to: float = 0.0
    inhibition: float = 60.0
    adaptation: float = 0.05
    adaptation_decay: float = math.exp(-1e-7)

    def __post_init__(self) -> None:
        check_fields(
            self,
            threshold=(0.0, math.inf),
            reset_to=(-math.inf, math.inf),
            inhibition=(0.0, math.inf),
            adaptation=(0.0, math.inf),
        )
        check_fields(self, "[]", decay=(0.0, 1.0), adaptation_decay=(0.0, 1.0))
        if not self.reset_to < self.threshold:
            raise ValueError(
                f"`reset_to` must be below the threshold {self.threshold}. "
                f"Received: {self.reset_to}"
            )

    def init(self, weights: ArrayT, batch: int) -> State[ArrayT]:
        """Return the state of neurons that nothing has reached yet.

        Parameters
        ----------
        weights : array, shape (m, n)
        batch : int
            Samples that run side by side, ≥ 0.

        Returns
        -------
        dict
            "membrane", shape (batch, m), and "raised", shape (m,): zeros.
        """
        return silent_state(weights, batch, **_AXES)

    def run(
        self, currents: ArrayT, /, state: State[ArrayT] | None = None
    ) -> tuple[ArrayT, State[ArrayT]]:
        """Run a window in which nothing but the thresholds is learned.

        Parameters
        ----------
        currents : array, shape (T, B, m)
            Spikes times weights: ``spikes @ weights.T``.
        state : dict, optional
            Of `init`, or of the window before; at rest if not given.

        Returns
        -------
        spikes : array, shape (T, B, m)
            0 or 1.
        state : dict
        """
        named = {} if state is None else named_state(state, *_AXES)
        with Arguments(currents=currents, **named) as given:
            given.check_shapes(currents=("T", "B", "m"), **_shapes(state))
            _check_neurons(given, "currents", -1)
            if state is None:
                _add_rest(given, *given.shape("currents")[1:])
            run = runner(_run, given.xp)
            spikes, *after = map(given.result, run(*given.arrays, layer=self, xp=given.xp))
            return spikes, dict(zip(_AXES, after, strict=True))

    def learn(
        self, weights: ArrayT, spikes: ArrayT, /, rule: STDP, state: State[ArrayT] | None = None
    ) -> tuple[ArrayT, ArrayT, State[ArrayT]]:
        """Run a window in which every spike changes the weights as `STDP.step` does.

        Parameters
        ----------
        weights : array, shape (m, n)
        spikes : array, shape (T, B, n)
            Of the inputs, 0 or 1. Their traces begin with the window.
        rule : STDP
        state : dict, optional
            Of `init`, or of the window before; at rest if not given.

        Returns
        -------
        weights : array, shape (m, n)
        spikes : array, shape (T, B, m)
            Of the neurons.
        state : dict

        Notes
        -----
        On NumPy, with one sample and a rule without depression by inputs (``a_minus=0``), only the
        rows of neurons that fire are touched: the same to rounding, many times as fast.
        """
        if not isinstance(rule, STDP):
            raise TypeError(f"`rule` must be an STDP. Received: {rule!r}")
        named = {} if state is None else named_state(state, *_AXES)
        with Arguments(weights=weights, spikes=spikes, **named) as given:
            given.check_shapes(weights=("m", "n"), spikes=("T", "B", "n"), **_shapes(state))
            _check_neurons(given, "weights", 0)
            batch = given.shape("spikes")[1]
            if state is None:
                _add_rest(given, batch, given.shape("weights")[0])
            rows_only = type(weights) is np.ndarray and batch == 1 and rule.a_minus == 0.0
            run = _learn_rows if rows_only else runner(_learn, given.xp)
            found = run(*given.arrays, layer=self, rule=rule, xp=given.xp)
            weights, fired, *after = map(given.result, found)
            return weights, fired, dict(zip(_AXES, after, strict=True))

    def _step(
        self, membrane: Array, raised: Array, current: Array, *, xp: Namespace
    ) -> tuple[Array, Array, Array]:
        """Return membranes, what raises the thresholds, and spikes."""
        membrane = self.decay * membrane + current
        above = membrane - (self.threshold + raised)
        places = xp.arange(above.shape[-1], device=device(above))
        best = xp.argmax(above, axis=-1)[:, None]
        won = (places[None, :] == best) & (above > 0.0)
        spikes = xp.astype(won, membrane.dtype)
        lost = self.inhibition * xp.max(spikes, axis=-1, keepdims=True)
        membrane = xp.where(won, self.reset_to, membrane - lost)
        raised = self.adaptation_decay * raised + self.adaptation * xp.sum(spikes, axis=0)
        return membrane, raised, spikes


def normalise_weights(weights: ArrayT, total: float, /) -> ArrayT:
    """Scale the weights of each neuron so that they add up to `total`.

    Parameters
    ----------
    weights : array, shape (m, n)
        ≥ 0. A neuron whose weights are all 0 keeps them.
    total : float
        > 0.

    Returns
    -------
    array, shape (m, n)

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import normalise_weights
    >>> normalise_weights(np.array([[1.0, 3.0], [0.0, 0.0]]), 2.0)
    array([[0.5, 1.5],
           [0. , 0. ]])
    """
    total = check_number("total", total, 0.0, ends="()")
    with Arguments(weights=weights) as given:
        given.check_shapes(weights=("m", "n"))
        xp, w = given.xp, given["weights"]
        sums = xp.sum(w, axis=1, keepdims=True)
        return given.result(w * (total / xp.where(sums > 0.0, sums, xp.ones_like(sums))))


def _shapes(state: State[ArrayT] | None) -> dict[str, Any]:
    return {} if state is None else state_shapes(_AXES)


def _check_neurons(given: Arguments[Any], name: str, axis: int) -> None:
    """Refuse an argument without neurons, of which none could be the best."""
    shape = given.shape(name)
    if shape[axis] == 0:
        raise ValueError(f"`{name}` must be of one neuron or more. Received: shape {shape}")


def _add_rest(given: Arguments[Any], batch: int, m: int) -> None:
    """Add the state of neurons at rest to the arguments."""
    given.array("state_membrane", 0.0, (batch, m))
    given.array("state_raised", 0.0, (m,))


def _run(
    currents: Array, membrane: Array, raised: Array, *, layer: WinnerTakeAll, xp: Namespace
) -> tuple[Array, ...]:
    if currents.shape[0] == 0:
        return currents, membrane, raised

    def step(carry: Any, part: tuple[Array]) -> tuple[Any, tuple[Array]]:
        membrane, raised, spikes = layer._step(carry[0], carry[1], part[0], xp=xp)
        return (membrane, raised), (spikes,)

    carry, (spikes,) = scan(step, (membrane, raised), (currents,), xp)
    return spikes, *carry


def _learn(
    weights: Array,
    spikes: Array,
    membrane: Array,
    raised: Array,
    *,
    layer: WinnerTakeAll,
    rule: STDP,
    xp: Namespace,
) -> tuple[Array, ...]:
    if spikes.shape[0] == 0:
        return weights, spikes @ xp.matrix_transpose(weights), membrane, raised

    def step(carry: Any, part: tuple[Array]) -> tuple[Any, tuple[Array]]:
        (weights, membrane, raised, x, y), (pre,) = carry, part
        current = pre @ xp.matrix_transpose(weights)
        membrane, raised, post = layer._step(membrane, raised, current, xp=xp)
        weights, x, y = rule._step(weights, pre, post, x, y, xp=xp)
        return (weights, membrane, raised, x, y), (post,)

    traces = xp.zeros_like(spikes[0, ...]), xp.zeros_like(membrane)
    carry, (fired,) = scan(step, (weights, membrane, raised, *traces), (spikes,), xp)
    return carry[0], fired, *carry[1:3]


def _learn_rows(
    weights: Any,
    spikes: Any,
    membrane: Any,
    raised: Any,
    *,
    layer: WinnerTakeAll,
    rule: STDP,
    xp: Namespace,
) -> tuple[Any, ...]:
    """Return what `_learn` does for one sample, if inputs alone change no weight.

    Then the currents of a whole window are known but for those of the neuron that has just fired.
    """
    weights, membrane, raised = weights.copy(), membrane[0].copy(), raised.copy()
    live = np.flatnonzero(spikes.any(axis=(0, 1)))  # the traces of all others are 0
    inputs = spikes[:, 0, live]
    currents = inputs @ weights[:, live].T
    fired = np.zeros_like(currents)
    met = np.zeros((1, weights.shape[1]), weights.dtype)
    traces = rule._whole(spikes[:, :, live], rule.tau_plus, "potentiation", xp)[:, 0]
    one, none = np.ones((1, 1), weights.dtype), np.zeros((1, 1), weights.dtype)
    for t, current in enumerate(currents):
        membrane *= layer.decay
        membrane += current
        above = membrane - raised
        best = above.argmax()
        raised *= layer.adaptation_decay
        if above[best] > layer.threshold:
            fired[t, best] = 1.0
            membrane -= layer.inhibition
            membrane[best] = layer.reset_to
            raised[best] += layer.adaptation
            met[0, live] = traces[t]
            row = weights[best : best + 1]
            row[:] = rule._changed(row, met, one, met, none, xp)
            currents[t + 1 :, best] = inputs[t + 1 :] @ row[0, live]
    return weights, fired[:, None], membrane[None], raised

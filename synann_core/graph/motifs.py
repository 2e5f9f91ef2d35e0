"""Build ready-made graphs and circuits: logic gates, comparator, latch, oscillator, growth.

At inputs 0 and 1 and α = β = 1 a synapse is "x and not y", from which every Boolean function
follows; between 0 and 1 the gates compute the probability for independent inputs.
"""

from __future__ import annotations

from typing import Literal, get_args

from synann_core._lib.checks import check_int, check_option, check_pair
from synann_core.graph.builder import SynapseGraph
from synann_core.graph.circuit import Circuit
from synann_core.graph.names import check_strength

__all__ = ["comparator", "flip", "latch", "logic_gate", "logistic_map", "oscillator"]

Gate = Literal["not", "and", "or", "nor", "nand", "xor", "implies"]


def logic_gate(name: Gate) -> SynapseGraph:
    """Build a gate of synapses: inputs x and y (for "not", x alone), output z.

    Parameters
    ----------
    name : {"not", "and", "or", "nor", "nand", "xor", "implies"}

    Returns
    -------
    SynapseGraph
        A definite output for inputs 0 and 1. For others the probability that the gate's output is
        1, if x and y are independent; for "xor", which reads them twice, an approximation:
        ``or · (1 − and)``.

    Raises
    ------
    ValueError
        If there is no such gate.

    Notes
    -----
    Source: the synapse's Boolean limit (α = β = 1, inputs 0 and 1), ``S(x, y) = x and not y``:
    ``NOT y = S(1, y)``, ``AND = S(x, S(1, y))``, ``NOR = S(S(1, x), y)``, ``OR = S(1, NOR)``,
    ``XOR = S(OR, AND)``.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph.motifs import logic_gate
    >>> inputs = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> logic_gate("xor").compile()(inputs)[:, 0]
    array([0., 1., 1., 0.])
    """
    check_option("name", name, get_args(Gate))
    graph = SynapseGraph()
    graph.input("x") if name == "not" else graph.input("x", "y")
    if name in ("not", "nor"):
        graph.synapse("z", inhibitory=dict.fromkeys(graph.inputs, 1.0))
    elif name in ("or", "xor"):
        _or(graph, "x", "y", "z" if name == "or" else "or")
    if name in ("and", "xor", "nand"):
        graph.synapse("not y", inhibitory="y")
        graph.synapse("z" if name == "and" else "and", excitatory="x", inhibitory="not y")
    if name == "xor":
        graph.synapse("z", excitatory="or", inhibitory="and")
    elif name == "nand":
        graph.synapse("z", inhibitory="and")
    elif name == "implies":
        graph.synapse("x and not y", excitatory="x", inhibitory="y")
        graph.synapse("z", inhibitory="x and not y")
    return graph


def comparator() -> Circuit:
    """Build a circuit that tells which of two is larger, and by how much.

    ``x' = S(x, y)`` and ``y' = S(y, x)`` at α = β = 1.

    Every step keeps x − y, and the state converges to (max(x − y, 0), max(y − x, 0)); where
    x = y only like 1/steps.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph.motifs import comparator
    >>> comparator().iterate(np.array([0.9, 0.5]), 100)[-1].round(4)
    array([0.4, 0. ])
    """
    return flip(1.0, 1.0, crossed=True)


def flip(
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    second: tuple[float, float] | None = None,
    crossed: bool = False,
) -> Circuit:
    """Build the published drawing of a flip-flop, x' = S(x, y; α, β) and y' = S(x, y; α₂, β₂).

    With equal synapses both neurons are equal after one step and follow the logistic map: it is
    not a flip-flop. With the second one (1, 0), y is x one step ago, and x follows the delayed
    logistic map, whose fixed point gives way to a ring at α = 2 (Neimark–Sacker bifurcation).

    Parameters
    ----------
    alpha, beta : float
        Gain, ≥ 0, and strength, in [0, 1], of the first synapse.
    second : pair of float, optional
        Those of the second, the same if not given.
    crossed : bool
        Exchange the second one's inputs, y' = S(y, x; α₂, β₂): each inhibits the other.

    Returns
    -------
    Circuit

    Raises
    ------
    TypeError, ValueError
        If α or β is not a number or out of range, or `second` is not a pair.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph.motifs import flip
    >>> flip(3.2).iterate(np.array([0.6, 0.5]), 2).round(4)
    array([[0.6   , 0.5   ],
           [0.96  , 0.96  ],
           [0.1229, 0.1229]])
    """
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("next x", excitatory="x", inhibitory={"y": beta}, alpha=alpha)
    if second is not None:
        alpha, beta = check_pair("second", second, "(alpha, beta)")
    excites, inhibits = ("y", "x") if crossed else ("x", "y")
    graph.synapse("next y", excitatory=excites, inhibitory={inhibits: beta}, alpha=alpha)
    return Circuit(graph, {"x": "next x", "y": "next y"})


def latch(alpha: float = 2.0, beta: float = 0.8) -> Circuit:
    """Build a circuit that remembers one bit: neurons q and p hold each other down.

    With the drives at 0, ``q' = α q (1 − β p)`` and ``p' = α p (1 − β q)``, bounded to [0, 1]:
    (1, 0) and (0, 1) are stable for α > 1 and α(1 − β) < 1, and for α ≤ 4β (q, p) goes to the one
    where it leans. (With more gain both can reach 1 at once, and stay equal.) A drive
    at 1 ("set" of q, "reset" of p) excites its own neuron, ``q or set``, and closes the other; both
    at once empty the latch.

    Parameters
    ----------
    alpha : float
        Gain, > 1.
    beta : float
        Strength, in [0, 1].

    Returns
    -------
    Circuit
        States q, p; drives set, reset.

    Raises
    ------
    TypeError, ValueError
        If α or β is not a number or out of range, or if the circuit would not be bistable.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph.motifs import latch
    >>> off = np.array([0.0, 1.0])
    >>> drive = np.array([[1.0, 0.0]] * 2 + [[0.0, 0.0]] * 2)       # set, then hold
    >>> latch().iterate(off, 4, drive=drive)[:, 0]
    array([0. , 0.4, 1. , 1. , 1. ])
    """
    alpha, beta = check_strength("alpha", alpha, "a latch"), check_strength("beta", beta, "a latch")
    if not (alpha > 1.0 and alpha * (1.0 - beta) < 1.0):
        raise ValueError(
            "`alpha` must be above 1 and alpha·(1 − beta) below 1, or the circuit has one state. "
            f"Received: alpha {alpha!r}, beta {beta!r}"
        )
    graph = SynapseGraph()
    graph.input("set", "reset", "q", "p")
    _or(graph, "q", "set", "q or set")
    _or(graph, "p", "reset", "p or reset")
    for state, other, closing in (("q", "p or reset", "reset"), ("p", "q or set", "set")):
        own = "q or set" if state == "q" else "p or reset"
        inhibitory = {other: beta, closing: 1.0}
        graph.synapse(f"next {state}", excitatory=own, inhibitory=inhibitory, alpha=alpha)
    return Circuit(graph, {"q": "next q", "p": "next p"}, clip=True)


def oscillator(neurons: int = 3, alpha: float = 2.0) -> Circuit:
    """Build a ring in which each neuron inhibits the next: an odd ring never comes to rest.

    ``x_k' = α (1 − x_(k−1))``, bounded to [0, 1]. For α > 1 the fixed point x = α/(1 + α) is
    unstable; at 0 and 1 the ring goes round in 2·neurons steps.

    Parameters
    ----------
    neurons : int
        Odd, ≥ 3.
    alpha : float
        Gain, > 1.

    Returns
    -------
    Circuit

    Raises
    ------
    TypeError, ValueError
        If `neurons` is not an odd int of 3 or more, or `alpha` not a number above 1.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph.motifs import oscillator
    >>> states = oscillator().iterate(np.array([1.0, 0.0, 0.0]), 6)
    >>> states[:, 0]
    array([1., 1., 0., 0., 0., 1., 1.])
    """
    if check_int("neurons", neurons, 3) % 2 == 0:
        raise ValueError(f"`neurons` must be odd. Received: {neurons}")
    if not check_strength("alpha", alpha, "an oscillator") > 1.0:
        raise ValueError(f"`alpha` must be above 1. Received: {alpha!r}")
    graph = SynapseGraph()
    graph.input(*range(neurons))
    for k in range(neurons):
        graph.synapse(f"next {k}", inhibitory={(k - 1) % neurons: 1.0}, alpha=alpha)
    return Circuit(graph, {k: f"next {k}" for k in range(neurons)}, clip=True)


def logistic_map() -> Circuit:
    """Build one synapse on itself, x' = α x (1 − x), with the gain α as a drive.

    Fixed point 1 − 1/α, stable for 1 < α < 3; then periods 2, 4, …, and chaos.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph.motifs import logistic_map
    >>> states = logistic_map().iterate(np.array([0.3]), 500, drive=np.array([3.2]))
    >>> states[-2:, 0].round(4)
    array([0.513 , 0.7995])
    """
    graph = SynapseGraph()
    graph.input("alpha", "x")
    graph.synapse("next x", excitatory=("alpha", "x"), inhibitory="x")
    return Circuit(graph, {"x": "next x"})


def _or(graph: SynapseGraph, first: str, second: str, name: str) -> None:
    graph.synapse(f"{first} nor {second}", inhibitory={first: 1.0, second: 1.0})
    graph.synapse(name, inhibitory=f"{first} nor {second}")

"""Write a trained model as one file of C that depends on nothing but math.h."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from synann_core._lib.checks import any_numbers, check_int, check_number, check_option
from synann_core._lib.files import FilePath, write_whole
from synann_core._lib.typing import AnyArray, Space
from synann_core.export.c.circuit import circuit_source
from synann_core.export.c.graph import graph_source
from synann_core.export.c.integers import WholeDtype, integers_source
from synann_core.export.c.learner import integers_learner_source, learner_source
from synann_core.export.c.network import network_source
from synann_core.export.c.spiking import spiking_source
from synann_core.export.c.text import check_dtype, check_name
from synann_core.export.checks import Precision, check_network, in_dtype
from synann_core.graph import Circuit, GraphParameters, SynapseGraph
from synann_core.models.mlp import SynaMLP
from synann_core.spiking import SpikingNetwork

__all__ = ["save_c", "save_c_learner"]


def save_c(
    model: SynaMLP | SynapseGraph | Circuit | SpikingNetwork,
    path: FilePath,
    /,
    *,
    name: str = "model",
    dtype: Precision | WholeDtype = "float32",
    space: Space = "probability",
    params: GraphParameters | None = None,
    levels: int | None = None,
) -> None:
    """Write a model as one C99 source file without dependencies, for use on a small device.

    Scalar code: no heap, no library but math.h. Of a SynaMLP, batch norms are folded into the
    affine maps beside them, which is exact but for rounding; of a graph, every neuron that an
    output needs is one scalar variable; of a circuit or a spiking network, the state is a struct.

    Parameters
    ----------
    model : SynaMLP, SynapseGraph, Circuit or SpikingNetwork
    path : str or path
        Of the file to write, usually ending in ``.c``; written whole or not at all.
    name : str
        Start of every name in the file: a letter, then letters, digits and underscores.
    dtype : {"float32", "float64", "int16", "int8"}
        Of the constants and the arithmetic: C's float or double. Of a SynaMLP also whole numbers:
        weights of 16 or 8 bits, and no floating-point number anywhere.
    space : {"probability", "surprisal"}
        Of a graph: what its inputs and outputs are.
    params : GraphParameters, optional
        Of a graph or circuit, in place of its own: after training, say. Probabilities, always.
    levels : int, optional
        Of whole numbers, from 1 to 255: what a feature of 1 is there. 255, if not given.

    Notes
    -----
    The file of a SynaMLP defines ``void NAME_logits(const float *x, float *logits)``, for features
    in [0, 1] and what `SynaMLP.decision_function` gives, and ``int NAME_predict(const float *x)``,
    the most probable class; they need 2·hidden + classes numbers of stack. That of a graph defines
    ``void NAME_run(const float *x, float *out)``. Neither keeps a state. A circuit's is the array
    ``x`` of a struct ``NAME_state``, in the order of `Circuit.states`; the program sets it, and
    ``void NAME_step(NAME_state *state, const float *drive)`` is `Circuit.step`. A spiking network's
    is ``NAME_state``, too: ``void NAME_init(NAME_state *)`` puts it to rest, ``void
    NAME_step(NAME_state *, const float *x)`` takes one step (``NAME_input`` and ``NAME_advance``
    are its two halves, where inputs stay), and ``int NAME_predict(NAME_state *, const float *x)``
    takes all steps of inputs that stay. Constants are hexadecimal literals, so that none is rounded
    again.

    In whole numbers the functions of a SynaMLP are ``void NAME_logits(const uint8_t *x, int64_t
    *logits)`` and ``int NAME_predict(const uint8_t *x)``: x[j] is ``round(levels · feature)``, and
    the file says how many nats a unit of a logit is. Every processor computes the same integers.
    Scales follow from the weights, and no sum can overflow. Rounding the weights is nearly all
    that is lost; how much that is on some data is to be measured (docs/export.md).

    Raises
    ------
    TypeError
        If `model` is none of these, or not a SynaMLP in whole numbers; if it comes with `params`
        or `levels` that it does not have.
    ValueError
        If an option is unknown, a network or circuit asked for in surprisal space (their inputs are
        features and probabilities), a weight not finite in `dtype`, or a graph has more than 20,000
        synapses. In whole numbers, if a SynaMLP has more than 1,023 hidden neurons or log-odds of
        thousands of nats.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import synann_core as syn
    >>> from synann_core.export import save_c
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tiny.c")
    ...     save_c(syn.SynaMLP(4, 8, 2), path, name="tiny")
    ...     "int tiny_predict(const float *x);" in path.read_text()
    True
    """
    check_name(name)
    check_option("space", space, get_args(Space))
    check_dtype(dtype, get_args(WholeDtype))
    if dtype == "int8" or dtype == "int16":
        if not isinstance(model, SynaMLP):
            raise TypeError(f"`model` must be a SynaMLP in whole numbers. Received: {model!r}")
        check_network(model, params, space)
        most = check_int("levels", 255 if levels is None else levels, 1)
        if most > 255:
            raise ValueError(f"`levels` must be at most 255. Received: {levels!r}")
        write_whole(path, integers_source(model, name, dtype, most).encode("ascii"))
        return
    if levels is not None:
        raise TypeError(f"`levels` must be None in floating point. Received: {levels!r}")
    if isinstance(model, SynapseGraph):
        text = graph_source(model.compile(), params, name, dtype, space)
    elif isinstance(model, Circuit):
        if space != "probability":
            raise ValueError(f"`space` must be 'probability' for a Circuit. Received: {space!r}")
        text = circuit_source(model, params, name, dtype)
    else:
        network = check_network(model, params, space)
        if isinstance(network, SpikingNetwork):
            text = spiking_source(network, name, dtype)
        else:
            text = network_source(network, name, dtype)
    write_whole(path, text.encode("ascii"))


def save_c_learner(
    theta: AnyArray | float,
    gamma: AnyArray,
    path: FilePath,
    /,
    *,
    name: str = "layer",
    dtype: Precision | Literal["int32"] = "float32",
    gamma_min: float = 1e-3,
) -> None:
    """Write a surprisal synapse layer that goes on learning on the device, as one C99 file.

    Parameters
    ----------
    theta : array, shape (m,), or number
        −log α, in nats.
    gamma : array, shape (m, n)
        −log β, in nats, ≥ 0: where learning starts.
    path, name
        As for `save_c`.
    dtype : {"float32", "float64", "int32"}
        Of the numbers and the arithmetic. "int32" has no floating-point number anywhere.
    gamma_min : float
        Least γ that a step leaves, > 0, in nats: β stays at or below e^(−gamma_min).

    Notes
    -----
    The file defines ``void NAME_forward(const float *u, const float *v, float *z)``, which is
    `surprisal_synapse_tensor` but where γ + v = 0: its z is large there, not inf. ``void
    NAME_learn(const float *u, const float *v, const float *target, float rate)`` is a step of
    `surprisal_rule` for one sample: ``γ ← max(gamma_min, γ − rate · (τ p_i − target_i) n_ij)``; θ
    stays, and so does a γ whose step is NaN. ``float NAME_gamma[m * n]`` holds the strengths, to be
    kept and put back by the program.

    In whole numbers u, v, θ and z are surprisals in units of 2⁻¹⁵ bits, ``int32_t`` from 0 to 2³⁰,
    and ``int32_t NAME_surprisal(uint32_t p)`` makes one of a probability p / 2¹⁶. ``uint32_t
    NAME_gamma[m * n]`` is in units of 2⁻²⁴ bits, ``const uint16_t *target`` in units of 2⁻¹⁵ (of
    which all sum to 1 at most), and ``uint16_t rate`` in units of 2⁻¹⁶. A factor 1 − β y is at
    least 2⁻¹⁵. No sum can overflow, and every processor learns the same.

    Raises
    ------
    TypeError
        If `theta` or `gamma` is not an array, or `gamma_min` not a number.
    ValueError
        If a shape, a value or an option is wrong; in whole numbers, if there are more than 1,023
        inputs, or if a θ is not within ±5,678 nats.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from synann_core.export import save_c_learner
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "layer.c")
    ...     save_c_learner(0.0, np.full((3, 4), 0.7), path)
    ...     "extern float layer_gamma[12];" in path.read_text()
    True
    """
    check_name(name)
    check_dtype(dtype, ("int32",))
    precision: Precision = "float64" if dtype == "int32" else dtype
    least = check_number("gamma_min", gamma_min, 0.0, ends="()")
    least = check_number(
        "gamma_min", float(in_dtype("gamma_min", least, precision)), 0.0, ends="()"
    )
    strengths = in_dtype("gamma", any_numbers("gamma", gamma), precision)
    if strengths.ndim != 2 or 0 in strengths.shape:
        raise ValueError(
            f"`gamma` must have shape (m, n), not empty. Received: shape {strengths.shape}"
        )
    if strengths.min() < 0.0:
        raise ValueError(f"`gamma` must be ≥ 0. Received: {strengths.min():g}")
    m = strengths.shape[0]
    gains = in_dtype("theta", any_numbers("theta", theta), precision)
    if gains.shape not in ((), (m,)):
        raise ValueError(f"`theta` must have shape ({m},). Received: shape {gains.shape}")
    gains = np.broadcast_to(gains, (m,))
    if dtype == "int32":
        text = integers_learner_source(gains, strengths, least, name)
    else:
        text = learner_source(gains, strengths, least, name, dtype)
    write_whole(path, text.encode("ascii"))

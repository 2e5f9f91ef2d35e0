"""Noisy-OR networks from and to other forms: pgmpy's Bayesian networks, synapse graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core.graph import SynapseGraph
from synann_core.noisy_or.parameters import Parameters, dense_rows

_PRESENT = ("true", "1", "yes", "present", "on")
_ABSENT = ("false", "0", "no", "absent", "off")
_TABLE_ERROR = 1e-9  # of an entry of a table, for it to be a noisy-OR's
_MOST_PARENTS = 24  # a table has 2^parents entries


def network_to_graph(network: Parameters) -> SynapseGraph:
    """Build the graph whose outputs are the probabilities that the findings are absent."""
    if network.protection is not None:
        raise ValueError(
            f"`protection` must be None: a neuron cannot compute it. Received: {network!r}"
        )
    causes = network.causes or tuple(f"cause {j}" for j in range(network.prior.size))
    findings = network.findings or tuple(f"finding {i}" for i in range(network.leak.size))
    shared = sorted(set(causes) & set(findings))
    if shared:
        raise ValueError(
            f"`causes` and `findings` must have different names. Received: {shared[0]!r} in both"
        )
    graph = SynapseGraph()
    graph.input(*causes)
    for i, finding in enumerate(findings):
        (strengths,) = dense_rows(network.beta, np.array([i]))
        links = {causes[j]: float(strengths[j]) for j in np.flatnonzero(strengths)}
        graph.synapse(finding, inhibitory=links, alpha=1.0 - float(network.leak[i]))
        graph.output(finding)
    return graph


def arguments_from_pgmpy(model: Any) -> dict[str, Any]:
    """Arguments for the network that a pgmpy model of two layers is, dense."""
    if not (hasattr(model, "get_cpds") and hasattr(model, "nodes")):
        raise TypeError(
            "`model` must be a pgmpy DiscreteBayesianNetwork. "
            f"Received: {type(model).__module__}.{type(model).__qualname__}"
        )
    tables = {node: model.get_cpds(node) for node in model.nodes()}
    bare = next((node for node, table in tables.items() if table is None), None)
    if bare is not None:
        raise ValueError(f"`model` must have a CPD for each node. Received: none for {bare!r}")
    parents = {node: list(table.variables[1:]) for node, table in tables.items()}
    causes = [node for node in tables if not parents[node]]
    findings = [node for node in tables if parents[node]]
    deep = next((n for n in findings for p in parents[n] if parents[p]), None)
    if deep is not None or not findings:
        what = "no node with parents" if deep is None else f"{deep!r}, whose parents have parents"
        raise ValueError(
            f"`model` must have two layers, causes and their findings. Received: {what}"
        )
    place = {cause: j for j, cause in enumerate(causes)}
    prior = np.array([_absent_first(tables[c], c)[1] for c in causes])
    leak, beta = np.zeros(len(findings)), np.zeros((len(findings), len(causes)))
    for i, finding in enumerate(findings):
        leak[i], strengths = _noisy_or_of(tables[finding], finding)
        beta[i, [place[p] for p in parents[finding]]] = strengths
    return {
        "prior": prior,
        "leak": leak,
        "beta": beta,
        "causes": [str(c) for c in causes],
        "findings": [str(f) for f in findings],
    }


def _absent_first(table: Any, node: Any) -> NDArray[np.float64]:
    """The table's values with all axes in the order absent, present; its node is the first axis."""
    values = np.asarray(table.values, dtype=np.float64)
    if values.ndim > _MOST_PARENTS + 1 or values.shape != (2,) * values.ndim:
        raise ValueError(
            f"`model` must have nodes of two states and at most {_MOST_PARENTS} parents. "
            f"Received: {node!r} with a table of shape {values.shape}"
        )
    if not np.allclose(values.sum(axis=0), 1.0, rtol=0.0, atol=_TABLE_ERROR):
        raise ValueError(
            f"`model` must have tables whose columns add up to 1. Received: another one of {node!r}"
        )
    for axis, variable in enumerate(table.variables):
        states = [str(s).lower() for s in table.state_names[variable]]
        if states[0] in _PRESENT and states[1] in _ABSENT:
            values = np.flip(values, axis)
        elif not (states[0] in _ABSENT and states[1] in _PRESENT):
            raise ValueError(
                "`model` must name states true and false, 1 and 0, yes and no, present and absent, "
                f"or on and off. Received: {table.state_names[variable]!r} of {variable!r}"
            )
    return values


def _noisy_or_of(table: Any, node: Any) -> tuple[float, NDArray[np.float64]]:
    """Leak and strengths of a table; ValueError if it is not a noisy-OR's."""
    absent = _absent_first(table, node)[0]
    parents = absent.ndim
    silent = float(absent[(0,) * parents])
    alone = np.array([absent[tuple(int(q == p) for q in range(parents))] for p in range(parents)])
    if silent == 0.0:
        raise ValueError(f"`model` must have leaks below 1. Received: {node!r}, always present")
    product = np.full((2,) * parents, silent)
    for p in range(parents):
        shape = [2 if q == p else 1 for q in range(parents)]
        product = product * np.reshape([1.0, alone[p] / silent], shape)
    error = float(np.abs(product - absent).max())
    if not (error <= _TABLE_ERROR and (alone <= silent * (1.0 + _TABLE_ERROR)).all()):
        raise ValueError(
            f"`model` must have noisy-OR tables. Received: one of {node!r} that is off by {error}"
        )
    return 1.0 - silent, np.clip(1.0 - alone / silent, 0.0, 1.0)

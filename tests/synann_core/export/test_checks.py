"""Checks that the exports share."""

import numpy as np
import pytest
import torch

import synann_core as syn
from synann_core.export.checks import check_network, parameters
from synann_core.graph import GraphParameters, SynapseGraph


def compiled():
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("z", inhibitory={"x": 0.5}, alpha=0.25)
    return graph.compile()


def test_parameters_are_the_graphs_own_or_given_ones():
    assert parameters(compiled(), None) == compiled().params
    given = GraphParameters(torch.tensor([0.125]), [1.0])
    for got, want in zip(parameters(compiled(), given), (0.125, 1.0), strict=True):
        assert got.dtype == np.float64
        assert got.tolist() == [want]


def test_parameters_in_surprisal_space():
    for given in (None, (np.array([1.0]), np.array([0.0]))):
        alpha, beta = parameters(compiled(), given)
        theta, gamma = parameters(compiled(), given, "surprisal")
        np.testing.assert_array_equal(np.exp(-theta), alpha)
        np.testing.assert_array_equal(np.exp(-gamma), beta)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (1, TypeError, r"`params` must be a pair \(alpha, beta\)"),
        (([1.0, 1.0], [1.0]), ValueError, r"`alpha` must have shape \(1,\)"),
        (([1.0], [2.0]), ValueError, r"`beta` must be in \[0, 1\]"),
        (([1.0], np.array([np.nan])), ValueError, r"`beta` must be in \[0, 1\].*nan at 0"),
    ],
)
def test_parameters_that_do_not_fit(params, error, message):
    with pytest.raises(error, match=message):
        parameters(compiled(), params)


def test_options_of_graphs_are_refused_for_a_network():
    model = syn.SynaMLP(2, 2, 2)
    assert check_network(model, None) is model
    with pytest.raises(TypeError, match="`model` must be a SynaMLP, a SynapseGraph, a Spik"):
        check_network(compiled(), None)
    with pytest.raises(TypeError, match="`params` must be None for a SynaMLP"):
        check_network(model, ([1.0], []))
    with pytest.raises(ValueError, match="`space` must be 'probability' for a SynaMLP"):
        check_network(model, None, "surprisal")

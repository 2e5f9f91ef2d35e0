"""Bayes' rule as a synapse graph, and odds ratios of real tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import odds_ratio
from sklearn.datasets import load_breast_cancer

import synann_core as syn
from synann_core.graph import SynapseGraph, bayes_graph
from tests.helpers import EPS, assert_relative

probability = st.floats(0.001, 0.999)
findings = st.lists(st.tuples(probability, probability, st.floats(0, 1)), min_size=1, max_size=8)


def likelihoods(p, y):
    """Probability of the evidence, finding by finding, straight from its definition."""
    return [a * b + (1 - a) * (1 - b) for a, b in zip(p, y, strict=True)]


@given(probability, findings)
def test_outputs_are_the_joint_probabilities(prior, rows):
    p, q, y = (list(column) for column in zip(*rows, strict=True))
    got = bayes_graph(prior, p, q).compile()(np.array(y))
    want = [prior * np.prod(likelihoods(p, y)), (1 - prior) * np.prod(likelihoods(q, y))]
    # 1 − y is rounded, and 1 − β·y loses at most 1/(1 − β) = 1/1000 of its digits.
    np.testing.assert_allclose(got, want, rtol=4000 * len(y) * EPS["float64"])


@given(probability, findings)
def test_surprisals_differ_by_the_posterior_log_odds(prior, rows):
    p, q, y = (np.array(column) for column in zip(*rows, strict=True))
    y = np.round(y)  # definite findings
    out = bayes_graph(prior, p, q).compile()(syn.surprisal(y), space="surprisal")
    ratios = np.where(y > 0, np.log(p / q), np.log((1 - p) / (1 - q)))
    want = np.log(prior / (1 - prior)) + ratios.sum()
    assert abs(out[1] - out[0] - want) <= 1e-12 * (1 + len(y)) * (1 + np.abs(ratios).sum())


def test_half_a_finding_says_nothing():
    graph = bayes_graph(0.2, [0.9, 0.3, 0.5], [0.1, 0.8, 0.5]).compile()
    joint = graph(np.full(3, 0.5))
    assert_relative(joint[0] / joint[1], 0.25, 8 * EPS["float64"])
    with_one = graph(np.array([1.0, 0.5, 0.5]))
    assert_relative(with_one[0] / with_one[1], 0.25 * 9, 16 * EPS["float64"])


def test_certain_findings_decide():
    graph = bayes_graph(0.5, [1.0, 0.0], [0.5, 0.5]).compile()
    np.testing.assert_array_equal(graph(np.array([1.0, 0.0])), [0.5, 0.125])
    assert graph(np.array([0.0, 0.0]))[0] == 0  # it is never absent with the event
    assert graph(np.array([1.0, 1.0]))[0] == 0


def test_no_findings_leave_the_prior():
    np.testing.assert_array_equal(bayes_graph(0.25, [], []).compile()(np.empty(0)), [0.25, 0.75])


def test_names_are_the_inputs():
    graph = bayes_graph(0.5, [0.9, 0.2], [0.1, 0.3], names=["cough", "fever"])
    assert graph.inputs == ("cough", "fever")
    assert graph.outputs == ("for", "against")
    assert graph.neurons == ("not cough", "for", "against")  # fever is rare with and without


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.5, [0.5], [0.5]), "`prior` must be in"),
        ((float("nan"), [0.5], [0.5]), "`prior` must be in"),
        ((0.5, [1.5], [0.5]), "`given` must be in"),
        ((0.5, [0.5], [-0.1]), "`otherwise` must be in"),
        ((0.5, [0.5], [0.5, 0.5]), "`given` and `otherwise`"),
        ((0.5, 0.5, 0.5), "`given` and `otherwise`"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        bayes_graph(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5, "ab", [0.5]), "`given` must hold real numbers. Received"),
        ((0.5, [0.5], "ab"), "`otherwise` must hold real numbers. Received"),
        ((0.5, None, [0.5]), "`given` must hold real numbers. Received"),
        ((0.5, [0.5], [[]] * 2), None),
        (("a", [0.5], [0.5]), "`prior` must be a number. Received: 'a'"),
    ],
)
def test_arguments_of_other_kinds_are_named(arguments, message):
    error = ValueError if message is None else TypeError
    with pytest.raises(error, match=message or "`given` and `otherwise` must be one-dimensional"):
        bayes_graph(*arguments)


def test_bad_names_are_named():
    with pytest.raises(ValueError, match="`names` must be 1 names"):
        bayes_graph(0.5, [0.5], [0.5], names=["a", "b"])
    with pytest.raises(ValueError, match="'for'"):
        bayes_graph(0.5, [0.5], [0.5], names=["for"])


def real_tables():
    data = load_breast_cancer()
    malignant = data.target == 0
    for column in data.data.T[::5]:
        large = column > np.median(column)
        yield np.array([[np.sum((large == f) & (malignant == e)) for e in (1, 0)] for f in (1, 0)])


@pytest.mark.parametrize("table", list(real_tables()))
def test_odds_ratio_of_a_table_is_scipys(table):
    # Of a finding with the event and without; p and q are rounded before their odds are taken.
    p, q = table[0] / table.sum(axis=0)
    want = odds_ratio(table, kind="sample").statistic
    assert_relative(syn.odds_ratio(p, q), want, 64 * EPS["float64"])
    assert_relative(syn.swap_ratio(p, q), want, 64 * EPS["float64"])


def test_two_swapped_synapses_in_a_graph_are_scipys_odds_ratio():
    graph = SynapseGraph()
    graph.input("p", "q")
    graph.synapse("forth", excitatory="p", inhibitory="q")
    graph.synapse("back", excitatory="q", inhibitory="p")
    compiled = graph.compile()
    for table in real_tables():
        forth, back = compiled(table[0] / table.sum(axis=0))
        want = odds_ratio(table, kind="sample").statistic
        assert_relative(forth / back, want, 64 * EPS["float64"])


def test_a_wrong_swap_would_be_noticed():
    # The interval of the conditional ratio covers ours, and not its reciprocal.
    table = next(iter(real_tables()))
    low, high = odds_ratio(table).confidence_interval(0.95)
    ratio = float(syn.odds_ratio(*(table[0] / table.sum(axis=0))))
    assert low < ratio < high
    assert not low < 1 / ratio < high

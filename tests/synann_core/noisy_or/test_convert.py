"""Other forms of a network: graphs that compute the same, and networks from pgmpy's."""

import itertools

import numpy as np
import pytest
from pgmpy.factors.discrete import NoisyORCPD, TabularCPD
from pgmpy.models import DiscreteBayesianNetwork
from scipy.sparse import csr_array

from synann_core.noisy_or import NoisyOr

# pgmpy's modules warn of each other while they are imported.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.mark.parametrize("sparse", [False, True])
def test_a_graph_predicts_what_is_absent(sparse):
    rng = np.random.default_rng(0)
    beta = rng.random((5, 3)) * (rng.random((5, 3)) < 0.6)
    network = NoisyOr(
        prior=rng.random(3),
        leak=rng.uniform(0, 0.2, 5),
        beta=csr_array(beta) if sparse else beta,
        causes=["x", "y", "z"],
    )
    graph = network.to_graph()
    assert tuple(graph.inputs) == ("x", "y", "z")
    assert tuple(graph.outputs) == tuple(f"finding {i}" for i in range(5))
    y = rng.random((4, 3))
    np.testing.assert_allclose(graph.compile()(y), 1 - network.predict(y), rtol=1e-14)


def test_what_a_graph_cannot_say_is_refused():
    with pytest.raises(ValueError, match="`protection` must be None"):
        NoisyOr([0.1], [0.1], [[0.5]], protection=[[0.5]]).to_graph()
    with pytest.raises(ValueError, match="Received: 'a' in both"):
        NoisyOr([0.1], [0.1], [[0.5]], causes=["a"], findings=["a"]).to_graph()


def root(name, p, states=("True", "False")):
    values = [[p], [1 - p]] if str(states[0]).lower() in ("true", "1") else [[1 - p], [p]]
    return TabularCPD(name, 2, values, state_names={name: list(states)})


def test_a_network_of_pgmpys_gives_the_same_probabilities():
    model = DiscreteBayesianNetwork([("A", "F"), ("B", "F"), ("B", "G")])
    model.add_cpds(
        root("A", 0.2),
        root("B", 0.1),
        NoisyORCPD("F", [0.4, 0.3], evidence=["A", "B"]),
        NoisyORCPD("G", [0.8], evidence=["B"]),
    )
    network = NoisyOr.from_pgmpy(model)
    assert (network.causes, network.findings) == (("A", "B"), ("F", "G"))
    np.testing.assert_allclose(network.beta, [[0.4, 0.3], [0.0, 0.8]], atol=1e-15)
    np.testing.assert_array_equal(network.leak, 0.0)
    from pgmpy.inference import VariableElimination

    infer = VariableElimination(model)
    for f, g in itertools.product([0, 1], repeat=2):
        states = {"F": "True" if f else "False", "G": "True" if g else "False"}
        got = network.posterior([[f, g]]).probability[0]
        for name, p in zip("AB", got, strict=True):
            want = infer.query([name], evidence=states).get_value(**{name: "True"})
            np.testing.assert_allclose(p, want, rtol=1e-12)


def test_tables_with_a_leak_and_states_in_either_order():
    """States 0 and 1, the other way round than NoisyORCPD's."""
    leak, beta = 0.1, np.array([0.5, 0.25])
    sets = np.array(list(itertools.product([0, 1], repeat=2)))
    absent = (1 - leak) * np.prod(1 - beta * sets, axis=1)
    table = TabularCPD("F", 2, [absent, 1 - absent], ["A", "B"], [2, 2])
    model = DiscreteBayesianNetwork([("A", "F"), ("B", "F")])
    model.add_cpds(root("A", 0.2, (0, 1)), root("B", 0.1, (0, 1)), table)
    network = NoisyOr.from_pgmpy(model)
    np.testing.assert_allclose(network.beta, [beta], rtol=1e-12)
    np.testing.assert_allclose(network.leak, [leak], rtol=1e-12)
    np.testing.assert_allclose(network.prior, [0.2, 0.1])


def chain():
    model = DiscreteBayesianNetwork([("A", "F"), ("F", "G")])
    model.add_cpds(
        root("A", 0.2),
        NoisyORCPD("F", [0.4], evidence=["A"]),
        NoisyORCPD("G", [0.8], evidence=["F"]),
    )
    return model


def pair(values, states=("True", "False")):
    model = DiscreteBayesianNetwork([("A", "F"), ("B", "F")])
    names = {"F": list(states), "A": ["True", "False"], "B": ["True", "False"]}
    table = TabularCPD("F", 2, values, ["A", "B"], [2, 2], state_names=names)
    model.add_cpds(root("A", 0.2), root("B", 0.1), table)
    return model


def bare():
    return DiscreteBayesianNetwork([("A", "F")])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: 3,
            TypeError,
            "`model` must be a pgmpy DiscreteBayesianNetwork. Received: builtin",
        ),
        (bare, ValueError, "must have a CPD for each node. Received: none for 'A'"),
        (chain, ValueError, "two layers, causes and their findings. Received: 'G', whose parents"),
        (
            lambda: pair([[0.9, 0.1, 0.1, 0.1], [0.1, 0.9, 0.9, 0.9]]),
            ValueError,
            "noisy-OR tables. Received: one of 'F' that is off by",
        ),
        (
            lambda: pair([[0.1, 0.4, 0.4, 0.7], [0.9, 0.6, 0.6, 0.3]]),
            ValueError,
            "must have noisy-OR tables",
        ),
        (lambda: pair([[1] * 4, [0] * 4]), ValueError, "leaks below 1. Received: 'F', always"),
        (
            lambda: pair([[0.5] * 4, [0.5] * 4], ["red", "blue"]),
            ValueError,
            "must name states true and false.*'red'",
        ),
    ],
)
def test_what_is_no_noisy_or_is_named(make, error, message):
    with pytest.raises(error, match=message):
        NoisyOr.from_pgmpy(make())

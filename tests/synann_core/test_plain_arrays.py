"""Masked, sparse, nested and quantised arrays, and np.matrix: one error, wherever arrays come in.

Each case is a call of a public function in which every array passes through `a`: it is made once as
it should be, and then once for each array and each kind that it must refuse in the array's place.
"""

import functools
import importlib

import numpy as np
import pytest
import scipy.sparse
import torch

import synann_core as syn
from synann_core import export, graph, noisy_or, optim, plot, spiking, tabular
from synann_core.graph import GraphParameters, SynapseGraph
from synann_core.layer import check_mask
from synann_core.spiking import LIF, STDP, Layer, RewardSTDP, SpikingNetwork, State
from tests.synann_core._lib.test_arguments import ELEMENTWISE, GOOD, SURPRISAL, TENSOR

HALVES, MATRIX = np.full(3, 0.5), np.full((2, 3), 0.5)
CODES = np.array([[0.0, 1.0, 0.5], [0.5, 0.25, 1.0], [1.0, 0.0, 0.25]])  # time first
CUBE = np.full((4, 2, 3), 0.5)
LABELS = np.array([0, 1])
WHOLE = np.zeros(2, dtype=np.int64)
WORDS = np.array([0, 7], dtype=np.int32)


def flat(a):
    return np.reshape(a, (-1, np.shape(a)[-1] if np.ndim(a) else 1))


def as_tensor(a):
    return torch.tensor(flat(a), dtype=torch.float64)


@functools.cache
def bcoo():
    sparse = pytest.importorskip("jax.experimental.sparse")
    return sparse.BCOO.fromdense(np.ones(3))


ODD = {
    "masked": lambda a: np.ma.masked_array(a, np.zeros(np.shape(a), bool)),
    "masked_invalid": np.ma.masked_invalid,
    "matrix": lambda a: np.asmatrix(flat(a)),
    "sparse": lambda a: scipy.sparse.csr_array(flat(a)),
    "sparse matrix": lambda a: scipy.sparse.coo_matrix(flat(a)),
    "jax sparse": lambda a: bcoo(),
    "torch sparse": lambda a: as_tensor(a).to_sparse(),
    "torch csr": lambda a: as_tensor(a).to_sparse_csr(),
    "torch nested": lambda a: torch.nested.nested_tensor(list(as_tensor(a))),
    "torch jagged": lambda a: torch.nested.nested_tensor(list(as_tensor(a)), layout=torch.jagged),
    "torch quantised": lambda a: torch.quantize_per_tensor(
        as_tensor(a).float(), 0.1, 0, torch.quint8
    ),
    "torch masked": lambda a: torch.masked.masked_tensor(as_tensor(a), as_tensor(a) > 0.1),
}


class Spoil:
    """Put an odd array in the place of one of those that pass."""

    def __init__(self, place=None, change=None):
        self.place, self.change, self.count = place, change, 0

    def sparse(self, array):
        """Pass an array that may be sparse as well: no place for SciPy's."""
        return array if self.change in (ODD["sparse"], ODD["sparse matrix"]) else self(array)

    def __call__(self, array):
        self.count += 1
        return self.change(array) if self.count - 1 == self.place else array


def example_graph():
    built = SynapseGraph()
    built.input("x", "y")
    built.synapse("z", excitatory="x", inhibitory={"y": 0.5})
    return built


COMPILED = example_graph().compile()
ONE, BETA = np.ones(1), np.full(1, 0.5)
XY = np.array([[0.9, 0.2]])
CIRCUIT = graph.Circuit(example_graph(), {"x": "z"})
NOISY = noisy_or.NoisyOr([0.1, 0.2], [0.1], [[0.9, 0.5]])
NETWORK = SpikingNetwork(3, [Layer(2)], steps=3)
MLP = syn.SynaMLP(3, 2, 2)
FINDINGS, EVENT = np.array([[1.0], [0.0], [1.0], [0.0]]), np.array([1.0, 0.0, 0.0, 1.0])
RULE, REWARD, COMPETITION = STDP(), RewardSTDP(STDP()), spiking.WinnerTakeAll()
DECAYS = {"synaptic_decay": 0.5, "rise": 0.5, "fall": 0.5}
TRACES = {"pre": np.zeros((2, 3)), "post": np.zeros((2, 2))}
PRE, POST, WEIGHTS = np.zeros((2, 3)), np.zeros((2, 2)), np.zeros((2, 3))
TIMES, DELAYED, DELAYS = np.zeros((2, 3)), np.full((2, 3, 1), 0.9), np.ones(1)
FIRED = spiking.firing_times(TIMES, DELAYED, DELAYS, tau=7.0)


def formula(name, a):
    if name in ELEMENTWISE:
        values = [HALVES for _ in ELEMENTWISE[name]]
    else:
        values = [GOOD[SURPRISAL.get(parameter, parameter)] for parameter in TENSOR[name]]
    values = [a(value) for value in values]
    if name == "bose_einstein":
        return syn.bose_einstein(values[0], chemical_potential=values[1])
    return getattr(syn, name)(*values)


def updated(rule, a):
    parameters = {"w": a(HALVES)}
    return rule.update(parameters, {"w": a(HALVES)}, rule.init({"w": HALVES}), 0.1)


def estimated(model, a):
    """An estimator of a table, fitted and used."""
    model.fit(a(FINDINGS), a(EVENT), a(np.ones(4)))
    return model.predict(a(FINDINGS)), model.explain(a(FINDINGS)), model.score(a(FINDINGS), EVENT)


def run_and_back(a):
    neuron = LIF(0.9, synaptic_decay=0.5)
    _, record = neuron.run(a(CUBE), State(a(MATRIX), a(MATRIX), a(MATRIX)))
    return neuron.vjp(record, a(CUBE), a(CUBE), State(a(MATRIX), a(MATRIX), a(MATRIX)))


def parameters(a):
    return GraphParameters(a(ONE), a(BETA))


def states(a, **shapes):
    return {name: a(value) for name, value in shapes.items()}


CASES = {
    **{name: functools.partial(formula, name) for name in ELEMENTWISE | TENSOR},
    "cross_entropy": lambda a: syn.cross_entropy(a(MATRIX), a(MATRIX)),
    "cross_entropy_vjp": lambda a: syn.cross_entropy_vjp(a(MATRIX), a(MATRIX), a(np.ones(2))),
    "surprisal_rule": lambda a: syn.surprisal_rule(
        a(MATRIX[:, :2]), a(MATRIX), a(np.zeros(2)), a(MATRIX), a(MATRIX[:, :2])
    ),
    "SGD": lambda a: (optim.SGD().init({"w": a(HALVES)}), updated(optim.SGD(), a)),
    "Adam": lambda a: (optim.Adam().init({"w": a(HALVES)}), updated(optim.Adam(), a)),
    "RMaxProp": lambda a: (optim.RMaxProp().init({"w": a(HALVES)}), updated(optim.RMaxProp(), a)),
    "SynaMLP.fit": lambda a: syn.SynaMLP(3, 2, 2).fit(
        a(MATRIX), a(LABELS), epochs=1, validation=(a(MATRIX), a(LABELS))
    ),
    "SynaMLP.predict": lambda a: (
        MLP.decision_function(a(MATRIX)),
        MLP.predict_proba(a(MATRIX)),
        MLP.predict(a(MATRIX)),
        MLP.score(a(MATRIX), a(LABELS)),
        MLP.explain(a(MATRIX)),
    ),
    "SynaMLP augment": lambda a: syn.SynaMLP(3, 2, 2).fit(
        MATRIX, LABELS, epochs=1, augment=lambda batch, rng: a(batch)
    ),
    "CompiledGraph": lambda a: (
        COMPILED(a(XY)),
        COMPILED(a(XY), parameters(a)),
        COMPILED.values(a(XY), space="surprisal"),
        COMPILED.variant(a(XY)),
        COMPILED.vjp(a(XY), parameters(a), grad=a(np.ones((1, 1)))),
        COMPILED.jvp(a(XY), parameters(a), dx=a(XY), dparams=parameters(a)),
    ),
    "SynapseGraph": lambda a: SynapseGraph.from_arrays(
        2,
        1,
        excitatory=(a(np.array([2])), a(np.array([0]))),
        inhibitory=(a(np.array([2])), a(np.array([1]))),
        alpha=a(ONE),
        alpha_index=a(WHOLE[:1]),
        beta=a(BETA),
        beta_index=a(WHOLE[:1]),
        outputs=a(np.array([2])),
    ),
    "Circuit": lambda a: (
        CIRCUIT.step(a(HALVES[:1]), drive=a(HALVES[:1]), params=parameters(a)),
        CIRCUIT.iterate(a(HALVES[:1]), 2, drive=a(HALVES[:1]), params=parameters(a)),
        CIRCUIT.jacobian(a(HALVES[:1]), drive=a(HALVES[:1])),
        CIRCUIT.iterate_vjp(a(HALVES[:1]), drive=a(HALVES[:1]), grad=a(np.ones((2, 1)))),
        CIRCUIT.fixed_points(drive=a(HALVES[:1]), params=parameters(a), starts=1),
    ),
    "bayes_graph": lambda a: graph.bayes_graph(0.1, a(HALVES), a(HALVES)),
    "explain": lambda a: graph.explain(COMPILED, a(XY[0]), "z", parameters(a), background=a(XY)),
    "dependent_pairs": lambda a: COMPILED.dependent_pairs(a(XY[0]), parameters(a)),
    "SynaMLP.explain": lambda a: (
        MLP.explain(a(MATRIX), background=a(MATRIX)),
        MLP.explain_inputs(a(MATRIX), a(MATRIX)),
    ),
    "NoisyOr": lambda a: noisy_or.NoisyOr(a(HALVES), a(HALVES[:2]), a.sparse(MATRIX)),
    "NoisyOr.predict": lambda a: (NOISY.predict(a(XY)), NOISY.absence_surprisal(a(XY))),
    "log_evidence": lambda a: (
        noisy_or.log_evidence(a(HALVES[:1]), a(HALVES[:1]), a(HALVES[None, :1]), np.ones((1, 1))),
        NOISY.posterior(a.sparse(np.ones((1, 1)))),
        NOISY.log_evidence(a.sparse(np.ones((1, 1)))),
    ),
    "fit_known_causes": lambda a: noisy_or.fit_known_causes(
        a.sparse(FINDINGS), a.sparse(FINDINGS), iterations=1, sample_weight=a(np.ones(4))
    ),
    "NoisyOrClassifier.NoisyOrFactors": lambda a: (
        noisy_or.NoisyOrClassifier(iterations=1)
        .fit(a.sparse(FINDINGS), a.sparse(FINDINGS), a(np.ones(4)))
        .predict(a.sparse(FINDINGS)),
        noisy_or.NoisyOrFactors(1, restarts=1, em_iter=1, random_state=0)
        .fit(a.sparse(FINDINGS))
        .transform(a.sparse(FINDINGS)),
    ),
    "BayesRule": lambda a: tabular.BayesRule(0.1, a(HALVES), a(HALVES)),
    "BayesRule.predict": lambda a: (
        tabular.BayesRule(0.1, HALVES, HALVES).log_odds(a(MATRIX)),
        tabular.BayesRule(0.1, HALVES, HALVES).predict(a(MATRIX)),
    ),
    "BayesRule.from_counts": lambda a: tabular.BayesRule.from_counts(
        a(FINDINGS), a(EVENT), sample_weight=a(np.ones(4))
    ).calibrated(a(EVENT), a(EVENT), sample_weight=a(np.ones(4))),
    "OddsNetwork": lambda a: (
        estimated(network := tabular.OddsNetwork(cv=2), a),
        network.calibrate(a(FINDINGS), a(EVENT), a(np.ones(4))),
    ),
    "SynapseClassifier": lambda a: (
        estimated(model := tabular.SynapseClassifier(2, max_iter=1), a),
        model.partial_fit(a(FINDINGS), a(EVENT), sample_weight=a(np.ones(4))),
    ),
    "SynapseRules": lambda a: estimated(
        tabular.SynapseRules(max_iter=2, n_starts=1, penalties=[0.01], cv=2), a
    ),
    "LogLinkRegressor": lambda a: estimated(tabular.LogLinkRegressor(), a),
    "LogLinkRegressor.exposure": lambda a: (
        tabular.LogLinkRegressor()
        .fit(FINDINGS, EVENT, exposure=a(np.ones(4)))
        .predict(FINDINGS, a(np.ones(4)))
    ),
    "SoftThresholds": lambda a: tabular.SoftThresholds(a(HALVES), a(HALVES))(a(MATRIX)),
    "SoftThresholds.from_training": lambda a: tabular.SoftThresholds.from_training(
        a(FINDINGS), a(EVENT), sample_weight=a(np.ones(4))
    ),
    "plot.graph": lambda a: plot.graph(example_graph(), values=a(HALVES)),
    "plot.trajectory": lambda a: plot.trajectory(a(MATRIX)),
    "plot.pixels": lambda a: plot.pixels(a(HALVES), (1, 3)),
    "check_mask": lambda a: check_mask(a(MATRIX > 0), (2, 3), readable=True, xp=np),
    # spiking: neurons and networks
    "LIF": lambda a: LIF(a(HALVES), a(HALVES), a(HALVES), a(np.eye(3))),
    "LIF.run": run_and_back,
    "LIF.step": lambda a: LIF(0.9).step(a(MATRIX), State(a(MATRIX))),
    "Surrogate": lambda a: spiking.arctan()(a(HALVES)),
    "snntorch_leaky": lambda a: spiking.snntorch_leaky(a(HALVES), a(HALVES)),
    "snntorch_synaptic": lambda a: spiking.snntorch_synaptic(a(HALVES), a(HALVES), a(HALVES)),
    "leaky_integrator": lambda a: spiking.leaky_integrator(a(HALVES)),
    "SpikingNetwork.fit": lambda a: SpikingNetwork(3, [Layer(2)], steps=3).fit(
        a(MATRIX), a(LABELS)
    ),
    "SpikingNetwork.predict": lambda a: (
        NETWORK.run(a(MATRIX)),
        NETWORK.gradients(a(MATRIX), a(LABELS)),
        NETWORK.decision_function(a(CUBE)),
        NETWORK.predict(a(MATRIX)),
        NETWORK.operations(a(MATRIX)),
        NETWORK.score(a(MATRIX), a(LABELS)),
    ),
    # spiking: codes
    "rate_encode": lambda a: spiking.rate_encode(a(HALVES), 3, key=a(WORDS)),
    "poisson_encode": lambda a: spiking.poisson_encode(a(HALVES), 3, key=a(WORDS)),
    "phase_encode": lambda a: spiking.phase_encode(a(HALVES)),
    "phase_decode": lambda a: spiking.phase_decode(a(CODES)),
    "burst_encode": lambda a: spiking.burst_encode(a(HALVES), 9),
    "burst_decode": lambda a: spiking.burst_decode(a(CODES), most=1),
    "ttfs_encode": lambda a: spiking.ttfs_encode(a(HALVES), 3),
    "ttfs_decode": lambda a: spiking.ttfs_decode(a(CODES)),
    "deterministic_rate_encode": lambda a: spiking.deterministic_rate_encode(a(HALVES), 3),
    "rate_decode": lambda a: spiking.rate_decode(a(CODES)),
    "latency_encode": lambda a: spiking.latency_encode(a(HALVES), 3),
    "latency_times": lambda a: spiking.latency_times(a(HALVES)),
    "latency_decode": lambda a: spiking.latency_decode(a(CODES)),
    "first_spike_times": lambda a: spiking.first_spike_times(a(CODES)),
    "rank_order_encode": lambda a: spiking.rank_order_encode(a(HALVES)),
    "rank_order_decode": lambda a: spiking.rank_order_decode(a(CODES)),
    "rank_order_activation": lambda a: spiking.rank_order_activation(a(CODES), a(MATRIX)),
    "population_encode": lambda a: spiking.population_encode(a(HALVES), 3, 4),
    "population_response": lambda a: spiking.population_response(a(HALVES), 4),
    "population_decode": lambda a: spiking.population_decode(a(CODES)),
    "delta_encode": lambda a: spiking.delta_encode(a(CODES), a(HALVES)),
    "temporal_contrast_encode": lambda a: spiking.temporal_contrast_encode(a(CODES)),
    "step_forward_encode": lambda a: spiking.step_forward_encode(a(CODES), a(HALVES)),
    "moving_window_encode": lambda a: spiking.moving_window_encode(a(CODES), a(HALVES), 2),
    "contrast_decode": lambda a: spiking.contrast_decode(a(CODES), a(HALVES), start=a(HALVES)),
    "hsa_encode": lambda a: spiking.hsa_encode(a(CODES), a(HALVES)),
    "bsa_encode": lambda a: spiking.bsa_encode(a(CODES), a(HALVES), 0.5),
    "convolution_decode": lambda a: spiking.convolution_decode(a(CODES), a(HALVES)),
    "event_camera": lambda a: spiking.event_camera(a(CODES), a(HALVES)),
    "event_camera_decode": lambda a: spiking.event_camera_decode(a(CODES), a(HALVES), a(HALVES)),
    "frames_to_events": lambda a: spiking.frames_to_events(
        a(CUBE), a(HALVES), times=a(np.arange(4.0))
    ),
    "counts_to_events": lambda a: spiking.counts_to_events(a(np.zeros((1, 2, 3)))),
    "events_to_counts": lambda a: spiking.events_to_counts(
        (a(WHOLE), a(WHOLE), a(WHOLE), a(WHOLE + 1)), (1, 1, 1)
    ),
    "events_to_structured": lambda a: spiking.events_to_structured(
        (a(WHOLE), a(WHOLE), a(WHOLE), a(np.ones_like(WHOLE)))
    ),
    "random_uniform": lambda a: spiking.random_uniform(a(WORDS), (2,)),
    "fold_in": lambda a: spiking.fold_in(a(WORDS), 3),
    # spiking: plasticity
    "STDP": lambda a: (
        RULE.window(a(HALVES)),
        RULE.init(a(WEIGHTS), 2),
        RULE.step(a(WEIGHTS), a(PRE), a(POST), states(a, **TRACES)),
        RULE.online(a(WEIGHTS), a(PRE[None]), a(POST[None]), states(a, **TRACES)),
        RULE.offline(a(WEIGHTS), a(PRE[None]), a(POST[None])),
    ),
    "RewardSTDP": lambda a: (
        REWARD.init(a(WEIGHTS), 2),
        REWARD.step(
            a(WEIGHTS),
            a(PRE),
            a(POST),
            a(np.ones(2)),
            states(a, **TRACES, eligibility=np.zeros((2, 2, 3))),
        ),
    ),
    "firing_times": lambda a: spiking.firing_times(a(TIMES), a(DELAYED), a(DELAYS), tau=7.0),
    "firing_times_vjp": lambda a: spiking.firing_times_vjp(
        a(TIMES), a(DELAYED), a(DELAYS), a(FIRED), a(np.ones_like(FIRED)), tau=7.0
    ),
    "spikeprop_gradients": lambda a: spiking.spikeprop_gradients(
        a(TIMES), [a(DELAYED)], a(DELAYS), a(FIRED), tau=7.0
    ),
    "raise_silent": lambda a: spiking.raise_silent(a(DELAYED), a(FIRED), 0.1),
    "spike_response": lambda a: spiking.spike_response(a(HALVES), 7.0),
    "spike_response_derivative": lambda a: spiking.spike_response_derivative(a(HALVES), 7.0),
    "eprop_gradient": lambda a: spiking.eprop_gradient(a(CUBE), a(CUBE), a(CUBE), a(np.array(0.5))),
    "eprop_init": lambda a: spiking.eprop_init(a(WEIGHTS), 2),
    "eprop_step": lambda a: spiking.eprop_step(
        a(PRE),
        a(POST),
        a(POST),
        states(a, trace=np.zeros((2, 3)), eligibility=np.zeros((2, 2, 3))),
        a(np.array(0.5)),
    ),
    "superspike_gradient": lambda a: spiking.superspike_gradient(
        a(CUBE), a(CUBE), a(CUBE), a(np.array(0.5)), **DECAYS
    ),
    "superspike_init": lambda a: spiking.superspike_init(a(WEIGHTS), 2),
    "superspike_step": lambda a: spiking.superspike_step(
        a(PRE),
        a(POST),
        a(POST),
        {k: a(v) for k, v in spiking.superspike_init(WEIGHTS, 2).items()},
        a(np.array(0.5)),
        **DECAYS,
    ),
    "van_rossum": lambda a: spiking.van_rossum(a(CUBE), a(CUBE), rise=0.5, fall=0.5),
    "local_signal": lambda a: spiking.local_signal(a(CUBE), a(MATRIX), a(CUBE[:, :, :2])),
    "WinnerTakeAll": lambda a: (
        COMPETITION.init(a(WEIGHTS), 2),
        COMPETITION.run(a(CUBE), states(a, membrane=CUBE[0], raised=CUBE[0, 0])),
        COMPETITION.learn(a(WEIGHTS), a(PRE[None]), RULE, states(a, membrane=POST, raised=POST[0])),
    ),
    "normalise_weights": lambda a: spiking.normalise_weights(a(WEIGHTS), 1.0),
}
FILES = {
    "save_json": lambda a, path: export.save_json(example_graph(), path, params=parameters(a)),
    "save_onnx": lambda a, path: export.save_onnx(example_graph(), path, params=parameters(a)),
    "save_c": lambda a, path: export.save_c(example_graph(), path, params=parameters(a)),
    "save_c_learner": lambda a, path: export.save_c_learner(a(HALVES[:2]), a(MATRIX), path),
}
# What takes no array, or only holds arrays that a function checks when it is given them.
WITHOUT = {
    "DependentPair", "FixedPoint", "GraphParameters", "Inhibition", "Parameter", "Part", "motifs",
    "initial_beta", "load_json", "constant", "cosine", "one_cycle", "EXCITATORY", "INHIBITORY",
    "surface", "State", "Record", "Gradients", "Events", "Layer", "norse_lif", "decay_factor",
    "fast_sigmoid", "superspike", "arctan", "sigmoid", "triangle", "boxcar", "gaussian",
    "straight_through", "random_key", "Posterior", "CauseSet", "NextFinding", "Reasons",
    "Rule", "RuleParts", "events_from_structured", "COLOURS", "QUIET", "STYLE", "TEXT",
    "load_nir", "save_nir", "from_nir", "to_nir", "Operations",
}  # fmt: skip
MODULES = ("", ".graph", ".noisy_or", ".tabular", ".export", ".optim", ".plot", ".spiking")
PLAIN = r"`.+` must be a plain dense array"


def refused(case, kind):
    """How many arrays a case takes; every one of them is refused if it is of this kind."""
    counting = Spoil(change=ODD[kind])
    case(counting)
    for place in range(counting.count):
        with pytest.raises(TypeError, match=PLAIN) as caught:
            case(Spoil(place, ODD[kind]))
        assert "Received: " in str(caught.value)
    return counting.count


@pytest.mark.filterwarnings("ignore")  # NumPy's of matrix, torch's of what it calls a prototype
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", CASES)
def test_every_public_function_refuses(name, kind):
    assert refused(CASES[name], kind) > 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", FILES)
def test_every_export_refuses(name, kind, tmp_path):
    assert refused(lambda a: FILES[name](a, tmp_path / "model.c"), kind) == 2


def test_every_public_name_is_listed():
    names = {name for m in MODULES for name in importlib.import_module(f"synann_core{m}").__all__}
    listed = {part for case in (*CASES, *FILES) for part in case.split(".")}
    assert names - listed - WITHOUT == set()
    assert names >= WITHOUT


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["masked", "matrix", "torch nested"])
def test_also_in_lists(kind):
    odd = [ODD[kind](HALVES), ODD[kind](HALVES)]
    with pytest.raises(TypeError, match=PLAIN):
        noisy_or.NoisyOr(HALVES, [0.1, 0.2], odd)
    with pytest.raises(TypeError, match=PLAIN):
        SynapseGraph.from_arrays(2, 1, beta=[0.5, np.ma.masked])


def test_a_plain_array_of_a_subclass_passes(tmp_path):
    mapped = np.memmap(tmp_path / "a", np.float64, "w+", shape=(3,))
    mapped[:] = 0.5
    assert noisy_or.NoisyOr(mapped, [0.1], [[0.5, 0.5, 0.5]]).prior.tolist() == [0.5] * 3

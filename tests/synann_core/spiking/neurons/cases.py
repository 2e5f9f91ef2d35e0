"""Neurons of every kind, what drives them, and what the reference's loops make of it."""

import functools

import numpy as np

import reference.spiking as slow
from synann_core.spiking import LIF, State, fast_sigmoid

STEPS, BATCH, N = 5, 2, 3
NAMES = ("decay", "threshold", "synaptic_decay", "recurrent")
# Between them, every option in every order.
CASES = {
    "snntorch": {},
    "article": {"order": "article", "reset": "zero", "fires": ">=", "gain": 0.7},
    "article, synaptic": {"order": "article", "synaptic_decay": True, "detach_reset": False},
    "immediate": {"order": "immediate", "rest": 0.3, "recurrent": True},
    "norse": {
        "order": "immediate",
        "reset": "zero",
        "synaptic_decay": True,
        "gain": 0.6,
        "rest": -0.1,
        "reset_to": 0.2,
        "detach_reset": False,
    },
    "to a value, attached": {"reset": "zero", "reset_to": 0.2, "detach_reset": False, "rest": 0.1},
    "adaptive": {
        "recurrent": True,
        "synaptic_decay": True,
        "adaptation": 0.3,
        "adaptation_decay": 0.8,
        "detach_reset": False,
    },
    "adaptive, immediate": {"order": "immediate", "adaptation": 0.3, "adaptation_decay": 0.5},
}


@functools.cache
def problem(case, seed=0):
    """Options, float32-exact arrays by name, gradients of spikes and membranes."""
    rng = np.random.default_rng(seed)
    options = dict(CASES[case] if isinstance(case, str) else case)
    arrays = {
        "currents": rng.normal(0.4, 0.8, (STEPS, BATCH, N)),
        "decay": rng.uniform(0.5, 0.95, N),
        "threshold": rng.uniform(0.6, 1.0, N),
        "synaptic_decay": rng.uniform(0.3, 0.9, N) if options.pop("synaptic_decay", 0) else None,
        "recurrent": rng.normal(0, 0.5, (N, N)) if options.pop("recurrent", 0) else None,
        "membrane": rng.normal(0.2, 0.5, (BATCH, N)),
    }
    arrays["current"] = None if arrays["synaptic_decay"] is None else rng.normal(0, 0.3, (BATCH, N))
    adaptive = "adaptation" in options
    arrays["adaptation"] = rng.uniform(0, 0.5, (BATCH, N)) if adaptive else None
    arrays = {
        k: None if a is None else a.astype("float32").astype(float) for k, a in arrays.items()
    }
    options.setdefault("surrogate", fast_sigmoid(0.5, 1.2))
    grads = rng.normal(size=(2, STEPS, BATCH, N)).astype("float32").astype(float)
    return options, arrays, grads


def neuron_and_state(options, given):
    parameters = {name: given[name] for name in NAMES if name in given}
    state = State(given["membrane"], given.get("current"), None, given.get("adaptation"))
    return LIF(**parameters, **options), state


def reference_of(case, seed=0):
    options, arrays, grads = problem(case, seed)
    everything = {name: getattr(LIF(), name) for name in LIF().rule._fields} | options
    s = everything["surrogate"]
    everything["surrogate"] = (s.shape, s.width, s.height)
    weights = {name: arrays[name] for name in NAMES}
    state = [arrays["membrane"], arrays["current"], arrays["adaptation"]]
    state = tuple(np.zeros((BATCH, N)) if a is None else a for a in state)
    duals = {k: None if a is None else slow._seed(a, None) for k, a in weights.items()}
    run = slow.run(
        slow._seed(arrays["currents"], None),
        duals,
        [slow._seed(a, None) for a in state],
        everything,
    )
    gradients = slow.differentiate(arrays["currents"], weights, state, everything, *grads)
    return *map(slow.values, run), gradients


def flat(gradients):
    """Gradients by name, None left out."""
    found = {**gradients._asdict(), **gradients.state._asdict()}
    del found["state"]
    return {name: g for name, g in found.items() if g is not None}


def neuron_of(case):
    """The neuron of a case, its state, its arrays, and gradients of spikes and membranes."""
    options, arrays, grads = problem(case)
    there = {name: a for name, a in arrays.items() if a is not None}
    return *neuron_and_state(options, there), arrays, grads

"""What the golden files contain: inputs from a generator, outputs from the reference.

Tensors are drawn with float32's 24 bits. Then every product βy, every 1 − βy and every γ + v is
exact in float64, so that the outputs hold no error of the reference's own where factors are small,
and the same inputs serve tests in float32.
"""

import functools
import itertools

import numpy as np

from reference import encoders, high_precision, learning, number_codes, tensor

EPS = {"float64": 2.0**-52, "float32": 2.0**-23}
SMALLEST_NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126}
LOG_2 = 0.6931471805599453

PROBABILITIES = [
    *SMALLEST_NORMAL.values(),
    1e-300,
    1e-16,
    *EPS.values(),
    1e-3,
    0.25,
    *(0.5 - eps for eps in EPS.values()),
    0.5,
    *(0.5 + eps for eps in EPS.values()),
    0.75,
    *(1.0 - eps for eps in EPS.values()),
]
SURPRISALS = [
    *SMALLEST_NORMAL.values(),
    1e-300,
    1e-16,
    1e-8,
    0.25,
    np.nextafter(LOG_2, 0.0),
    LOG_2,
    np.nextafter(LOG_2, 1.0),
    0.75,
    1.0,
    16.0,
    40.0,
    100.0,
    700.0,
]
ROWS = 64  # for functions of several arguments: points drawn from the lists above


def elementwise(rng):
    """High precision, rounded to float64, at extreme arguments."""
    ends = {"p": [0.0, *PROBABILITIES, 1.0], "u": [0.0, *SURPRISALS, np.inf]}
    z = [-np.inf, *(-w for w in reversed(SURPRISALS)), 0.0, *SURPRISALS, np.inf]
    draw = rng.choice
    p, q, x, y, beta = (draw(PROBABILITIES, ROWS) for _ in range(5))
    u, v, theta, gamma = (draw(SURPRISALS, ROWS) for _ in range(4))
    # Energies and potentials apart by more than their rounding, on either side of 0.
    energy, mu = draw([0.25, 1.0, 40.0, 600.0], ROWS), draw([-40.0, -0.75, -1e-8, 0.0], ROWS)
    bits = [0.0, 1.0]
    corners = np.array(list(itertools.product(bits, bits, [0.5, 1.0, 2.0], bits)))
    functions = {
        "surprisal": {"p": ends["p"]},
        "probability": {"u": ends["u"]},
        "complement": {"w": ends["u"]},
        "bose_einstein": {"energy": ends["u"]},
        "odds": {"p": ends["p"]},
        "logit": {"p": ends["p"]},
        "expit": {"z": z},
        "odds_ratio": {"p": p, "q": q},
        "swap_ratio": {"x": x, "y": y, "beta": beta},
        "synapse": {"x": x, "y": y, "alpha": draw([0.0, 0.3, 1.0, 2.5], ROWS), "beta": beta},
        "surprisal_synapse": {"u": u, "v": v, "theta": theta, "gamma": gamma},
    }
    cases = {name: _high_precision(name, inputs) for name, inputs in functions.items()}
    cases["bose_einstein_chemical_potential"] = _high_precision(
        "bose_einstein", {"energy": energy, "chemical_potential": mu}
    )
    cases["synapse_corners"] = _high_precision(
        "synapse", dict(zip(["x", "y", "alpha", "beta"], corners.T, strict=True))
    )
    return cases


def _high_precision(name, inputs):
    function = getattr(high_precision, name)
    points = zip(*inputs.values(), strict=True)
    return {"inputs": inputs, "outputs": {name: [float(function(*point)) for point in points]}}


# name: batch axes of x, batch axes of y, outputs m, inputs n, kind of values
TENSORS = {
    "no_batch": ((), (), 4, 4, "random"),
    "square": ((3,), (3,), 4, 4, "random"),
    "more_outputs": ((2,), (2,), 6, 3, "random"),
    "more_inputs": ((2,), (2,), 3, 7, "random"),
    "one_input": ((3,), (3,), 4, 1, "random"),
    "one_output": ((3,), (3,), 1, 5, "random"),
    "one_of_each": ((1,), (1,), 1, 1, "random"),
    "several_batch_axes": ((2, 1, 3), (2, 1, 3), 3, 4, "random"),
    "batch_axes_broadcast": ((3,), (2, 1), 3, 4, "random"),
    "longer_than_a_block": ((2,), (2,), 2, 40, "random"),
    "one_closed_factor": ((3,), (3,), 3, 5, "one closed"),
    "two_closed_factors": ((3,), (3,), 3, 5, "two closed"),
    "no_inhibition": ((2,), (2,), 3, 4, "zero"),
    "all_equal": ((2,), (2,), 2, 33, "equal"),
    "tiny": ((2,), (2,), 3, 6, "tiny"),
    "nearly_closed": ((2,), (2,), 3, 5, "near one"),
}


def tensors(rng):
    """The tensor functions over shapes and kinds of values."""
    return {name: _tensor_case(rng, *case) for name, case in TENSORS.items()}


def _tensor_case(rng, x_batch, y_batch, m, n, kind):
    s_shape = (*np.broadcast_shapes(x_batch, y_batch), m)
    y, beta = _values(rng, (*y_batch, n), kind), _values(rng, (m, n), kind)
    v, gamma = _surprisals(rng, (*y_batch, n), kind), _surprisals(rng, (m, n), kind)
    if kind in ("one closed", "two closed"):
        closed = 1 if kind == "one closed" else 2
        # In the first sample, for output 1 only.
        y[0, :closed], beta[1, :closed] = 1.0, 1.0
        v[0, :closed], gamma[1, :closed] = 0.0, 0.0
    inputs = {
        "x": _uniform(rng, (*x_batch, m)),
        "y": y,
        "alpha": _uniform(rng, (m,), 0.5, 1.5),
        "beta": beta,
        "u": _uniform(rng, (*x_batch, m), 0.0, 3.0),
        "v": v,
        "theta": _uniform(rng, (m,), 0.0, 2.0),
        "gamma": gamma,
        "grad": _uniform(rng, s_shape, -1.0, 1.0),
        "grad_log": _uniform(rng, (*y_batch, m), -1.0, 1.0),
        "dy": _uniform(rng, y.shape, -1.0, 1.0),
        "dbeta": _uniform(rng, beta.shape, -1.0, 1.0),
    }
    return {"inputs": inputs, "outputs": _tensor_outputs(inputs, kind)}


def _tensor_outputs(a, kind):
    probability = [a[name] for name in ("x", "y", "alpha", "beta")]
    surprisal = [a[name] for name in ("u", "v", "theta", "gamma")]
    y, beta = a["y"], a["beta"]
    outputs = {
        "log_transmission": _row_sums(high_precision.log_transmission, y, beta),
        "log_transmission_vjp": _named(
            ("y", "beta"), tensor.log_transmission_vjp(y, beta, a["grad_log"])
        ),
        "log_transmission_jvp": tensor.log_transmission_jvp(y, beta, a["dy"], a["dbeta"]),
        "contributions": _contributions(y, beta),
        "synapse_tensor": tensor.synapse_tensor(*probability),
        "synapse_tensor_vjp": _named(
            ("x", "y", "alpha", "beta"), tensor.synapse_tensor_vjp(*probability, a["grad"])
        ),
        "surprisal_synapse_tensor": a["theta"]
        + a["u"]
        + _row_sums(high_precision.surprisal_sum, a["v"], a["gamma"]),
    }
    # Where γ + v = 0 the occupation is infinite, and gradients are a matter of convention.
    if "closed" not in kind:
        outputs["surprisal_synapse_tensor_vjp"] = _named(
            ("u", "v", "theta", "gamma"),
            tensor.surprisal_synapse_tensor_vjp(*surprisal, a["grad"]),
        )
    return outputs


def _row_sums(function, y, beta):
    """A high-precision sum over j, for every row of y and every row of beta."""
    sums = np.zeros((*y.shape[:-1], len(beta)))
    for *b, i in np.ndindex(sums.shape):
        sums[(*b, i)] = float(function(y[tuple(b)], beta[i]))
    return sums


def _contributions(y, beta):
    """The terms of that sum, one by one."""
    parts = np.zeros((*y.shape[:-1], *beta.shape))
    for *b, i, j in np.ndindex(parts.shape):
        parts[(*b, i, j)] = -float(high_precision.log_transmission([y[(*b, j)]], [beta[i, j]]))
    return parts


def _values(rng, shape, kind):
    """Probabilities y or β."""
    if kind == "equal":
        return np.full(shape, float(np.float32(0.3)))
    if kind == "zero":
        return np.zeros(shape)
    if kind == "tiny":
        return rng.choice([1e-150, 1e-100, 1e-16, 1e-8, 1e-3], shape)
    if kind == "near one":
        return 1.0 - 2.0**-24 * rng.choice([1.0, 2.0, 64.0, 4096.0, 2.0**20], shape)
    return _uniform(rng, shape)


def _surprisals(rng, shape, kind):
    """Surprisals v or γ of such values, without a logarithm: inputs must not depend on one."""
    if kind == "equal":
        return np.full(shape, 1.25)
    if kind == "zero":
        return np.full(shape, np.inf)
    if kind == "tiny":
        return rng.choice([7.0, 18.0, 37.0, 230.0, 345.0], shape)
    if kind == "near one":
        return rng.choice([1e-100, 1e-16, 1e-12, 1e-6], shape)
    return _uniform(rng, shape, 0.0, 3.0)


def _uniform(rng, shape, low=0.0, high=1.0):
    """Uniform on [low, high), with float32's bits."""
    unit = rng.random(shape, dtype=np.float32)
    return (np.float32(low) + np.float32(high - low) * unit).astype(np.float64)


def losses(rng):
    """The loss at moderate and large logits, hard and soft targets; the surprisal rule."""
    cases = {}
    for name, batch, classes, size in [
        ("cross_entropy_no_batch", (), 5, 2.0),
        ("cross_entropy_batch", (2, 3), 4, 2.0),
        ("cross_entropy_large_logits", (3,), 4, 1000.0),
        ("cross_entropy_one_class", (2,), 1, 2.0),
    ]:
        logits = _uniform(rng, (*batch, classes), -size, size)
        target = _uniform(rng, (*batch, classes))  # need not sum to 1
        grad = _uniform(rng, batch, -1.0, 1.0)
        gradients = learning.cross_entropy_vjp(logits, target, grad)
        cases[name] = {
            "inputs": {"logits": logits, "target": target, "grad": grad},
            "outputs": {
                "cross_entropy": learning.cross_entropy(logits, target),
                "cross_entropy_vjp": _named(("logits", "target"), gradients),
            },
        }
    for name, batch, m, n in [
        ("surprisal_rule_no_batch", (), 3, 3),
        ("surprisal_rule_batch", (4,), 3, 5),
        ("surprisal_rule_several_batch_axes", (2, 2), 4, 2),
    ]:
        one_hot = np.eye(m)[rng.integers(m, size=batch)]
        inputs = {
            "u": _uniform(rng, (*batch, m), 0.0, 3.0),
            "v": _uniform(rng, (*batch, n), 0.1, 3.0),
            "theta": _uniform(rng, (m,)),
            "gamma": _uniform(rng, (m, n), 0.0, 3.0),
            "target": one_hot,
        }
        rule = learning.surprisal_rule(*inputs.values())
        cases[name] = {
            "inputs": inputs,
            "outputs": {"surprisal_rule": _named(("theta", "gamma"), rule)},
        }
    return cases


def _named(names, values):
    return dict(zip(names, values, strict=True))


def codes(rng):
    """Spikes of the codes of numbers and of the modified HSA; inputs have few binary digits."""
    steps, key, mean = 12, 20260, 1.5
    x, signal = rng.integers(0, 65, 9) / 64, rng.integers(0, 33, (20, 2)) / 16
    x[:2], signed, kernel = (0.0, 1.0), 2.0 * x - 1.0, np.array([0.25, 0.75, 0.5])
    shape, streams = (steps, x.size), []
    for k in range(20):
        high, low = encoders.threefry((0, key), (0, k))
        streams.append(encoders.uniform(high << 32 | low, steps * x.size, 53).reshape(shape))
    numbers = encoders.uniform(key, steps * x.size, 53).reshape(shape)
    candidates, kept = streams[0], streams[1:]
    size = np.sign(signed) * encoders.rate(np.abs(signed), numbers, 0.75)
    levels = {
        name: number_codes.first_spike_levels(steps, 1.0, 4.0, name == "linear")
        for name in ("exponential", "linear")
    }
    hsa = functools.partial(encoders.hsa, kernel=kernel.tolist(), end="partial", threshold=0.375)
    inputs = {"x": x, "steps": steps}
    return {
        "rate_signed": _code(inputs | {"x": signed, "key": key, "rate": 0.75}, size),
        "poisson": _code(
            inputs | {"key": key, "rate": mean},
            number_codes.poisson(x, candidates, kept, mean, False),
        ),
        "poisson_signed": _code(
            inputs | {"x": signed, "key": key, "rate": mean},
            number_codes.poisson(signed, candidates, kept, mean, True),
        ),
        "phase": _code(inputs | {"bits": 5}, number_codes.phase(x, steps, 5)),
        "burst": _code(inputs | {"most": 3, "longest": 8}, number_codes.burst(x, steps, 3, 2, 8)),
        "ttfs": _code(inputs | {"tau": 4.0}, number_codes.first_spike(x, levels["exponential"])),
        "ttfs_linear": _code(inputs, number_codes.first_spike(x, levels["linear"])),
        "hsa_modified": _code(
            {"x": signal, "kernel": kernel, "threshold": 0.375}, encoders.each_signal(hsa, signal)
        ),
    }


def _code(inputs, spikes):
    return {"inputs": inputs, "outputs": {"spikes": spikes}}


MODULES = {"elementwise": elementwise, "tensor": tensors, "learning": losses, "codes": codes}

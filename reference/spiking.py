"""Spiking neurons and a spiking network by explicit loops over steps, samples and neurons.

Currents (T, B, N); m, s are (B, N). Gradients are those of the forward loop with σ′ in the place of
H′, by the chain rule from each step to every earlier one, one number at a time (`differentiate`).
"""

import math

import numpy as np


def surrogate(shape, width, height, u):
    """Stand-in for the derivative of the firing test at u."""
    z = u / width
    if shape == "fast_sigmoid":
        return height / (1 + abs(z)) ** 2
    if shape == "arctan":
        return height / (1 + z**2)
    if shape == "sigmoid":  # p(1 − p) = 1/(2 + e^z + e^−z)
        return 4 * height / (2 + math.exp(z) + math.exp(-z)) if abs(z) < 700 else 0.0
    if shape == "triangle":
        return height * max(0.0, 1 - abs(z))
    if shape == "boxcar":
        return height if abs(z) <= 1 else 0.0
    if shape == "gaussian":
        return height * math.exp(-(z**2) / 2)
    if shape == "straight_through":
        return height
    raise ValueError(shape)


class Dual:
    """A number and its derivative, to differentiate a loop by running it."""

    def __init__(self, value, slope=0.0):
        self.value, self.slope = float(value), float(slope)

    def __add__(self, other):
        other = _dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other):
        other = _dual(other)
        return Dual(self.value - other.value, self.slope - other.slope)

    def __rsub__(self, other):
        return _dual(other) - self

    def __mul__(self, other):
        other = _dual(other)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    __radd__, __rmul__ = __add__, __mul__

    def detached(self):
        return Dual(self.value)


def _dual(value):
    return value if isinstance(value, Dual) else Dual(value)


def fire(u, options):
    """H(u), whose slope is the surrogate's."""
    above = u.value >= 0 if options["fires"] == ">=" else u.value > 0
    return Dual(float(above), u.slope * surrogate(*options["surrogate"], u.value))


def run(currents, params, state, options):
    """All steps of one batch; every argument of `params` and `state` is an array of Duals.

    params: decay, threshold, synaptic_decay (N,) and recurrent (N, N), None where there is none.
    state: membrane, current, adaptation (B, N). options: order, reset, fires, surrogate,
    detach_reset, gain, rest, reset_to, adaptation, adaptation_decay.
    Returns spikes and membranes, (T, B, N) arrays of Duals.
    """
    steps, batch, n = currents.shape
    spikes, membranes = np.empty_like(currents), np.empty_like(currents)
    for b in range(batch):
        m, y, a = (list(part[b]) for part in state)
        now = options["order"] == "immediate"
        s = [
            Dual(0.0) if now else fire(m[i] - _bar(params, a, i, options), options)
            for i in range(n)
        ]
        for t in range(steps):
            before, s = s, []
            for i in range(n):
                drive = currents[t, b, i]
                if params["recurrent"] is not None:
                    for j in range(n):
                        drive = drive + params["recurrent"][i, j] * before[j]
                if params["synaptic_decay"] is not None:
                    y[i] = params["synaptic_decay"][i] * y[i] + drive
                    drive = y[i]
                beta, rest = params["decay"][i], options["rest"]
                if not now:
                    r = before[i].detached() if options["detach_reset"] else before[i]
                    if options["reset"] == "zero":
                        m[i] = (1 - r) * m[i] + r * options["reset_to"]
                m[i] = beta * m[i] + options["gain"] * drive + (1 - beta) * rest
                if not now and options["reset"] == "subtract":
                    m[i] = m[i] - r * params["threshold"][i]
                s.append(fire(m[i] - _bar(params, a, i, options), options))
                if now:
                    r = s[i].detached() if options["detach_reset"] else s[i]
                    if options["reset"] == "zero":
                        m[i] = (1 - r) * m[i] + r * options["reset_to"]
                    if options["reset"] == "subtract":
                        m[i] = m[i] - r * params["threshold"][i]
                spikes[t, b, i] = before[i] if options["order"] == "article" else s[i]
                membranes[t, b, i] = m[i]
            a = [options["adaptation_decay"] * a[i] + s[i] for i in range(n)]
    return spikes, membranes


def _bar(params, a, i, options):
    return params["threshold"][i] + options["adaptation"] * a[i]


def values(duals):
    """The numbers of an array of Duals."""
    return np.vectorize(lambda d: d.value, otypes=[float])(duals)


def differentiate(currents, params, state, options, gspikes, gmembranes):
    """Gradients of Σ gspikes·spikes + Σ gmembranes·membranes, by one run for each argument.

    Returns {name: array}, "currents", the names of `params`, and "membrane", "current".
    """
    arguments = {"currents": currents, **params, "membrane": state[0], "current": state[1]}
    arguments["adaptation"] = state[2]
    result = {}
    for name, array in arguments.items():
        if array is None:
            continue
        result[name] = np.zeros(np.shape(array))
        for index in np.ndindex(*np.shape(array)):
            seeded = {
                k: None if v is None else _seed(v, index if k == name else None)
                for k, v in arguments.items()
            }
            weights = {k: seeded[k] for k in params}
            before = tuple(seeded[k] for k in ("membrane", "current", "adaptation"))
            s, m = run(seeded["currents"], weights, before, options)
            result[name][index] = sum(
                gspikes[k] * s[k].slope + gmembranes[k] * m[k].slope for k in np.ndindex(s.shape)
            )
    return result


def _seed(array, index):
    duals = np.vectorize(Dual, otypes=[object])(np.asarray(array, dtype=float))
    if index is not None:
        duals[index].slope = 1.0
    return duals


def first_spike(spikes):
    """Steps before the first spike of each neuron of (T, B, N), T if there is none."""
    steps, batch, n = spikes.shape
    times = np.full((batch, n), float(steps))
    for b in range(batch):
        for i in range(n):
            for t in range(steps):
                if spikes[t, b, i]:
                    times[b, i] = t
                    break
    return times

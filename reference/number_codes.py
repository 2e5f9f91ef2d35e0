"""Codes of numbers by counts, digits, bursts and first spikes, as loops over numbers and steps.

Time is the first axis; a number is handled by itself. Those of `encoders` are the older ones.
"""

import math
from fractions import Fraction

import numpy as np


def each_number(function, x, steps):
    """The train of each number, a list of `steps`."""
    result = np.zeros((steps, *x.shape))
    for index, value in np.ndenumerate(x):
        result[(slice(None), *index)] = function(value)
    return result


def poisson(x, candidates, kept, mean, signed):
    """Counts by inverting the distribution of candidates, each kept or not; (k, T, ...)."""
    counts = np.zeros(candidates.shape)
    for index, number in np.ndenumerate(candidates):
        value = x[index[1:]]
        # N is the least n with number < P(N <= n).
        n, term, below = 0, math.exp(-mean), math.exp(-mean)
        while number >= below and n < len(kept):
            n += 1
            term *= mean / n
            below += term
        size = abs(value) if signed else value
        count = sum(kept[k][index] < size for k in range(n))
        counts[index] = -count if signed and value < 0 else count
    return counts


def phase(x, steps, bits):
    """Long division by 2: the binary digits of each number, over and over."""

    def digits(value):
        rest, period = Fraction(min(max(value, 0.0), 1.0)), []
        if rest == 1:
            return ([1] * bits * steps)[:steps]
        for _ in range(bits):
            rest *= 2
            period.append(int(rest >= 1))
            rest -= period[-1]
        return [period[t % bits] for t in range(steps)]

    return each_number(digits, x, steps)


def phase_value(spikes, bits):
    """Mean over whole periods of the digits' sum, for one train; fewer steps are leading digits."""
    periods = max(len(spikes) // bits, 1)
    whole = spikes[: periods * bits]
    return sum(s * 2.0 ** -(t % bits + 1) for t, s in enumerate(whole)) / periods


def burst(x, steps, most, shortest, longest):
    """Spike times of each number, the first at 0."""

    def train(value):
        value = Fraction(min(max(value, 0.0), 1.0))
        count = math.ceil(most * value)
        interval = math.ceil(longest - (longest - shortest) * value)
        times = [k * interval for k in range(count)]
        return [int(t in times) for t in range(steps)]

    return each_number(train, x, steps)


def burst_value(spikes, most, shortest, longest):
    """Middle of all the numbers that have one train, of a grid that is fine enough."""
    parts = 2 * most * max(longest - shortest, 1)
    inside = [
        Fraction(2 * k + 1, 2 * parts)
        for k in range(parts)
        if burst(np.array((2 * k + 1) / (2 * parts)), len(spikes), most, shortest, longest).tolist()
        == list(spikes)
    ]
    if not any(spikes):
        return 0.0
    if not inside:
        return 1.0  # the only one whose interval is the shortest
    return float((inside[0] + inside[-1]) / 2)


def first_spike(x, levels):
    """One spike where a falling threshold is reached."""

    def train(value):
        reached = [t for t, level in enumerate(levels) if value >= level]
        return [int(reached[:1] == [t]) for t in range(len(levels))]

    return each_number(train, x, len(levels))


def first_spike_levels(steps, threshold, tau, linear):
    """The falling threshold."""
    return [
        threshold * (1 - t / steps) if linear else threshold * math.exp(-t / tau)
        for t in range(steps)
    ]

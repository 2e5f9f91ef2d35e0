"""Spike codes and event cameras as slow loops over time and signals, from their definitions.

Arrays are NumPy's, time is the first axis, and each signal (each index of the other axes) is
handled by itself. The random generator is in Python's unbounded integers.
"""

import itertools
import math

import numpy as np

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key, counter):
    """Threefry-2x32 with 20 rounds: two 32-bit words for two words of key and two of counter."""
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x, y = ((c + k) % 2**32 for c, k in zip(counter, keys[:2], strict=True))
    for number in range(20):
        r = ROTATIONS[number // 4 % 2][number % 4]
        x = (x + y) % 2**32
        y = (y << r | y >> (32 - r)) % 2**32 ^ x
        if number % 4 == 3:
            group = number // 4 + 1
            x = (x + keys[group % 3]) % 2**32
            y = (y + keys[(group + 1) % 3] + group) % 2**32
    return x, y


def uniform(seed, count, bits):
    """Leading `bits` of the 64 of each counter, as fractions of 1."""
    blocks = [threefry((seed >> 32, seed % 2**32), (0, i)) for i in range(count)]
    return np.array([((x << 32 | y) >> (64 - bits)) / 2**bits for x, y in blocks])


def each_signal(function, x, *others):
    """`function` of each signal along time; what it returns is along time, or a number."""
    shape = x.shape[1:]
    results = {
        index: function(
            x[(slice(None), *index)].tolist(),
            *(np.broadcast_to(other, shape)[index].item() for other in others),
        )
        for index in np.ndindex(shape)
    }
    length = np.shape(next(iter(results.values())))
    result = np.zeros((*length, *shape))
    for index, value in results.items():
        result[(..., *index)] = value
    return result


def train(times, steps):
    """One spike in each train, at its time if that is one of the steps."""
    spikes = np.zeros((steps, *np.shape(times)))
    for index, time in np.ndenumerate(times):
        if time in range(steps):
            spikes[(int(time), *index)] = 1.0
    return spikes


def rate(x, numbers, scale):
    """Spike where the random number is below the probability."""
    spikes = np.zeros(numbers.shape)
    for index, number in np.ndenumerate(numbers):
        spikes[index] = number < min(max(scale * x[index[1:]], 0.0), 1.0)
    return spikes


def deterministic_rate(x, steps, scale):
    """⌊(t + 1)p⌋ − ⌊t p⌋."""
    spikes = np.zeros((steps, *x.shape))
    for index, value in np.ndenumerate(x):
        p = min(max(scale * value, 0.0), 1.0)
        for t in range(steps):
            spikes[(t, *index)] = math.floor((t + 1) * p) - math.floor(t * p)
    return spikes


def latency_time(x, steps, tau, threshold, first, linear, normalise, epsilon=1e-7):
    """Time of one value."""
    if linear:
        tau = steps - 1 - first if normalise else tau
        return min(tau * (1 - x), tau * (1 - threshold)) + first

    def charging(value):
        value = max(value, threshold + epsilon)
        return math.log(value / (value - threshold))

    if normalise:
        tau = (steps - 1 - first) / charging(threshold)
    return tau * charging(x) + first


def latency(x, steps, tau, threshold, first, linear, normalise, clip):
    """One spike at the rounded time. Python, too, rounds half to even."""
    times = np.full(x.shape, -1.0)
    for index, value in np.ndenumerate(x):
        if not (clip and value < threshold):
            times[index] = round(
                latency_time(value, steps, tau, threshold, first, linear, normalise)
            )
    return train(times, steps)


def ranks(x):
    """How many neurons of the last axis have larger values, or equal ones and come before."""
    result = np.zeros(x.shape)
    for index, value in np.ndenumerate(x):
        row = x[index[:-1]]
        i = index[-1]
        result[index] = sum(
            other > value or (other == value and j < i) for j, other in enumerate(row)
        )
    return result


def rank_order_activation(rank, weights, modulation):
    """Σ_i w_ki modulation^rank_i."""
    result = np.zeros((*rank.shape[:-1], len(weights)))
    for index in np.ndindex(result.shape):
        row, w = rank[index[:-1]], weights[index[-1]]
        result[index] = sum(w[i] * modulation ** row[i] for i in range(len(row)))
    return result


def population(x, m, low, high, width):
    """Responses of m Gaussian receptive fields."""
    spacing = (high - low) / (m - 2)
    result = np.zeros((*x.shape, m))
    for index, value in np.ndenumerate(x):
        for i in range(1, m + 1):
            centre = low + (2 * i - 3) / 2 * spacing
            result[(*index, i - 1)] = math.exp(
                -((value - centre) ** 2) / (2 * (spacing / width) ** 2)
            )
    return result


def population_spikes(response, steps, least):
    """round(T(1 − r)), silent where r is below `least`."""
    times = [round(steps * (1 - r)) if r >= least else -1 for r in response.ravel()]
    return train(np.reshape(times, response.shape), steps)


def delta(x, threshold, first, off):
    """Changes of a threshold or more, of one signal."""
    before = 0.0 if first == "zero" else x[0]
    spikes = []
    for value in x:
        up, down = value - before >= threshold, value - before <= -threshold
        spikes.append(int(up) - int(down and off))
        before = value
    return spikes


def temporal_contrast_threshold(x, factor, of, correction):
    """Mean of the changes and `factor` standard deviations, of one signal."""
    changes = [b - a for a, b in itertools.pairwise(x)]
    if of == "absolute":
        changes = [abs(c) for c in changes]
    mean = sum(changes) / len(changes)
    variance = sum((c - mean) ** 2 for c in changes) / (len(changes) - correction)
    return mean + factor * math.sqrt(variance)


def temporal_contrast(x, threshold):
    """Changes above a threshold, of one signal."""
    spikes = [0]
    for a, b in itertools.pairwise(x):
        spikes.append(int(b - a > threshold) - int(b - a < -threshold))
    return spikes


def step_forward(x, threshold):
    """The base follows one signal by the threshold."""
    base, spikes = x[0], []
    for value in x:
        spike = int(value > base + threshold) - int(value < base - threshold)
        base += spike * threshold
        spikes.append(spike)
    return spikes


def moving_window(x, threshold, window, first):
    """One signal against the mean of the values before."""
    spikes = []
    for t, value in enumerate(x):
        recent = x[max(t - window, 0) : t]
        if len(recent) < window and first == "window":
            recent = x[:window]
        base = sum(recent) / len(recent) if recent else value
        spikes.append(int(value > base + threshold) - int(value < base - threshold))
    return spikes


def contrast_decode(spikes, threshold, start):
    """Each spike is a step of one threshold."""
    value, result = start, []
    for spike in spikes:
        value += spike * threshold
        result.append(value)
    return result


def take_away(x, kernel, end, spiking):
    """Spike, and take the kernel away, where `spiking` says so of what is left and the kernel."""
    left, spikes = list(x), []
    for t in range(len(left)):
        part = left[t : t + len(kernel)]
        h = kernel[: len(part)]
        spike = spiking(part, h) and (end == "partial" or len(part) == len(kernel))
        if spike:
            for k, value in enumerate(h):
                left[t + k] -= value
        spikes.append(int(spike))
    return spikes


def hsa(x, kernel, end, threshold=0.0):
    """The kernel fits under one signal, or is above it by so much in all."""
    return take_away(
        x,
        kernel,
        end,
        lambda part, h: sum(max(b - a, 0.0) for a, b in zip(part, h, strict=True)) <= threshold,
    )


def bsa(x, kernel, threshold, rule, end):
    """Taking the kernel away brings one signal nearer to 0."""

    def nearer(part, h):
        with_kernel = sum(abs(a - b) for a, b in zip(part, h, strict=True))
        without = sum(abs(a) for a in part)
        limit = without - threshold if rule == "difference" else threshold * without
        return with_kernel <= limit

    return take_away(x, kernel, end, nearer)


def convolution(spikes, kernel):
    """Each spike of one train adds a kernel."""
    result = [0.0] * len(spikes)
    for t, spike in enumerate(spikes):
        for k, h in enumerate(kernel):
            if t + k < len(spikes):
                result[t + k] += spike * h
    return result


def event_camera(intensities, threshold, epsilon):
    """Events of one pixel: their number in each frame, and their sign."""
    reference, counts = math.log(intensities[0] + epsilon), []
    for intensity in intensities:
        change = math.log(intensity + epsilon) - reference
        polarity = (change > 0) - (change < 0)
        count = polarity * math.floor(abs(change) / threshold)
        reference += count * threshold
        counts.append(count)
    return counts


def events(counts):
    """Rows (t, x, y, p), as many as there are events."""
    rows = []
    for (t, y, x), count in np.ndenumerate(counts):
        rows += [(t, x, y, int(np.sign(count)))] * abs(int(count))
    return np.array(rows, dtype=int).reshape(-1, 4)


def histogram(rows, frames, height, width, duration):
    """Darker and brighter events of each frame and pixel."""
    counts = np.zeros((frames, 2, height, width))
    for t, x, y, p in rows:
        if 0 <= t // duration < frames and 0 <= y < height and 0 <= x < width and p:
            counts[t // duration, int(p > 0), y, x] += 1
    return counts


def event_times(intensities, threshold, epsilon, times):
    """(time, sign) of one pixel's events: its logarithm is linear between frames, NaN a gap."""
    known = [
        (time, math.log(intensity + epsilon))
        for time, intensity in zip(times, intensities, strict=True)
        if not math.isnan(intensity)
    ]
    reference, found = known[0][1] if known else 0.0, []
    for (begin, before), (end, after) in itertools.pairwise(known):
        sign = 1 if after > reference else -1
        while abs(after - reference) >= (1 - 1e-9) * threshold:
            reference += sign * threshold
            found.append((begin + (end - begin) * (reference - before) / (after - before), sign))
    return found

"""How posteriors print."""

import numpy as np

from synann_core.noisy_or import NoisyOr

NAMES = [f"cause {chr(97 + j)}" for j in range(12)]
MODEL = NoisyOr(np.linspace(0.01, 0.12, 12), [0.1], [[0.5] * 12], causes=NAMES)


def test_the_representation_counts():
    assert repr(MODEL.posterior([[1.0]])) == "Posterior(1 sample, 12 causes: 1 exact)"
    mixed = MODEL.posterior([[1.0], [0.0]], method="bounds")
    assert repr(mixed) == "Posterior(2 samples, 12 causes: 2 bounds)"
    assert repr(MODEL.posterior(np.empty((0, 1)))) == "Posterior(0 samples, 12 causes)"
    assert str(MODEL.posterior(np.empty((0, 1)))) == "Posterior(0 samples, 12 causes)"


def test_the_most_probable_causes_print_as_a_table():
    found = MODEL.posterior([[np.nan]])
    lines = str(found).splitlines()
    assert lines[:3] == [
        "sample 0: exact, log-evidence 0.0000",
        "cause    probability",
        "cause l       0.1200",
    ]
    assert lines[-1] == "… and 2 causes less probable"
    assert len(lines) == 13
    assert found.causes == tuple(NAMES)


def test_bounds_print_beside_the_probability():
    two = NoisyOr([0.1, 0.2], [0.1], [[0.5, 0.6]])
    lines = str(two.posterior([[1.0]], method="bounds")).splitlines()
    assert lines[1] == "cause  probability   lower   upper"
    assert [line.split()[0] for line in lines[2:]] == ["1", "0"]
    assert all(len(line) == len(lines[1]) for line in lines[2:])


def test_of_many_samples_the_first_are_printed():
    text = str(MODEL.posterior(np.ones((7, 1))))
    assert text.count("sample ") == 5
    assert text.endswith("… and 2 more samples")

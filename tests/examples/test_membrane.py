"""The membrane as an RC circuit."""

import numpy as np
import pytest

import membrane


def test_the_article_is_right(tmp_path, capsys):
    """Neurons 1 and 2 stay silent at 75, 125 and 200 ms, and neuron 3 fires."""
    assert membrane.main(["--output", str(tmp_path)]) == [0, 0, 1, 0]
    assert (tmp_path / "spiking-membrane.png").stat().st_size > 10_000
    assert "what is left of a charge" in capsys.readouterr().out
    (_, _, _, first), _, (_, _, spikes, third), _ = membrane.simulate(membrane.article_input())
    assert first.max() == pytest.approx(0.5 + 0.95**15 * (0.5 + 0.95**10 * 0.5))
    at = round(200 / membrane.DT)
    assert third[at] == pytest.approx(0.5 + 0.975**15 * (0.5 + 0.975**10 * 0.5))
    np.testing.assert_array_equal(np.flatnonzero(spikes), [at + 1])


def test_random_input(tmp_path):
    """A slower loss or a larger weight fires more; a charge falls to 1/e in τ."""
    options = ["--output", str(tmp_path), "--seed", "0"]
    fast_heavy, fast_light, slow_heavy, slow_light = membrane.main(options)
    assert slow_heavy > fast_heavy > fast_light
    assert slow_heavy > slow_light > fast_light
    for tau, steps, exact in membrane.check_decay():
        assert steps == pytest.approx(exact, rel=membrane.DT / tau)


def test_the_membrane_jumps_by_the_weight_and_falls_by_its_share():
    inputs = membrane.random_input(3)
    for tau, weight, spikes, m in membrane.simulate(inputs):
        before = np.concatenate([[0.0], m[:-1]])
        want = (1 - membrane.DT / tau) * before + weight * inputs - spikes
        np.testing.assert_allclose(m, want, atol=1e-12)

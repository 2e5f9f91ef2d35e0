"""The membrane as an RC circuit."""

import numpy as np
import pytest

import membrane


def test_membranes(tmp_path, capsys):
    """A slower loss or a larger weight fires more; a charge falls to 1/e in τ."""
    fast_heavy, fast_light, slow_heavy, slow_light = membrane.main(["--output", str(tmp_path)])
    assert slow_heavy > fast_heavy > fast_light
    assert slow_heavy > slow_light > fast_light
    assert (tmp_path / "spiking-membrane.png").stat().st_size > 10_000
    assert "what is left of a charge" in capsys.readouterr().out
    for tau, steps, exact in membrane.check_decay():
        assert steps == pytest.approx(exact, rel=1 / tau)


def test_the_membrane_jumps_by_the_weight_and_falls_by_its_share():
    inputs, results = membrane.simulate(300, 3)
    for tau, weight, spikes, m in results:
        before = np.concatenate([[0.0], m[:-1]])
        want = (1 - 1 / tau) * before + weight * inputs - spikes
        np.testing.assert_allclose(m, want, atol=1e-12)

"""SpikeProp learns XOR, and one neuron tells irises apart by when it fires."""

import numpy as np
import pytest

from studies import spikeprop_xor as example


@pytest.mark.parametrize("seed", [200, 201, 202])
def test_xor_is_learnt(seed):
    run = example.learn_xor(seed, 400)
    assert run.converged
    assert run.errors[0] > 10.0 > example.CONVERGED > run.errors[-1]
    hidden, output = run.layers
    assert hidden.shape == (5, 3, 16)
    assert (hidden >= 0.0).all()
    assert (output[0, :4] >= 0.0).all()
    assert (output[0, 4] <= 0.0).all()  # the inhibitory unit
    times = example.xor_times(run.layers)[1]
    assert np.abs(times - example.TARGETS).max() < 1.0
    # The curve in the picture meets the threshold where the neuron fires.
    for k, at in enumerate(times[:, 0]):
        assert example.output_potential(np.array([at]), run.layers)[k, 0] == pytest.approx(1.0)


def test_a_run_that_is_cut_short_has_not_converged():
    run = example.learn_xor(200, 3)
    assert not run.converged
    assert len(run.errors) == 4


def test_one_neuron_separates_irises():
    (train, test, rival), times = example.learn_irises(200, 150)
    assert train > 0.85
    assert test > 0.8  # a third is chance
    assert rival > 0.9
    means = [times[times[:, 1] == label, 0].mean() for label in range(3)]
    assert np.abs(means - example.IRIS_TARGETS).max() < 1.5


def test_short_run_prints_its_tables_and_leaves_its_picture(tmp_path, capsys):
    small = ["--seeds", "2", "--epochs", "2", "--iris-seeds", "1", "--iris-epochs", "2"]
    example.main([*small, "--output", str(tmp_path)])
    out = capsys.readouterr().out
    assert out.startswith("XOR: 0 of 2 seeds converge\n")
    assert "logistic regression, test half" in out
    assert [p.name for p in tmp_path.iterdir()] == ["spikeprop.png"]


def test_bad_options_give_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        example.main(["--seeds", "0"])
    assert "argument --seeds: " in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="--output: "):
        example.main(["--output", str(tmp_path / "file")])

"""The demo runs, on small settings, and ends with what it promises."""

import pytest

import digits


def last_rows(text):
    """First words of the last table's rows."""
    return [line.split()[0] for line in text.rstrip().splitlines()[-3:]]


@pytest.mark.parametrize("backend", ["numpy", "torch"])  # jax below
def test_demo_prints_its_table_and_leaves_its_files(backend, tmp_path, capsys):
    small = ["--epochs", "2", "--hidden", "8", "--batch-size", "300"]
    digits.main(["--backend", backend, "--output", str(tmp_path), *small])
    out = capsys.readouterr().out
    assert last_rows(out) == ["synapse", "dense", "none"]
    assert "the same 360 predictions" in out
    error = float(out.split("add up to its logits: error ")[1].split()[0])
    assert error < 1e-12
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "digits-decision.png",
        "digits-learning-curves.png",
        "digits-synapse.safetensors",
    ]


def test_every_backend_learns_the_same_up_to_rounding(tmp_path, capsys):
    tables = []
    for backend in ("numpy", "torch", "jax"):
        options = ["--epochs", "3", "--hidden", "16", "--layers", "synapse"]
        digits.main(["--backend", backend, "--output", str(tmp_path), *options])
        tables.append(capsys.readouterr().out.split()[-2])
    # float32 rounding, magnified by Adam, may tip the images on the edge: one is 0.28 points.
    scores = [float(score) for score in tables]
    assert max(scores) - min(scores) < 1.5
    assert min(scores) > 60


def test_a_short_run_of_one_layer_named_twice(tmp_path, capsys):
    options = ["--epochs", "1", "--layers", "none", "none", "--hidden", "4"]
    digits.main(["--output", str(tmp_path / "deep" / "folder"), *options])
    text = capsys.readouterr().out
    assert [line.split()[0] for line in text.splitlines() if line.startswith("none ")] == ["none"]
    assert (tmp_path / "deep" / "folder" / "digits-none.safetensors").exists()


@pytest.mark.parametrize(
    "option",
    [
        ("--epochs", "0"),
        ("--hidden", "1.5"),
        ("--batch-size", "1"),
        ("--seed", "-1"),
        ("--learning-rate", "nan"),
        ("--noise", "-0.1"),
        ("--layers", "conv"),
        ("--backend", "cuda"),
    ],
)
def test_options_out_of_range_are_named(option, capsys):
    with pytest.raises(SystemExit):
        digits.main(list(option))
    assert f"argument {option[0]}: " in capsys.readouterr().err.splitlines()[-1]


def test_an_output_that_is_a_file_gives_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"--output: .*file") as caught:
        digits.main(["--output", str(tmp_path / "file"), "--epochs", "1"])
    assert "\n" not in str(caught.value)


def test_epochs_are_counted_where_no_bar_is_shown(capsys):
    """In a log file there is no bar, which would write a line a second there."""
    from shared.syna_mlp import epoch_bar

    with epoch_bar(20, "synapse") as show:
        for _ in range(20):
            show({"loss": 0.5, "accuracy": 0.25})
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split("epoch")[1].split(":")[0]) for line in lines] == list(range(2, 21, 2))

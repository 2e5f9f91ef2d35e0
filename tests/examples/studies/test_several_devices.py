"""Training divided over devices has the losses of one. CI tries one engine, `make test-all` all."""

import os

import pytest

from studies import several_devices as example

WHOLE = os.environ.get("SYNANN_TEST_ENGINES") == "whole"
ENGINES = list(example.ENGINES) if WHOLE else ["jax-shard-map"]


@pytest.mark.parametrize("engine", ENGINES)
def test_losses_are_those_of_one_device(engine, capsys):
    example.main(["--engines", engine, "--hidden", "16", "--steps", "3"])
    name, devices, first, last, apart, *_ = capsys.readouterr().out.splitlines()[-1].split()
    assert (name, int(devices)) == (engine, 2 if engine in ("ddp", "fsdp") else 8)
    assert float(last) < float(first)
    assert float(apart) < 1e-5


def test_what_cannot_be_divided_is_named(capsys):
    with pytest.raises(SystemExit):
        example.main(["--devices", "3"])
    assert "--devices must divide 128 and --hidden. Received: 3" in capsys.readouterr().err


def test_a_failing_engine_gives_one_line(monkeypatch):
    monkeypatch.setattr(example.sys, "executable", "false")
    with pytest.raises(SystemExit, match=r"^ddp: "):
        example.main(["--engines", "ddp"])

"""A wide layer in parts is the layer, and its step is measured in a process of its own."""

import pytest
import torch

from studies import wide_layer as example
from synann.torch import Synapse


def test_parts_are_the_layer():
    torch.manual_seed(0)
    parts, whole = example.WideSynapse(12, 4, torch.float64), Synapse(12, 12, alpha=False).double()
    with torch.no_grad():
        whole.beta_logit.copy_(torch.cat([part.beta_logit for part in parts.parts]))
    y = torch.rand(3, 12, dtype=torch.float64)
    got, want = parts(y), whole(y)
    torch.testing.assert_close(got, want)
    got.square().sum().backward()
    want.square().sum().backward()
    gradients = torch.cat([part.beta_logit.grad for part in parts.parts])
    torch.testing.assert_close(gradients, whole.beta_logit.grad)


def test_main_measures(capsys):
    example.main(["--sizes", "64", "--parts", "4", "--rows", "2"])
    size, parts, expected, memory, *_ = capsys.readouterr().out.splitlines()[-1].split()
    assert (size, parts, expected) == ("64", "4", "0.00")
    assert 0.0 <= float(memory) < 1.0


def test_what_cannot_be_divided_is_named(capsys):
    with pytest.raises(SystemExit):
        example.main(["--sizes", "10", "--parts", "3"])
    assert "--parts must divide --sizes. Received: 3, 10" in capsys.readouterr().err

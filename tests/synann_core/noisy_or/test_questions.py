"""Questions to a network: one cause known, and what is refused."""

import numpy as np
import pytest

from tests.synann_core.noisy_or.networks import (
    KINDS,
    evidence_of,
    joint_of,
    network_of,
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_if_is_the_posterior_of_the_network_with_that_cause(kind):
    network = network_of(kind, 3)
    x = evidence_of(network, 3)
    sets, joint = joint_of(network, x)
    for value in (0.0, 1.0):
        chosen = sets[:, 4] == value
        want = joint[chosen] @ sets[chosen] / joint[chosen].sum()
        np.testing.assert_allclose(
            network.what_if(x, cause="c4", value=value).probability, want[None], rtol=1e-9
        )
    assert network.with_cause(4, 0.5).prior[4] == 0.5
    assert network.prior[4] != 0.5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n, x: n.explain(x, "zz"), ValueError, "`cause` must be one of the network's, such"),
        (lambda n, x: n.explain(x, 6), ValueError, "`cause` must be below 6. Received: 6"),
        (lambda n, x: n.explain(x, 1.5), TypeError, "`cause` must be an int. Received: 1.5"),
        (lambda n, x: n.explain(x[:3], 0), ValueError, r"`x` must have shape \(8\,?\)"),
        (lambda n, x: n.what_if(x, cause=0, value=2), ValueError, r"`value` must be in \[0, 1\]"),
        (lambda n, x: n.most_probable(x, at_most=0), ValueError, "`at_most` must be at least 1"),
        (lambda n, x: n.most_probable(x, count=0), ValueError, "`count` must be at least 1"),
        (lambda n, x: n.next_findings(x, count=0), ValueError, "`count` must be at least 1"),
        (lambda n, x: n.next_findings(x + 2), ValueError, r"`x` must be in \[0, 1\]"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(network_of("plain"), np.zeros(8))

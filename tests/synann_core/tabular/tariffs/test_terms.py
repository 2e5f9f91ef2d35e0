"""Levels as inputs of synapses."""

import numpy as np
import pytest

from synann_core.tabular.tariffs.terms import Term, first_terms

WORDS = np.array(["b", "a", "c", "a"], dtype=object)


def term(constraint, base=0):
    return Term("town", ("a", "b", "c"), False, constraint, base)


def test_every_level_but_the_base_has_a_synapse():
    np.testing.assert_array_equal(
        term("highest", 1).inputs(WORDS), [[0, 0], [1, 0], [0, 1], [1, 0]]
    )
    assert term("highest", 1).others == [0, 2]


@pytest.mark.parametrize("constraint", ["decreasing", "increasing"])
def test_monotone_levels_share_the_steps(constraint):
    """Strengths of any size make factors that fall, or rise, from level to level."""
    one = term(constraint)
    factors = np.exp(-one.synapses() @ np.array([0.3, 0.2]))
    ordered = factors if constraint == "decreasing" else factors[::-1]
    assert ordered[0] == 1.0
    assert (np.diff(ordered) < 0).all()
    np.testing.assert_array_equal(one.inputs(WORDS), one.synapses()[[1, 0, 2, 0]])
    assert one.base == (0 if constraint == "decreasing" else 2)


def test_numbers_have_a_place_between_their_ends():
    values = np.array([2.0, 3.0, 6.0, 9.0, 0.0])
    low = Term("size", (2.0, 6.0), True, "highest", 0)
    np.testing.assert_allclose(low.inputs(values)[:, 0], [0, 0.25, 1, 1, 0])
    np.testing.assert_allclose(low.with_base(1).inputs(values), 1 - low.inputs(values))
    constant = Term("size", (2.0, 2.0), True, "highest", 1)
    np.testing.assert_array_equal(constant.inputs(values), np.zeros((5, 1)))


def test_unknown_levels_are_named():
    with pytest.raises(ValueError, match=r"known levels of 'town': .* Received: 'd'"):
        term("highest").inputs(np.array(["a", "d"], object))


def terms(constraints="highest", base=None, levels=None, family="poisson", names=("town", "size")):
    columns = [WORDS, np.array([1.0, 2.0, 3.0, 4.0])]
    counts, exposure = np.array([4.0, 1, 2, 1]), np.ones(4)
    orders = [None, None]
    return first_terms(
        *(names, columns, (True, False), orders, constraints, base, levels, family),
        *(counts, exposure),
    )


def test_the_search_begins_at_the_highest_rate():
    town, size = terms()
    assert town.levels[town.base] == "b"
    assert size.base == 0  # counts fall with it
    assert terms(levels={"town": "cba"})[0].levels == ("c", "b", "a")


def test_bases_and_constraints_by_name():
    town, size = terms({"town": "free", "size": "increasing"}, {"town": "c"})
    assert (town.levels[town.base], size.base, size.constraint) == ("c", 1, "increasing")
    assert terms("nonnegative", {"size": 4.0})[1].base == 1


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"constraints": "up"}, ValueError, "`constraints` must be one of .* Received: 'up'"),
        ({"constraints": 3}, TypeError, "`constraints` must be a mapping .* Received: 3"),
        (
            {"constraints": {"age": "free"}},
            ValueError,
            "`constraints` must name features .* Received: 'age'",
        ),
        ({"constraints": "free", "family": "binomial"}, ValueError, "Received: 'free'"),
        ({"levels": {"town": "ab"}}, ValueError, "all levels of 'town'. Received: none for 'c'"),
        (
            {"constraints": "free", "base": {"town": "d"}},
            ValueError,
            "`base` of 'town' must be one of .* Received: 'd'",
        ),
        ({"names": ("town", "town")}, ValueError, "one column a name"),
    ],
)
def test_options_that_do_not_fit(options, kind, message):
    with pytest.raises(kind, match=message):
        terms(**options)

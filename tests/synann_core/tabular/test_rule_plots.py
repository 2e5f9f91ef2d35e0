"""Pictures of rules and features."""

import numpy as np
import pytest

from synann_core.tabular import SynapseRules
from synann_core.tabular.rule_plots import draw_feature, draw_rules
from synann_core.tabular.rule_table import Rule
from tests.synann_core.tabular.tables import mixed_columns, mixed_literals

pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


def test_bars_are_the_weights_with_the_largest_above():
    rules = [Rule(("a",), (1.0,), -2.0, 1, 0), Rule(("b", "c"), (1.0, 0.5), 0.5, 1, 0)]
    ax = pyplot.figure().subplots()
    assert draw_rules(rules, "ill", ax) is ax
    assert [bar.get_width() for bar in ax.patches] == [0.5, -2.0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b and c (0.50)", "a"]


@pytest.mark.parametrize("place", range(4))
def test_features_of_all_kinds(place):
    feature = mixed_literals(mixed_columns()).features[place]
    states = feature.states - 1 - (feature.kind == "category")
    values = np.arange(states, dtype=float)
    ax = draw_feature(feature, values, values, "ill", None)
    assert ax.get_xlabel() == feature.name
    drawn = [bar.get_height() for bar in ax.patches] or ax.lines[0].get_ydata().tolist()
    assert drawn == values.tolist()


def test_an_estimator_draws_its_own():
    X = np.random.default_rng(0).normal(size=(120, 3))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
    for labels in (y, np.minimum(y, 1)):
        model = SynapseRules(max_iter=30, n_starts=1, cv=2, penalties=(4e-3,)).fit(X, labels)
        ax = pyplot.figure().subplots()
        assert model.plot_rules(ax) is ax
        assert model.plot_feature("x0", label=1).get_xlabel() == "x0"
        line = model.plot_feature(0).lines[0]
        assert np.ptp(line.get_ydata()) > 0.5
        with pytest.raises(ValueError, match="`feature`"):
            model.plot_feature("no")
        with pytest.raises(ValueError, match="`label`"):
            model.plot_feature(0, label=9)

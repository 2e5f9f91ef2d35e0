"""Pictures of rules and features."""

import numpy as np
import pytest

from synann_core.tabular import SynapseRules
from synann_core.tabular.rules.literals import Feature
from synann_core.tabular.rules.plots import draw_feature, draw_rules
from synann_core.tabular.rules.table import Rule

pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


def bars(ax):
    found = {}
    for group in ax.containers:
        for bar in group:
            place = round(bar.get_y() + bar.get_height() / 2)
            found[place] = (group.get_label(), bar.get_width())
    return [found[place] for place in sorted(found)]


def test_bars_are_the_weights_with_the_largest_above():
    rules = [
        Rule(("a",), (1.0,), -2.0, "ill", 0),
        Rule(("b", "c"), (1.0, 0.5), 0.5, "ill", 0),
        Rule((), (), 9.0, "ill", 0),
    ]
    ax = pyplot.figure().subplots()
    assert draw_rules(rules, ["well", "ill"], ax) is ax
    assert bars(ax) == [("for ill", 0.5), ("for well", -2.0)]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b and c (0.50)", "a"]
    assert ax.get_xlabel() == "log-odds of ill [nats]"


def test_colours_say_the_class_of_several():
    rules = [Rule((name,), (1.0,), w, name, 0) for name, w in (("a", 1.0), ("b", -2.0), ("c", 3.0))]
    ax = draw_rules([*rules, rules[0]._replace(weight=4.0)], ["a", "b", "c"], None)
    labels = ["score of a", "score of b", "score of c", "score of a"]
    assert [label for label, _ in bars(ax)] == labels
    assert [text.get_text() for text in ax.get_legend().get_texts()] == labels[:3]
    assert len({group.patches[0].get_facecolor() for group in ax.containers}) == 3


def test_long_labels_stay_inside_the_picture():
    names = tuple(f"a column of number {k} > 1" for k in range(30))
    rules = [Rule(names[:n], (0.5,) * n, 1.0, "ill", 0) for n in (30, 3, 1)]
    ax = draw_rules(rules, ["well", "ill"], None)
    ax.figure.canvas.draw()
    own, whole = ax.get_window_extent(), ax.figure.bbox
    assert own.width > 0.4 * whole.width
    for text in (ax.xaxis.label, *ax.get_yticklabels()):
        box = text.get_window_extent()
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
    assert draw_rules([], ["well", "ill"], None).get_title() == "No rule but a constant"


def test_steps_are_at_the_thresholds():
    feature = Feature("x", "number", (0.0, 1.0, 50.0, 500.0), True, (0.5,) * 8)
    ax = draw_feature(feature, np.array([1.0, 2.0, 3.0, 4.0, 5.0, -7.0]), "log-odds of ill", None)
    line, missing, _ = ax.lines
    assert line.get_drawstyle() == "steps-post"
    x, y = line.get_data()
    assert x.tolist() == [-75.0, 0.0, 1.0, 50.0, 500.0, 575.0]
    assert y.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]
    assert missing.get_label() == "missing"
    assert set(missing.get_ydata()) == {-7.0}
    assert ax.get_ylabel() == "part in the log-odds of ill [nats]"


@pytest.mark.parametrize(
    ("kind", "values", "missing", "names"),
    [
        ("boolean", (), False, ["false", "true"]),
        ("boolean", (), True, ["false", "true", "missing"]),
        ("category", ("a", "$b"), True, ["a", r"\$b", "any other", "missing"]),
        ("category", (), False, ["any other"]),
    ],
)
def test_bars_of_words_and_of_missing_ones(kind, values, missing, names):
    feature = Feature("x", kind, values, missing, (0.5, 0.5))
    heights = np.arange(feature.states, dtype=float)
    ax = draw_feature(feature, heights, "score of a", None)
    assert [bar.get_height() for bar in ax.patches] == list(range(len(names)))
    assert [text.get_text() for text in ax.get_xticklabels()] == names
    assert ax.get_xlabel() == "x"


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_one_threshold_or_none(value):
    for values in ((), (value,)):
        feature = Feature("x", "number", values, False, (0.5, 0.5)[: 2 * len(values)])
        ax = draw_feature(feature, np.arange(float(feature.states)), "log-odds", None)
        x = ax.lines[0].get_xdata()
        assert len(x) == len(values) + 2
        assert np.all(np.diff(x) > 0.0)


def test_an_estimator_draws_its_own():
    X = np.random.default_rng(0).normal(size=(120, 3))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
    for labels in (y, np.minimum(y, 1)):
        options = {"max_iter": 60, "n_starts": 1, "cv": 2, "penalties": (4e-3,), "random_state": 0}
        model = SynapseRules(**options).fit(X, labels)
        ax = pyplot.figure().subplots()
        assert model.plot_rules(ax) is ax
        assert model.plot_feature("x0", label=1).get_xlabel() == "x0"
        line = model.plot_feature(0).lines[0]
        assert np.ptp(line.get_ydata()) > 0.5
        with pytest.raises(ValueError, match="`feature`"):
            model.plot_feature("no")
        with pytest.raises(ValueError, match="`label`"):
            model.plot_feature(0, label=9)

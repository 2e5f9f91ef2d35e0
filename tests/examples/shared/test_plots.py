import numpy as np
import pytest
from matplotlib import image as images
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mnist.files import GARMENTS
from shared import plots
from shared.plots import decision_parts, learning_curves


@pytest.fixture
def figures(monkeypatch):
    """Collect the figures as they are saved, to read what they show."""
    saved = []
    savefig = Figure.savefig

    def keep(self, *args, **kwargs):
        saved.append(self)
        return savefig(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


@pytest.fixture
def histories():
    return {
        "synapse": {
            "loss": [2, 1, 0.5],
            "accuracy": [0.2, 0.5, 0.8],
            "val_accuracy": [0.1, 0.4, 1],
        },
        "dense": {"loss": [2, 1.5], "accuracy": [0.1, 0.3]},
    }


def sample(classes=10, hidden=40, seed=0):
    rng = np.random.default_rng(seed)
    constant, parts = rng.normal(size=classes), rng.normal(size=(classes, hidden))
    return {
        "image": rng.random(64, dtype=np.float32),
        "constant": constant,
        "parts": parts,
        "logits": (constant + parts.sum(axis=1)).astype(np.float32),
        "image_shape": (8, 8),
        "classes": classes,
        "truth": 1,
    }


def check_png(path):
    height, width, _ = images.imread(path).shape
    assert width > 1000
    assert height > 400
    assert 10_000 < path.stat().st_size < 1_000_000
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_learning_curves(tmp_path, figures, histories):
    path = tmp_path / "new" / "folder" / "curves.png"
    learning_curves(histories, str(path), title="digits")
    check_png(path)
    (figure,) = figures
    assert figure.get_suptitle() == "digits"
    loss, accuracy = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[2, 1, 0.5], [2, 1.5]]
    assert [line.get_xdata().tolist() for line in loss.lines] == [[1, 2, 3], [1, 2]]
    shown = [(line.get_linestyle(), line.get_ydata().tolist()) for line in accuracy.lines]
    assert shown == [("--", [20, 50, 80]), ("-", [10, 40, 100]), ("--", [10, 30])]
    # One colour for a model in both panels, another for the next.
    colours = [line.get_color() for line in (*loss.lines, *accuracy.lines)]
    assert colours == [colours[0], colours[1], colours[0], colours[0], colours[1]]
    assert colours[0] != colours[1]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["synapse", "dense", "accuracy in training", "accuracy in the test"]


def test_learning_curves_without_a_test(tmp_path, figures, histories):
    del histories["synapse"]
    learning_curves(histories, tmp_path / "curves.png", title="")
    texts = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert texts == ["dense", "accuracy in training"]


def test_a_single_epoch_is_visible(tmp_path, figures):
    learning_curves({"a": {"loss": [1], "accuracy": [0.5]}}, tmp_path / "one.png", title="one")
    for axes in figures[0].axes:
        assert axes.lines[0].get_marker() == "o"
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ({}, "`histories` must hold at least one"),
        ({"a": {"loss": [1]}}, r"'a'.*'accuracy'. Received: \['loss'\]"),
        ({"a": {"loss": [1], "accuracy": [1, 2]}}, "one length. Received: loss 1, accuracy 2"),
    ],
)
def test_learning_curves_refuse(tmp_path, histories, message):
    with pytest.raises(ValueError, match=message):
        learning_curves(histories, tmp_path / "curves.png", title="")
    assert not list(tmp_path.iterdir())


def ends(axes):
    """Return the labels and the lengths of horizontal bars."""
    labels = [label.get_text() for label in axes.get_yticklabels()]
    return dict(zip(labels, (bar.get_width() for bar in axes.patches), strict=True))


def test_decision_parts_show_the_exact_sums(tmp_path, figures):
    path = tmp_path / "decision.png"
    case = sample()
    decision_parts(path=path, **case)
    check_png(path)
    picture, logits, margin = figures[0].axes
    np.testing.assert_array_equal(
        picture.images[0].get_array(), case["image"].reshape(8, 8).astype(float)
    )
    second, first = np.argsort(case["logits"])[-2:]
    assert picture.get_title() == f"truth: 1, prediction: {first}"

    # The stack of each class: three bars, whose signed heights add up to the marker.
    heights = np.array([bar.get_height() for bar in logits.patches]).reshape(3, 10)
    np.testing.assert_allclose(heights.sum(axis=0), case["logits"], rtol=1e-5)
    assert np.all(heights[1] >= 0)
    assert np.all(heights[2] <= 0)
    # What is positive is stacked up from zero, what is negative down from zero.
    bottoms = np.array([bar.get_y() for bar in logits.patches]).reshape(3, 10)
    assert np.all(bottoms[0] == 0)
    np.testing.assert_array_equal(bottoms[1], np.maximum(case["constant"], 0))
    np.testing.assert_array_equal(bottoms[2], np.minimum(case["constant"], 0))
    np.testing.assert_array_equal(logits.lines[0].get_ydata(), case["logits"])

    # The 12 largest in order, the remainder and the constants add up to the margin.
    bars = ends(margin)
    names = list(bars)
    difference = case["parts"][first] - case["parts"][second]
    largest = np.argsort(-np.abs(difference))[:12]
    assert names == [f"hidden {j}" for j in largest] + ["all 28 others", "constants"]
    for j in largest:
        assert bars[f"hidden {j}"] == difference[j]
    assert bars["constants"] == case["constant"][first] - case["constant"][second]
    total = case["logits"][first] - case["logits"][second]
    assert sum(bars.values()) == pytest.approx(total, rel=1e-5)
    title = margin.get_title()
    assert f"why {first} and not {second}" in title
    assert float(title.split()[-1]) == pytest.approx(total, abs=0.006)  # shown to 0.01


@pytest.mark.parametrize(("classes", "hidden"), [(10, 12), (2, 1), (3, 0), (10, 200)])
def test_decision_parts_of_other_sizes(tmp_path, figures, classes, hidden):
    case = sample(classes, hidden)
    decision_parts(path=tmp_path / "decision.png", **case)
    bars = ends(figures[0].axes[2])
    assert len(bars) == min(hidden, 12) + (hidden > 12) + 1
    second, first = np.sort(case["logits"])[-2:]
    assert sum(bars.values()) == pytest.approx(first - second, rel=1e-4, abs=1e-5)


def test_equal_logits_are_decided_as_argmax_does(tmp_path, figures):
    case = sample(classes=3, hidden=2)
    case |= {"constant": np.ones(3), "parts": np.zeros((3, 2)), "logits": np.ones(3)}
    decision_parts(path=tmp_path / "decision.png", **case)
    assert figures[0].axes[0].get_title() == "truth: 1, prediction: 0"


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_no_text_overlaps(tmp_path, figures, scale):
    case = sample(hidden=300)
    for name in ("constant", "parts", "logits"):
        case[name] = case[name] * scale
    decision_parts(path=tmp_path / "decision.png", **case)
    figure = figures[0]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = []
    for axes in figure.axes:
        low, high = sorted(axes.get_xlim())
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        texts = [axes.title, axes.xaxis.label, *axes.texts, *axes.get_yticklabels()]
        texts += [label for tick, label in ticks if low <= tick <= high]
        if axes.get_legend():
            texts += axes.get_legend().get_texts()
        boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
    assert len(boxes) > 40
    page = figure.bbox
    for k, (text, box) in enumerate(boxes):
        assert page.x0 <= box.x0, text
        assert box.x1 <= page.x1, text
        assert page.y0 <= box.y0, text
        assert box.y1 <= page.y1, text
        for other, other_box in boxes[:k]:
            assert not box.overlaps(other_box), (text, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": 1}, "`classes` must be 2 or more. Received: 1"),
        ({"classes": 9}, r"`parts` must have the shape \(9, hidden\). Received: \(10, 40\)"),
        ({"constant": np.zeros(9)}, r"`constant` must have the shape \(10,\). Received: \(9,\)"),
        ({"logits": np.zeros((10, 1))}, r"`logits` must have the shape \(10,\)"),
        ({"constant": np.full(10, 5.0)}, "must add up to `logits`. Received: differences up to"),
        ({"constant": np.full(10, np.nan)}, "must add up to `logits`"),
        ({"image_shape": (8, 9)}, "cannot reshape"),
    ],
)
def test_decision_parts_refuse(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        decision_parts(path=tmp_path / "decision.png", **sample() | change)
    assert not list(tmp_path.iterdir())


def test_failure_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch, histories):
    path = tmp_path / "curves.png"
    path.write_bytes(b"older")

    def full_disk(self, target, **kwargs):
        target.write(b"half a pic")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="disk full"):
        learning_curves(histories, path, title="")
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]
    assert path.read_bytes() == b"older"


def test_the_confusion_matrix_is_drawn_with_its_numbers(tmp_path, monkeypatch):
    saved = []
    own = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (saved.append(self), own(self, *a, **k))
    )
    counts = np.array([[50, 7, 0], [1, 40, 0], [0, 0, 30]])
    plots.confusion_matrix(counts, tmp_path / "matrix.png", title="errors", names=GARMENTS[:3])
    assert (tmp_path / "matrix.png").read_bytes()[:4] == b"\x89PNG"
    (axes,) = saved[0].axes
    shown = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert shown == {(0, 0): "50", (1, 0): "7", (0, 1): "1", (1, 1): "40", (2, 2): "30"}
    np.testing.assert_array_equal(axes.images[0].get_array(), counts * (1 - np.eye(3)))
    assert [label.get_text() for label in axes.get_yticklabels()] == list(GARMENTS[:3])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("prediction", "truth")
    with pytest.raises(
        ValueError, match=r"`counts` must have the shape \(2, 2\).*Received: \(3, 3"
    ):
        plots.confusion_matrix(counts, tmp_path / "x.png", title="", names=("a", "b"))


def test_validation_losses_are_drawn_beside_those_of_training(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(plots, "save", lambda figure, path: saved.append(figure))
    history = {
        "loss": [3, 2],
        "accuracy": [0.1, 0.2],
        "val_loss": [2, 1],
        "val_accuracy": [0.3, 0.4],
    }
    plots.learning_curves({"a": history}, "x.png", title="", tested="validation")
    loss, accuracy = saved[0].axes
    for axes, first, second in ((loss, [3, 2], [2, 1]), (accuracy, [10, 20], [30, 40])):
        drawn = [(line.get_linestyle(), line.get_ydata().tolist()) for line in axes.lines]
        assert drawn == [("--", first), ("-", second)]
    texts = [text.get_text() for text in saved[0].legends[0].get_texts()]
    assert texts == ["a", "in training", "in validation"]
    assert loss.get_title() == "loss"


def test_no_global_state():
    assert not hasattr(plots, "pyplot")
    assert not hasattr(plots, "plt")

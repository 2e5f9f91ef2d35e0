import numpy as np
import pytest
from matplotlib import image as images
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mnist.files import GARMENTS
from shared import plots
from shared.plots import decision_pixels, learning_curves, signed, waterfall


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


def sample(classes=10, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.random(64, dtype=np.float32),
        "constant": scale * rng.normal(size=classes),
        "parts": scale * rng.normal(size=(classes, 64)),
        "average": rng.random(64),
        "image_shape": (8, 8),
        "truth": 1,
    }


def check_png(path):
    height, width = images.imread(path).shape[:2]
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


def best_two(case):
    logits = case["constant"] + case["parts"].sum(axis=1)
    second, first = np.argsort(logits)[-2:]
    return first, second, logits


def test_decision_pixels_show_the_exact_sums(tmp_path, figures):
    path = tmp_path / "decision.png"
    case = sample()
    decision_pixels(path=path, **case)
    check_png(path)
    picture, pixels, sums = figures[0].axes
    first, second, logits = best_two(case)
    np.testing.assert_array_equal(
        picture.images[0].get_array(), case["image"].reshape(8, 8).astype(float)
    )
    assert f"the network says {first} (" in picture.get_xlabel()
    # What speaks for the first is below zero, which is blue.
    difference = (case["parts"][first] - case["parts"][second]).reshape(8, 8)
    np.testing.assert_allclose(-pixels.images[0].get_array(), difference, rtol=1e-12)
    ink = {(round(x), round(y)) for line in pixels.lines for x, y in [line.get_xydata()[0]]}
    dark = (case["image"] > case["average"]).reshape(8, 8)
    assert ink == {(column, row) for row, column in np.argwhere(dark)}
    # Five bars, the constant's first, that end where their sum does.
    bars = [bar.get_width() for bar in sums.patches]
    assert len(bars) == 6
    assert bars[0] == case["constant"][first] - case["constant"][second]
    assert sum(bars[:5]) == pytest.approx(logits[first] - logits[second], rel=1e-9)
    assert bars[5] == pytest.approx(sum(bars[:5]))
    assert bars[1] == pytest.approx(difference[dark & (difference > 0)].sum())
    assert bars[4] == pytest.approx(difference[~dark & (difference <= 0)].sum())


def test_equal_logits_are_decided_as_argmax_does(tmp_path, figures):
    case = sample(classes=3) | {"constant": np.ones(3), "parts": np.zeros((3, 64))}
    decision_pixels(path=tmp_path / "decision.png", **case)
    assert "the network says 0 (33 %)" in figures[0].axes[0].get_xlabel()


def test_bars_of_a_waterfall_begin_where_the_last_one_ends():
    axes = Figure().add_subplot()
    waterfall(axes, ["a", "b", "c"], [1.0, -3.0, 0.5], total="sum")
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert spans == [(0.0, 1.0), (1.0, -2.0), (-2.0, -1.5), (0.0, -1.5)]
    assert [text.get_text() for text in axes.texts] == ["+1.00", "−3.00", "+0.50", "−1.50"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c", "sum"]


def test_numbers_have_a_sign_and_a_real_minus():
    assert [signed(v) for v in (1.234, -1.236, 0.0, -0.001)] == ["+1.23", "−1.24", "+0.00", "+0.00"]


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_no_text_overlaps(tmp_path, figures, scale):
    decision_pixels(path=tmp_path / "decision.png", **sample(scale=scale))
    no_overlaps(figures[0])


def no_overlaps(figure):
    """Texts lie on the page, and none on another."""
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
    assert len(boxes) > 15
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
        ({"constant": np.zeros(9)}, r"`parts` must have the shape \(9, 64\).*Received: \(10, 64\)"),
        ({"constant": np.zeros(1), "parts": np.zeros((1, 64))}, "of 2 or more classes"),
        ({"image_shape": (8, 9)}, "cannot reshape"),
    ],
)
def test_decision_pixels_refuse(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        decision_pixels(path=tmp_path / "decision.png", **sample() | change)
    assert not list(tmp_path.iterdir())


def test_pictures_are_small(tmp_path):
    """A palette takes a third of the bytes, and the style is that of the library."""
    figure = Figure()
    figure.add_subplot().plot([0, 1])
    plots.save(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
    plots.save(figure, tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()


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


def test_a_sheet_has_its_images_in_rows_with_gaps():
    fields = np.arange(5 * 6, dtype=float).reshape(5, 6)
    sheet = plots.sheet(fields, (2, 3))
    assert sheet.shape == (2 * 3, 3 * 4)  # three columns, two lines
    np.testing.assert_array_equal(sheet[:2, 4:7], fields[1].reshape(2, 3))
    np.testing.assert_array_equal(sheet[3:5, :3], fields[3].reshape(2, 3))
    assert np.isnan(sheet[2]).all()
    assert np.isnan(sheet[:, 3]).all()
    assert np.isnan(sheet[3:, 8:]).all()  # there is no sixth

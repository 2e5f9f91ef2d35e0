"""What the training examples share, with a trainer that is a few lines of NumPy."""

import json
import pickle

import numpy as np
import pytest

from mnist import training
from mnist.checkpoints import RunError, load_checkpoint, save_checkpoint
from mnist.training import BEST, LAST, Run, evaluate, fit, validation_split
from shared.datasets import Dataset


class SoftmaxRegression:
    """Logits x W, trained by noisy gradient steps: what it learns depends on its RNG's state."""

    def __init__(self, seed=0, rate=0.5, stop_at=None):
        self.rng = np.random.default_rng(seed)
        self.W = np.zeros((6, 3))
        self.rate, self.stop_at = rate, stop_at
        self.steps = np.array(0)
        self.parameter_count = self.W.size
        self.seen = []  # the images of every call

    def batches(self, images):
        return images // 4

    def train_epoch(self, images, labels):
        self.seen.append(images)
        order = self.rng.permutation(len(labels))
        for rows in order[: self.batches(len(labels)) * 4].reshape(-1, 4):
            if self.steps == self.stop_at:
                raise KeyboardInterrupt
            x, y = images[rows], labels[rows]
            logits = x @ self.W
            p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            noise = self.rng.normal(0, 0.05, self.W.shape)
            self.W -= self.rate * (x.T @ (p - np.eye(3)[y]) / 4 + noise)
            self.steps += 1
            loss = training.cross_entropy(logits, y)
            yield 4, loss, int((logits.argmax(1) == y).sum())

    def predict(self, images, batch):
        self.seen.append(images)
        return np.concatenate(
            [images[k : k + batch] @ self.W for k in range(0, len(images), batch)]
        )

    def state(self):
        numbers = {"rng": self.rng.bit_generator.state}
        return {"W": self.W, "steps": self.steps}, numbers

    def load_state(self, arrays, numbers):
        self.W, self.steps = arrays["W"].copy(), arrays["steps"].copy()
        self.rng.bit_generator.state = numbers["rng"]

    def weights(self):
        return {"W": self.W}

    def load_weights(self, arrays):
        self.W = arrays["W"]


class Scripted(SoftmaxRegression):
    """A trainer whose validation accuracy by epoch is given."""

    def __init__(self, accuracies):
        super().__init__()
        self.accuracies, self.epoch = accuracies, 0

    def train_epoch(self, images, labels):
        self.W = np.full((6, 3), float(self.epoch))
        self.labels = labels
        self.epoch += 1
        yield 4, 1.0, 2

    def predict(self, images, batch):
        right = round(self.accuracies[self.epoch - 1] * len(images))
        answers = (TRUTH[len(images)] + (np.arange(len(images)) >= right)) % 3
        return np.eye(3)[answers]


TRUTH = {}


@pytest.fixture
def data():
    rng = np.random.default_rng(7)
    y = rng.integers(0, 3, 120)
    x = (np.eye(3)[y].repeat(2, axis=1) * 0.4 + rng.random((120, 6)) * 0.6).astype(np.float32)
    names = ("a", "b", "c")
    return Dataset(x[:96], y[:96], x[96:], y[96:], (2, 3), 3, "toy", names)


def a_run(folder, epochs=4, test_batches=(5,), **settings):
    settings = {"data": "toy", "model": "m", "layer": "l", "epochs": epochs, **settings}
    return Run(folder, settings, epochs, 5, test_batches)


def without_seconds(history):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


def state_of(folder, name=LAST):
    arrays, content = load_checkpoint(folder / name)
    return {key: array.tolist() for key, array in arrays.items()}, content.get("state")


def test_the_split_repeats_and_keeps_the_test_images_away(data):
    inner = validation_split(data, 3)
    assert (len(inner.train_y), len(inner.test_y)) == (88, 8)
    rows = {tuple(row) for row in np.concatenate([inner.train_x, inner.test_x]).tolist()}
    assert rows == {tuple(row) for row in data.train_x.tolist()}  # every image once
    for x, y in ((inner.train_x, inner.train_y), (inner.test_x, inner.test_y)):
        for row, label in zip(x, y, strict=True):
            (k,) = np.flatnonzero((data.train_x == row).all(1))
            assert data.train_y[k] == label
    again, other = validation_split(data, 3), validation_split(data, 4)
    np.testing.assert_array_equal(again.test_x, inner.test_x)
    assert not np.array_equal(other.test_x, inner.test_x)
    assert (inner.name, inner.classes, inner.names) == (data.name, 3, data.names)


def test_a_limit_counts_training_and_validation_images(data):
    inner = validation_split(data, 0, 24)
    assert (len(inner.train_y), len(inner.test_y)) == (22, 2)
    with pytest.raises(RunError, match="12 training images or more, not 11"):
        validation_split(data, 0, 11)


def test_the_cycle_rises_and_falls_without_a_jump():
    share = np.linspace(0, 1, 2001)
    rate = np.array([training.cosine_cycle(s) for s in share])
    assert rate[0] == pytest.approx(1 / 25)
    assert rate[500] == pytest.approx(1)
    assert rate[-1] == pytest.approx(0, abs=1e-12)
    change = np.diff(rate)
    assert (change[:500] > 0).all()
    assert (change[500:] < 0).all()
    assert np.abs(change).max() < 0.01
    assert training.cosine_cycle(0.6, warm_up=0.6) == pytest.approx(1)


def test_metrics():
    logits = np.array([[1000.0, 0.0], [0.0, 0.0], [0.0, np.log(3.0)]], dtype=np.float32)
    truth = np.array([0, 1, 1])
    assert training.accuracy(logits, truth) == pytest.approx(2 / 3)  # a tie goes to the first
    expected = (0 + np.log(2) + np.log(4 / 3)) / 3
    assert training.cross_entropy(logits, truth) == pytest.approx(expected, rel=1e-6)
    counts = training.confusion_matrix(np.array([0, 2, 2, 1]), np.array([0, 1, 2, 1]), 3)
    np.testing.assert_array_equal(counts, [[1, 0, 0], [0, 1, 0], [0, 1, 1]])


def test_it_learns_and_prints_a_line_for_every_epoch(data, tmp_path, capsys):
    inner = validation_split(data, 0)
    history = fit(SoftmaxRegression(), inner, a_run(tmp_path / "new" / "run", epochs=6))
    assert len(history) == 6
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.8
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"epoch {k}/6" for k in range(1, 7)]


@pytest.mark.parametrize("stop_at", [0, 21, 22, 50, 87])  # 22 steps are an epoch
def test_an_interrupted_run_ends_as_if_nothing_had_happened(data, tmp_path, stop_at):
    inner = validation_split(data, 0)
    whole, broken = a_run(tmp_path / "whole"), a_run(tmp_path / "broken")
    expected = fit(SoftmaxRegression(), inner, whole)
    with pytest.raises(KeyboardInterrupt):
        fit(SoftmaxRegression(stop_at=stop_at), inner, broken)
    last = broken.folder / LAST
    saved = len(load_checkpoint(last)[1]["history"]) if last.exists() else 0
    assert saved == stop_at // 22  # all but the epoch that was under way
    # Of a trainer that goes on nothing counts but what it loads, not even its seed.
    again = SoftmaxRegression(seed=9 if saved else 0)
    history = fit(again, inner, broken, resume=True)
    assert without_seconds(history) == without_seconds(expected)
    for name in (LAST, BEST):
        assert state_of(broken.folder, name) == state_of(whole.folder, name)


def test_a_run_killed_between_its_two_files_repeats_the_epoch(data, tmp_path, monkeypatch):
    inner = validation_split(data, 0)
    whole, broken = a_run(tmp_path / "whole"), a_run(tmp_path / "broken")
    expected = fit(SoftmaxRegression(), inner, whole)
    best = load_checkpoint(whole.folder / BEST)[1]["epoch"]

    def killed(path, arrays, content):
        if path.name == LAST and len(content["history"]) == best:
            raise KeyboardInterrupt
        save_checkpoint(path, arrays, content)

    with monkeypatch.context() as patched:
        patched.setattr(training, "save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(SoftmaxRegression(), inner, broken)
    assert load_checkpoint(broken.folder / BEST)[1]["epoch"] == best
    history = fit(SoftmaxRegression(), inner, broken, resume=True)
    assert without_seconds(history) == without_seconds(expected)
    assert state_of(broken.folder, BEST) == state_of(whole.folder, BEST)


def test_the_best_epoch_by_validation_is_kept_and_restored(data, tmp_path):
    inner = validation_split(data, 0)
    TRUTH.update({8: inner.test_y, 24: data.test_y})
    run, trainer = a_run(tmp_path, epochs=4), Scripted([0.5, 0.75, 0.75, 0.25])
    history = fit(trainer, inner, run)
    assert [entry["val_accuracy"] for entry in history] == [0.5, 0.75, 0.75, 0.25]
    arrays, best = load_checkpoint(tmp_path / BEST)
    assert best["epoch"] == 2  # of equals the first
    assert (arrays["W"] == 1).all()
    results = evaluate(trainer, data, run, history, {})
    assert (trainer.W == 1).all()
    assert (results["best_epoch"], results["validation_accuracy"]) == (2, 0.75)


def test_the_test_images_are_used_once_and_results_complete(data, tmp_path):
    inner, run = validation_split(data, 0), a_run(tmp_path, test_batches=(5, 24))
    trainer = SoftmaxRegression()
    history = fit(trainer, inner, run)
    test_rows = {tuple(row) for row in data.test_x.tolist()}
    assert not any(test_rows & {tuple(row) for row in x.tolist()} for x in trainer.seen)
    trainer.seen.clear()
    results = evaluate(trainer, data, run, history, {"device": "abacus"})
    assert len(trainer.seen) == 2  # once for each size of batch
    assert results == json.loads((tmp_path / "results.json").read_text())
    arrays, best = load_checkpoint(tmp_path / BEST)
    truth, predicted = data.test_y, (data.test_x @ arrays["W"]).argmax(1)
    assert results["test_accuracy"] == np.mean(truth == predicted)
    assert [score["batch"] for score in results["test"]] == [5, 24]
    assert results["test"][0]["loss"] == pytest.approx(results["test"][1]["loss"])
    assert (results["settings"], results["parameters"]) == (run.settings, 18)
    assert (results["device"], results["history"]) == ("abacus", history)
    assert results["best_epoch"] == best["epoch"]
    assert results["seconds"] == sum(entry["seconds"] for entry in history) > 0
    table = np.loadtxt(tmp_path / "predictions.csv", delimiter=",", skiprows=1, dtype=int)
    np.testing.assert_array_equal(table, np.stack([np.arange(24), truth, predicted], axis=1))
    files = {path.name for path in tmp_path.iterdir()}
    pictures = {"learning-curves.png", "confusion-matrix.png"}
    assert files == {LAST, BEST, "results.json", "predictions.csv", *pictures}


def test_a_run_is_not_continued_under_other_settings(data, tmp_path):
    inner, run = validation_split(data, 0), a_run(tmp_path, epochs=1)
    fit(SoftmaxRegression(), inner, run)
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(RunError, match="holds a run; pass --resume"):
        fit(SoftmaxRegression(), inner, run)
    other = a_run(tmp_path, epochs=2, seed=1)
    with pytest.raises(RunError, match="has epochs 1, not 2; seed None, not 1"):
        fit(SoftmaxRegression(), inner, other, resume=True)
    assert (tmp_path / LAST).read_bytes() == before
    assert len(fit(SoftmaxRegression(), inner, run, resume=True)) == 1  # nothing left to do


def test_without_a_checkpoint_resume_begins(data, tmp_path):
    assert (
        len(fit(SoftmaxRegression(), validation_split(data, 0), a_run(tmp_path), resume=True)) == 4
    )


def test_a_loss_that_is_not_finite_ends_the_run(data, tmp_path):
    inner = validation_split(data, 0)
    with (
        pytest.raises(RunError, match="the loss of epoch 1 is not finite"),
        np.errstate(all="ignore"),
    ):
        fit(SoftmaxRegression(rate=np.inf), inner, a_run(tmp_path))
    assert not (tmp_path / LAST).exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b"",
        lambda b: pickle.dumps(print),
        lambda b: b.replace(b'\\"scalars\\"', b'\\"scalarz\\"'),
    ],
)
@pytest.mark.parametrize("name", [LAST, BEST])
def test_a_damaged_checkpoint_is_named(data, tmp_path, damage, name):
    inner, run = validation_split(data, 0), a_run(tmp_path, epochs=1)
    fit(SoftmaxRegression(), inner, run)
    content = (tmp_path / name).read_bytes()
    assert damage(content) != content
    (tmp_path / name).write_bytes(damage(content))

    def go_on():
        history = fit(SoftmaxRegression(), inner, run, resume=True)
        evaluate(SoftmaxRegression(), data, run, history, {})

    with pytest.raises(RunError, match=f"{name}: not a readable checkpoint") as error:
        go_on()
    assert "\n" not in str(error.value)


def test_an_output_that_is_a_file_gives_one_line(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"--output: .*file"):
        fit(SoftmaxRegression(), validation_split(data, 0), a_run(tmp_path / "file"))

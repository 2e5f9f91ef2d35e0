"""Models on disk: the same bits again, or one clear error and the model as it was."""

import json
import os
import stat
import threading

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

import synann_core as syn
from synann_core._lib.files import write_whole


def model(seed=0, **options):
    return syn.SynaMLP(4, 6, 3, seed=seed, **options)


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    model(seed=7).save(path)
    return path


def expect_refusal(path, pattern=r"`path`.*Received", error=ValueError):
    """Loading fails with one line, and leaves the model bit for bit as it was."""
    ours = model(seed=1)
    before = {k: w.copy() for k, w in ours.weights.items()}
    with pytest.raises(error, match=pattern) as caught:
        ours.load(path)
    assert "\n" not in str(caught.value)
    assert same(ours.weights, before)


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_a_model_comes_back_bit_for_bit(tmp_path, layer, gate):
    path = tmp_path / "model.safetensors"
    ours = model(layer=layer, gate=gate, dropout=0.3)
    ours.save(path)
    again = syn.SynaMLP.from_file(path)
    assert same(ours.weights, again.weights)
    assert (again.layer, again.gate, again.dropout) == (layer, gate, 0.3)
    X = np.random.default_rng(0).random((5, 4))
    assert np.array_equal(ours.predict_proba(X), again.predict_proba(X))


def test_weights_trained_on_any_library_are_saved(xp, tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 4)).astype(np.float32), rng.integers(0, 3, 60)
    ours = model(dropout=0.2)
    # The shapes of other tests: JAX compiles them once.
    ours.fit(xp.asarray(X, "float32"), y, epochs=1, batch_size=15)
    ours.save(tmp_path / "model.safetensors")
    again = syn.SynaMLP.from_file(tmp_path / "model.safetensors")
    for name, weight in ours.weights.items():
        assert np.array_equal(xp.to_numpy(weight), again.weights[name])
        assert again.weights[name].dtype == np.float32


def test_a_torch_state_dict_of_the_same_names_loads(tmp_path):
    state = {k: torch.tensor(w) for k, w in model(seed=3).weights.items()}
    state["norm1.num_batches_tracked"] = torch.tensor(12)
    safetensors.torch.save_file(state, tmp_path / "torch.safetensors")
    ours = model()
    ours.load(tmp_path / "torch.safetensors")
    assert same(ours.weights, model(seed=3).weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_narrower_floats_load_and_serve_data_of_any_dtype(tmp_path, dtype):
    state = {k: torch.tensor(w).to(dtype) for k, w in model().weights.items()}
    safetensors.torch.save_file(state, tmp_path / "torch.safetensors")
    ours = model(seed=1)
    ours.load(tmp_path / "torch.safetensors")
    X = np.random.default_rng(0).random((5, 4))
    assert ours.predict_proba(X).dtype == np.float64
    eps = torch.finfo(dtype).eps
    # Each of a few dozen rounded weights moves a logit of order 1 by eps times its share.
    np.testing.assert_allclose(ours.predict_proba(X), model().predict_proba(X), atol=20 * eps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_dtypes_that_numpy_lacks_are_refused(tmp_path, dtype):
    state = {k: torch.tensor(w).to(dtype) for k, w in model().weights.items()}
    safetensors.torch.save_file(state, tmp_path / "torch.safetensors")
    expect_refusal(tmp_path / "torch.safetensors")
    with pytest.raises(ValueError, match="`path`.*Received"):  # noqa: RUF043
        syn.SynaMLP.from_file(tmp_path / "torch.safetensors")


def test_a_file_of_another_gate_is_refused(saved):
    # Its tensors have the same names and shapes: only the configuration tells.
    model(gate="softmax").save(saved)
    expect_refusal(saved, "`path`.*gate 'sigmoid'.*Received.*gate 'softmax'")
    other = model(seed=1, gate="softmax")
    other.load(saved)
    assert same(other.weights, model(gate="softmax").weights)


def test_a_missing_file_is_a_missing_file(tmp_path):
    expect_refusal(tmp_path / "none.safetensors", "none.safetensors", FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        syn.SynaMLP.from_file(tmp_path / "none.safetensors")


def test_a_folder_is_refused(tmp_path):
    expect_refusal(tmp_path)


def test_every_truncation_is_refused(saved):
    data = saved.read_bytes()
    for length in [*range(0, 40), *range(40, len(data), 97), len(data) - 1]:
        saved.write_bytes(data[:length])
        expect_refusal(saved)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "random.safetensors"
    path.write_bytes(data)
    expect_refusal(path)


@given(st.integers(0, 2000), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_only_changes_numbers(tmp_path_factory, position, mask):
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    model(seed=7).save(path)
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= mask
    path.write_bytes(data)
    ours = model(seed=1)
    before = {k: w.copy() for k, w in ours.weights.items()}
    try:
        ours.load(path)
    except ValueError as error:
        assert "`path`" in str(error)  # noqa: PT017 - either outcome is right
        assert same(ours.weights, before)
    else:
        assert all(np.isfinite(w).all() for w in ours.weights.values())


def without(weights):
    return {k: w for k, w in weights.items() if k != "output.bias"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (without, "output.bias"),
        (lambda w: {}, "output.bias"),
        (lambda w: {k.replace("norm", "n"): v for k, v in w.items()}, "norm1.bias"),
        (lambda w: {**w, "output.weight": w["output.weight"].T}, r"`output.weight` of shape"),
        (lambda w: {**w, "output.bias": np.full(3, np.inf)}, "finite.*`output.bias`.*3 others"),
        (lambda w: {**w, "output.bias": np.zeros((), dtype=np.float32)}, "`output.bias` of shape"),
        (lambda w: {**w, "extra": np.zeros(2)}, "extra"),
        (lambda w: {**w, "output.bias": np.zeros(4)}, r"`output.bias` of shape \(3,\)"),
        (lambda w: {**w, "output.bias": np.full(3, np.nan)}, "finite.*`output.bias`"),
        (lambda w: {**w, "output.bias": np.zeros(3, dtype=int)}, "floating.*`output.bias`"),
        (lambda w: {**w, "norm1.running_var": np.full(6, -1.0)}, "`norm1.running_var`"),
    ],
)
def test_tensors_of_another_model_are_refused(saved, change, named):
    safetensors.numpy.save_file(change(model().weights), saved)
    expect_refusal(saved, rf"`path`.*{named}|`path`.*Received.*{named}")


CONFIG = {"in_features": 4, "hidden": 6, "classes": 3, "layer": "synapse", "gate": "sigmoid"}


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        (None, "without.*in_features"),
        ({"config": "{"}, ""),
        ({"config": "[]"}, ""),
        ({"config": "7"}, ""),
        ({"config": '"in_features hidden classes layer gate dropout"'}, ""),
        ({"config": "[" * 100_000}, ""),  # deeper than Python's stack
        ({"config": json.dumps({"in_features": 4})}, "without.*hidden"),
        ({"config": json.dumps(CONFIG)}, "without.*dropout"),
        ({"config": json.dumps({**CONFIG, "dropout": 1.5})}, "`dropout`"),
        ({"config": json.dumps({**CONFIG, "dropout": 0.0, "hidden": 6.0})}, "`hidden`"),
        ({"config": json.dumps({**CONFIG, "dropout": 0.0, "layer": "os.system"})}, "synapse"),
        ({"config": json.dumps({**CONFIG, "dropout": 0.0, "gate": None})}, "`gate`"),
        # before any memory is taken for it
        ({"config": json.dumps({**CONFIG, "dropout": 0.0, "hidden": 10**9})}, "hidden.weight"),
    ],
)
def test_from_file_needs_the_configuration(saved, metadata, named):
    safetensors.numpy.save_file(model().weights, saved, metadata)
    with pytest.raises(ValueError, match=f"`path`.*Received.*{named}|`path`.*{named}.*Received"):
        syn.SynaMLP.from_file(saved)


def test_a_failed_save_keeps_the_old_file_and_nothing_else(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        model().save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_save_that_breaks_off_leaves_nothing_behind(saved, monkeypatch, error):
    before = saved.read_bytes()

    def break_off(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", break_off)
    with pytest.raises(error):
        model().save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_saving_onto_a_folder_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        model().save(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def test_what_is_no_path_is_a_type_error():
    for use in (model().save, model().load, syn.SynaMLP.from_file):
        with pytest.raises(TypeError, match="PathLike"):
            use(5)


def test_saving_into_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        model().save(tmp_path / "none" / "model.safetensors")


def test_a_saved_file_has_the_usual_permissions(saved):
    plain = saved.parent / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_file_keeps_its_mode(saved):
    saved.chmod(0o600)
    model().save(saved)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


def test_a_link_stays_a_link(saved):
    link = saved.with_name("link")
    link.symlink_to(saved.name)
    model(seed=3).save(link)
    assert link.is_symlink()
    assert same(syn.SynaMLP.from_file(saved).weights, model(seed=3).weights)


def test_what_is_not_a_regular_file_is_written_to(tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_whole(pipe, b"numbers")
    reader.join(timeout=10)
    assert received == [b"numbers"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)

"""Models on disk: the same bits again, or one clear error and the model as it was."""

import json

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

import synann_core as syn
from synann_core._lib import files
from synann_core._lib.files import check_tensors, read_tensors, write_tensors
from synann_core.export import save_json
from tests.fuzz.harness import measure

CONFIG = {"in_features": 4, "hidden": 6, "classes": 3, "layer": "synapse", "gate": "sigmoid"}


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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_narrower_floats_load_and_serve_data_of_any_dtype(tmp_path, dtype):
    state = {k: torch.tensor(w).to(dtype) for k, w in model().weights.items()}
    metadata = {"config": json.dumps({**CONFIG, "dropout": 0.0})}
    safetensors.torch.save_file(state, tmp_path / "torch.safetensors", metadata)
    ours = model(seed=1)
    ours.load(tmp_path / "torch.safetensors")
    X = np.random.default_rng(0).random((5, 4))
    assert ours.predict_proba(X).dtype == np.float64
    eps = torch.finfo(dtype).eps
    for name, tensor in state.items():  # the same numbers, of bfloat16 as well
        assert np.array_equal(ours.weights[name], tensor.to(torch.float32).numpy())
    assert same(syn.SynaMLP.from_file(tmp_path / "torch.safetensors").weights, ours.weights)
    # Each of a few dozen rounded weights moves a logit of order 1 by eps times its share.
    np.testing.assert_allclose(ours.predict_proba(X), model().predict_proba(X), atol=20 * eps)


@pytest.mark.parametrize("dtype", [torch.float8_e5m2, torch.float8_e4m3fn])
def test_eight_bit_floats_are_refused(tmp_path, dtype):
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


def test_bfloat16_tensors_of_any_shape(tmp_path):
    given = {
        "none": torch.zeros(0, 3),
        "scalar": torch.tensor(1.5),
        "odd": torch.tensor([[-0.0, 1e-40, float("nan")], [float("inf"), 3.0, -1e30]]),
    }
    given = {name: tensor.to(torch.bfloat16) for name, tensor in given.items()}
    given["beside"] = torch.arange(3)
    safetensors.torch.save_file(given, tmp_path / "x")
    found, metadata = read_tensors(tmp_path / "x")
    assert metadata == {}
    assert found.keys() == given.keys()
    for name in given.keys() - {"beside"}:
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], given[name].float().numpy(), strict=True)


def test_a_header_that_is_too_large_is_refused(tmp_path, saved):
    """Before Python's objects are made of it, thirty times as large; and not written either."""
    most = files._MOST_HEADER
    header = json.dumps({"__metadata__": {"config": "[]," * (most // 3)}}).encode()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header)
    error, _, peak = measure(lambda: read_tensors(tmp_path / "x"))
    assert "`path` must be a safetensors file" in str(error)
    assert peak < 100_000
    with pytest.raises(ValueError, match=r"`metadata`.*Received: 7"):
        write_tensors(saved, {}, {"config": "a" * most})
    assert same(syn.SynaMLP.from_file(saved).weights, model(seed=7).weights)


def headers():
    """Files whose headers are as large as they may be, and cost Python the most."""
    most = files._MOST_HEADER - 200
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    yield {f"{i:x}": empty for i in range(most // 68)}
    yield {"__metadata__": {f"{i:x}": "" for i in range(most // 12)}}
    for text in ("[],", "{},", "0.5,", '"ab",'):
        yield {
            "__metadata__": {"config": f"[{text * (most // len(text.replace(chr(34), '  ')))}0]"}
        }


def test_memory_and_time_are_bounded(tmp_path):
    """By ten times the file and 16 MB, and by a second."""
    path = tmp_path / "x"
    for content in headers():
        header = json.dumps(content, separators=(",", ":")).encode()
        assert len(header) > 0.7 * files._MOST_HEADER
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        error, seconds, peak = measure(lambda: syn.SynaMLP.from_file(path))
        assert "`path`" in str(error)
        assert len(str(error)) < 2000
        assert seconds < 5  # of some 0.1, on a busy machine
        assert peak < 10 * path.stat().st_size + 16_000_000
    state = {k: torch.tensor(w).half() for k, w in syn.SynaMLP(50, 1000, 9).weights.items()}
    config = {**CONFIG, "in_features": 50, "hidden": 1000, "classes": 9, "dropout": 0.0}
    safetensors.torch.save_file(state, path, {"config": json.dumps(config)})
    error, _, peak = measure(lambda: syn.SynaMLP.from_file(path))
    assert error is None
    assert peak < 10 * path.stat().st_size + 16_000_000


UNFIT = [
    ("output.bias", lambda w: w * np.nan, "`weights`.*finite numbers in `output.bias`.*3 others"),
    ("hidden.weight", lambda w: w / 0.0, "`weights`.*finite numbers in `hidden.weight`"),
    ("norm1.running_var", lambda w: -w, "`weights`.*variances.*`norm1.running_var`.*-1.0"),
    ("output.bias", lambda w: w[:2], r"`weights`.*`output.bias` of shape \(3,\).*Received"),
    ("output.bias", lambda w: w.astype(int), "`weights`.*floating-point.*int64"),
    ("output.bias", lambda w: w.astype(np.longdouble), "`weights`.*floating-point.*float128"),
    ("more", lambda w: w, "`weights`.*not of this model.*more"),
]


@pytest.mark.parametrize(("name", "value", "message"), UNFIT)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_cannot_be_loaded_is_not_saved(saved, name, value, message):
    """A model that diverged must not take the place of a good file."""
    ours = model(seed=2)
    ours.weights[name] = value(ours.weights.get(name, np.ones(2)))
    before = saved.read_bytes()
    with pytest.raises(ValueError, match=message):
        ours.save(saved)
    with pytest.raises(ValueError, match=message.replace("weights", "model")):
        save_json(ours, saved)
    assert saved.read_bytes() == before


def test_a_model_with_a_wrong_option_is_not_saved(saved):
    ours = model(seed=2)
    ours.dropout = 1.5
    with pytest.raises(ValueError, match=r"`dropout`.*1\.5"):
        ours.save(saved)
    assert same(syn.SynaMLP.from_file(saved).weights, model(seed=7).weights)


def test_a_message_names_a_few_tensors():
    with pytest.raises(ValueError, match=r"'a0'.* and 984 more$") as caught:
        check_tensors("path", "'x'", {f"a{i}": 0 for i in range(1000)}, {}, lambda name: False)
    assert len(str(caught.value)) < 300


def test_a_single_number_keeps_its_shape(tmp_path):
    write_tensors(tmp_path / "x", {"x": np.array(0.5)}, {})
    tensors, _ = read_tensors(tmp_path / "x")
    assert tensors["x"].shape == ()

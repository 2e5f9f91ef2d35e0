"""Networks on disk: the same when they come back, and what is damaged is named."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from synann_core._lib.files import read_tensors, write_tensors
from synann_core.noisy_or import NoisyOr
from tests.synann_core.noisy_or.networks import sparse_pair


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("protection", [False, True])
def test_a_saved_network_is_the_same(tmp_path, kind, protection):
    model = sparse_pair(protection)[kind]
    causes, findings = [f"cause {i} é\ud800" for i in range(6)], [f"{i}\n" for i in range(8)]
    model = NoisyOr(
        model.prior,
        model.leak,
        model.beta,
        protection=model.protection,
        causes=causes,
        findings=findings,
    )
    model.save(tmp_path / "network.safetensors")
    got = NoisyOr.from_file(tmp_path / "network.safetensors")
    assert (got.causes, got.findings) == (tuple(causes), tuple(findings))
    assert type(got.beta) is type(model.beta)
    y = np.random.default_rng(0).random((4, 6))
    np.testing.assert_array_equal(got.predict(y), model.predict(y))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta.columns": np.full(3, 6)}, "`beta` is not a sparse array of shape"),
        ({"beta.columns": np.array([0, -1, 1])}, "`beta` is not a sparse array"),
        ({"beta.starts": np.array([0, 2, 1, 3, 3, 3, 3, 3, 3])}, "`beta` is not a sparse array"),
        ({"beta.starts": np.zeros(9)}, "`beta.starts` is not a row of integers"),
        ({"prior": None}, "'prior' is missing"),
        ({"more": np.zeros(2)}, "'more' is not a part of it"),
        ({"beta.more": np.zeros(2)}, "'beta.more' is not a part of it"),
        ({"beta": np.zeros((8, 6))}, "'beta' is not a part of it"),
        ({"causes": np.frombuffer(b"[1]", np.uint8)}, "`causes` must be a sequence of strings"),
        ({"causes": np.frombuffer(b"{}", np.uint8)}, "`causes` is not a list of names"),
        ({"causes": np.frombuffer(b"[" * 100_000, np.uint8)}, "recursion"),
        ({"prior": np.full(6, np.nan)}, "`prior` must be in"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, message):
    path = tmp_path / "network.safetensors"
    beta = csr_array((np.full(3, 0.5), ([0, 1, 2], [0, 1, 2])), shape=(8, 6))
    NoisyOr(np.full(6, 0.1), np.zeros(8), beta).save(path)
    tensors, metadata = read_tensors(path)
    tensors = {k: v for k, v in (tensors | change).items() if v is not None}
    write_tensors(path, tensors, metadata)
    with pytest.raises(ValueError, match=f"`path` must hold a noisy-OR network.*{message}"):
        NoisyOr.from_file(path)


def test_another_file_is_named(tmp_path):
    write_tensors(tmp_path / "other", {"prior": np.zeros(2)}, {})
    with pytest.raises(ValueError, match="the format is 'not named'"):
        NoisyOr.from_file(tmp_path / "other")

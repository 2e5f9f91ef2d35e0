"""Golden files: reproducible, complete, and a changed value is caught and named."""

import json
import shutil

import numpy as np
import pytest

from reference import elementwise, golden, golden_cases, learning, tensor

NAMES = list(golden_cases.MODULES)


@pytest.fixture
def copies(tmp_path):
    directory = tmp_path / "golden"
    shutil.copytree(golden.DIRECTORY, directory)
    return directory


def edit(directory, name, change):
    path = directory / f"{name}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_files_are_what_the_reference_gives():
    assert golden.check() == []


def test_there_is_no_file_without_a_generator():
    assert sorted(path.stem for path in golden.DIRECTORY.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_provenance_and_valid_json(name):
    text = (golden.DIRECTORY / f"{name}.json").read_text(encoding="utf-8")

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    document = json.loads(text, parse_constant=refuse)
    assert set(document["provenance"]) == {"generator", "seed", "numpy", "mpmath"}


def test_writing_reproduces_the_structure(tmp_path):
    golden.write("learning", tmp_path)
    assert golden.compare(golden.load("learning"), golden.load("learning", tmp_path)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["learning.json"]


def test_infinities_and_shapes_survive():
    cases = golden.load("elementwise")["cases"]
    assert cases["surprisal"]["outputs"]["surprisal"][0] == np.inf
    assert cases["logit"]["outputs"]["logit"][0] == -np.inf
    case = golden.load("tensor")["cases"]["several_batch_axes"]
    assert case["inputs"]["y"].shape == (2, 1, 3, 4)
    assert case["outputs"]["contributions"].shape == (2, 1, 3, 3, 4)
    assert golden.load("learning")["cases"]["cross_entropy_no_batch"]["inputs"]["grad"].shape == ()


def change_output(document):
    values = document["cases"]["complement"]["outputs"]["complement"]
    values[3] *= 1 + 1e-14


def change_gradient(document):
    gradient = document["cases"]["square"]["outputs"]["synapse_tensor_vjp"]["beta"]
    gradient[0][1] *= 1.0005


def change_input(document):
    beta = document["cases"]["square"]["inputs"]["beta"]
    beta[0][0] = float(np.nextafter(beta[0][0], 1.0))


def change_infinity(document):
    document["cases"]["one_closed_factor"]["outputs"]["log_transmission"][0][1] = -744.0


def remove_case(document):
    del document["cases"]["surprisal_rule_batch"]


def change_seed(document):
    document["provenance"]["seed"] += 1


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("elementwise", change_output, "cases/complement/outputs/complement"),
        ("tensor", change_gradient, "cases/square/outputs/synapse_tensor_vjp/beta"),
        ("tensor", change_input, "cases/square/inputs/beta"),
        ("tensor", change_infinity, "cases/one_closed_factor/outputs/log_transmission"),
        ("learning", remove_case, "cases/surprisal_rule_batch"),
        ("learning", change_seed, "provenance/seed"),
    ],
)
def test_a_planted_change_is_named(copies, name, change, key):
    edit(copies, name, change)
    (problem,) = golden.check(copies)
    assert problem.startswith(f"{name}.json: {key}: ")


def test_a_missing_file_is_named(copies):
    (copies / "tensor.json").unlink()
    assert golden.check(copies) == ["tensor.json: missing"]


def test_other_versions_and_last_places_pass(copies):
    def change(document):
        document["provenance"]["numpy"] = "1.26.0"
        values = document["cases"]["complement"]["outputs"]["complement"]
        values[3] = float(np.nextafter(values[3], np.inf))

    edit(copies, "elementwise", change)
    assert golden.check(copies) == []


def test_exit_status(monkeypatch, capsys, copies):
    assert golden.main(["--check"]) == 0
    edit(copies, "elementwise", change_output)
    monkeypatch.setattr(golden, "check", lambda check=golden.check: check(copies))
    assert golden.main(["--check"]) == 1
    assert "elementwise.json: cases/complement/outputs" in capsys.readouterr().err


@pytest.mark.parametrize("case", golden_cases.TENSORS)
def test_loops_agree_with_the_high_precision_sums(case):
    entry = golden.load("tensor")["cases"][case]
    a, outputs = entry["inputs"], entry["outputs"]
    n = a["y"].shape[-1]
    limit = {"rtol": (4 + n) * 2.0**-52, "atol": 0.0}  # n rounded terms of one sign
    got = tensor.log_transmission(a["y"], a["beta"])
    np.testing.assert_allclose(got, outputs["log_transmission"], **limit)
    got = tensor.contributions(a["y"], a["beta"])
    np.testing.assert_allclose(got, outputs["contributions"], **limit)
    got = tensor.surprisal_synapse_tensor(a["u"], a["v"], a["theta"], a["gamma"])
    np.testing.assert_allclose(got, outputs["surprisal_synapse_tensor"], **limit)


def test_golden_synapse_is_the_plain_formula():
    entry = golden.load("elementwise")["cases"]["synapse_corners"]
    got = elementwise.synapse(*entry["inputs"].values())
    np.testing.assert_array_equal(got, entry["outputs"]["synapse"])
    assert 0 < np.count_nonzero(got) < got.size


def test_golden_loss_is_that_of_the_reference():
    entry = golden.load("learning")["cases"]["cross_entropy_batch"]
    got = learning.cross_entropy(entry["inputs"]["logits"], entry["inputs"]["target"])
    np.testing.assert_allclose(got, entry["outputs"]["cross_entropy"], rtol=1e-14)

"""What stands in a JSON file is checked, place by place."""

import json

import numpy as np
import pytest

from synann_core.export import json_values as read
from tests.export_models import document, refusal


def changed(content, place, value):
    """The document with another value at a place such as "neurons.0.alpha"."""
    *way, last = (int(key) if key.isdigit() else key for key in place.split("/"))
    at = content
    for key in way:
        at = at[key]
    if value is None and isinstance(at, dict) and not last.endswith("_index"):
        del at[last]
    else:
        at[last] = value
    return content


@pytest.mark.parametrize(
    ("name", "place", "value", "reason"),
    [
        ("mlp", "config/hidden", 10**9, "hidden.weight"),
        ("mlp", "config/hidden", 2.0, "config.hidden: expected an integer"),
        ("mlp", "config/layer", "dense", "dense.weight"),
        ("mlp", "config/gate", [], "`gate`"),
        ("mlp", "config/dropout", 1.5, "`dropout`"),
        ("mlp", "config/dropout", "0", "config.dropout: expected a finite number"),
        ("mlp", "config/seed", 1, "config: expected only the keys"),
        ("mlp", "config/gate", None, "config: expected the key 'gate'"),
        ("mlp", "tensors/\n", 1, r"tensors['\n']: expected an object, got 1"),
        ("mlp", "tensors/output.bias/dtype", "object", "dtype: expected"),
        ("mlp", "tensors/output.bias/shape", [3], "expected 2 values by its shape"),
        ("mlp", "tensors/output.bias/shape", [2, 1, 1], "at most two sizes"),
        ("mlp", "tensors/output.bias/shape", [-2], ".shape[0]: expected an integer"),
        ("mlp", "tensors/output.bias/values", [0, True], ".values[1]: expected a finite"),
        ("mlp", "tensors/output.bias/values", [0, [1]], ".values[1]: expected a finite"),
        ("mlp", "tensors/output.bias/values", [0, 10**400], "too large"),
        ("mlp", "tensors/norm1.running_var/values", [-1, 1], "variances"),
        ("graph", "neurons/0/name", "x0", "'x0' twice"),
        ("graph", "neurons/0/name", {}, "neurons[0].name[0]: expected a name"),
        ("graph", "neurons/0/name", 2**63, "expected a name"),
        ("graph", "inputs", ["x0", "x1", True], "inputs[2]: expected a name"),
        ("graph", "neurons/0/excitatory", ["?"], "'?'"),
        ("graph", "neurons/0/excitatory", "x0", "neurons[0].excitatory: expected a list"),
        ("graph", "neurons/1/inhibitory", [["x0"]], "neurons[1].inhibitory[0]: expected a pair"),
        ("graph", "neurons/1/inhibitory", [["x0", 2]], "[0, 1]"),
        ("graph", "neurons/1/inhibitory", [["x0", "?"]], "inhibitory[0][1]: expected a parameter"),
        ("graph", "neurons/1/inhibitory", [["x0", False]], "expected a finite number"),
        ("graph", "neurons/1/alpha", -1, "`alpha`"),
        ("graph", "neurons/1/excitatory", [1], "cycle 1 -> 1"),
        ("graph", "outputs", [0, 0], "twice"),
        ("graph", "outputs", ["?"], "'?'"),
        ("graph", "neurons", [], "declared"),
        ("arrays", "inputs", 10**15, "inputs: expected at most"),
        ("arrays", "neurons", 10**9, "neurons: expected 3"),
        ("arrays", "excitatory", [[4, 2, 3], [3, 0]], "one length"),
        ("arrays", "excitatory", [[4, 2, 3]], "excitatory: expected [targets, sources]"),
        ("arrays", "excitatory", [[4, 2, 3], [3, 0, 2.0]], "excitatory[1][2]: expected an integer"),
        ("arrays", "excitatory", [[4, 2, 3], [3, 0, 2**70]], "too large"),
        ("arrays", "excitatory", [[4, 2, 3], [3, 0, 4]], "cycle"),
        ("arrays", "beta", [2, 0, 0], "`beta`"),
        ("arrays", "beta_index", [0, 0, 3], "`beta_index`"),
        ("arrays", "outputs", None, "expected the key 'outputs'"),
    ],
)
def test_a_changed_file_is_refused(name, place, value, reason, tmp_path):
    content = changed(document(name), place, value)
    (tmp_path / "x.json").write_text(json.dumps(content))
    message = refusal(tmp_path / "x.json")
    assert reason in message


def test_values_come_back_in_their_type():
    assert read.numbers([1, 0.5], "x").tolist() == [1.0, 0.5]
    assert read.indices([3, 0], "x").dtype == np.int64
    assert read.names(["a", -(2**63)], "x") == ["a", -(2**63)]
    given = {"a": 1}
    assert read.keys(given, "x", "a") is given  # large documents are not copied


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf")])
def test_what_is_not_a_finite_number(value):
    with pytest.raises(ValueError, match="place: expected a finite number, got"):
        read.number(value, "place")
    with pytest.raises(ValueError, match="place: expected an integer >= 0, got"):
        read.integer(value, "place")


def test_long_values_and_places_are_shortened():
    with pytest.raises(ValueError, match="expected a list") as caught:
        read.sequence("a" * 10**6, "p" * 10**6)
    assert len(str(caught.value)) < 250
    with pytest.raises(ValueError, match="got a list of 3"):
        read.number([1, 2, 3], "place")

"""Graphs hold each node and each constant once, and nothing that no output needs."""

import numpy as np
import onnx
import onnxruntime
import pytest

from synann_core.export.onnx.graph import Graph, Tensor

FLOAT = np.dtype(np.float32)


def written(graph, *outputs):
    """The file's graph; all arrays are vectors."""
    inputs = [Tensor("x", FLOAT, (None,))]
    data = graph.serialised(inputs, [Tensor(name, FLOAT, (None,)) for name in outputs])
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.fixture
def graph():
    graph = Graph()
    graph.argument("x")
    return graph


def test_equal_nodes_and_constants_are_one(graph):
    two = graph.constant(np.float32([2.0]))
    assert graph.constant(np.float32([2.0])) == two
    assert graph.constant(np.float32([2.0, 2.0])) != two
    assert graph.constant(np.float64([2.0])) != two
    assert graph.constant(np.float32([-0.0])) != graph.constant(np.float32([0.0]))
    (first,) = graph.node("Mul", ["x", two])
    assert graph.node("Mul", ["x", two]) == (first,)
    assert graph.node("Mul", [two, "x"]) != (first,)
    halves = graph.node("Split", [first], outputs=2, axis=0, num_outputs=2)
    assert graph.node("Split", [first], outputs=2, axis=0, num_outputs=2) == halves
    assert len(set(halves)) == 2


def test_what_no_output_needs_is_left_out(graph):
    two, three = (graph.constant(np.float32([value])) for value in (2.0, 3.0))
    (needed,) = graph.node("Mul", ["x", two])
    graph.node("Add", [needed, three])
    graph.name_output(needed, "y")
    model = written(graph, "y")
    assert [node.op_type for node in model.graph.node] == ["Mul", "Identity"]
    assert [onnx.numpy_helper.to_array(a) for a in model.graph.initializer] == [2.0]


def test_a_loop_computes_outside_what_does_not_change(graph):
    """s ← s + 2x four times, and the sums on the way."""
    two = graph.constant(np.float32([2.0]))
    graph.open_loop()
    number, go_on, state = (graph.fresh(1) for _ in range(3))
    (constant,) = graph.node("Mul", ["x", two])
    (new,) = graph.node("Add", [state, constant])
    graph.node("Sub", [state, constant])  # which nothing needs
    variables = [
        Tensor(number, np.dtype(np.int64), ()),
        Tensor(go_on, np.dtype(bool), ()),
        Tensor(state, FLOAT, (None,)),
    ]
    result = Tensor(new, FLOAT, (None,))
    last, _ = graph.close_loop(4, ["x"], variables, [result, result])
    graph.name_output(last, "y")
    model = written(graph, "y")
    assert [node.op_type for node in model.graph.node] == ["Mul", "Loop", "Identity"]
    body = model.graph.node[1].attribute[0].g
    assert [node.op_type for node in body.node] == ["Add"] + ["Identity"] * 3
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.run(None, {"x": np.float32([1.0, 3.0])})[0].tolist() == [9.0, 27.0]
    # A second loop does not take what the first one knew.
    graph.open_loop()
    other = graph.fresh(1)
    assert graph.node("Add", [other, constant]) != (new,)


def test_files_serve_old_runtimes(graph):
    graph.name_output("x", "y")
    model = written(graph, "y")
    assert [(s.domain, s.version) for s in model.opset_import] == [("", 18)]
    assert model.ir_version == 8
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"

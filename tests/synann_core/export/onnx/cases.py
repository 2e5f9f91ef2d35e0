"""Run formulas of traced arrays, and count the nodes of their files."""

import onnx
import onnxruntime

from synann_core.export.onnx.writer import traced


def run(data, **inputs):
    """The single output of a file, by onnxruntime."""
    (output,) = onnxruntime.InferenceSession(data).run(None, inputs)
    return output


def of(formula, x):
    """What a formula of traced x (batch, …) computes."""
    return run(traced(formula, {"x": x.shape[1:]}, "y", str(x.dtype)), x=x)


def operators(formula, *shape):
    """The operators of a formula's nodes."""
    model = onnx.load_from_string(traced(formula, {"x": shape}, "y", "float32"))
    onnx.checker.check_model(model, full_check=True)
    return [node.op_type for node in model.graph.node][:-1]  # without the name of the output

"""The table of a training step on each backend of Keras, made of answers that processes gave."""

import pytest

from asv_benchmarks.benchmarks import adapters
from asv_benchmarks.reports import keras_backends

SIZE = "4x8x8"


class Process:
    """Answers at once."""

    def __init__(self, answers):
        self.answers, self.asked = iter(answers), []

    def seconds(self, name):
        self.asked.append(name)
        return next(self.answers)


def test_medians_of_the_turns_after_the_first():
    torch, jax = Process([99.0, 8.0, 16.0, 24.0]), Process(["skipped: not installed"])
    found = keras_backends.measure({"torch": torch, "jax": jax}, "Dense", "fit", SIZE, 3)
    assert found == {"torch": 16.0 / adapters.KERAS_BATCHES, "jax": "skipped: not installed"}
    assert jax.asked == ["adapters.KerasStep.time_steps('Dense', 'jax', 'fit', '4x8x8')"]
    table = keras_backends.tabulate_steps({("Dense", "fit"): found | {"tensorflow": 1.0}})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert rows[0] == ["Dense", "fit", "torch", "2000.00", "1.00"]
    assert rows[1][2] == "jax: skipped: not installed"
    assert rows[2] == ["Dense", "fit", "tensorflow", "1000.00", "0.50"]


@pytest.mark.parametrize("layer", adapters.KERAS)
@pytest.mark.parametrize("step", adapters.KERAS_STEPS)
def test_steps_train(step, layer):
    """On torch, which is imported already: the report's own processes are for the others."""
    keras = pytest.importorskip("keras")
    if keras.config.backend() != "torch":
        pytest.skip("this process has another backend")
    call = adapters.keras_step(layer, "torch", step, SIZE)
    call()
    with pytest.raises(NotImplementedError, match="Keras on torch"):
        adapters.keras_step(layer, "jax", step, SIZE)

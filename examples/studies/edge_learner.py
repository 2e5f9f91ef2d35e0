"""Let a layer of 640 synapses learn the digits in C, by the local surprisal rule.

    python examples/studies/edge_learner.py

The C file goes to --output. Needs gcc.

Makes learner.c, compiled and run, and its bytes, times and accuracy.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from edge import compile_c, pointer
from shared.datasets import Dataset, load_digits
from shared.options import make_folder, make_parser
from synann.export import save_c_learner

# Chosen on a fifth of the training part.
RATE, GAMMA_MIN, START, PASSES, DARKEST = 0.05, 0.1, 0.3, 5, 0.01


def learn_on_the_device(data: Dataset, folder: Path) -> None:
    """One layer from the pixels to the classes, which C teaches, image by image."""
    pixels = data.train_x.shape[1]
    gamma = np.full((data.classes, pixels), -np.log(START))
    source = folder / "learner.c"
    save_c_learner(0.0, gamma, source, name="learner", gamma_min=GAMMA_MIN)
    library, text, variables = compile_c(source)
    train, test = (-np.log(np.maximum(x, np.float32(DARKEST))) for x in (data.train_x, data.test_x))
    u, z = np.zeros(data.classes, np.float32), np.empty((len(test), data.classes), np.float32)
    targets, rng = np.eye(data.classes, dtype=np.float32), np.random.default_rng(0)

    def accuracy() -> float:
        for v, out in zip(test, z, strict=True):
            library.learner_forward(pointer(u), pointer(v), pointer(out))
        return 100 * float(np.mean(z.argmin(axis=1) == data.test_y))  # the least surprising class

    scores = [accuracy()]
    for _ in range(PASSES):
        for i in rng.permutation(len(train)):
            target = targets[data.train_y[i]]
            library.learner_learn(
                pointer(u), pointer(train[i]), pointer(target), ctypes.c_float(RATE)
            )
        scores.append(accuracy())
    print(
        f"a layer of {gamma.size} synapses learns in C ({text} bytes of code and constants, "
        f"{variables} of variables):\ntest accuracy % before and after each pass: "
        + " ".join(f"{score:.1f}" for score in scores)
    )
    logistic = LogisticRegression(max_iter=1000).fit(data.train_x, data.train_y)
    print(f"(logistic regression, in Python: {100 * logistic.score(data.test_x, data.test_y):.1f})")


def main(arguments: list[str] | None = None) -> None:
    output = make_parser(__doc__).parse_args(arguments).output
    make_folder(output)
    learn_on_the_device(load_digits(), output)


if __name__ == "__main__":
    main()

"""Train SynaMLP on MNIST by hand-written backprop, as examples/digits.py does on small digits.

    python examples/mnist/mnist_numpy.py --data-dir DIR [--download]
    python examples/mnist/mnist_numpy.py --data-dir DIR --seeds 3      mean and spread over seeds
    python examples/mnist/mnist_numpy.py --backend torch --data fashion --data-dir DIR
    python examples/mnist/mnist_numpy.py --data cifar10 --data-dir DIR

Pictures and the trained model go to --output. The solid curves of the picture show the accuracy on
the test part epoch by epoch; nothing is chosen by it.

Makes a table of layers, pictures of learning curves and of a decision, and the trained model.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from digits import demonstrate
from mnist import files
from shared.backends import backend_array
from shared.options import make_parser, number, override
from shared.syna_mlp import Settings, add_options, announce
from studies.digits_seeds import compare_seeds

SETTINGS = Settings(hidden=280, epochs=20, batch_size=100, learning_rate=0.01)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    files.add_options(parser)
    add_options(parser)
    parser.add_argument("--seed", type=number(int, 0), default=0)
    parser.add_argument("--seeds", type=number(int, 1), help="compare over this many seeds instead")
    options = parser.parse_args(arguments)
    to_backend, settings = backend_array(options.backend), override(SETTINGS, options)
    try:
        data = files.load(options)
    except files.DataError as error:
        raise SystemExit(str(error)) from None
    announce(data, settings, options.backend)
    if options.seeds:
        compare_seeds(data, settings, options.layers, options.seeds, to_backend)
    else:
        demonstrate(data, settings, options.layers, options.seed, to_backend, options.output)


if __name__ == "__main__":
    main()

"""A diagnosis that asks back: noisy-OR networks as pages that compute in the browser.

    python examples/ask.py                              two pages in outputs/
    python examples/ask.py --network mine.safetensors   a page of your own network

Each page is one HTML file, which needs neither a server nor the internet. Tick what you see as
present or absent: it shows the probability of every cause, the reasons, and what to look at next,
by exact sums. The first page asks why a car does not start; its numbers are made up. The second one
is of a network that is learned here from simulated patients, as `examples/studies/diagnosis.py`
has them.

Needs: pip install -e ".[examples]"
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from shared.options import make_folder, make_parser, number
from studies.networks import draw_diseases, draw_symptoms, random_network
from synann.noisy_or import NoisyOr, NoisyOrClassifier

# P(cause), and with which probability it brings about what one finds.
CAR = {
    "flat battery": (0.08, {"engine does not turn": 0.8, "lamps are dim": 0.9, "it clicks": 0.6}),
    "corroded terminals": (0.03, {"engine does not turn": 0.6, "lamps are dim": 0.5}),
    "faulty starter": (0.02, {"engine does not turn": 0.9, "it clicks": 0.5, "it grinds": 0.4}),
    "empty tank": (0.03, {"gauge shows empty": 0.95, "engine turns, does not fire": 0.99}),
    "blocked fuel filter": (0.02, {"engine turns, does not fire": 0.5, "it had stuttered": 0.7}),
    "worn spark plugs": (0.04, {"engine turns, does not fire": 0.3, "it had stuttered": 0.6}),
    "flooded engine": (0.02, {"engine turns, does not fire": 0.8, "smell of fuel": 0.9}),
    "leaking fuel line": (0.005, {"smell of fuel": 0.9, "gauge shows empty": 0.4, "puddle": 0.8}),
    "old alternator": (0.02, {"battery light had been on": 0.9, "lamps are dim": 0.5}),
}
LEAK = 0.01  # of every finding: it may be there without any of these causes


def car() -> NoisyOr:
    """Why does the car not start? The numbers are made up."""
    links = pd.DataFrame({cause: strengths for cause, (_, strengths) in CAR.items()}).fillna(0.0)
    prior = pd.Series({cause: p for cause, (p, _) in CAR.items()})
    return NoisyOr(prior, pd.Series(LEAK, links.index), links)


def learned(patients: int, *, seed: int = 0) -> tuple[NoisyOr, NoisyOr]:
    """The diagnosis study's true network, and the one learned from so many of its patients."""
    rng = np.random.default_rng(seed)
    truth = random_network(rng)
    y = draw_diseases(truth, patients, rng)
    diseases = [f"disease {j + 1}" for j in range(truth.prior.size)]
    symptoms = [f"symptom {i + 1}" for i in range(truth.leak.size)]
    x = pd.DataFrame(draw_symptoms(truth, y, rng), columns=symptoms)
    return truth, NoisyOrClassifier().fit(x, pd.DataFrame(y, columns=diseases)).network_


def write(network: NoisyOr, path: Path, title: str, description: str) -> None:
    """Write a page, and say where it is."""
    network.save_html(path, title=title, description=description)
    print(f"{network}: {path}, {path.stat().st_size / 1e3:.0f} kB")


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--network", type=Path, help="a file that NoisyOr.save wrote")
    parser.add_argument("--patients", type=number(int, 1), default=5000, help="to learn from")
    options = parser.parse_args(arguments)
    make_folder(options.output)
    if options.network:
        if not options.network.is_file():
            raise SystemExit(f"--network: there is no file {options.network}")
        path = options.output / f"{options.network.stem}.html"
        write(NoisyOr.load(options.network), path, options.network.stem, "")
        return
    note = "The numbers are made up."
    write(car(), options.output / "ask-car.html", "Why does the car not start?", note)
    truth, network = learned(options.patients)
    found = np.abs(network.beta - truth.beta).mean()
    print(f"learned from {options.patients} patients: links are off by {found:.3f} in the mean")
    note = f"A network of {len(network.causes)} diseases, learned from simulated patients."
    write(network, options.output / "ask-diagnosis.html", "Which disease is it?", note)


if __name__ == "__main__":
    main()

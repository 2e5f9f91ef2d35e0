"""A diagnosis that asks back: noisy-OR networks as pages that compute in the browser.

    python examples/ask.py                              two pages in outputs/
    python examples/ask.py --network mine.safetensors   a page of your own network

Each page is one HTML file, which needs neither a server nor the internet. Tick what you see as
present or absent: it shows the probability of every cause, the reasons, and what to look at next,
by exact sums. The first page has the made-up network of `examples/diagnose.py`, the second one a
network that is learned here from simulated patients, as `examples/studies/diagnosis.py` has them.

Makes ask-diagnosis.html and ask-learned.html, or a page named as the network's file.

Needs: pip install -e ".[examples]"
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd

import diagnose
from shared.options import make_folder, make_parser, number
from studies.networks import draw_diseases, draw_symptoms, random_network
from synann.noisy_or import NoisyOr, NoisyOrClassifier


def address(path: Path, patient: Mapping[str, int]) -> str:
    """The address that opens a page with what is known of a patient."""
    words = [("present" if value else "absent", finding) for finding, value in patient.items()]
    return f"{path.absolute().as_uri()}#{urlencode(words)}"


def learned(patients: int, *, seed: int = 0) -> tuple[NoisyOr, NoisyOr]:
    """The diagnosis study's true network, and the one learned from so many of its patients."""
    rng = np.random.default_rng(seed)
    truth = random_network(rng)
    y = draw_diseases(truth, patients, rng)
    diseases = [f"disease {j + 1}" for j in range(truth.prior.size)]
    symptoms = [f"symptom {i + 1}" for i in range(truth.leak.size)]
    x = pd.DataFrame(draw_symptoms(truth, y, rng), columns=symptoms)
    return truth, NoisyOrClassifier().fit(x, pd.DataFrame(y, columns=diseases)).network_


def write(network: NoisyOr, path: Path, title: str, description: str = "") -> None:
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
        name = options.network.stem
        write(NoisyOr.from_file(options.network), options.output / f"{name}.html", name)
        return

    path = options.output / "ask-diagnosis.html"
    note = "A made-up network, to show how it reasons. Not for patients."
    write(diagnose.network(), path, "Why this cough?", note)
    print(f"with a patient: {address(path, diagnose.PATIENT)}")

    truth, network = learned(options.patients)
    error = np.abs(network.beta - truth.beta).mean()
    print(f"learned from {options.patients} patients: links are off by {error:.3f} in the mean")
    note = f"A network of {len(network.causes)} diseases, learned from simulated patients."
    write(network, options.output / "ask-learned.html", "Which disease is it?", note)


if __name__ == "__main__":
    main()

"""One patient: what is likely, why, and what to ask next, by a noisy-OR network.

    python examples/diagnose.py         the same as text, and a picture in outputs/

The network is made up: six causes of a cough, ten findings, and numbers that sound plausible. It
shows how such a network reasons, and is not for patients. Each cause brings about each finding with
some probability, independently of the others; `leak` is what brings it about without any of them.

Posteriors are exact. What each finding added to the log-odds of the first cause is told in turn,
the weightiest first: these parts and the log-odds before any finding add up to those of the answer.

Makes diagnosis.png, and the same as text.

Needs: pip install -e ".[examples]"
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate

import synann as syn
from shared import plots
from shared.options import make_parser
from synann.noisy_or import NoisyOr, Reasons

# Prior of each cause, of people who cough and see a doctor.
PRIOR = {
    "common cold": 0.30,
    "influenza": 0.08,
    "pneumonia": 0.04,
    "asthma": 0.06,
    "heart failure": 0.02,
    "pulmonary embolism": 0.005,
}
# Leak of each finding, and the strength of its link to each cause, in the order above.
FINDINGS = {
    "fever": (0.02, 0.10, 0.85, 0.75, 0.00, 0.00, 0.15),
    "runny nose": (0.08, 0.85, 0.30, 0.00, 0.10, 0.00, 0.00),
    "aching muscles": (0.05, 0.15, 0.80, 0.20, 0.00, 0.00, 0.00),
    "short of breath": (0.02, 0.00, 0.10, 0.65, 0.80, 0.90, 0.85),
    "chest pain on breathing in": (0.02, 0.00, 0.05, 0.45, 0.05, 0.05, 0.65),
    "crackles in the lung": (0.02, 0.00, 0.05, 0.75, 0.05, 0.70, 0.10),
    "wheezing": (0.02, 0.05, 0.05, 0.10, 0.85, 0.15, 0.05),
    "yellow phlegm": (0.05, 0.20, 0.10, 0.60, 0.05, 0.05, 0.00),
    "swollen legs": (0.03, 0.00, 0.00, 0.00, 0.00, 0.65, 0.00),
    "one leg swollen and sore": (0.005, 0.00, 0.00, 0.00, 0.00, 0.05, 0.40),
}
PATIENT = {
    "fever": 1,
    "short of breath": 1,
    "crackles in the lung": 1,
    "yellow phlegm": 0,
    "runny nose": 0,
    "swollen legs": 0,
}
LABEL = 20  # percentage points that the text beside a bar takes


def network() -> NoisyOr:
    """The six causes and ten findings."""
    table = np.array(list(FINDINGS.values()))
    names = {"causes": list(PRIOR), "findings": list(FINDINGS)}
    return NoisyOr(np.array(list(PRIOR.values())), table[:, 0], table[:, 1:], **names)


@plots.styled
def draw(model: NoisyOr, probability: np.ndarray, why: Reasons, path: Path) -> None:
    """Left the probability of each cause, right what each finding added to the first one's odds."""
    figure = Figure(figsize=(plots.WIDTH, 3.9))
    figure.get_layout_engine().set(wspace=0.05)
    likely, added = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.0, 1.25]})
    order = np.argsort(-probability)
    y, percent = np.arange(len(order)), 100 * probability[order]
    colours = [plots.COLOURS[0]] + [plots.QUIET] * (len(order) - 1)
    bars = likely.barh(y, percent, color=colours, height=0.7)
    likely.plot(100 * model.prior[order], y, "|", color=plots.TEXT, ms=16, mew=2)
    for bar, p, before in zip(bars, percent, 100 * model.prior[order], strict=True):
        beyond = before if p < before < p + LABEL else p  # not on the mark
        at = (beyond, bar.get_y() + bar.get_height() / 2)
        shift = {"xytext": (6, 0), "textcoords": "offset points"}
        likely.annotate(f"{p:.1f} %", at, va="center", fontsize="small", **shift)
    likely.set(yticks=y, yticklabels=[model.causes[k] for k in order], xlim=(0, 115))
    likely.set(xticks=[0, 25, 50, 75, 100])
    likely.set_xlabel("probability in %\n(dark mark: before any finding)")
    likely.set_title("What does this patient have?")
    likely.tick_params(axis="y", length=0)
    likely.grid(False, axis="y")
    likely.invert_yaxis()
    labels = ["before any finding", *map(told, why.findings)]
    values = [why.prior, *why.in_turn]
    plots.waterfall(added, labels, values, total=f"sum: {percent[0]:.1f} %")
    added.set_title(f"Why {why.cause}? Finding by finding")
    ticks = np.arange(np.ceil(added.get_xlim()[0]), added.get_xlim()[1])
    shown = [f"{t:.0f}\n{100 * syn.expit(t):.0f} %".replace("-", "−") for t in ticks.tolist()]
    added.set_xticks(ticks, shown)
    added.set_xlabel("log-odds in nats, and as probability")
    plots.save(figure, path)


def told(finding: str | int) -> str:
    """A finding of the patient in words."""
    return finding if PATIENT[str(finding)] else f"no {finding}"


def main(arguments: list[str] | None = None) -> None:
    path = make_parser(__doc__).parse_args(arguments).output / "diagnosis.png"
    model = network()
    print("A made-up network, to show how it reasons. Not for patients.\n")
    print("the patient:", ", ".join(map(told, PATIENT)))
    probability = model.posterior(PATIENT).probability[0]
    order = np.argsort(-probability)
    rows = [(model.causes[k], 100 * model.prior[k], 100 * probability[k]) for k in order]
    print("\n" + tabulate(rows, ("cause", "before, %", "now, %"), floatfmt=("", ".1f", ".1f")))

    why = model.explain(PATIENT, model.causes[order[0]])
    print(f"\nwhy {why}")
    error = abs(why.prior + sum(why.in_turn) - why.log_odds)
    print(f"what they added in turn adds up to the log-odds: error {error:.0e}")

    print("\nwhat to ask next, by the nats that it is expected to tell:")
    for ask in model.next_findings(PATIENT, count=3):
        print(f"  {ask.finding}: {ask.information:.3f}, present with {100 * ask.probability:.0f} %")
    draw(model, probability, why, path)
    print(f"picture: {path}")


if __name__ == "__main__":
    main()

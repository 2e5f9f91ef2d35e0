"""e-prop: a recurrent network learns to count cues and to remember which side had more of them.

    python examples/studies/eprop_memory.py             three seeds, about a minute
    python examples/studies/eprop_memory.py --seeds 1   one

Seven cues come, each to the left or the right inputs, 12 steps apart; 80 steps later a third group
of inputs asks on which side there were more. A membrane forgets in 10 steps: what remains is how
far the thresholds have risen, which fall back within 150. Eighty such neurons, connected to each
other, are trained

- by backpropagation through time (BPTT), which needs the whole window backward in time;
- by e-prop, whose eligibilities run forward, with learning signals through the readout's weights;
- by e-prop with learning signals through random weights that never change;
- not at all, but for the readout, which every way trains by its own gradient;
- by e-prop without adaptive thresholds, which have nothing to remember with.

All start from the same weights and see the same trials.

Makes a table of the accuracy on 1000 new trials, and eprop.png: learning, and one trial.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared import plots
from shared.options import make_folder, make_parser, number
from shared.spiking_layers import draw_curves
from shared.tables import plus_minus
from synann.optim import Adam
from synann.spiking import (
    LIF,
    Record,
    decay_factor,
    eprop_gradient,
    leaky_integrator,
    triangle,
)

CUES, ON, OFF, DELAY, ANSWER = 7, 8, 4, 80, 10  # steps of a cue, between cues, of what follows
STEPS = CUES * (ON + OFF) + DELAY + ANSWER
GROUP, NEURONS = 10, 80  # inputs: left, right, the question, noise; neurons
LOUD, NOISE = 0.4, 0.02  # probability of a spike per step
DECAY, READOUT_DECAY = decay_factor(10.0), 0.8
ADAPTATION, ADAPTATION_DECAY = 0.1, decay_factor(150.0)
RATE, RATE_COST = 0.03, 3.5  # spikes per step that neurons are held to, and by how much
BATCH, LEARNING_RATE = 32, 0.005
TESTED = 1000  # new trials
FIRST_SEED = 100  # the numbers above were chosen on seed 0

RULES = {
    "BPTT": "bptt",
    "e-prop": "symmetric",
    "e-prop, random feedback": "random",
    "readout alone": "readout",
    "e-prop, constant thresholds": "plain",
}
Weights = dict[str, np.ndarray]


def trials(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of the inputs (steps, count, 40), and which side had more cues."""
    sides = rng.integers(0, 2, (count, CUES))
    chance = np.zeros((STEPS, count, 4, GROUP))
    for cue in range(CUES):
        start = cue * (ON + OFF)
        chance[start : start + ON, np.arange(count), sides[:, cue]] = LOUD
    chance[-ANSWER:, :, 2] = LOUD
    chance[:, :, 3] = NOISE
    spikes = (rng.random(chance.shape) < chance).astype(np.float64)
    return spikes.reshape(STEPS, count, -1), (2 * sides.sum(axis=1) > CUES).astype(int)


def new_weights(rng: np.random.Generator) -> Weights:
    inputs = 4 * GROUP
    return {
        "inputs": rng.normal(0.0, inputs**-0.5, (NEURONS, inputs)),
        "recurrent": rng.normal(0.0, 0.5 * NEURONS**-0.5, (NEURONS, NEURONS)),
        "readout": rng.normal(0.0, NEURONS**-0.5, (2, NEURONS)),
    }


def neuron_of(weights: Weights, rule: str) -> LIF:
    adaptation = 0.0 if rule == "plain" else ADAPTATION
    return LIF(
        DECAY,
        recurrent=weights["recurrent"],
        adaptation=adaptation,
        adaptation_decay=ADAPTATION_DECAY,
        surrogate=triangle(height=0.3),
    )


def run(weights: Weights, x: np.ndarray, rule: str) -> tuple[np.ndarray, Record, np.ndarray]:
    """Spikes and record of the neurons, and what the readout says at each step."""
    spikes, record = neuron_of(weights, rule).run(x @ weights["inputs"].T)
    said = leaky_integrator(READOUT_DECAY).run(spikes @ weights["readout"].T)[1].membrane
    return spikes, record, said


def errors_of(said: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Cross-entropy while the question is asked, and its gradient by what the readout says."""
    shifted = said - said.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    wanted, share = np.eye(2)[y], 1.0 / (len(y) * ANSWER)
    errors = np.zeros_like(said)
    errors[-ANSWER:] = share * (np.exp(logs[-ANSWER:]) - wanted)
    return float(-share * np.sum(logs[-ANSWER:] * wanted)), errors


def gradients(
    weights: Weights, x: np.ndarray, y: np.ndarray, rule: str, feedback: np.ndarray
) -> tuple[float, Weights]:
    """Loss of the trials, and the step that a rule would take."""
    spikes, record, said = run(weights, x, rule)
    loss, errors = errors_of(said, y)
    neuron = neuron_of(weights, rule)
    # By the readout's weights: what it still holds of a spike is e-prop's output decay.
    found = {"readout": eprop_gradient(spikes, np.ones_like(errors), errors, READOUT_DECAY)}
    excess = 2.0 * RATE_COST * (spikes.mean(axis=(0, 1)) - RATE) / spikes.size
    if rule == "bptt":
        readout = leaky_integrator(READOUT_DECAY)
        _, output = readout.run(spikes @ weights["readout"].T)
        late = readout.vjp(output, membrane=errors).currents @ weights["readout"]
        through = neuron.vjp(record, spikes=late + excess)
        found["inputs"] = np.einsum("tbi,tbj->ij", through.currents, x, optimize=True)
        found["recurrent"] = through.recurrent
    elif rule != "readout":
        signal = errors @ (feedback if rule == "random" else weights["readout"])
        arrives = np.concatenate([x, np.concatenate([np.zeros_like(spikes[:1]), spikes[:-1]])], -1)
        both = eprop_gradient(
            arrives,
            record.slope,
            # As the readout's errors, what a neuron fires too much goes through the output decay.
            signal + (1.0 - READOUT_DECAY) * excess,
            DECAY,
            output_decay=READOUT_DECAY,
            adaptation=neuron.adaptation,
            adaptation_decay=neuron.adaptation_decay,
        )
        found["inputs"], found["recurrent"] = np.split(both, [x.shape[-1]], axis=1)
    return loss, {name: found.get(name, np.zeros_like(w)) for name, w in weights.items()}


def learn(seed: int, rule: str, batches: int) -> tuple[Weights, list[float]]:
    """Train from the seed's weights on the seed's trials; returns the weights and the losses."""
    rng = np.random.default_rng(seed)
    weights, feedback = new_weights(rng), rng.normal(0.0, NEURONS**-0.5, (2, NEURONS))
    optimizer, losses = Adam(LEARNING_RATE), []
    state = optimizer.init(weights)
    for _ in range(batches):
        loss, found = gradients(weights, *trials(BATCH, rng), rule, feedback)
        losses.append(loss)
        weights, state = optimizer.update(weights, found, state, LEARNING_RATE)
    return weights, losses


def score(weights: Weights, rule: str, x: np.ndarray, y: np.ndarray) -> float:
    said = run(weights, x, rule)[2]
    return float(np.mean(said[-ANSWER:].sum(axis=0).argmax(axis=1) == y))


@plots.styled
def draw(curves: dict[str, np.ndarray], weights: Weights, path: Path) -> None:
    """Losses by batch, and the spikes of one trial after e-prop."""
    figure = Figure(figsize=(1.25 * plots.WIDTH, 4.2))
    learning, trial = figure.subplots(1, 2, width_ratios=(1.0, 1.2))
    draw_curves(learning, curves)
    learning.set(title="loss by batch; bands: all seeds", xlabel=f"batch of {BATCH}", ylabel="nats")
    learning.legend(fontsize="small")
    x, y = trials(1, np.random.default_rng(0))
    spikes = run(weights, x, "symmetric")[0]
    both = np.concatenate([x[:, 0], spikes[:, 0]], axis=1)
    time, row = np.nonzero(both)
    colours = np.array([*plots.COLOURS[:3], plots.QUIET, plots.TEXT])
    trial.scatter(time, row, s=2.0, c=colours[np.minimum(row // GROUP, 4)])
    middles = [*(GROUP * (k + 0.5) for k in range(4)), 4 * GROUP + NEURONS / 2]
    trial.set_yticks(middles, ("left", "right", "question", "noise", "neurons"))
    trial.set(title=f"one trial: more on the {('left', 'right')[y[0]]}", xlabel="step")
    trial.grid(False)
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=number(int, 1), default=3)
    parser.add_argument("--batches", type=number(int, 1), default=300)
    options = parser.parse_args(arguments)
    make_folder(options.output)
    curves: dict[str, list[list[float]]] = {label: [] for label in RULES}
    results: dict[str, list[tuple[float, float]]] = {label: [] for label in RULES}
    shown: Weights = {}
    runs = [(s, label) for s in range(FIRST_SEED, FIRST_SEED + options.seeds) for label in RULES]
    for seed, label in tqdm(runs, desc="rules", ncols=100, disable=None):
        weights, losses = learn(seed, RULES[label], options.batches)
        curves[label].append(losses)
        test = trials(TESTED, np.random.default_rng(10_000 + seed))
        right = 100.0 * score(weights, RULES[label], *test)
        results[label].append((right, float(np.mean(losses[-20:]))))
        if label == "e-prop" and not shown:
            shown = weights
    print(f"{STEPS} steps, {NEURONS} neurons, {options.batches} batches, {options.seeds} seeds")
    rows = [(label, *plus_minus(results[label], (".1f", ".3f"))) for label in RULES]
    head = ("", "right side, %", "loss, last 20 batches")
    print(tabulate(rows, head, disable_numparse=True))
    picture = options.output / "eprop.png"
    draw({label: np.asarray(rows) for label, rows in curves.items()}, shown, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()

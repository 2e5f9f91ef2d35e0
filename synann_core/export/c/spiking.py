"""Write a spiking network as C: its state in a struct, one step a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import NumpyArray
from synann_core.export.c.text import literal, source
from synann_core.export.checks import Precision, numbers_of
from synann_core.layer import beta_of
from synann_core.spiking import Layer, SpikingNetwork
from synann_core.spiking.neurons.formulas import finite
from synann_core.spiking.neurons.records import Parameters

Constants = dict[str, NumpyArray]


def spiking_source(network: SpikingNetwork, name: str, dtype: Precision) -> str:
    """Return the C file of a network; see `save_c`.

    Elementwise operations are those of the neurons' formulas in the same order, so that in one
    dtype and with the same currents the membranes have the same bits.
    """
    numbers = numbers_of(network, dtype)
    constants: Constants = {}
    fields, init, steps = [], [], []
    inputs, given = network.in_features, "x"
    for k, layer in enumerate(network.layers):
        writer = _Writer(k, layer, name, dtype, numbers, constants)
        drive = "state->input" if k == 0 else "state->drive"
        currents = writer.currents(given, drive, inputs)
        if k == 0:
            first = currents
        else:
            steps += currents
        fields += writer.fields()
        init += writer.init()
        steps += writer.step(drive)
        inputs, given = layer.units, f"state->{writer.out}_{k}"
    last = len(network.layers) - 1
    kinds = {layer.kind for layer in network.layers}
    affine = "linear" in kinds or any(f"{k}.recurrent" in numbers for k in range(last + 1))
    widest = max(layer.units for layer in network.layers)
    classes = network.classes
    struct = "\n".join(
        [
            "typedef struct {",
            f"    $real input[{network.layers[0].units}]; /* currents of the first layer */",
            f"    $real drive[{widest}]; /* currents of the layer that steps */",
            *fields,
            f"    $real membrane_sum[{classes}], spike_count[{classes}], first_spike[{classes}];",
            "} ${name}_state;",
        ]
    )
    return source(
        f"{name}: a spiking network of {' '.join(str(layer.units) for layer in network.layers)} "
        f"neurons and {network.in_features} inputs.",
        name,
        dtype,
        declarations=[
            struct,
            "void ${name}_init(${name}_state *state);",
            "void ${name}_input(${name}_state *state, const $real *x);",
            "void ${name}_advance(${name}_state *state);",
            "void ${name}_step(${name}_state *state, const $real *x);",
            "int ${name}_best(const $real *scores);",
            "int ${name}_predict(${name}_state *state, const $real *x);",
        ],
        constants=constants,
        pieces=[
            "sum",
            *(["affine"] if affine else []),
            *(["transmission"] if "synapse" in kinds else []),
            "spiking",
        ],
        features=network.in_features,
        classes=classes,
        steps=network.steps,
        last=last,
        out=_Writer.out_of(network.layers[-1]),
        init=_lines(init),
        input=_lines(first),
        layers=_lines(steps),
    )


def _lines(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


class _Writer:
    """The lines of one layer."""

    def __init__(
        self,
        k: int,
        layer: Layer,
        name: str,
        dtype: Precision,
        numbers: Constants,
        constants: Constants,
    ) -> None:
        self.k, self.layer, self.rule = k, layer, layer.neuron.rule
        self.name, self.dtype, self.constants = name, dtype, constants
        self.numbers = {part: numbers.get(f"{k}.{part}") for part in Parameters._fields}
        self.weights = {
            part: numbers[f"{k}.{part}"]
            for part in ("weight", "bias", "beta_logit", "gain")
            if f"{k}.{part}" in numbers
        }
        self.out = self.out_of(layer)

    @staticmethod
    def out_of(layer: Layer) -> str:
        """The field with what the layer puts out: in one order that is a step old."""
        return "out" if layer.neuron.rule.order == "article" else "spikes"

    def fields(self) -> list[str]:
        """What the state holds of the layer."""
        names = [f"{part}_{self.k}[{self.layer.units}]" for part in self._parts()]
        return [f"    $real {', '.join(names)};"]

    def _parts(self) -> list[str]:
        parts = ["membrane", "spikes"]
        parts += ["current"] if self.numbers["synaptic_decay"] is not None else []
        parts += ["adaptation"] if self.rule.adaptation else []
        return parts + (["out"] if self.out == "out" else [])

    def init(self) -> list[str]:
        """At rest. In the delayed orders the membrane tells whether there was a spike."""
        rest = self._literal(self.rule.rest)
        values = dict.fromkeys(self._parts(), self._literal(0.0)) | {"membrane": rest}
        if self.numbers["threshold"] is not None and self.rule.order != "immediate":
            values["spikes"] = self._fired(rest, self._number("threshold"))
        lines = [f"    state->{part}_{self.k}[i] = {value};" for part, value in values.items()]
        return [self._loop(), *lines, "}"]

    def currents(self, given: str, drive: str, inputs: int) -> list[str]:
        """The layer's currents from its inputs."""
        n, k, name = self.layer.units, self.k, self.name
        bias = self._constant("bias", self.weights["bias"])
        if self.layer.kind == "linear":
            weight = self._constant("weight", self.weights["weight"])
            return [f"{name}_affine({weight}, {bias}, {given}, {drive}, {n}, {inputs});"]
        beta = self._constant("beta", beta_of(self.weights["beta_logit"], xp=numpy_namespace))
        gain = self._constant("gain", self.weights["gain"])
        return [
            f"for (int i = 0; i < {n}; i++) /* layer {k} */",
            f"    {drive}[i] = {gain}[i] * {name}_log_transmission({beta} + i * {inputs}, "
            f"{given}, {inputs}) + {bias}[i];",
        ]

    def step(self, drive: str) -> list[str]:
        """One step of the neurons."""
        k, n, rule = self.k, self.layer.units, self.rule
        before = []
        if self.numbers["recurrent"] is not None:
            weight = self._constant("recurrent", self.numbers["recurrent"])
            into = "state->drive"
            before = [
                f"{self.name}_affine({weight}, {drive}, state->spikes_{k}, {into}, {n}, {n});"
            ]
            drive = into
        fires = self.numbers["threshold"] is not None
        delayed = rule.order != "immediate"
        threshold = self._number("threshold") if fires else ""
        taken = self._taken() if fires and rule.reset == "subtract" else ""
        lines = [f"{self._real()} y = {drive}[i], m = state->membrane_{k}[i];"]
        if fires and (self.out == "out" or (delayed and rule.reset != "none")):
            lines.append(f"const {self._real()} r = state->spikes_{k}[i];")
        if self.numbers["synaptic_decay"] is not None:
            lines.append(f"y += {self._number('synaptic_decay')} * state->current_{k}[i];")
            lines.append(f"state->current_{k}[i] = y;")
        if fires and delayed and rule.reset == "zero":
            lines.append(self._to_value("m", "r"))
        gain = "" if rule.gain == 1.0 else f"{self._literal(rule.gain)} * "
        lines.append(f"m = {self._number('decay')} * m + {gain}y;")
        if rule.rest:
            decay: Any = self.numbers["decay"]
            lines.append(f"m += {self._value('at_rest', (1.0 - decay) * rule.rest)};")
        if fires and delayed and rule.reset == "subtract":
            lines.append(f"m -= r * {taken};")
        if fires:
            raised = threshold
            if rule.adaptation:
                raised += f" + {self._literal(rule.adaptation)} * state->adaptation_{k}[i]"
            lines.append(f"const {self._real()} s = {self._fired('m', raised)};")
            if not delayed and rule.reset != "none":
                subtract = rule.reset == "subtract"
                lines.append(f"m -= s * {taken};" if subtract else self._to_value("m", "s"))
            if rule.adaptation:
                kept = f"{self._literal(rule.adaptation_decay)} * state->adaptation_{k}[i]"
                lines.append(f"state->adaptation_{k}[i] = {kept} + s;")
            if self.out == "out":
                lines.append(f"state->out_{k}[i] = r;")
            lines.append(f"state->spikes_{k}[i] = s;")
        lines.append(f"state->membrane_{k}[i] = m;")
        return [*before, self._loop(), *(f"    {line}" for line in lines), "}"]

    def _loop(self) -> str:
        return f"for (int i = 0; i < {self.layer.units}; i++) {{ /* layer {self.k} */"

    def _fired(self, potential: str, threshold: str) -> str:
        one, none = self._literal(1.0), self._literal(0.0)
        return f"{potential} {self.rule.fires} {threshold} ? {one} : {none}"

    def _to_value(self, m: str, spike: str) -> str:
        value = self.rule.reset_to
        added = f" + {self._literal(value)} * {spike}" if value else ""
        return f"{m} = ({self._literal(1.0)} - {spike}) * {m}{added};"

    def _number(self, part: str) -> str:
        return self._value(part, self.numbers[part])

    def _taken(self) -> str:
        """What a spike takes away: the threshold, and nothing where that is out of reach."""
        values: Any = self.numbers["threshold"]
        taken: Any = finite(values, numpy_namespace)
        return self._value("threshold" if np.array_equal(taken, values) else "taken", taken)

    def _value(self, part: str, values: Any) -> str:
        """A literal, or an entry of an array where neurons differ."""
        if (values == values[0]).all():
            return self._literal(values[0])
        return f"{self._constant(part, np.asarray(values, self.dtype))}[i]"

    def _constant(self, part: str, values: Any) -> str:
        self.constants[f"{part}_{self.k}"] = values
        return f"{self.name}_{part}_{self.k}"

    def _literal(self, value: float) -> str:
        return literal(value, self.dtype)

    def _real(self) -> str:
        return "float" if self.dtype == "float32" else "double"

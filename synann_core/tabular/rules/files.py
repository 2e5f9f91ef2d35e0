"""Write the rules of a classifier as JSON, and read them safely from anyone.

Nothing in a file is executed. What a file asks for is checked before memory is taken for it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.files import FilePath, path_text, write_whole
from synann_core.export import json_values as read
from synann_core.tabular.columns import Kind
from synann_core.tabular.rules.literals import (
    MOST_CATEGORIES,
    MOST_THRESHOLDS,
    Feature,
    Floats,
    Literals,
)
from synann_core.tabular.rules.model import RuleModel, mix_model
from synann_core.tabular.rules.structures import STRUCTURES

_HEAD = {"format": "synann", "version": 1, "kind": "SynapseRules"}
_KEYS = ("settings", "structure", "classes", "named", "features", "share", "unit", "models")
_LARGEST = 1 << 24  # numbers that rules take in memory, states and literals together
_SHOWN = 300  # characters of a reason
_PLAIN = (str, int, float, bool)
_LEFT_OUT = object()
_CLASSES = {"str": str, "int": int, "float": float, "bool": bool}


class Content(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    classes : ndarray
    named : bool
        Whether the features had names when the rules were learned.
    share : ndarray of float64, shape (states,)
        How often each state was there in the training data.
    unit : float
        Nats of a point of integer weights, or 0.
    models : list of RuleModel
    settings : dict
        Parameters of the estimator, of which those that JSON cannot hold are left out.
    """

    classes: NDArray[Any]
    named: bool
    share: Floats
    unit: float
    models: list[RuleModel]
    settings: dict[str, Any]


def write_rules(path: FilePath, content: Content) -> None:
    """Write a file that `read_rules` takes, whole or not at all."""
    literals = content.models[0].literals
    _check_size(literals, sum(len(model.W) for model in content.models), "`model`")
    classes = content.classes.tolist()
    kind = type(classes[0]).__name__
    if kind not in _CLASSES or any(type(c).__name__ != kind for c in classes):
        raise TypeError(
            "classes must be strings, numbers or bools to be saved as JSON. "
            f"Received: {content.classes.dtype}"
        )
    document = _HEAD | {
        "settings": {
            name: plain
            for name, value in content.settings.items()
            if (plain := _plain_setting(value)) is not _LEFT_OUT
        },
        "structure": content.models[0].structure,
        "classes": {"kind": kind, "values": classes},
        "named": content.named,
        "features": [
            {
                "name": f.name,
                "kind": f.kind,
                "values": list(f.values),
                "missing": f.missing,
                "means": list(f.means),
            }
            for f in literals.features
        ],
        "share": content.share.tolist(),
        "unit": content.unit,
        "models": [_model_document(model) for model in content.models],
    }
    write_whole(path, (json.dumps(document, allow_nan=False) + "\n").encode("ascii"))


def _model_document(model: RuleModel) -> read.Object:
    parameters = dict(model.parameters)
    document: read.Object = {}
    there = np.ones(len(model.W), bool)
    if model.structure == "mix":
        gains = parameters["log_alpha"]
        there = np.isfinite(gains).ravel()
        document["label"] = np.repeat(np.arange(len(gains)), gains.shape[1])[there].tolist()
        document["log_alpha"] = gains.ravel()[there].tolist()
    else:
        document |= {name: value.tolist() for name, value in parameters.items()}
    W = model.W[there]
    document["literals"] = [np.flatnonzero(w).tolist() for w in W]
    document["weights"] = [w[w > 0.0].tolist() for w in W]
    return document


def read_rules(path: FilePath, parameters: Sequence[str]) -> Content:
    """Read a file; ValueError if it is damaged or holds something else."""
    place = Path(path_text(path))
    try:
        return _content(read.parse(place), parameters)
    except FileNotFoundError:
        raise
    except (OSError, OverflowError, RecursionError, TypeError, ValueError) as error:
        reason = str(error)
        reason = reason if len(reason) <= _SHOWN else f"{reason[:_SHOWN]} ..."
        raise ValueError(
            "`path` must hold rules as JSON, as `save` writes them. "
            f"Received: {os.fspath(path)!r}: {reason}"
        ) from None


def _content(document: Any, parameters: Sequence[str]) -> Content:
    read.keys(document, "the file", *_HEAD, *_KEYS)
    for key, wanted in _HEAD.items():
        value = document[key]
        read.expect(type(value) is type(wanted) and value == wanted, key, repr(wanted), value)
    settings = _read_settings(document["settings"], parameters)
    structure = document["structure"]
    known = isinstance(structure, str) and structure in STRUCTURES
    read.expect(known, "structure", f"one of {STRUCTURES}", structure)
    named = document["named"]
    read.expect(type(named) is bool, "named", "true or false", named)
    unit = read.number(document["unit"], "unit")
    classes = _read_classes(document["classes"])
    given = read.sequence(document["features"], "features")
    read.expect(len(given) > 0, "features", "one or more", given)
    literals = Literals(tuple(_feature(f, f"features[{k}]") for k, f in enumerate(given)))
    share = _finite(document["share"], "share")
    states = int(literals.starts[-1])
    fits = share.size == states and bool(np.all((share >= 0.0) & (share <= 1.0)))
    read.expect(fits, "share", f"{states} numbers from 0 to 1", document["share"])
    models = read.sequence(document["models"], "models")
    read.expect(len(models) > 0, "models", "one or more", models)
    for model in models:  # before anything is made of them
        asked = model.get("literals") if isinstance(model, dict) else None
        _check_size(literals, len(asked) if isinstance(asked, list) else 0, "models")
    parsed = [
        _rules(model, structure, len(classes), f"models[{k}]") for k, model in enumerate(models)
    ]
    _check_size(literals, sum(rules.size for rules in parsed), "models")
    built = [_model(rules, structure, literals, f"models[{k}]") for k, rules in enumerate(parsed)]
    counted = unit == 0.0 or (structure == "rrl" and all(_whole(m, unit) for m in built))
    read.expect(counted, "unit", "0, or what votes and biases are whole numbers of", unit)
    return Content(classes, named, share, unit, built, settings)


def _whole(model: RuleModel, unit: float) -> bool:
    """Whether all parameters are some whole number of units, to rounding."""
    values = np.concatenate([each.ravel() for each in model.parameters.values()])
    with np.errstate(over="ignore", invalid="ignore"):
        points = values / unit
        near = np.abs(points - np.rint(points)) <= 1e-9
    return unit > 0.0 and bool(np.all(near & (np.abs(points) <= _LARGEST)))


def _plain_setting(value: Any) -> Any:
    """A parameter as JSON: of mappings, pairs. A splitter or a generator is left out."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in _PLAIN:
        finite = not isinstance(value, float) or math.isfinite(value)
        return value if finite else _LEFT_OUT
    if isinstance(value, Mapping):
        pairs = [_plain_setting(pair) for pair in value.items()]
        return _LEFT_OUT if _LEFT_OUT in pairs else {"pairs": pairs}
    if isinstance(value, list | tuple | np.ndarray):
        parts = [_plain_setting(part) for part in value]
        return parts if all(type(part) in _PLAIN for part in parts) else _LEFT_OUT
    return _LEFT_OUT


def _read_settings(value: Any, parameters: Sequence[str]) -> dict[str, Any]:
    """Parameters for `SynapseRules`, whose `fit` checks them as it does anyone's."""
    settings = {}
    for name, given in read.mapping(value, "settings").items():
        place = f"settings.{name}"
        read.expect(name in parameters, "settings", "parameters of SynapseRules", name)
        if isinstance(given, dict):
            read.keys(given, place, "pairs")
            pairs = read.sequence(given["pairs"], f"{place}.pairs")
            for k, pair in enumerate(pairs):
                both = read.sequence(pair, f"{place}.pairs[{k}]")
                fits = len(both) == 2 and all(type(part) in _PLAIN for part in both)
                read.expect(fits, f"{place}.pairs[{k}]", "a name and a value", pair)
            given = dict(pairs)
        elif isinstance(given, list):
            flat = all(type(part) in _PLAIN for part in given)
            read.expect(flat, place, "numbers or strings", given)
        settings[name] = given
    return settings


def _check_size(literals: Literals, rules: int, place: str) -> None:
    size = rules * (len(literals.names) + int(literals.starts[-1]))
    if size > _LARGEST:
        raise ValueError(f"{place}: expected rules of at most {_LARGEST} numbers, got {size}")


def _read_classes(value: Any) -> NDArray[Any]:
    read.keys(value, "classes", "kind", "values")
    kind, values = value["kind"], read.sequence(value["values"], "classes.values")
    known = isinstance(kind, str) and kind in _CLASSES
    read.expect(known, "classes.kind", f"one of {tuple(_CLASSES)}", kind)
    for k, entry in enumerate(values):
        fits = type(entry) is _CLASSES[kind]
        read.expect(fits, f"classes.values[{k}]", kind, entry)
    array = np.array(values)
    several = len(values) > 1 and len(set(values)) == len(values) and array.dtype != object
    read.expect(several, "classes.values", "two or more that differ", values)
    return array


def _feature(value: Any, place: str) -> Feature:
    read.keys(value, place, "name", "kind", "values", "missing", "means")
    name, kind = value["name"], value["kind"]
    read.expect(isinstance(name, str), f"{place}.name", "a string", name)
    known = isinstance(kind, str) and kind in get_args(Kind)
    read.expect(known, f"{place}.kind", f"one of {get_args(Kind)}", kind)
    missing = value["missing"]
    read.expect(type(missing) is bool, f"{place}.missing", "true or false", missing)
    given = read.sequence(value["values"], f"{place}.values")
    most = {"number": MOST_THRESHOLDS, "category": MOST_CATEGORIES, "boolean": 0}[kind]
    read.expect(len(given) <= most, f"{place}.values", f"at most {most}", given)
    values: tuple[Any, ...] = tuple(given)
    if kind == "number":
        thresholds = _finite(given, f"{place}.values")
        rising = bool(np.all(np.diff(thresholds) > 0.0))
        read.expect(rising, f"{place}.values", "finite thresholds in ascending order", given)
        values = tuple(thresholds.tolist())
    else:
        texts = all(type(text) is str for text in values) and len(set(values)) == len(values)
        read.expect(texts, f"{place}.values", "different strings", given)
    means = read.numbers(value["means"], f"{place}.means")
    feature = Feature(name, kind, values, missing, tuple(means.tolist()))
    count = len(feature.names) - 2 * missing
    fits = means.size == count and bool(np.all((means >= 0.0) & (means <= 1.0)))
    read.expect(fits, f"{place}.means", f"{count} numbers from 0 to 1", value["means"])
    return feature


def _finite(value: Any, place: str) -> Floats:
    numbers = read.numbers(value, place)
    read.expect(bool(np.isfinite(numbers).all()), place, "finite numbers", value)
    return numbers


class _Rules(NamedTuple):
    """The rules of one model as they stand in the file."""

    literals: list[NDArray[Any]]
    weights: list[NDArray[Any]]
    parameters: dict[str, Any]
    size: int  # in memory, with those that fill up a mix's classes


def _rules(value: Any, structure: str, classes: int, place: str) -> _Rules:
    own = {"mix": ("label", "log_alpha"), "rrl": ("bias", "votes"), "duel": ("bias", "against")}
    read.keys(value, place, "literals", "weights", *own[structure])
    pairs = []
    for key, convert in (("literals", read.indices), ("weights", read.numbers)):
        lists = read.sequence(value[key], f"{place}.{key}")
        pairs.append([convert(part, f"{place}.{key}[{i}]") for i, part in enumerate(lists)])
    literals, weights = pairs
    rules = len(literals)
    same = [part.size for part in literals] == [part.size for part in weights]
    read.expect(same, f"{place}.weights", "a number for each literal", value["weights"])
    positive = all(bool(np.all((part > 0.0) & np.isfinite(part))) for part in weights)
    read.expect(positive, f"{place}.weights", "finite numbers above 0", value["weights"])
    if structure == "mix":
        label = read.indices(value["label"], f"{place}.label")
        gains = _finite(value["log_alpha"], f"{place}.log_alpha")
        sizes = label.size == gains.size == rules and bool(np.all(label < classes))
        read.expect(
            sizes, f"{place}.label", f"a class below {classes} for each rule", value["label"]
        )
        each = np.bincount(label, minlength=classes)
        read.expect(bool(each.all()), f"{place}.label", "a rule of each class", value["label"])
        ordered = bool(np.all(np.diff(label) >= 0))
        read.expect(ordered, f"{place}.label", "classes in ascending order", value["label"])
        parameters = {"label": label, "log_alpha": gains}
        return _Rules(literals, weights, parameters, classes * int(each.max()))
    bias = _finite(value["bias"], f"{place}.bias")
    read.expect(bias.size == classes, f"{place}.bias", f"{classes} numbers", value["bias"])
    name = own[structure][1]
    rows = read.sequence(value[name], f"{place}.{name}")
    table = [_finite(row, f"{place}.{name}[{k}]") for k, row in enumerate(rows)]
    fits = len(table) == classes and all(row.size == rules for row in table)
    read.expect(fits, f"{place}.{name}", f"{classes} lists of {rules} numbers", rows)
    against = np.array(table).reshape(classes, rules)
    signed = structure == "rrl" or bool(np.all(against >= 0.0))
    read.expect(signed, f"{place}.{name}", "numbers of at least 0", rows)
    return _Rules(literals, weights, {"bias": bias, name: against}, rules)


def _model(rules: _Rules, structure: Any, literals: Literals, place: str) -> RuleModel:
    count = len(literals.names)
    W = np.zeros((len(rules.literals), count))
    for i, (chosen, weights) in enumerate(zip(rules.literals, rules.weights, strict=True)):
        fits = bool(np.all(chosen < count)) and len(set(chosen.tolist())) == chosen.size
        read.expect(fits, f"{place}.literals[{i}]", f"different numbers below {count}", "others")
        W[i, chosen] = weights
    parameters = rules.parameters
    if structure == "mix":
        return mix_model(literals, W, parameters["label"], parameters["log_alpha"])
    return RuleModel(structure, literals, W, parameters)

"""Files of SynapseClassifier: SynaMLP's tensors, and beside them how columns become inputs."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from synann_core._lib.files import FilePath, read_tensors, write_tensors
from synann_core.models import SynaMLP
from synann_core.tabular.classifier.encoding import Encoding

_FORMAT = "synann.SynapseClassifier"
_KEYS = ("parameters", "encoding", "words", "names", "background", "losses", "aside")


def write_classifier(estimator: Any, path: FilePath) -> None:
    """Write a fitted classifier, whole or not at all."""
    config, tensors = estimator.model_._content("classifier")
    parameters = estimator.get_params()
    for name, value in parameters.items():
        if isinstance(value, np.integer | np.floating | np.bool_):
            parameters[name] = value.item()
    if not isinstance(parameters["random_state"], int | None):
        parameters["random_state"] = None  # a generator is not in the state that it had
    names = getattr(estimator, "feature_names_in_", None)
    document = {
        "parameters": parameters,
        "encoding": estimator.encoding_.document(),
        "words": list(estimator._words),
        "names": None if names is None else list(names),
        "background": estimator._background.tolist(),
        "losses": estimator.loss_curve_,
        "aside": estimator.validation_losses_,
    }
    try:
        text = json.dumps(document)
    except TypeError as error:
        raise ValueError(
            f"`classifier` must have parameters that JSON can hold. Received: {error}"
        ) from None
    metadata = {"format": _FORMAT, "config": json.dumps(config), "classifier": text}
    write_tensors(path, tensors, metadata)


def read_classifier(kind: Any, path: FilePath) -> Any:
    """The classifier of a file."""
    tensors, metadata = read_tensors(path)
    model = SynaMLP._from_content(path, tensors, metadata)
    try:
        document = json.loads(metadata["classifier"])
        if not isinstance(document, dict) or set(document) != set(_KEYS):
            raise ValueError(f"keys that are not {_KEYS}")
        estimator = kind(**document["parameters"])
        check_random_state(estimator.random_state)
        encoding = Encoding.from_document(document["encoding"])
        words, names = tuple(map(bool, document["words"])), document["names"]
        background = np.asarray(document["background"], np.float64)
        losses, aside = ([float(x) for x in document[key]] for key in ("losses", "aside"))
        if model.labels is None or not losses or len(words) != len(encoding.parts):
            raise ValueError("parts that do not fit together")
        if encoding.size != model.in_features or background.shape[1:] != (encoding.size,):
            raise ValueError("inputs that are not the network's")
        if names is not None and len(names) != len(words):
            raise ValueError("names that are not the columns'")
    except (IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(
            "`path` must hold a classifier, as `save` writes it. "
            f"Received: {os.fspath(path)!r}, where {error}"
        ) from None
    estimator.model_, estimator.encoding_ = model, encoding
    estimator.classes_ = model.labels
    estimator._words, estimator._background = words, background
    estimator._random = check_random_state(estimator.random_state)
    estimator.n_features_in_ = len(words)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    estimator.loss_curve_, estimator.validation_losses_ = losses, aside
    estimator.loss_, estimator.n_iter_ = losses[-1], len(losses)
    return estimator

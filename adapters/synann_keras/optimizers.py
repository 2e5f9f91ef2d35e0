"""Weight decay that leaves the logits of synapses alone."""

from __future__ import annotations

from typing import TypeVar

import keras

__all__ = ["exclude_from_weight_decay"]

_LOGITS = ("beta_logit", "mixing_logit")

OptimizerT = TypeVar("OptimizerT", bound=keras.optimizers.Optimizer)


def exclude_from_weight_decay(optimizer: OptimizerT, model: keras.Model) -> OptimizerT:
    """Let an optimizer's weight decay spare the synapse layers, biases and norms of a model.

    Weight decay pulls a logit to 0. For β that is ½, the strongest change that there is: a synapse
    that was absent (β = 0) would inhibit, and one that closes (β = 1) would let half pass.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        With `weight_decay`, such as AdamW, and not built yet. This replaces what was excluded.
    model : keras.Model
        Built. Of its weights, those with two axes or more decay, but for logits of synapses.

    Returns
    -------
    Optimizer
        The same one.

    Raises
    ------
    TypeError, ValueError
        If `optimizer` is not an optimizer or has been built, or `model` not.

    Notes
    -----
    Keras does not save what is excluded: compile a loaded model anew before it trains on.

    Examples
    --------
    >>> import keras
    >>> from synann_keras import SynaMLP, exclude_from_weight_decay
    >>> model = SynaMLP(784, 280, 10)
    >>> optimizer = keras.optimizers.AdamW(0.004, weight_decay=0.05)
    >>> model.compile(exclude_from_weight_decay(optimizer, model), "mse")
    """
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(f"`optimizer` must be a Keras optimizer. Received: {optimizer!r}")
    if optimizer.built:
        raise ValueError("`optimizer` must not be built yet. Received: one that is")
    if not model.built:
        raise ValueError("`model` must be built: call it once. Received: one that is not")
    weights = model.trainable_variables
    others = [w for w in weights if len(w.shape) < 2 or w.name in _LOGITS]
    # Under mixed precision an optimizer wraps the one that has the decay.
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner.exclude_from_weight_decay(var_list=others)
    return optimizer

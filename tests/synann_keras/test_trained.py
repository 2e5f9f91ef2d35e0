"""The options of a layer's weights: initializers, regularizers and constraints."""

import keras
import numpy as np
import pytest

from synann_keras import InitialBetaLogit, Synapse, SynaRNNCell
from tests.synann_keras.keras_helpers import to_numpy

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_regularizers_and_constraints():
    layer = Synapse(
        4,
        beta_logit_regularizer=keras.regularizers.L2(0.1),
        theta_regularizer="l1",
        mixing_logit_regularizer="l2",
        theta_constraint="non_neg",
        theta_initializer="ones",
        beta_logit_constraint=keras.constraints.MaxNorm(2.0),
    )
    layer.build((None, 3))
    assert len(layer.losses) == 3
    want = 0.1 * np.sum(to_numpy(layer.beta_logit) ** 2)
    assert float(to_numpy(layer.losses[0])) == pytest.approx(want, rel=1e-5)
    assert isinstance(layer.theta.constraint, keras.constraints.NonNeg)
    np.testing.assert_array_equal(to_numpy(layer.theta), np.ones(4))
    again = Synapse.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.beta_logit_constraint.max_value == 2.0


def test_defaults():
    layer = Synapse(3)
    assert isinstance(layer.beta_logit_initializer, InitialBetaLogit)
    assert isinstance(layer.theta_initializer, keras.initializers.Zeros)
    assert layer.theta_regularizer is None
    assert layer.mixing_logit_constraint is None
    cell = SynaRNNCell(3)
    assert isinstance(cell.recurrent_initializer, keras.initializers.Orthogonal)
    assert isinstance(cell.synapse.beta_logit_initializer, InitialBetaLogit)


def test_options_of_weights_that_are_not_there():
    for make in (Synapse, SynaRNNCell):
        with pytest.raises((TypeError, ValueError), match="gamma_initializer"):
            make(3, gamma_initializer="ones")


def test_options_of_a_cell_and_of_its_synapse():
    options = {"recurrent_initializer": "zeros", "beta_logit_constraint": "non_neg"}
    cell = SynaRNNCell(3, bias_regularizer="l2", **options)
    cell.build((None, 2))
    np.testing.assert_array_equal(to_numpy(cell.recurrent_kernel), np.zeros((3, 3)))
    assert isinstance(cell.synapse.beta_logit.constraint, keras.constraints.NonNeg)
    assert isinstance(cell.bias.regularizer, keras.regularizers.L2)
    again = SynaRNNCell.from_config(cell.get_config())
    assert again.get_config() == cell.get_config()

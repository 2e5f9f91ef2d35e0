"""Models of rules: predictions by hand."""

import numpy as np

from synann_core.tabular.rule_model import RuleModel, mix_model
from tests.synann_core.tabular.tables import mixed_columns, mixed_literals


def test_a_mix_is_a_quotient_of_sums_of_synapses():
    columns = mixed_columns()
    literals = mixed_literals(columns)
    codes, names = literals.codes(columns), literals.names
    y = literals(codes)
    beta = np.zeros((3, len(names)))
    beta[0, [0, 3]], beta[1, 5], beta[2, names.index("smoker")] = 0.5, 0.9, 0.25
    gains = np.array([0.3, 0.2, 0.8])
    model = mix_model(literals, -np.log1p(-beta), np.array([0, 0, 1]), np.log(gains))
    assert model.classes == 2
    terms = gains * np.prod(1.0 - beta * (1.0 - y)[:, None, :], axis=-1)
    p = terms[:, 2] / terms.sum(axis=1)
    odds = np.subtract(*model.scores(codes)[::-1])
    np.testing.assert_allclose(odds, np.log(p / (1.0 - p)), rtol=1e-12, atol=1e-12)


def test_rows_do_not_depend_on_each_other():
    columns = mixed_columns()
    literals = mixed_literals(columns)
    rng = np.random.default_rng(0)
    W = rng.random((4, len(literals.names)))
    parameters = {"bias": np.zeros(2), "against": rng.random((2, 4))}
    model = RuleModel("duel", literals, W, parameters)
    codes = literals.codes(columns)
    whole = model.scores(codes)
    for row in (0, 7, 299):
        np.testing.assert_array_equal(model.scores(codes[row : row + 1])[:, 0], whole[:, row])

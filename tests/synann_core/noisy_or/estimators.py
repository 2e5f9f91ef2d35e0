"""What scikit-learn's own checks need to run: estimators that take the signs of any numbers."""

import numpy as np
from scipy.sparse import issparse

from synann_core.noisy_or import NoisyOrClassifier, NoisyOrFactors

OTHER_TARGETS = "targets are columns of 0 and 1, or probabilities; this check has classes"
ONE_COLUMN = "predict_proba has a column for each cause, not for each class of one"
# Checks that do not apply to multilabel targets, and why.
NOT_APPLICABLE = {
    "check_classifiers_classes": OTHER_TARGETS,
    "check_classifiers_one_label": OTHER_TARGETS,
    "check_classifiers_one_label_sample_weights": OTHER_TARGETS,
    "check_classifiers_regression_target": OTHER_TARGETS,
    "check_classifiers_train": OTHER_TARGETS,
    "check_classifier_not_supporting_multiclass": OTHER_TARGETS,
    "check_estimator_sparse_array": ONE_COLUMN,
    "check_estimator_sparse_matrix": ONE_COLUMN,
}


def signs(X):
    """1 for numbers above 0, else 0; what is not a matrix of numbers stays as it is."""
    if issparse(X):
        X = X.tocsr().copy()
        X.data = (X.data > 0).astype(float)
        return X
    try:
        values = np.asarray(X)
        if values.dtype.kind == "c":
            return X
        values = values.astype(float)
    except (TypeError, ValueError):
        return X
    return np.where(np.isfinite(values), values > 0, values) if values.ndim == 2 else X


class SignClassifier(NoisyOrClassifier):
    def fit(self, X, y, sample_weight=None):
        return super().fit(signs(X), signs(y), sample_weight)

    def predict_proba(self, X):
        return super().predict_proba(signs(X))


class SignFactors(NoisyOrFactors):
    def fit(self, X, y=None):
        return super().fit(signs(X), y)

    def transform(self, X):
        return super().transform(signs(X))

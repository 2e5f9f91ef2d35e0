"""Semantic similarity and the other rivals of the network."""

import numpy as np
import pytest

from studies import rare_disease_rivals as rivals
from studies.rare_disease_model import Settings, build
from studies.rare_disease_protocols import ALL, SUBTRACTED, make_columns
from tests.examples.studies.rare_disease_world import read_world


@pytest.fixture(params=[ALL, SUBTRACTED])
def knowledge(tmp_path, request):
    ontology, annotations, patients = read_world(tmp_path)
    columns = make_columns(annotations, patients, request.param)
    told = np.flatnonzero((patients.observed + patients.excluded).sum(axis=0))
    return build(columns, ontology, told, Settings()), patients


def above(ontology, term):
    return set(np.flatnonzero(ontology.ancestors[[term]].toarray()).tolist())


def similarity(kind, one, other, ontology, information):
    common = max(information[t] for t in above(ontology, one) & above(ontology, other))
    a, b = information[one], information[other]
    if kind == "Resnik":
        return common
    if kind == "Lin":
        return 2 * common / (a + b) if a + b else 0.0
    return 1 / (1 + a + b - 2 * common)


def test_similarities_are_those_of_the_definitions(knowledge):
    knowledge, patients = knowledge
    columns, ontology = knowledge.columns, knowledge.ontology
    terms = [set(columns.term[columns.column == c].tolist()) for c in range(columns.count)]
    having = np.zeros(len(ontology.names))
    for own in terms[: columns.diseases]:
        having[list(set().union(*(above(ontology, t) for t in own)))] += 1
    information = np.log(columns.diseases / np.maximum(having, 1))
    got = dict(rivals.similarities(knowledge, patients.observed))
    assert len(got) == 6
    for kind in rivals.KINDS:
        one, two = (got[f"{kind}, {sides}-sided"] for sides in ("one", "two"))
        for k in range(len(patients)):
            findings = patients.observed[[k]].indices
            for c, own in enumerate(terms):
                if not own:
                    assert one[k, c] == two[k, c] == 0
                    continue
                alike = np.array(
                    [[similarity(kind, f, t, ontology, information) for t in own] for f in findings]
                )
                there, back = alike.max(axis=1).mean(), alike.max(axis=0).mean()
                assert one[k, c] == pytest.approx(there, rel=1e-5, abs=1e-6)
                assert two[k, c] == pytest.approx((there + back) / 2, rel=1e-5, abs=1e-6)


def test_naive_bayes_takes_frequency_or_background(knowledge):
    knowledge, patients = knowledge
    base = np.minimum(knowledge.background, 0.5)[:, None]
    here = np.maximum(knowledge.closed.toarray(), base)
    with np.errstate(divide="ignore"):
        expected = patients.observed @ np.log(here / base)
        expected += patients.excluded @ np.log((1 - here) / (1 - base))
    got = rivals.naive_bayes(knowledge, patients.observed, patients.excluded)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_frequencies_alone_are_summed(knowledge):
    knowledge, patients = knowledge
    beta = knowledge.network.beta.toarray()
    got = rivals.frequency_alone(knowledge, patients.observed)
    expected = patients.observed.toarray()[:, knowledge.vocabulary] @ beta
    np.testing.assert_allclose(got, expected, rtol=1e-6)

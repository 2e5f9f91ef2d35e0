"""The page's numbers against Python's, in one page: random networks and cases of every kind."""

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr
from synann_core.noisy_or.html_page import plain
from tests.synann_core.noisy_or.brute_force import random_case

pytestmark = pytest.mark.browser

CASES = 330
CLOSE = 1e-9  # of probabilities relative, of logarithms and information absolute, in nats

SOLVE = """async (questions) => {
    const source = document.getElementById("engine").textContent;
    const engine = new synann.Engine(source, questions[0].network);
    const answers = [];
    for (const { network, ...question } of questions) {
        engine.load(network);
        answers.push(await engine.whole(question));
    }
    engine.worker.terminate();
    return answers;
}"""


@pytest.fixture
def ask(new_page, tmp_path):
    """The page's answers to questions (network, findings, part, …), all in one page."""

    def answers(questions):
        path = tmp_path / "page.html"
        questions[0][0].save_html(path)
        sent = [
            {"network": plain(network), "x": known(x), "part": part, **dict(*more)}
            for network, x, part, *more in questions
        ]
        return new_page(path).evaluate(SOLVE, sent)

    return answers


def known(x):
    return [None if np.isnan(value) else int(value) for value in x]


def ticked_case(seed):
    """A random network, and findings as the page takes them."""
    network, x = random_case(seed, causes=8, findings=8)
    rng = np.random.default_rng(seed)
    x = np.where((x > 0.0) & (x < 1.0), rng.choice([0.0, 1.0, np.nan], x.size), x)
    if seed % 3 == 0:  # drawn from the network, so that they are possible
        drawn = network.sample(1, rng=rng)[1][0]
        x = np.where(np.isnan(x), np.nan, drawn)
    return network, x


def assert_posteriors(answer, network, x):
    want = network.posterior(x[None], method="exact")
    posterior = answer["posterior"]
    np.testing.assert_allclose(posterior["probability"], want.probability[0], rtol=CLOSE, atol=0)
    assert posterior["logEvidence"] == pytest.approx(want.log_evidence[0], abs=CLOSE, rel=0)


def assert_reasons(answer, want, cause):
    got = {row["finding"]: row for row in answer["reasons"]}
    assert len(got) == len(want.findings)
    assert answer["posterior"]["logOdds"][cause] == pytest.approx(want.log_odds, abs=CLOSE, rel=0)
    for k, finding in enumerate(want.findings):
        row = got[finding]
        assert row["weight"][cause] == pytest.approx(want.weight[k], abs=CLOSE, rel=0)
        assert row["alone"][cause] == pytest.approx(want.alone[k], abs=CLOSE, rel=0)
        assert row["without"][cause] == pytest.approx(want.without[k], rel=CLOSE, abs=0)


def assert_next(answer, network, x):
    want = {one.finding: one for one in network.next_findings(x, count=50)}
    got = {one["finding"]: one for one in answer["next"]}
    for finding in want.keys() | got.keys():
        # A finding that Python finds to be certain, or the page, is in one list only.
        expected = want[finding].information if finding in want else 0.0
        found = got[finding]["information"] if finding in got else 0.0
        assert found == pytest.approx(expected, abs=CLOSE, rel=0)
        if finding in want and finding in got:
            assert got[finding]["probability"] == pytest.approx(
                want[finding].probability, abs=CLOSE, rel=0
            )
    information = [one["information"] for one in answer["next"]]
    assert information == sorted(information, reverse=True)


def test_random_networks_and_cases(ask):
    cases, questions, wanted = [ticked_case(seed) for seed in range(CASES)], [], {}
    for seed, case in enumerate(cases):
        cause = seed % case[0].prior.size
        if np.isfinite(evidence(*case)):
            wanted[seed] = case[0].explain(case[1], cause)
        order = list(wanted[seed].findings) if seed in wanted else []
        questions += [(*case, "reasons"), (*case, "next")]
        questions.append((*case, "growth", {"cause": cause, "order": order}))
    by_case = zip(cases, *[iter(ask(questions))] * 3, strict=True)
    for seed, ((network, x), *parts) in enumerate(by_case):
        if seed not in wanted:
            for part in parts:
                assert_contradiction(part["impossible"], network, x)
            continue
        assert not any("failed" in part for part in parts), seed
        cause, want = seed % network.prior.size, wanted[seed]
        assert_posteriors(parts[0], network, x)
        assert_reasons(parts[0], want, cause)
        assert_next(parts[1], network, x)
        assert parts[2]["growth"] == pytest.approx(want.in_turn, abs=CLOSE, rel=0)
    assert CASES // 2 < len(wanted) < CASES - 30
    assert any(network.protection is not None for network, _ in cases)


def evidence(network, x):
    """Log-evidence of a sample, −∞ if it is impossible."""
    try:
        return float(network.log_evidence(x[None])[0])
    except ValueError:
        return -np.inf


def assert_contradiction(findings, network, x):
    with pytest.raises(ValueError, match="of probability 0 with") as error:
        network.posterior(x[None], method="exact")
    states = [f"finding {i} {'present' if x[i] else 'absent'}" for i in findings]
    assert str(error.value).endswith(f"with {', '.join(states)}")


def wide_network(seed, causes, findings, share, *, protection=False):
    rng = np.random.default_rng(seed)
    shape = findings, causes
    beta = rng.uniform(0.1, 0.9, shape) * (rng.random(shape) < share)
    delta = rng.uniform(0.1, 0.9, shape) * (rng.random(shape) < share / 4) if protection else None
    prior, leak = rng.uniform(0.001, 0.02, causes), rng.uniform(0.001, 0.02, findings)
    return NoisyOr(prior, leak, beta, protection=delta), rng


@pytest.mark.parametrize(("present", "absent", "share"), [(13, 30, 0.1), (24, 60, 0.02)])
def test_large_networks(ask, present, absent, share):
    network, rng = wide_network(5, 300, 200, share, protection=present == 13)
    x = np.full(200, np.nan)
    chosen = rng.permutation(200)
    x[chosen[:present]] = 1.0
    x[chosen[present : present + (4 if network.protection is not None else absent)]] = 0.0
    (answer,) = ask([(network, x, "posterior")])
    assert_posteriors(answer, network, x)


def test_a_long_chain_and_a_tiny_evidence(ask):
    """A hundred findings, each of two causes; their probability is below every float's."""
    m = 100
    beta = 1e-4 * (np.eye(m, m + 1) + np.eye(m, m + 1, 1))
    network = NoisyOr(np.full(m + 1, 1e-3), np.full(m, 1e-9), beta)
    x = np.ones(m)
    (answer,) = ask([(network, x, "posterior")])
    assert answer["posterior"]["logEvidence"] < -745
    assert_posteriors(answer, network, x)


def test_screening_takes_the_same_findings(ask):
    """With more unknown findings than are looked at, the same fifty are."""
    network, _ = wide_network(8, 30, 120, 0.15)
    x = np.full(120, np.nan)
    x[:4], x[4:8] = 1.0, 0.0
    (answer,) = ask([(network, x, "next")])
    want = network.next_findings(x, count=50)
    assert [one["finding"] for one in answer["next"]] == [one.finding for one in want]
    assert_next(answer, network, x)


def test_sums_that_are_too_large_are_refused(ask):
    """Forty findings that all share causes; the next case is answered as always."""
    network, _ = wide_network(3, 400, 40, 0.3)
    few = np.full(40, np.nan)
    few[:5] = 1.0
    many, some = ask([(network, x, "posterior") for x in (np.ones(40), few)])
    assert many["bits"] == 40
    assert many["tooLarge"] > 5e8
    assert "posterior" not in many
    assert_posteriors(some, network, few)

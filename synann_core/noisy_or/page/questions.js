// Answer what people ask of a case: posteriors, reasons, and what to examine next.

const MOST_UNITS = 5e8; // numbers that a sum may take: two seconds or so
const MOST_WIDTH = 22; // bits at a time: a state of 32 MB
const MOST_TOTAL = 1e10; // and all sums for the reasons, or for the next finding
const SCREENED = 50; // findings that are looked at exactly

/** The sum of a case is too large for a page. */
class TooLarge extends Error {
  constructor(units, findings) {
    super(`a sum of ${units.toPrecision(2)} numbers`);
    this.units = units;
    this.findings = findings;
  }
}

/**
 * The log-probability of the findings, and of each cause its weight of evidence.
 *
 * `bayes[j]` is log P(x | cause j) − log P(x | not j), so that the log-odds of a posterior are
 * logit(prior) + bayes: no digit is lost, however sure the cause is.
 */
function solve(network, x) {
  const problem = problemOf(network, x);
  const plan = planOf(problem);
  if (plan.units > MOST_UNITS || plan.width > MOST_WIDTH) {
    throw new TooLarge(plan.units, problem.groups.length);
  }
  const bayes = problem.factor;
  const log = new Sum(problem, plan).solve(bayes);
  return { logEvidence: Math.min(log + problem.logConstant, 0), bayes, units: plan.units };
}

function logOddsOf(network, bayes) {
  return Array.from(bayes, (weight, j) => logit(network.prior[j]) + weight);
}

/** Posteriors of all causes. Impossible findings are an answer, too: those that contradict. */
function posterior(network, x) {
  if (!possible(network, x)) return { impossible: contradiction(network, x) };
  const { logEvidence, bayes, units } = solve(network, x);
  const logOdds = logOddsOf(network, bayes);
  return { logEvidence, logOdds, probability: logOdds.map(expit), units };
}

/** The case with another value of a finding. */
function changed(x, i, value) {
  const other = x.slice();
  other[i] = value;
  return other;
}

/**
 * What each known finding adds to the log-odds of each cause.
 *
 * Of every known finding a row with a number for each cause: `weight`, by how much the log-odds
 * fall if it is taken away; `alone`, the same were it the only finding; `without`, the probability
 * of the cause if it is taken away.
 */
function* reasons(network, x, logOdds) {
  const nothing = x.map(() => UNKNOWN);
  for (const finding of x.keys()) {
    if (x[finding] === UNKNOWN) continue;
    const left = logOddsOf(network, solve(network, changed(x, finding, UNKNOWN)).bayes);
    yield {
      finding,
      // (Infinite both times: the cause is as certain without the finding.)
      weight: left.map((odds, j) => (odds === logOdds[j] ? 0 : logOdds[j] - odds)),
      alone: Array.from(solve(network, changed(nothing, finding, x[finding])).bayes),
      without: left.map(expit),
    };
  }
}

/**
 * How the log-odds of a cause grow as all known findings are taken in this order, one by one.
 *
 * `logOdds` has those of the causes with all of them, the dearest sum, which is known already.
 */
function* growth(network, x, order, cause, logOdds) {
  let now = x.map(() => UNKNOWN);
  let before = logit(network.prior[cause]);
  for (const [k, finding] of order.entries()) {
    now = changed(now, finding, x[finding]);
    const last = k === order.length - 1;
    const after = (last ? logOdds : logOddsOf(network, solve(network, now).bayes))[cause];
    yield after === before ? 0 : after - before; // infinite both times: as certain as before
    before = after;
  }
}

/** Entropy of an event, in nats. */
function entropy(p) {
  const q = Math.min(Math.max(p, 0), 1);
  return q === 0 || q === 1 ? 0 : -q * Math.log(q) - (1 - q) * Math.log1p(-q);
}

function total(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/**
 * Expected information of a finding were the causes independent, and its probability.
 *
 * Only a guess at which findings are worth an exact look: protection is left out of the former.
 */
function guess(network, q, i) {
  const links = network.links[i];
  const spared = links.reduce((p, [j, , delta = 0]) => p * (1 - delta * q[j]), 1);
  const silent = links.reduce(
    (p, [j, beta, delta = 0]) => p * (1 - (beta + delta - beta * delta) * q[j]),
    1 - network.leak[i],
  );
  const present = spared - silent;
  const information = links.filter(([, beta]) => beta > 0).map(([j, beta]) => {
    const without = beta * q[j] < 1 ? (1 - present) / (1 - beta * q[j]) : 0;
    const there = 1 - without * (1 - beta);
    const gone = 1 - without;
    const mixed = entropy(q[j] * there + (1 - q[j]) * gone);
    return mixed - q[j] * entropy(there) - (1 - q[j]) * entropy(gone);
  });
  return { finding: i, information: total(information), present };
}

/** The unknown findings that are worth an exact look, the most promising first. */
function screened(network, x, q) {
  return Array.from(x.keys())
    .filter((i) => x[i] === UNKNOWN)
    .map((i) => guess(network, q, i))
    .filter(({ present }) => present > 0 && present < 1)
    .sort((a, b) => b.information - a.information)
    .slice(0, SCREENED)
    .map(({ finding }) => finding);
}

/**
 * How much a finding is expected to tell, in nats, and how probable it is; null if it is certain.
 *
 * The expected fall of the causes' entropies. One sum, with the finding absent, gives both
 * outcomes: the posterior is their mean.
 */
function informationOf(network, x, { logEvidence, probability }, finding) {
  const outcomes = [ABSENT, PRESENT].map((value) => changed(x, finding, value));
  if (!outcomes.every((outcome) => possible(network, outcome))) return null;
  const { logEvidence: log, bayes } = solve(network, outcomes[0]);
  const absent = Math.exp(log - logEvidence);
  const present = -Math.expm1(log - logEvidence);
  if (!(present > 0)) return null;
  const gone = logOddsOf(network, bayes).map(expit);
  const there = probability.map((q, j) => (q - absent * gone[j]) / present);
  const left = gone.map((q, j) => absent * entropy(q) + present * entropy(there[j]));
  const falls = probability.map((q, j) => entropy(q) - left[j]);
  return { finding, information: Math.max(total(falls), 0), probability: present };
}

/** What each of some findings is expected to tell, one after the other. */
function* nextFindings(network, x, now, candidates) {
  for (const finding of candidates) yield informationOf(network, x, now, finding);
}

/** Those that are not certain, the most informative first. */
function ranked(found) {
  return found.filter((one) => one !== null).sort((a, b) => b.information - a.information);
}

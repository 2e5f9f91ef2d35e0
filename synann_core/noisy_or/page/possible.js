// Tell whether findings can be together, and name those that cannot.
//
// What findings ask of the causes are clauses. A finding that is present without a leak has one of
// its causes; where it is absent, each cause that is sure to bring it about is missing, or some
// cause is there that may block it. A clause has one negative literal at most, so that what follows
// from single literals decides: if they do not contradict each other, all other causes may be
// present.

/** The clauses that finding i asks for, each a list of [cause, whether it is present]. */
function clausesOf(network, x, i) {
  const links = network.links[i];
  if (x[i] === PRESENT) {
    const causes = links.filter(([, beta]) => beta > 0).map(([j]) => [j, 1]);
    const some = network.leak[i] === 0 ? [causes] : [];
    return some.concat(links.filter(([, , delta]) => delta === 1).map(([j]) => [[j, 0]]));
  }
  const blocking = links.filter(([, , delta]) => delta > 0).map(([j]) => [j, 1]);
  const sure = links.filter(([, beta, delta = 0]) => beta === 1 && delta === 0);
  return sure.map(([j]) => [[j, 0], ...blocking]);
}

/** Whether causes can be such that all clauses hold. */
function satisfiable(prior, clauses) {
  const known = Array.from(prior, (p) => (p === 0 ? 0 : p === 1 ? 1 : null));
  let waiting = clauses;
  for (;;) {
    const left = [];
    let learned = false;
    for (const clause of waiting) {
      if (clause.some(([j, value]) => known[j] === value)) continue;
      const open = clause.filter(([j]) => known[j] === null);
      if (open.length === 0) return false;
      if (open.length === 1) {
        const [j, value] = open[0];
        known[j] = value;
        learned = true;
      } else {
        left.push(clause);
      }
    }
    if (!learned) return true;
    waiting = left;
  }
}

/** Whether the network can bring these findings about. */
function possible(network, x) {
  const clauses = x.flatMap((value, i) => (value === UNKNOWN ? [] : clausesOf(network, x, i)));
  return satisfiable(network.prior, clauses);
}

/** Findings that contradict each other, none of which can be left out; the present ones first. */
function contradiction(network, x) {
  const clauses = x.map((value, i) => (value === UNKNOWN ? [] : clausesOf(network, x, i)));
  let kept = Array.from(x.keys()).filter((i) => x[i] !== UNKNOWN);
  let step = kept.length;
  while (step > 1) {
    step = Math.ceil(step / 2);
    let at = 0;
    while (at < kept.length) {
      const fewer = kept.filter((_, k) => k < at || k >= at + step);
      if (satisfiable(network.prior, fewer.flatMap((i) => clauses[i]))) at += step;
      else kept = fewer;
    }
  }
  return kept.sort((a, b) => x[b] - x[a]);
}

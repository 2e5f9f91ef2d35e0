// A network as the page holds it, and what the findings of a case leave of it.
//
// A case is an array with a place for each finding: 1 (present), 0 (absent) or null (unknown).

/** Whether some cause protects from each finding. */
function protectedFindings(network) {
  return network.links.map((links) => links.some(([, , delta]) => delta > 0));
}

/**
 * What has to be summed over: bits for each finding that does not go into its causes' weights.
 *
 * A finding that is absent, and that no cause protects from, multiplies the weight of each present
 * cause by 1 − β; one that is present, by 1 − δ. What is left is a few groups of bits, one a
 * finding. A present cause leaves a bit off with the weight `stay` and switches it on with `move`;
 * `start` and `end` are weights of a group before all causes and of a bit after them. All are
 * positive, so that nothing cancels.
 */
function problemOf(network, x) {
  const factor = new Float64Array(network.prior.length); // logarithm, of a present cause's weight
  const groups = [];
  let logConstant = 0;
  for (let i = 0; i < x.length; i += 1) {
    if (x[i] === PRESENT) {
      for (const [j, , delta = 0] of network.links[i]) factor[j] += Math.log1p(-delta);
      groups.push(presentGroup(network.leak[i], network.links[i]));
    } else if (x[i] === ABSENT && network.protected[i]) {
      groups.push(absentGroup(network.leak[i], network.links[i]));
    } else if (x[i] === ABSENT) {
      for (const [j, beta] of network.links[i]) factor[j] += Math.log1p(-beta);
      logConstant += Math.log1p(-network.leak[i]);
    }
  }
  for (const bit of groups.flatMap(({ bits }) => bits)) {
    // A cause that cannot be present switches nothing on; nor does a link without strength.
    bit.links = bit.links.filter(
      ({ cause, stay, move }) => factor[cause] > -Infinity && (move > 0 || stay < 1),
    );
  }
  const { weights, logScale } = weightsOf(network.prior, factor);
  return { groups, weights, factor, logConstant: logConstant + logScale };
}

/** Each cause's weights absent and present, scaled to a sum of 1, and the scales' logarithm. */
function weightsOf(prior, factor) {
  let logScale = 0;
  const weights = Array.from(prior, (p, j) => {
    const absent = Math.log1p(-p);
    const present = Math.log(p) + factor[j];
    const scale = logAddExp(absent, present);
    logScale += scale;
    return [Math.exp(absent - scale), Math.exp(present - scale)];
  });
  return { weights, logScale };
}

/** A bit: whether the finding has been brought about. */
function presentGroup(leak, links) {
  const broughtAbout = {
    end: [0, 1],
    links: links.map(([cause, beta]) => ({ cause, stay: 1 - beta, move: beta })),
  };
  return { start: [1 - leak, leak], bits: [broughtAbout] };
}

/**
 * A finding that is absent, and may be blocked, is a sum of two terms: it was never brought about
 * nor blocked, or it was blocked. The second bit chooses the term, the first is whether it is
 * blocked; in the first term, where nothing may block, that counts as done from the start.
 */
function absentGroup(leak, links) {
  const blocked = {
    end: [0, 1],
    links: links.map(([cause, , delta = 0]) => ({ cause, stay: 1 - delta, move: delta })),
  };
  const term = {
    end: [1, 1],
    links: links.map(([cause, beta, delta = 0]) => ({
      cause, stay: (1 - beta) * (1 - delta), move: 0,
    })),
  };
  return { start: [0, 1 - leak, 1, 0], bits: [blocked, term] };
}

// A network as the page holds it, and what the findings of a case leave of it.
//
// A case is an array with a place for each finding: 1 (present), 0 (absent) or null (unknown).

/** Whether some cause protects from each finding. */
function protectedFindings(network) {
  return network.links.map((links) => links.some(([, , delta]) => delta > 0));
}

/**
 * What has to be summed over: a bit for each finding that does not go into its causes' weights.
 *
 * A finding that is absent, and that no cause protects from, multiplies the weight of each present
 * cause by 1 − β; one that is present, by 1 − δ. What is left of a present finding is whether it
 * has been brought about, and of an absent one with protection whether it has been blocked. Both
 * are bits that a present cause leaves off with the weight `stay` and switches on with `move`.
 * All weights are positive, so that nothing cancels.
 */
function problemOf(network, x) {
  const factor = new Float64Array(network.prior.length); // logarithm, of a present cause's weight
  const bits = [];
  let logConstant = 0;
  for (let i = 0; i < x.length; i += 1) {
    if (x[i] === PRESENT) {
      for (const [j, , delta = 0] of network.links[i]) factor[j] += Math.log1p(-delta);
      bits.push(presentBit(network, i));
    } else if (x[i] === ABSENT && network.protected[i]) {
      bits.push(blockedBit(network, i));
    } else if (x[i] === ABSENT) {
      for (const [j, beta] of network.links[i]) factor[j] += Math.log1p(-beta);
      logConstant += Math.log1p(-network.leak[i]);
    }
  }
  const { weights, logScale } = weightsOf(network.prior, factor);
  for (const bit of bits) {
    // A cause that cannot be present switches nothing on; nor does a link without strength.
    bit.links = bit.links.filter(
      ({ cause, stay, move }) => factor[cause] > -Infinity && (move > 0 || stay < 1),
    );
  }
  return { bits, weights, factor, logConstant: logConstant + logScale };
}

/** The weights of each cause absent and present, scaled to a sum of 1, and the scales' logarithm. */
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

function presentBit(network, i) {
  return {
    start: [1 - network.leak[i], network.leak[i]],
    end: [0, 1],
    links: network.links[i].map(([cause, beta]) => ({ cause, stay: 1 - beta, move: beta })),
  };
}

function blockedBit(network, i) {
  return {
    start: [1, 0],
    end: [1 - network.leak[i], 1], // never blocked, and silent; or blocked
    links: network.links[i].map(([cause, beta, delta = 0]) => ({
      cause,
      stay: (1 - beta) * (1 - delta),
      move: delta,
    })),
  };
}

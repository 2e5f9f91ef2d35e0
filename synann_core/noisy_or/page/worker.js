// Answer questions in a thread of its own, so that the page stays responsive; it may be ended at
// any time.
//
// Messages in: {network}, which counts from then on; {id, x, part}, where the part is "posterior",
// "reasons", "growth" (with `cause`, and an `order` of all known findings) or "next". Messages out
// have the id and one of: posterior, impossible, tooLarge, failed; progress, and what the part is
// called, null where it would take too many sums; at last done.

let current = null;

/** All answers of a sequence, or null if they may cost too much. */
function collected(id, answers, count, units) {
  if (units * count > MOST_TOTAL) return null;
  const all = [];
  for (const answer of answers) {
    all.push(answer);
    postMessage({ id, progress: { done: all.length, count } });
  }
  return all;
}

/** The part of the answer that goes beyond the posterior, `now`. */
const PARTS = {
  posterior: () => ({}),
  reasons({ id, x }, now) {
    const known = x.filter((value) => value !== UNKNOWN).length;
    const rows = reasons(current, x, now.logOdds);
    return { reasons: collected(id, rows, known, now.units) };
  },
  growth({ id, x, order, cause }, now) {
    const parts = growth(current, x, order, cause, now.logOdds);
    return { growth: collected(id, parts, order.length, now.units) };
  },
  next({ id, x }, now) {
    const candidates = screened(current, x, now.probability);
    const found = nextFindings(current, x, now, candidates);
    const all = collected(id, found, candidates.length, now.units);
    return { next: all && ranked(all) };
  },
};

function answer(question) {
  const { id, x, part } = question;
  const now = posterior(current, x);
  if (now.impossible) {
    postMessage({ id, impossible: now.impossible });
  } else if (!Number.isFinite(now.logEvidence)) {
    postMessage({ id, failed: "the findings are too improbable" });
  } else {
    postMessage({ id, posterior: now });
    postMessage({ id, ...PARTS[part](question, now) });
  }
}

onmessage = ({ data }) => {
  if (data.network) {
    current = { ...data.network, protected: protectedFindings(data.network) };
    return;
  }
  const { id } = data;
  try {
    answer(data);
  } catch (error) {
    if (error instanceof TooLarge) postMessage({ id, tooLarge: error.units, bits: error.findings });
    else postMessage({ id, failed: String(error.message) });
  }
  postMessage({ id, done: true });
};

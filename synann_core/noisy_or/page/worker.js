// Answer cases in a thread of its own, so that the page stays responsive; it may be ended any time.
//
// Messages in: {network}, once; {id, x, part: "posterior" | "all"}. Messages out have the id and
// one of: posterior, impossible, tooLarge, failed; reason (one a message), next, progress; done.

let current = null;

/** Send what a sequence of answers has, one by one, as long as it costs no more than it may. */
function collect(id, answers, count, units, send) {
  if (units * count > MOST_TOTAL) return false;
  let done = 0;
  for (const answer of answers) {
    done += 1;
    send(answer);
    postMessage({ id, progress: { done, count } });
  }
  return true;
}

function answer({ id, x, part }) {
  const now = posterior(current, x);
  if (now.impossible) {
    postMessage({ id, impossible: now.impossible });
    return;
  }
  if (!Number.isFinite(now.logEvidence)) throw new RangeError("the findings are too improbable");
  postMessage({ id, posterior: now });
  if (part === "posterior") return;
  const known = x.filter((value) => value !== UNKNOWN).length;
  const rows = [];
  const explained = collect(
    id, reasons(current, x, now.logOdds), known, now.units, (row) => rows.push(row),
  );
  postMessage({ id, reasons: explained ? rows : null });
  const found = [];
  const candidates = screened(current, x, now.probability).length;
  const ranked = collect(
    id, nextFindings(current, x, now), candidates, now.units, (one) => one && found.push(one),
  );
  found.sort((a, b) => b.information - a.information);
  postMessage({ id, next: ranked ? found : null });
}

onmessage = ({ data }) => {
  if (data.network) {
    current = { ...data.network, protected: protectedFindings(data.network) };
    return;
  }
  try {
    answer(data);
  } catch (error) {
    const { id } = data;
    if (error instanceof TooLarge) postMessage({ id, tooLarge: error.units, bits: error.findings });
    else postMessage({ id, failed: String(error.message) });
  }
  postMessage({ id: data.id, done: true });
};

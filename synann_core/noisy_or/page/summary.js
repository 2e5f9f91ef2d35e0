// Say in words what came out: for the live region, for a problem, and as a text to copy.

const NAMED = 8; // findings in a message

function namesOf(network, x, value) {
  return network.findings.filter((_, i) => x[i] === value);
}

function statusOf(network, x, { probability }) {
  const known = x.filter((value) => value !== UNKNOWN).length;
  const order = byProbability(probability).slice(0, 2);
  const causes = order.map((j) => `${network.causes[j]} ${percent(probability[j])}`);
  return `${counted(known, "finding")} known. Most probable: ${causes.join(", then ")}.`;
}

/** What is wrong with a case, or null. */
function problemWith(network, x, { impossible, tooLarge, bits, failed }) {
  if (impossible) {
    const stated = impossible.map((i) => `“${network.findings[i]}” ${wordOf(x[i])}`);
    const more = stated.length - NAMED;
    const named = more > 0 ? [...stated.slice(0, NAMED), `${more} more`] : stated;
    const verb = stated.length === 1 ? "cannot be" : "cannot be together";
    return `These findings contradict the network: ${listed(named)} ${verb}. `
      + "Their probability is 0.";
  }
  if (tooLarge) {
    const findings = counted(bits, "finding");
    return `Too many findings at once for this page: the exact sum over ${findings} takes `
      + `${tooLarge.toPrecision(2)} numbers. Set some present findings to unknown.`;
  }
  return failed ? `This case could not be computed: ${failed}.` : null;
}

/** Rows of words in columns, the first to the left and numbers to the right. */
function columns(rows) {
  const widths = rows[0].map((_, k) => Math.max(...rows.map((row) => row[k].length)));
  return rows.map((row) => row
    .map((word, k) => (k === 0 ? word.padEnd(widths[k]) : word.padStart(widths[k])))
    .join("  "));
}

/** The case as plain text. */
function textOf(title, network, x, { posterior, reasons, growths, next }, chosen) {
  const lines = [title, ""];
  for (const [word, value] of WORDS) {
    lines.push(`${word}: ${namesOf(network, x, value).join(", ") || "nothing"}`);
  }
  const causes = byProbability(posterior.probability).slice(0, FIRST);
  lines.push(`log-probability of the findings: ${posterior.logEvidence.toFixed(4)}`, "");
  lines.push(...columns([
    ["cause", "probability", "before"],
    ...causes.map((j) => [
      network.causes[j], percent(posterior.probability[j]), percent(network.prior[j]),
    ]),
  ]));
  const growth = growths.get(chosen) ?? [];
  if (reasons && reasons.length) {
    lines.push("", `reasons for ${network.causes[chosen]}`, ...columns([
      ["finding", "in turn", "weight", "alone", "without"],
      ...reasonsFor(reasons, chosen).map((row, k) => [
        network.findings[row.finding],
        ...[growth[k], row.weight, row.alone].map(signed),
        percent(row.without),
      ]),
    ]));
  }
  if (next && next.length) {
    lines.push("", "what to ask next", ...columns([
      ["finding", "nats", "present"],
      ...next.slice(0, NEXT).map((one) => [
        network.findings[one.finding], one.information.toPrecision(2), percent(one.probability),
      ]),
    ]));
  }
  return lines.join("\n");
}

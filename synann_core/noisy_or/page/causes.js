// Show answers: the causes by their probabilities, the reasons for one of them, what to ask next.

const FIRST = 10; // causes that are shown at first
const NEXT = 5; // findings to ask for

/** A bar's length is a custom property, which the style sheet reads. */
function bar(className, lengths) {
  const made = element("span", { className, "aria-hidden": "true" });
  for (const [name, value] of Object.entries(lengths)) made.style.setProperty(`--${name}`, value);
  return made;
}

/** The numbers of causes, the most probable first. */
function byProbability(probability) {
  return Array.from(probability.keys()).sort((a, b) => probability[b] - probability[a]);
}

function showCauses(network, probability, chosen, all, onChoose) {
  const order = byProbability(probability);
  const shown = all ? order : order.slice(0, FIRST);
  if (!shown.includes(chosen)) shown.push(chosen);
  const items = shown.map((j) => {
    const button = element(
      "button", { type: "button", "aria-pressed": String(j === chosen), id: `cause-${j}` },
      element("span", { className: "name" }, network.causes[j]),
      element("span", { className: "number" }, percent(probability[j])),
      bar("bar", { length: probability[j], mark: network.prior[j] }),
    );
    button.addEventListener("click", () => onChoose(j));
    return element("li", {}, button);
  });
  const focused = document.activeElement ? document.activeElement.id : "";
  byId("cause-list").replaceChildren(...items);
  if (focused.startsWith("cause-") && byId(focused)) byId(focused).focus();
  byId("more").hidden = order.length <= FIRST;
  byId("more").textContent = all ? `Show ${FIRST} only` : `Show all ${order.length}`;
}

/** The reasons for one cause, of the greatest weight first. */
function reasonsFor(reasons, cause) {
  return reasons
    .map(({ finding, weight, alone, without }) => ({
      finding, weight: weight[cause], alone: alone[cause], without: without[cause],
    }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}

/** A bar from the middle to the right (for the cause) or to the left (against it). */
function weightBar(weight, largest) {
  const share = Number.isFinite(weight) ? Math.abs(weight) / largest : 1;
  return bar(weight < 0 ? "weight against" : "weight for", { length: Math.min(share, 1) || 0 });
}

function showReasons(network, x, answer, cause) {
  const { probability, logOdds } = answer.posterior;
  const odds = [logit(network.prior[cause]), logOdds[cause]].map(signed);
  const text = `${percent(probability[cause])}: log-odds ${odds[0]} nats before, ${odds[1]} now.`;
  byId("reasons-title").textContent = `Why ${network.causes[cause]}?`;
  byId("reasons").replaceChildren(
    element("p", {}, text), reasonsTable(network, x, answer, cause),
  );
}

function reasonsTable(network, x, { reasons, growths }, cause) {
  if (reasons === undefined) return waiting();
  if (reasons === null) return notice("The reasons would take too many exact sums for a page.");
  if (reasons.length === 0) return element("p", { className: "note" }, "No finding is known yet.");
  const rows = reasonsFor(reasons, cause);
  const finite = rows.map(({ weight }) => Math.abs(weight)).filter(Number.isFinite);
  const largest = Math.max(...finite, 0.01);
  const heads = ["in turn", "weight", "alone", "without"]
    .map((head) => element("th", { scope: "col" }, head));
  const growth = growths.get(cause) ?? [];
  return element(
    "table", { "aria-label": `Reasons for ${network.causes[cause]}` },
    element("caption", {}, "In turn: how the log-odds grow, in nats, as the findings are taken one "
      + "by one; before, plus all of these, is now. Weight: by how much the log-odds fall if the "
      + "finding is taken away. Alone: the same were it the only one. Without: the probability if "
      + "it is taken away."),
    element("thead", {}, element("tr", {}, ...heads)),
    ...rows.map((row, k) => reasonRows(
      `${network.findings[row.finding]} `, wordOf(x[row.finding]), row, growth[k], largest,
    )),
  );
}

/** A finding on a line of its own, and its numbers under it: names are long, and phones narrow. */
function reasonRows(name, word, { weight, alone, without }, grown, largest) {
  const numbers = [grown, weight, alone].map(signed);
  return element(
    "tbody", {},
    element("tr", {}, element(
      "th", { scope: "rowgroup", colSpan: 4 },
      name, element("small", {}, word), weightBar(weight, largest),
    )),
    element("tr", {}, ...[...numbers, percent(without)].map((text) => element("td", {}, text))),
  );
}

function showNext(network, { next }, onChange) {
  if (next === undefined) {
    byId("next").replaceChildren(waiting());
  } else if (next === null) {
    const text = "To rank findings would take too many exact sums for a page.";
    byId("next").replaceChildren(notice(text));
  } else if (next.length === 0) {
    const text = "No unknown finding tells anything more.";
    byId("next").replaceChildren(element("p", { className: "note" }, text));
  } else {
    const items = next.slice(0, NEXT).map((one) => nextItem(network, one, onChange));
    const text = "By how much the causes' uncertainty is expected to fall.";
    byId("next").replaceChildren(
      element("p", { className: "note" }, text),
      element("ol", { id: "next-list" }, ...items),
    );
  }
}

function nextItem(network, { finding, information, probability }, onChange) {
  const name = network.findings[finding];
  const buttons = CHOICES.slice(0, 2).map(([word, value]) => {
    const button = element("button", { type: "button", "aria-label": `${name} is ${word}` }, word);
    button.addEventListener("click", () => onChange(finding, value));
    return button;
  });
  return element(
    "li", {},
    element("span", { className: "name" }, name),
    element(
      "span", { className: "note" },
      `${information.toPrecision(2)} nats, ${percent(probability)} present`,
    ),
    element("span", { className: "tools" }, ...buttons),
  );
}

function waiting() {
  return element("p", { className: "note waiting" }, "Computing …");
}

/** How far the first part is that is waited for. */
function showProgress({ done, count }) {
  const first = document.querySelector(".waiting");
  if (first) first.textContent = `Computing, ${done} of ${count} …`;
}

function notice(text) {
  return element("p", { className: "notice" }, text);
}

// Put the page together: what is ticked is asked, and what comes back is shown.

const network = JSON.parse(byId("network").textContent);
const engine = new Engine(byId("engine").textContent, network);
const page = { x: network.findings.map(() => UNKNOWN), chosen: null, all: false, answer: {} };

/** The cause to explain: the one that was chosen, else the most probable one. */
function chosenCause() {
  return page.chosen ?? byProbability(page.answer.posterior.probability)[0];
}

function render() {
  const { answer, x } = page;
  const problem = problemWith(network, x, answer);
  byId("problem").hidden = problem === null;
  byId("problem").textContent = problem ?? "";
  byId("answers").classList.toggle("unanswered", problem !== null);
  byId("answers").setAttribute("aria-busy", String(!problem && answer.next === undefined));
  byId("copy-text").disabled = !answer.posterior;
  if (problem !== null) byId("status").textContent = "";
  if (!answer.posterior) return;
  byId("status").textContent = statusOf(network, x, answer.posterior);
  showCauses(network, answer.posterior.probability, chosenCause(), page.all, choose);
  showReasons(network, x, answer, chosenCause());
  showNext(network, answer, change);
}

/** Explain this cause, or go on with the most probable one. */
function choose(cause) {
  page.chosen = cause;
  askGrowth();
  render();
}

/** Ask a question about the case, and show what comes back as long as it is the same case. */
function askPart(question, then = () => {}) {
  const { answer, x } = page;
  engine.ask({ x, ...question }, ({ done, ...message }) => {
    Object.assign(answer, message);
    render();
    if (done) then(answer);
  });
}

/** Ask how the log-odds of the chosen cause grow, in the order of its reasons. */
function askGrowth() {
  const { reasons, growths } = page.answer;
  const cause = chosenCause();
  if (!reasons || growths.has(cause)) return;
  const order = reasonsFor(reasons, cause).map(({ finding }) => finding);
  askPart({ part: "growth", cause, order }, (answer) => {
    growths.set(cause, answer.growth);
    render();
  });
}

/** Ask for the case that is ticked, and forget the one before. */
function ask() {
  engine.interrupt();
  page.answer = { growths: new Map() };
  byId("answers").setAttribute("aria-busy", "true");
  askPart({ part: "reasons" }, (answer) => {
    if (problemWith(network, page.x, answer) !== null) return;
    askGrowth();
    askPart({ part: "next" });
  });
}

function show(x) {
  page.x = x;
  list.show(x);
  ask();
}

function change(i, value) {
  const x = page.x.slice();
  x[i] = value;
  history.replaceState(null, "", toHash(network.findings, x) || location.pathname);
  show(x);
}

function open() {
  const { x, strange } = fromHash(network.findings, location.hash);
  show(x);
  byId("copied").textContent = strange.length
    ? `The link names what this page does not have: ${listed(strange.slice(0, NAMED))}.` : "";
}

/** Copy a text; where the browser does not let us, show it to be copied. */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    byId("copy-box").hidden = true;
    byId("copied").textContent = `${what} copied.`;
  } catch {
    byId("copy-box").value = text;
    byId("copy-box").hidden = false;
    byId("copy-box").select();
    byId("copied").textContent = `${what} selected: copy it.`;
  }
}

const list = new FindingList(network.findings, change);
byId("clear").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname);
  show(network.findings.map(() => UNKNOWN));
});
byId("more").addEventListener("click", () => {
  page.all = !page.all;
  render();
});
byId("copy-link").addEventListener("click", () => copy(location.href, "Link"));
byId("copy-text").addEventListener("click", () => {
  copy(textOf(document.title, network, page.x, page.answer, chosenCause()), "Text");
});
addEventListener("hashchange", open);
globalThis.synann = { Engine, engine, network }; // for scripts that ask the page
open();

// Put the page together: what is ticked is asked, and what comes back is shown.

const network = JSON.parse(byId("network").textContent);
const engine = startEngine();
const page = {
  x: network.findings.map(() => UNKNOWN),
  chosen: null, // cause to explain
  all: false, // whether all causes are shown
  answer: {}, // what has come back for the case
  shown: [], // what the list of causes shows
  refocus: false, // on the next finding to ask for, once it is known
};

/** The thread that computes; where the browser has none for this page, it says so. */
function startEngine() {
  try {
    return new Engine(byId("engine").textContent, network);
  } catch (error) {
    byId("problem").hidden = false;
    byId("problem").textContent = `This browser does not let the page compute: ${error.message}.`;
    throw error;
  }
}

/** The cause to explain: the one that was chosen, else the most probable one. */
function chosenCause() {
  return page.chosen ?? byProbability(page.answer.posterior.probability)[0];
}

function render() {
  const { answer, x } = page;
  const problem = problemWith(network, x, answer);
  byId("problem").hidden = problem === null;
  byId("answers").classList.toggle("unanswered", problem !== null);
  byId("answers").setAttribute("aria-busy", String(!problem && answer.next === undefined));
  byId("copy-text").disabled = !answer.posterior;
  say("problem", problem ?? "");
  if (problem !== null) say("status", "");
  if (!answer.posterior) return;
  say("status", statusOf(network, x, answer.posterior));
  renderCauses();
  showReasons(network, x, answer, chosenCause());
  showNext(network, answer, (finding, value) => {
    page.refocus = true;
    change(finding, value);
  });
  if (page.refocus && answer.next) {
    page.refocus = false;
    (byId("next").querySelector("button") ?? byId("search")).focus({ preventScroll: true });
  }
}

/** Put a text into a live region, which is read aloud when it changes. */
function say(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

/** Show the causes anew only where they changed: a button must not go while it is pressed. */
function renderCauses() {
  const now = [page.answer.posterior, chosenCause(), page.all];
  if (now.every((part, k) => part === page.shown[k])) return;
  page.shown = now;
  showCauses(network, page.answer.posterior.probability, chosenCause(), page.all, choose);
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
  engine.ask({ x, ...question }, ({ done, progress, ...message }) => {
    if (done) then(answer);
    else if (progress) showProgress(progress);
    else if (!(message.posterior && answer.posterior)) { // which comes with every part
      Object.assign(answer, message);
      render();
    }
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

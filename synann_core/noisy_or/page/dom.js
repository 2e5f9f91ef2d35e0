// Make elements, and write numbers for people.

const PER_CENT = "\u00a0%"; // after a space that does not break

function byId(id) {
  return document.getElementById(id);
}

/** An element with properties, attributes (names with a dash, and `role`) and children. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children); // strings become text, whatever they hold
  return made;
}

/** A probability for people: of an even chance and of a rare cause two digits or more. */
function percent(p) {
  if (p === 0 || p === 1) return `${100 * p}${PER_CENT}`;
  if (p < 1e-5) return `<\u00a00.001${PER_CENT}`;
  if (p > 0.9999) return `>\u00a099.99${PER_CENT}`;
  const hundred = 100 * p;
  if (hundred < 1) return `${hundred.toPrecision(2)}${PER_CENT}`;
  return `${hundred.toFixed(hundred > 99 ? 2 : 1)}${PER_CENT}`;
}

/** A number with its sign, to two digits; of what is not there yet, dots. */
function signed(number) {
  if (number === undefined) return "…";
  const size = Number.isFinite(number) ? Math.abs(number).toFixed(2) : "∞";
  return `${number < 0 && size !== "0.00" ? "−" : "+"}${size}`;
}

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** "a", "a and b", "a, b and c". */
function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** Text as a search looks at it: without case and accents. */
function folded(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

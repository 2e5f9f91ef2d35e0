// The case in the address, so that it can be sent: #present=fever&absent=rash

const WORDS = new Map([["present", PRESENT], ["absent", ABSENT]]);

function toHash(findings, x) {
  const words = new URLSearchParams();
  for (const [word, value] of WORDS) {
    findings.forEach((name, i) => { if (x[i] === value) words.append(word, name); });
  }
  return words.size ? `#${words}` : "";
}

/** The case of an address, and the names in it that the network does not have. */
function fromHash(findings, hash) {
  const place = new Map(findings.map((name, i) => [name, i]));
  const x = findings.map(() => UNKNOWN);
  const strange = [];
  for (const [word, name] of new URLSearchParams(hash.slice(1))) {
    if (WORDS.has(word) && place.has(name)) x[place.get(name)] = WORDS.get(word);
    else strange.push(name || word);
  }
  return { x, strange };
}

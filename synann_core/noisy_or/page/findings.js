// The list of findings: three choices for each, by mouse, finger or arrow keys; and the search.

const CHOICES = [["present", PRESENT], ["absent", ABSENT], ["unknown", UNKNOWN]];

/** The word for a finding's state. */
function wordOf(state) {
  return CHOICES.find(([, value]) => value === state)[0];
}

class FindingList {
  constructor(findings, onChange) {
    this.findings = findings;
    this.rows = findings.map((name, i) => this.row(name, i, onChange));
    this.texts = findings.map(folded);
    byId("finding-list").append(...this.rows.map(({ box }) => box));
    byId("search").addEventListener("input", () => this.filter());
    byId("known-only").addEventListener("change", () => this.filter());
  }

  row(name, i, onChange) {
    const id = `finding-${i}`;
    const radios = CHOICES.map(([word, value]) => {
      const radio = element("input", { type: "radio", name: id, value: word });
      radio.addEventListener("change", () => onChange(i, value));
      return radio;
    });
    const labels = radios.map((radio) =>
      element("label", { className: radio.value }, radio, element("span", {}, radio.value)));
    const box = element(
      "div", { className: "finding", role: "radiogroup", "aria-labelledby": id },
      element("span", { className: "name", id }, name),
      element("span", { className: "choices" }, ...labels),
    );
    return { box, radios };
  }

  /** Show a case: of thousands of findings only those that have changed. */
  show(x) {
    const before = this.x ?? [];
    this.x = x;
    this.rows.forEach(({ box, radios }, i) => {
      if (before[i] === x[i]) return;
      const at = CHOICES.findIndex(([, value]) => value === x[i]);
      radios[at].checked = true;
      box.classList.toggle("known", x[i] !== UNKNOWN);
    });
    this.filter();
  }

  /** Show the findings whose names have all words of the search. */
  filter() {
    const words = folded(byId("search").value).split(/\s+/u);
    const known = byId("known-only").checked;
    let shown = 0;
    this.rows.forEach(({ box }, i) => {
      const fits = words.every((word) => this.texts[i].includes(word));
      const hidden = !fits || (known && this.x[i] === UNKNOWN);
      if (box.hidden !== hidden) box.hidden = hidden;
      if (!hidden) shown += 1;
    });
    const total = counted(this.findings.length, "finding");
    const ticked = this.x.filter((value) => value !== UNKNOWN).length;
    const which = shown < this.findings.length ? `${shown} of ${total} shown` : total;
    byId("shown").textContent = `${which}, ${ticked} known`;
  }
}

// Sum over sets of findings, exactly: forwards for the evidence, backwards for every cause.
//
// A state holds a number for each set of the bits under way: the probability that just these are on
// so far. A cause takes it to f ← w₀ f + w₁ N f, where N switches bits on. The way back takes the
// derivatives by the states. Both are scaled as they go, so that nothing underflows.

const MOST_KEPT = 2 ** 23; // numbers of states that are kept for the way back
const SMALL = 1e-100;
const LEAST_TILT = 1e-150;

/** The number of a set without a certain bit, among all those sets; `half` is 2 to its place. */
function spread(k, half) {
  return ((k & -half) << 1) | (k & (half - 1));
}

/** Switch bits on in place, N f: each off number gives a part of itself to its on number. */
function switchOn(state, links) {
  for (const { place, stay, move } of links) {
    const half = 1 << place;
    for (let k = 0; k < state.length >> 1; k += 1) {
      const off = spread(k, half);
      state[off | half] += move * state[off];
      state[off] *= stay;
    }
  }
  return state;
}

/** The transposed operation. */
function switchBack(state, links) {
  for (const { place, stay, move } of links) {
    const half = 1 << place;
    for (let k = 0; k < state.length >> 1; k += 1) {
      const off = spread(k, half);
      state[off] = stay * state[off] + move * state[off | half];
    }
  }
  return state;
}

/** a·first + b·second, into `second`. */
function combine(a, first, b, second) {
  for (let k = 0; k < second.length; k += 1) second[k] = a * first[k] + b * second[k];
  return second;
}

function dot(first, second) {
  let sum = 0;
  for (let k = 0; k < first.length; k += 1) sum += first[k] * second[k];
  return sum;
}

/** The state with a group of bits more, on top: a copy for each set of them. */
function entered(state, start) {
  const wide = new Float64Array(start.length * state.length);
  start.forEach((weight, set) => {
    for (let k = 0; k < state.length; k += 1) wide[set * state.length + k] = weight * state[k];
  });
  return wide;
}

/** The transposed operation. */
function enteredBack(state, start) {
  const size = state.length / start.length;
  const narrow = new Float64Array(size);
  start.forEach((weight, set) => {
    for (let k = 0; k < size; k += 1) narrow[k] += weight * state[set * size + k];
  });
  return narrow;
}

/** The state after the bit at this place has left. */
function parted(state, place, [off, on]) {
  const half = 1 << place;
  const narrow = new Float64Array(state.length >> 1);
  for (let k = 0; k < narrow.length; k += 1) {
    const at = spread(k, half);
    narrow[k] = off * state[at] + on * state[at | half];
  }
  return narrow;
}

/** The transposed operation. */
function partedBack(state, place, [off, on]) {
  const half = 1 << place;
  const wide = new Float64Array(2 * state.length);
  for (let k = 0; k < state.length; k += 1) {
    const at = spread(k, half);
    wide[at] = off * state[k];
    wide[at | half] = on * state[k];
  }
  return wide;
}

/** Multiply a small state by a number, in place; return the logarithm that has been taken out. */
function rescale(state) {
  let highest = 0;
  for (let k = 0; k < state.length; k += 1) if (state[k] > highest) highest = state[k];
  if (highest === 0 || highest > SMALL) return 0;
  for (let k = 0; k < state.length; k += 1) state[k] /= highest;
  return Math.log(highest);
}

/** A problem's sum. */
class Sum {
  constructor({ groups, weights }, plan) {
    const tilts = groups.map((group) => tiltOf(group, weights));
    this.starts = groups.map(({ start }, g) => start.map((w, set) => (set ? w / tilts[g] : w)));
    this.ends = plan.bits.map(({ end }) => end);
    this.weights = weights;
    const bits = groups.flatMap((group, g) => tilted(group.bits, tilts[g]));
    this.program = programOf({ ...plan, bits });
    this.logTilt = tilts.reduce((sum, tilt) => sum + Math.log(tilt), 0);
  }

  /** The state after an operation. */
  forward({ kind, group, bit, place, cause, links }, state) {
    if (kind === "enter") return entered(state, this.starts[group]);
    if (kind === "leave") return parted(state, place, this.ends[bit]);
    const [absent, present] = this.weights[cause];
    return combine(absent, state, present, switchOn(state.slice(), links));
  }

  /** The derivative by the state before an operation; into `bayes` what it says of its cause. */
  backward({ kind, group, bit, place, cause, links }, state, other, bayes) {
    if (kind === "enter") return enteredBack(other, this.starts[group]);
    if (kind === "leave") return partedBack(other, place, this.ends[bit]);
    const [absent, present] = this.weights[cause];
    const switched = switchBack(other.slice(), links);
    bayes[cause] += Math.log(dot(switched, state)) - Math.log(dot(other, state));
    return combine(absent, other, present, switched);
  }

  /** Go on from a state before operation `first`; `visit` sees each state with its operation. */
  run(first, end, state, visit) {
    let logs = 0;
    let now = state;
    for (let at = first; at < end; at += 1) {
      visit(at, now);
      now = this.forward(this.program[at], now);
      if (this.program[at].kind === "leave") logs += rescale(now);
    }
    return { state: now, logs };
  }

  /**
   * The logarithm of the sum, −∞ if it is 0; add to `bayes` what it says of each cause.
   *
   * Where too many numbers would have to be kept for the way back, only some states are, and the
   * others are computed once more.
   */
  solve(bayes) {
    const starts = new Map();
    let kept = Infinity;
    const { state, logs } = this.run(0, this.program.length, Float64Array.of(1), (at, now) => {
      kept += now.length;
      if (kept > MOST_KEPT) {
        starts.set(at, now);
        kept = 0;
      }
    });
    let other = Float64Array.of(1);
    let end = this.program.length;
    for (const [first, start] of Array.from(starts).reverse()) {
      const states = [];
      this.run(first, end, start, (at, now) => states.push(now));
      while (end > first) {
        end -= 1;
        other = this.backward(this.program[end], states.pop(), other, bayes);
        if (this.program[end].kind === "enter") rescale(other);
      }
    }
    return Math.log(state[0]) + logs + this.logTilt;
  }
}

/**
 * What the on-numbers of a present finding are divided by: the square root of how probable it is.
 *
 * Otherwise the set of all present findings could be too improbable for a number.
 */
function tiltOf({ start, bits }, weights) {
  if (bits.length > 1) return 1;
  const on = bits[0].links.reduce(
    (p, { cause, move }) => p + (1 - p) * weights[cause][1] * move, start[1],
  );
  return Math.max(Math.sqrt(on), LEAST_TILT);
}

function tilted(bits, tilt) {
  return bits.map(({ links }) => ({
    links: links.map(({ cause, stay, move }) => ({ cause, stay, move: move / tilt })),
  }));
}

// Sum over sets of findings, exactly: forwards for the evidence, backwards for every cause.
//
// A state holds a number for each set of the bits under way: the probability that just these are on
// so far. A cause takes it to f ← w₀ f + w₁ N f, where N switches bits on. The way back has the
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

/** A state before a bit left: twice as long, with the bit at this place. */
function widened(state, place, [off, on]) {
  const half = 1 << place;
  const wide = new Float64Array(2 * state.length);
  for (let k = 0; k < state.length; k += 1) {
    const at = spread(k, half);
    wide[at] = off * state[k];
    wide[at | half] = on * state[k];
  }
  return wide;
}

/** The state after the bit at this place has left. */
function narrowed(state, place, [off, on]) {
  const half = 1 << place;
  const narrow = new Float64Array(state.length >> 1);
  for (let k = 0; k < narrow.length; k += 1) {
    const at = spread(k, half);
    narrow[k] = off * state[at] + on * state[at | half];
  }
  return narrow;
}

/** Multiply a small state by a number, in place; return the logarithm that has been taken out. */
function rescale(state) {
  let highest = 0;
  for (let k = 0; k < state.length; k += 1) if (state[k] > highest) highest = state[k];
  if (highest === 0 || highest > SMALL) return 0;
  for (let k = 0; k < state.length; k += 1) state[k] /= highest;
  return Math.log(highest);
}

/** A problem's sum, with bits scaled by the square roots of their probabilities. */
class Sum {
  constructor(problem, plan) {
    this.bits = tilted(problem);
    this.weights = problem.weights;
    this.program = programOf(this.bits, plan);
    this.logTilt = this.bits.reduce((sum, { tilt }) => sum + Math.log(tilt), 0);
  }

  /** The state after an operation. */
  forward(operation, state) {
    if (operation.kind === "enter") {
      return widened(state, operation.width - 1, this.bits[operation.bit].start);
    }
    if (operation.kind === "leave") {
      return narrowed(state, operation.place, this.bits[operation.bit].end);
    }
    const [absent, present] = this.weights[operation.cause];
    return combine(absent, state, present, switchOn(state.slice(), operation.links));
  }

  /** The derivative by the state before an operation; of a cause also log P(x | it) / P(x | not). */
  backward(operation, state, other, bayes) {
    if (operation.kind === "enter") {
      return narrowed(other, operation.width - 1, this.bits[operation.bit].start);
    }
    if (operation.kind === "leave") {
      return widened(other, operation.place, this.bits[operation.bit].end);
    }
    const [absent, present] = this.weights[operation.cause];
    const switched = switchBack(other.slice(), operation.links);
    bayes[operation.cause] += Math.log(dot(switched, state)) - Math.log(dot(other, state));
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
 * The bits, with what is on divided by a `tilt`: the square root of how probable that is.
 *
 * Otherwise the set of all present findings could be too improbable for a number.
 */
function tilted({ bits, weights }) {
  return bits.map(({ start, end, links }) => {
    if (end[0] !== 0) return { start, end, links, tilt: 1 };
    const on = links.reduce((p, { cause, move }) => p + (1 - p) * weights[cause][1] * move, start[1]);
    const tilt = Math.max(Math.sqrt(on), LEAST_TILT);
    return {
      start: [start[0], start[1] / tilt],
      end,
      links: links.map((link) => ({ ...link, move: link.move / tilt })),
      tilt,
    };
  });
}

// Plan the sum over sets of findings: an order in which bits enter, causes are taken, bits leave.
//
// What must be kept is a number for every set of the bits that are under way: those that have
// entered and not left. Those of a finding enter together; a bit leaves as soon as no later one
// shares a cause with it.

const NUMBERS_A_LINK = 32; // of a sum, in the time that a trial of an order takes for a link
const MOST_TRIALS = 4000;
const HOPELESS = 1e14; // numbers of a sum that no other order will make short
const ROUNDS = 2;

/**
 * The causes that have bits, in a row: `own[c]` is the number of cause c in the network, and its
 * bits are `members` from `starts[c]` to `starts[c + 1]`.
 */
function causesOf(bits) {
  const lists = new Map();
  bits.forEach(({ links }, bit) => {
    for (const { cause } of links) {
      if (!lists.has(cause)) lists.set(cause, []);
      lists.get(cause).push(bit);
    }
  });
  const starts = [0];
  for (const list of lists.values()) starts.push(starts[starts.length - 1] + list.length);
  return {
    own: Array.from(lists.keys()),
    starts: Int32Array.from(starts),
    members: Int32Array.from(Array.from(lists.values()).flat()),
  };
}

/**
 * When bits leave, if they enter in this order.
 *
 * `step[b]` is the place after whose entry bit b leaves, `rank[b]` how many have left before it,
 * `gone[t]` how many have left before place t enters; `leaving` are the bits as they leave.
 */
function departures(order, { starts, members }) {
  const count = order.length;
  const place = new Int32Array(count);
  for (let at = 0; at < count; at += 1) place[order[at]] = at;
  const step = place.slice();
  for (let c = 0; c + 1 < starts.length; c += 1) {
    let last = 0;
    for (let k = starts[c]; k < starts[c + 1]; k += 1) last = Math.max(last, place[members[k]]);
    for (let k = starts[c]; k < starts[c + 1]; k += 1) {
      if (step[members[k]] < last) step[members[k]] = last;
    }
  }
  const gone = new Int32Array(count + 1);
  for (let bit = 0; bit < count; bit += 1) gone[step[bit] + 1] += 1;
  for (let t = 0; t < count; t += 1) gone[t + 1] += gone[t];
  const next = gone.slice();
  const rank = new Int32Array(count);
  const leaving = new Int32Array(count);
  for (const bit of order) {
    rank[bit] = next[step[bit]];
    leaving[rank[bit]] = bit;
    next[step[bit]] += 1;
  }
  return { place, step, rank, leaving, gone };
}

/**
 * When causes are taken: each after its last bit has entered, or before its first one leaves.
 *
 * Of each cause the place after whose entry, how many bits have left by then, and how many are
 * under way.
 */
function turnsOf({ own, starts, members }, { place, step, rank, leaving, gone }) {
  const time = new Int32Array(own.length);
  const left = new Int32Array(own.length);
  const width = new Int32Array(own.length);
  for (let c = 0; c < own.length; c += 1) {
    let last = 0;
    let first = leaving.length;
    for (let k = starts[c]; k < starts[c + 1]; k += 1) {
      const bit = members[k];
      if (place[bit] > last) last = place[bit];
      if (rank[bit] < first) first = rank[bit];
    }
    const until = step[leaving[first]];
    const early = until === last ? first : gone[last + 1];
    const late = last - early > until - first;
    time[c] = late ? until : last;
    left[c] = late ? first : early;
    width[c] = time[c] + 1 - left[c];
  }
  return { time, left, width };
}

function powerOf(width) {
  return width < 31 ? 1 << width : 2 ** width;
}

/** How many numbers are written for an order, roughly. */
function unitsOf(order, causes) {
  const when = departures(order, causes);
  const { width } = turnsOf(causes, when);
  let units = 0;
  for (let c = 0; c < width.length; c += 1) {
    units += powerOf(width[c]) * (2 + causes.starts[c + 1] - causes.starts[c]);
  }
  for (let at = 0; at < order.length; at += 1) {
    units += powerOf(when.step[order[at]] + 1 - when.rank[order[at]]); // before it leaves
    units += powerOf(at + 1 - when.gone[at]); // after it has entered
  }
  return units;
}

/** Always next: the bit that brings the fewest new neighbours with it. */
function orderAlong(count, causes) {
  const near = Array.from({ length: count }, (_, bit) => new Set([bit]));
  for (let c = 0; c + 1 < causes.starts.length; c += 1) {
    const members = causes.members.subarray(causes.starts[c], causes.starts[c + 1]);
    for (const bit of members) for (const other of members) near[bit].add(other);
  }
  const reached = new Set();
  const left = new Set(near.keys());
  const order = [];
  const news = (bit) => {
    let number = 0;
    for (const other of near[bit]) if (!reached.has(other)) number += 1;
    return number;
  };
  while (left.size) {
    let best = null;
    let fewest = Infinity;
    for (const bit of left) {
      const number = news(bit) - (reached.has(bit) ? 0.5 : 0);
      if (number < fewest) [best, fewest] = [bit, number];
    }
    left.delete(best);
    for (const other of near[best]) reached.add(other);
    order.push(best);
  }
  return order;
}

/** Bits with few links at either end: little has to wait for them. */
function orderFromEnds(bits) {
  const sorted = Array.from(bits.keys())
    .sort((a, b) => bits[a].links.length - bits[b].links.length);
  const ends = sorted.filter((_, at) => at % 2 === 0);
  return ends.concat(sorted.filter((_, at) => at % 2 === 1).reverse());
}

/** The order of the bits for an order of their groups. */
function flatOrder(order, groups) {
  return order.flatMap((group) => groups[group]);
}

/** Move one group after the other to where the sum is cheapest, while that is worth its time. */
function improved(best, groups, causes) {
  if (best.units > HOPELESS) return best;
  const worth = best.units / NUMBERS_A_LINK / (1 + causes.members.length + groups.length);
  let trials = Math.min(worth, MOST_TRIALS);
  for (const group of Array(ROUNDS).fill(best.order).flat()) {
    const others = best.order.filter((other) => other !== group);
    for (let at = 0; at <= others.length; at += 1) {
      trials -= 1;
      if (trials < 0) return best;
      const order = [...others.slice(0, at), group, ...others.slice(at)];
      const units = unitsOf(flatOrder(order, groups), causes);
      if (units < best.units) best = { order, units };
    }
  }
  return best;
}

/** The cheapest order found for a problem's groups of bits, and its cost. */
function planOf(problem) {
  const bits = problem.groups.flatMap((group) => group.bits);
  const owner = problem.groups.flatMap((group, g) => group.bits.map(() => g));
  const groups = problem.groups.map(() => []);
  owner.forEach((group, bit) => groups[group].push(bit));
  const causes = causesOf(bits);
  const [first] = [orderAlong(bits.length, causes), orderFromEnds(bits)]
    .map((found) => Array.from(new Set(found.map((bit) => owner[bit]))))
    .map((order) => ({ order, units: unitsOf(flatOrder(order, groups), causes) }))
    .sort((a, b) => a.units - b.units);
  const { order, units } = improved(first, groups, causes);
  const { width } = turnsOf(causes, departures(flatOrder(order, groups), causes));
  return { bits, groups, causes, order, units, width: Math.max(0, ...width) };
}

/** The operations of a plan, in their order; bits of a state are counted from its lowest one. */
function programOf({ bits, groups, causes, order }) {
  const flat = flatOrder(order, groups);
  const when = departures(flat, causes);
  const { time, left } = turnsOf(causes, when);
  const events = [
    ...order.map((group) => ({ key: [when.place[groups[group][0]], -1, 0], group })),
    ...flat.map((bit) => ({ key: [when.step[bit], when.rank[bit], 1], bit })),
    ...causes.own.map((cause, c) => ({
      key: [time[c], left[c], 0],
      cause,
      members: Array.from(causes.members.subarray(causes.starts[c], causes.starts[c + 1])),
    })),
  ];
  events.sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || a.key[2] - b.key[2]);
  const alive = [];
  return events.map(({ group, bit, cause, members }) => {
    if (group !== undefined) {
      alive.push(...groups[group]);
      return { kind: "enter", group };
    }
    if (bit !== undefined) {
      const place = alive.indexOf(bit);
      alive.splice(place, 1);
      return { kind: "leave", bit, place };
    }
    const links = members.map((own) => ({
      place: alive.indexOf(own),
      ...bits[own].links.find((link) => link.cause === cause),
    }));
    return { kind: "cause", cause, links };
  });
}

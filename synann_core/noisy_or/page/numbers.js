// What both threads know: the states of a finding, and probabilities as log-odds.

"use strict";

const PRESENT = 1;
const ABSENT = 0;
const UNKNOWN = null;

function logAddExp(a, b) {
  const highest = Math.max(a, b);
  return highest === -Infinity ? highest : highest + Math.log1p(Math.exp(-Math.abs(a - b)));
}

function logit(p) {
  return Math.log(p) - Math.log1p(-p);
}

function expit(z) {
  return z < 0 ? Math.exp(z) / (1 + Math.exp(z)) : 1 / (1 + Math.exp(-z));
}

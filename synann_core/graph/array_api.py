"""Evaluate graphs and their derivatives with array operations of any namespace.

Both spaces share the factor f = ȳ + y β̄ of an inhibitory input and q = yβ = 1 − f (see
`contraction.factors`): in probability space a neuron's value is α ∏ x ∏ f, in surprisal space it is
θ + Σ u − Σ log f. Products go in trees, with their complement beside them; derivatives of a product
are products of the other factors, not quotients: they are exact where factors are 0. Only where a
product underflows and α makes an ordinary number of it again, they are logarithms and quotients.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from array_api_compat import device

from synann_core._lib.autodiff import attach, builds_graphs, stop_gradient
from synann_core._lib.loops import keep_freed_memory, over_rows, tree
from synann_core._lib.numerics import (
    constant,
    expm1,
    known_inside,
    log_complement,
    surprisal_floor,
    transmission,
)
from synann_core._lib.typing import Array, Namespace
from synann_core.graph.parameters import Gradients, GraphParameters, Parameters
from synann_core.graph.plan import Back, Group, Plan, Sum, make_plan
from synann_core.graph.structure import Task
from synann_core.graph.wiring import Ints

Chunk = tuple[tuple[Array, ...], tuple[Array, ...]]  # results of some rows, and sums over them


class _Pair(NamedTuple):
    """Values or strengths with what the factors are made of: y and ȳ, or β and β̄."""

    value: Array
    p: Array
    bar: Array | None  # None in probability space, where it is 1 − p


class _Slopes(NamedTuple):
    """Derivatives of the neurons of one group; the inhibitory ones by y and by β."""

    alpha: Array  # (size, rows)
    excitatory: Array  # (size, e, rows)
    y: Array  # (size, k, rows)
    beta: Array  # (size, k, rows)


def forward(task: Task, x: Array, params: Parameters) -> Array:
    """Values of the outputs, (rows, outputs)."""
    keep_freed_memory()
    xp, plan, strengths = task.xp, _plan(task), _strengths(params.beta, task)

    def chunk(x: Array) -> Chunk:
        values = _inputs(x, task)
        for level in plan.levels:
            new = [_neurons(values, params.alpha, strengths, g, task)[0] for g in level]
            values = _append(values, new, task)
        return (xp.permute_dims(_take(values.value, plan.output_rows, xp), (1, 0)),), ()

    (out,), _ = over_rows(chunk, ((x, 0.0),), plan.edges, xp)
    return out


def vjp(task: Task, x: Array, params: Parameters, grad: Array) -> Gradients:
    """Gradients of x (rows, inputs) and of the parameters for those of the outputs."""
    keep_freed_memory()
    xp, plan, strengths = task.xp, _plan(task), _strengths(params.beta, task)

    def chunk(x: Array, grad: Array) -> Chunk:
        values, every = _inputs(x, task), []
        for level in plan.levels:
            new = []
            for group in level:
                value, slopes = _neurons(values, params.alpha, strengths, group, task)
                new.append(value)
                every.append(slopes())
            values = _append(values, new, task)
        upstream = _after_zero(xp.permute_dims(grad, (1, 0)), xp)
        zero = upstream[:1, ...]
        edges = [_flat(s.excitatory, xp) for s in every] + [_flat(s.y, xp) for s in every]
        through, grads = xp.concat([zero, *edges], axis=0), zero
        for part in plan.back:
            grads = xp.concat([grads, *(_back(grads, through, upstream, b, xp) for b in part)])
        gx = xp.permute_dims(_take(grads, plan.input_rows, xp), (1, 0))
        alphas = xp.concat([zero[:0, ...], *(s.alpha for s in every)])
        betas = xp.concat([zero[:0, ...], *(_flat(s.beta, xp) for s in every)])
        galpha = _take(grads, plan.neuron_rows, xp) * alphas
        gbeta = _take(grads, plan.reader_rows, xp) * betas
        return (gx,), (xp.sum(galpha, axis=1), xp.sum(gbeta, axis=1))

    (gx,), (galpha, gbeta) = over_rows(chunk, ((x, 0.0), (grad, 0.0)), 2 * plan.edges, xp)
    return gx, GraphParameters(_sum(galpha, plan.alpha, xp), _sum(gbeta, plan.beta, xp))


def jvp(task: Task, x: Array, params: Parameters, dx: Array, dparams: Parameters) -> Array:
    """Tangents of the outputs, (rows, outputs)."""
    keep_freed_memory()
    xp, plan, strengths = task.xp, _plan(task), _strengths(params.beta, task)
    moved = GraphParameters(dparams.alpha, _after_zero(dparams.beta, xp))

    def chunk(x: Array, dx: Array) -> Chunk:
        values = _inputs(x, task)
        tangents = xp.concat([xp.zeros_like(values.value[:2, ...]), xp.permute_dims(dx, (1, 0))])
        for level in plan.levels:
            new, added = [], []
            for group in level:
                value, slopes = _neurons(values, params.alpha, strengths, group, task)
                new.append(value)
                added.append(_tangent(tangents, slopes(), moved, group, xp))
            values = _append(values, new, task)
            tangents = xp.concat([tangents, *added])
        return (xp.permute_dims(_take(tangents, plan.output_rows, xp), (1, 0)),), ()

    (out,), _ = over_rows(chunk, ((x, 0.0), (dx, 0.0)), 2 * plan.edges, xp)
    return out


def _plan(task: Task) -> Plan:
    # onnxruntime starts in a time that grows with the square of the number of operations.
    joined = 512 if builds_graphs(task.xp) else 0
    make = functools.partial(make_plan, task.structure, task.outputs, joined=joined)
    return task.structure.once(("plan", task.every, joined), make)


def _neurons(
    values: _Pair, alpha: Array, strengths: _Pair, group: Group, task: Task
) -> tuple[Array, Callable[[], _Slopes]]:
    """Values of a group's neurons, (size, rows), and how to make their derivatives."""
    xp = task.xp
    gain = _take(alpha, group.alpha, xp)[:, None]
    x = _gather(values.value, group.excitatory, group.size, xp)
    y, beta, f, q = _factors(values, strengths, group, xp)
    if task.space == "surprisal":
        value = gain + _added(x, xp) + _added(_logs(f, q, xp), xp)

        def slopes() -> _Slopes:
            # The Bose-Einstein occupation, capped, as of G(γ + u).
            floor = constant(surprisal_floor(f.dtype, xp), f, xp)
            # y β, not q: its derivative counts for second derivatives.
            occupation = -(y * beta) / xp.maximum(f, floor)
            return _Slopes(xp.ones_like(value), xp.ones_like(x), occupation, occupation)

    else:
        (strong, all_strong), (weak, all_weak) = _products(x, 1.0 - x, xp), _products(f, q, xp)
        every = all_strong * all_weak
        value, lost = _scaled(gain, every, x, f, xp)

        def slopes() -> _Slopes:
            by_x = _others(strong, gain * all_weak, xp)
            by_f = _others(weak, gain * all_strong, xp)
            by_alpha = every
            if lost is not None:
                by_alpha = _quotient(value, gain, lost, every, xp)
                whole, apart = value[:, None, :], lost[:, None, :]
                by_x = _quotient(whole, x, apart, by_x, xp)
                by_f = _quotient(whole, f, apart, by_f, xp)
            return _Slopes(by_alpha, by_x, -by_f * beta, -by_f * y)

    return value, slopes


def _tangent(
    tangents: Array, slopes: _Slopes, dparams: Parameters, group: Group, xp: Namespace
) -> Array:
    """Tangents of a group's neurons; that of β comes after a 0."""
    dx = _gather(tangents, group.excitatory, group.size, xp)
    dy = _gather(tangents, group.inhibitory, group.size, xp)
    db = _gather(dparams.beta[:, None], group.beta, group.size, xp)
    own = slopes.alpha * _take(dparams.alpha, group.alpha, xp)[:, None]
    strong = _added(slopes.excitatory * dx, xp)
    return own + strong + _added(slopes.y * dy + slopes.beta * db, xp)


def _back(grads: Array, slopes: Array, upstream: Array, back: Back, xp: Namespace) -> Array:
    """Gradients of some nodes: their own as outputs, and through all that read them."""
    own = _take(upstream, back.outputs, xp)
    through = _gather(slopes, back.edges, back.size, xp)
    return own + _added(through * _gather(grads, back.readers, back.size, xp), xp)


def _factors(
    values: _Pair, strengths: _Pair, group: Group, xp: Namespace
) -> tuple[Array, Array, Array, Array]:
    """y, β, f with the derivative of 1 − yβ, and q; each (size, k, rows), β (size, k, 1)."""
    y = _gather(values.p, group.inhibitory, group.size, xp)
    beta = _gather(strengths.p[:, None], group.beta, group.size, xp)
    q = y * beta
    if values.bar is None or strengths.bar is None:
        return y, beta, transmission(y, beta, xp), stop_gradient(q, xp)
    y_bar = _gather(values.bar, group.inhibitory, group.size, xp)
    beta_bar = _gather(strengths.bar[:, None], group.beta, group.size, xp)
    f = y_bar + y * beta_bar
    if not known_inside(xp, y, beta):  # surprisals below 0, as gains make them
        f = xp.where((y <= 1.0) & (beta <= 1.0), f, transmission(y, beta, xp))
    return y, beta, attach(stop_gradient(f, xp), lambda: 1.0 - q, xp), stop_gradient(q, xp)


def _logs(f: Array, q: Array, xp: Namespace) -> Array:
    """−log f, whose derivatives see f kept from 0."""
    plain = stop_gradient(f, xp)
    floor = constant(surprisal_floor(f.dtype, xp), f, xp)
    least = constant(float(xp.finfo(f.dtype).smallest_normal), f, xp)
    smooth = attach(xp.maximum(plain, floor), lambda: f, xp)
    logs = log_complement(xp.maximum(plain, least), q, smooth, xp)
    outside = xp.where(plain == 0.0, constant(-float("inf"), f, xp), plain * float("nan"))
    exact = xp.where(plain > 0.0, stop_gradient(logs, xp), outside)
    return 0.0 - attach(exact, lambda: logs, xp)


def _products(p: Array, q: Array, xp: Namespace) -> tuple[list[Array], Array]:
    """Products of pairs, of pairs of pairs, … over axis 1, q being 1 − p; and that of all."""
    if p.shape[1] == 0:
        shape = (p.shape[0], p.shape[2])
        return [p], xp.ones(shape, dtype=p.dtype, device=device(p))
    # Outside [0, 1], as gains α > 1 make it, the complement would cancel: NaN rules it out.
    unit = (q >= 0.0) & (q <= 1.0)
    q = xp.where(unit, stop_gradient(q, xp), constant(float("nan"), q, xp))
    products = [p]
    while p.shape[1] > 1:
        half = p.shape[1] // 2
        first, second = p[:, :half, :], p[:, half:, :]
        q = q[:, :half, :] + stop_gradient(first, xp) * q[:, half:, :]
        p = _better(first * second, q, xp)
        products.append(p)
    return products, p[:, 0, :]


def _scaled(
    gain: Array, every: Array, x: Array, f: Array, xp: Namespace
) -> tuple[Array, Array | None]:
    """Return gain · every, and where it is made of logarithms; None stands for nowhere.

    There the product of the factors x and f underflows, or overflows on the way, and the gain makes
    an ordinary number of it again.
    """
    plain = gain * every
    if known_inside(xp, gain, x, f):
        return plain, None
    parts = [gain[:, None, :], *(a for a in (x, f) if a.shape[1])]
    fixed = [stop_gradient(a, xp) for a in parts]
    total = functools.reduce(xp.add, [_added(xp.log(xp.abs(a)), xp) for a in fixed])
    signs = [xp.where(a < 0.0, -xp.ones_like(a), xp.ones_like(a)) for a in fixed]
    sign = functools.reduce(xp.multiply, [tree(xp.multiply, a, 1) for a in signs])
    info, size = xp.finfo(every.dtype), xp.abs(stop_gradient(every, xp))
    least = float(info.smallest_normal)
    # 0.01: where all is inside [0, 1] this is nowhere, however the sum is rounded.
    lost = ~((size >= least) & (size <= float(info.max)))
    lost = lost & xp.isfinite(total) & (total > math.log(least) + 0.01)
    whole = xp.where(lost, sign * xp.exp(total), xp.zeros_like(total))

    def smooth() -> Array:
        apart = lost[:, None, :]
        logs = [_added(xp.log(xp.where(apart, xp.abs(a), xp.ones_like(a))), xp) for a in parts]
        return whole * functools.reduce(xp.add, logs)

    return xp.where(lost, attach(whole, smooth, xp), plain), lost


def _better(p: Array, q: Array, xp: Namespace) -> Array:
    """p, by its complement where that is more accurate."""
    value = xp.where(q < 0.5, 1.0 - q, stop_gradient(p, xp))
    return attach(value, lambda: p, xp)


def _others(products: Sequence[Array], outside: Array, xp: Namespace) -> Array:
    """For each factor the product of all others and of `outside`, down the tree of `_products`."""
    if products[0].shape[1] == 0:
        return products[0]
    others = outside[:, None, :]
    for p in reversed(products[:-1]):
        half = p.shape[1] // 2
        others = xp.concat([others * p[:, half:, :], others * p[:, :half, :]], axis=1)
    return others


def _quotient(a: Array, b: Array, where: Array, other: Array, xp: Namespace) -> Array:
    """Return a/b there, and elsewhere the other array."""
    return xp.where(where, a / xp.where(where, b, xp.ones_like(b)), other)


def _added(terms: Array, xp: Namespace) -> Array:
    """Sum over axis 1, in a tree; 0 where it is empty."""
    if terms.shape[1] == 0:
        return xp.sum(terms, axis=1)
    return tree(xp.add, terms, 1)


def _sum(values: Array, parts: Sum, xp: Namespace) -> Array:
    """Sum of the values that belong to each parameter."""
    values = _after_zero(values, xp)
    sums = [_added(_gather(values[:, None], rows, size, xp), xp) for size, rows in parts.blocks]
    return _take(xp.concat([values[:0], *(s[:, 0] for s in sums)]), parts.rows, xp)


def _pair(value: Array, task: Task) -> _Pair:
    if task.space == "surprisal":
        return _Pair(value, task.xp.exp(-value), -expm1(-value, task.xp))
    return _Pair(value, value, None)


def _strengths(beta: Array, task: Task) -> _Pair:
    """The parameters after one that inhibits nothing, for padding."""
    nothing = _row(float("inf") if task.space == "surprisal" else 0.0, beta, task.xp)
    return _pair(task.xp.concat([nothing, beta]), task)


def _inputs(x: Array, task: Task) -> _Pair:
    """Rows of values: the two constants of a plan, and the inputs, from x (rows, inputs)."""
    silent, open_ = (float("inf"), 0.0) if task.space == "surprisal" else (0.0, 1.0)
    x = task.xp.permute_dims(x, (1, 0))
    return _pair(task.xp.concat([_row(silent, x, task.xp), _row(open_, x, task.xp), x]), task)


def _append(values: _Pair, new: list[Array], task: Task) -> _Pair:
    xp = task.xp
    added = _pair(new[0] if len(new) == 1 else xp.concat(new), task)
    value = xp.concat([values.value, added.value])
    if values.bar is None or added.bar is None:
        return _Pair(value, value, None)
    return _Pair(value, xp.concat([values.p, added.p]), xp.concat([values.bar, added.bar]))


def _after_zero(a: Array, xp: Namespace) -> Array:
    return xp.concat([_row(0.0, a, xp), a])


def _row(value: float, like: Array, xp: Namespace) -> Array:
    """One more entry of the first axis, the same number throughout."""
    return xp.full((1, *like.shape[1:]), value, dtype=like.dtype, device=device(like))


def _flat(a: Array, xp: Namespace) -> Array:
    return xp.reshape(a, (a.shape[0] * a.shape[1], a.shape[2]))


def _gather(a: Array, index: Ints, size: int, xp: Namespace) -> Array:
    """Rows of a matrix as (size, rows that belong together, columns)."""
    return xp.reshape(_take(a, index, xp), (size, index.size // size, a.shape[1]))


def _take(a: Array, index: Ints, xp: Namespace) -> Array:
    return xp.take(a, xp.asarray(index, device=device(a)), axis=0)

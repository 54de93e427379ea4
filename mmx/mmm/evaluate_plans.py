"""KPI money of a plan by geo, with its slopes by reverse mode: what decisions ask of draws, for the compiled evaluation.

Media and geos do not act on each other, so each draw has one chain per medium and geo: exposure, carryover, saturation, sum.
The carryover is linear: its reverse runs the recurrence (or the lag weights) backwards from what every later period is worth.
What a recurrence has carried up to the horizon is a state that is computed once, not with every plan. Layouts as in
``mmx.mmm.evaluate_sums``, and ``states`` (sample, channel, 2, geo), ``money`` (1 or sample, time - first, geo), ``varied`` (0
or sample, time - first, media), ``direction`` (channel, horizon, geo), ``labels`` (horizon,).
"""

from __future__ import annotations

import numpy as np

from mmx.mmm.evaluate_curves import carry, exponents, saturate
from mmx.mmm.evaluate_options import called

NOTHING = 1e-300  # Exposure below this has decayed to nothing.
ABOVE_HILL = 8  # Code of the least concave curve above a Hill curve.


@called
def _carry(code, window, shape, x, u):  # type: ignore[no-untyped-def]
    """Fill the carryover ``u`` of exposure ``x``, both (time, geo)."""
    carry(code, window, shape, x, u)


@called
def _saturate(code, shape, u, h, d):  # type: ignore[no-untyped-def]
    """Fill the saturation ``h`` of ``u`` and, where ``d`` has room, its derivative, all flat.

    The concave curve above an S-shaped Hill curve is the ray from 0 to where it touches it, ``first (slope - 1)^(1 / slope)``.
    """
    saturate(0 if code == ABOVE_HILL else code, shape, u, h)
    first, slope = shape[2], shape[3]
    touch = first * (slope - 1.0) ** (1.0 / slope) if code == ABOVE_HILL and slope > 1.0 else 0.0
    ray = (slope - 1.0) / slope / touch if touch > 0.0 else 0.0
    if touch > 0.0:
        for i in range(u.size):
            if u[i] < touch:
                h[i] = ray * u[i]
    if d.size == 0:
        return
    if code == 0 or code == ABOVE_HILL:
        for i in range(u.size):
            some = u[i] if u[i] > NOTHING else NOTHING
            d[i] = ray if u[i] < touch else slope * h[i] * (1.0 - h[i]) / some
    elif code == 1 or code == 7:
        rate = 0.5 * first if code == 1 else first
        for i in range(u.size):
            d[i] = rate * (1.0 - h[i] * h[i])
    elif code == 2:
        d[:] = 1.0
    elif code == 3:
        for i in range(u.size):
            d[i] = first * (1.0 - h[i])
    elif code == 4:
        for i in range(u.size):
            d[i] = (1.0 - h[i]) * (1.0 - h[i]) / first
    elif code == 5:
        for i in range(u.size):
            some = u[i] if u[i] > NOTHING else NOTHING
            d[i] = first * h[i] / some
    else:
        for i in range(u.size):
            d[i] = first / (1.0 + first * u[i])


@called
def past_states(codes, shapes, x, first, states):  # type: ignore[no-untyped-def]
    """Fill what recurrences have carried from all rows before ``first``: after their first stage, and after their second."""
    geos = x.shape[2]
    spare = np.empty((first, geos))
    states[:] = 0.0
    for s in range(states.shape[0]):
        for m in range(states.shape[1]):
            code, shape, order, state = codes[0, m], shapes[s, m], codes[3, m], states[s, m]
            if code != 0 and code != 7 and code != 2:
                continue
            if order == 1:
                spare[:] = x[m, :first]
            else:
                place = m if order == 0 else order - 2
                _saturate(codes[2, m], shape, x[place, :first].reshape(-1), spare.reshape(-1), spare[:0].reshape(-1))
                if order > 1:
                    spare *= x[m, :first]
            alpha = np.exp(-np.log(2.0) / shape[0]) if code == 7 else shape[0]
            second = alpha * shape[1] if code == 2 else 0.0
            for t in range(first):
                for g in range(geos):
                    state[0, g] = alpha * state[0, g] + (1.0 - alpha) * spare[t, g]
                    state[1, g] = second * state[1, g] + (1.0 - second) * state[0, g]


@called
def _add_past(code, shape, state, u):  # type: ignore[no-untyped-def]
    """Add to carryover ``u`` (time, geo) what is left of a state (2, geo)."""
    alpha = np.exp(-np.log(2.0) / shape[0]) if code == 7 else shape[0]
    second = alpha * shape[1] if code == 2 else 0.0
    for g in range(u.shape[1]):
        early, late = state[0, g], state[1, g]
        for t in range(u.shape[0]):
            early *= alpha
            late = second * late + (1.0 - second) * early
            u[t, g] += late


@called
def _back(code, window, shape, worth, out):  # type: ignore[no-untyped-def]
    """Fill what exposure is worth, ``out`` (horizon, geo), from what carryover is worth, (time from the horizon on, geo)."""
    times, geos = worth.shape
    horizon = out.shape[0]
    if code == 3:
        out[:] = worth[:horizon]
    elif code == 0 or code == 7 or code == 2:
        alpha = np.exp(-np.log(2.0) / shape[0]) if code == 7 else shape[0]
        second = alpha * shape[1] if code == 2 else 0.0
        gain = (1.0 - alpha) * (1.0 - second)
        late, early = np.zeros(geos), np.zeros(geos)
        for t in range(times - 1, -1, -1):
            for g in range(geos):
                late[g] = second * late[g] + worth[t, g]
                early[g] = alpha * early[g] + late[g]
                if t < horizon:
                    out[t, g] = gain * early[g]
    else:
        weight, spare = np.empty(window), np.empty((2, window))
        exponents(code, shape[0], shape[1], weight, spare[0], spare[1])
        top, norm = weight.max(), 0.0
        for lag in range(window):
            weight[lag] = np.exp(weight[lag] - top)
            norm += weight[lag]
        out[:] = 0.0
        for t in range(horizon):
            for lag in range(min(window, times - t)):
                share = weight[lag] / norm
                for g in range(geos):
                    out[t, g] += share * worth[t + lag, g]


@called
def _reach(codes, first, last, times):  # type: ignore[no-untyped-def]
    """Return the first row to compute with for rows from ``first`` on, and the end of what rows before ``last`` act in."""
    if codes[0] == 0 or codes[0] == 2 or codes[0] == 7:
        return first, times
    lags = max(codes[1], 1) - 1
    return max(first - lags, 0), min(last + lags, times)


@called
def _level(codes, shape, m, x, rows, state, before, carried, h, d):  # type: ignore[no-untyped-def]
    """Fill one medium's level ``h``, and where ``d`` has room what it is multiplied by on the way back, all (time, geo).

    That is the slope of the saturation, or of reach the saturation of its frequency: at the carryover where exposure carries
    over first, else at the exposure. ``rows`` are the first to compute with, the first that is asked for, and the end.
    """
    begin, first, end = rows
    order, geos = codes[3], x.shape[2]
    recurs = codes[0] == 0 or codes[0] == 2 or codes[0] == 7
    if order == 1:
        _carry(codes[0], codes[1], shape, x[m, begin:end], carried[begin:end])
        if recurs:
            _add_past(codes[0], shape, state, carried[begin:end])
        u, room = carried[first:end].reshape(-1), d[first:end].reshape(-1)
        _saturate(codes[2], shape, u, h[first:end].reshape(-1), room)
        return
    place = m if order == 0 else order - 2
    room = d[begin:end].reshape(-1) if order == 0 else d[:0].reshape(-1)
    _saturate(codes[2], shape, x[place, begin:end].reshape(-1), before[begin:end].reshape(-1), room)
    if order > 1:
        if d.size > 0:
            d[begin:end] = before[begin:end]
        for t in range(begin, end):
            for g in range(geos):
                before[t, g] *= x[m, t, g]
    _carry(codes[0], codes[1], shape, before[begin:end], h[begin:end])
    if recurs:
        _add_past(codes[0], shape, state, h[begin:end])


@called
def by_plan(codes, shapes, beta, x, states, money, varied, first, last, direction, labels, value, slope):  # type: ignore[no-untyped-def]
    """Fill ``value`` (sample, geo, channel): money from row ``first`` on, and ``slope`` (sample, label, geo, channel).

    The slopes are by a step along ``direction`` in all periods of a label; rows ``first`` to ``last`` are the horizon.
    """
    samples, geos, channels = value.shape
    times, horizon, wanted = x.shape[1], last - first, labels.size > 0
    before, carried, h = np.empty((times, geos)), np.empty((times, geos)), np.empty((times, geos))
    d, worth = np.empty((times if wanted else 0, geos)), np.empty((times - first, geos))
    exposure_worth = np.empty((horizon, geos))
    slope[:] = 0.0
    for s in range(samples):
        paid = money[s if money.shape[0] > 1 else 0]
        for m in range(channels):
            begin, end = _reach(codes[:, m], first, last, times)
            _level(codes[:, m], shapes[s, m], m, x, (begin, first, end), states[s, m], before, carried, h, d)
            count = end - first
            for t in range(count):
                factor = varied[s, t, m] if varied.shape[0] > 0 else 1.0
                for g in range(geos):
                    worth[t, g] = beta[s, g, m] * factor * paid[t, g]
            for g in range(geos):
                total = 0.0
                for t in range(count):
                    total += worth[t, g] * h[first + t, g]
                value[s, g, m] = total
            if not wanted:
                continue
            if codes[3, m] == 1:
                for t in range(count):
                    for g in range(geos):
                        worth[t, g] *= d[first + t, g]
            _back(codes[0, m], codes[1, m], shapes[s, m], worth[:count], exposure_worth)
            for t in range(horizon):
                for g in range(geos):
                    by = direction[m, t, g] * (1.0 if codes[3, m] == 1 else d[first + t, g])
                    slope[s, labels[t], g, m] += exposure_worth[t, g] * by

"""Whether a path of prices goes round: its turns, counted backwards from its end.

A place is the log prices of a tick together with those of some ticks before, so that passing a price upwards is not
passing it downwards. Between ticks the path is taken to be straight, so that a turn need not be a whole number of
ticks. Turns of a few ticks are too coarse for that; they are read off the linear map that carries each tick to the
next.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.economics.forms import Array

RETURNS = 3
"""Returns an orbit must make to count as a cycle."""
MOST_RETURNS = 50
"""How many returns are counted at most; the period is the mean over them."""
NEAR = 0.1
"""A return comes this near to where the path was, per unit of the farthest it has been from there."""
SAME = 0.01
"""An irregular cycle repeats itself this exactly, per unit of its size."""
EXACT = 1e-6
"""What repeats itself this exactly does so after a whole number of ticks."""
STEADY = 0.05
"""An orbit whose size changes by this much a turn, or more, is no cycle."""
QUICK = 8
"""Turns of fewer ticks than this are quick."""
QUICK_TICKS = RETURNS * QUICK + 2
"""How many of the last ticks quick turns are judged by."""
PHASES = 64
"""At how many places along them turns are compared."""
LONGEST = 1024
"""Irregular cycles of more ticks than this are not looked for."""


class Cycle(NamedTuple):
    """A turn's length in ticks, and the widest swing of a price: half of it over the mid price, and whose."""

    period: float
    amplitude: float
    good: int


def find_cycle(log_prices: Array, tolerance: float) -> Cycle | None:
    """The cycle on which `log_prices` `(ticks, goods)` end, or None.

    A return is a nearest approach, within a tenth of the orbit's size, to where the path was a turn later; three
    returns in a row with sizes that change by less than 5 % a turn make a cycle. Nothing smaller than `tolerance`
    counts.
    """
    if len(log_prices) <= 2 * RETURNS or not np.isfinite(log_prices).all():
        return None
    quick = _quick_turn(log_prices)
    if quick is not None:
        period, growth = quick
        last = log_prices[-QUICK_TICKS:]
        if len(log_prices) <= RETURNS * period or abs(growth - 1.0) >= STEADY:
            return None
        # As wide as the last turn, whatever part of an ellipse its few ticks happen to show.
        since = np.arange(len(last))[::-1, None] / period
        last = (last - last.mean(axis=0)) * growth**since
    else:
        turns = _turns(log_prices, tolerance) or _repeats(log_prices)
        if turns is None:
            return None
        period, ticks = turns
        last = log_prices[-ticks:]
    if _repeat(log_prices, round(period), EXACT):
        period = float(round(period))
    swing = np.tanh(0.5 * np.ptp(last, axis=0))
    good = int(np.argmax(swing))
    return Cycle(period, float(swing[good]), good) if np.ptp(last[:, good]) > tolerance else None


def _places(log_prices: Array, delay: int) -> Array:
    return np.concatenate([log_prices[delay:], log_prices[:-delay]], axis=1)


def _quick_turn(log_prices: Array) -> tuple[float, float] | None:
    """Length of a turn and how it multiplies the orbit's size, if the last ticks go round a plane in less than `QUICK`
    ticks, or to and fro on a line.

    There `here - c = A (before - c)` with eigenvalues `r exp(+-i angle)` of `A`: a turn takes `2 pi / angle` ticks and
    multiplies the size by `r` to that power.
    """
    places = _places(log_prices[-QUICK_TICKS:], 1)
    places = places - places.mean(axis=0)
    spread, axes = np.linalg.eigh(np.einsum("ig,jg->ij", places, places))
    width = 2 if spread[-2] > 1e-8 * spread[-1] else 1
    path = axes[:, -width:] * np.sqrt(np.maximum(spread[-width:], 0.0))
    known = np.column_stack([path[:-1], np.ones(len(path) - 1)])
    carried = np.linalg.lstsq(known, path[1:], rcond=None)[0]
    missed = float(np.sum((path[1:] - known @ carried) ** 2) + np.sum(spread[:-width]))
    eigenvalue = complex(np.linalg.eigvals(carried[:width])[0])
    angle = abs(math.atan2(eigenvalue.imag, eigenvalue.real))
    # Real eigenvalues in a plane: to and fro while drifting, which is not going round.
    drifts = width == 2 and eigenvalue.imag == 0.0
    if drifts or missed > NEAR**2 * spread[-width] or QUICK * angle <= 2.0 * math.pi:
        return None
    turn = 2.0 * math.pi / angle
    return turn, abs(eigenvalue) ** turn


def _delay(log_prices: Array) -> int:
    """About an eighth of a turn, in ticks: a quarter of the way from one end of the orbit to the other."""
    one_end = _farthest(log_prices, len(log_prices) - 1)
    return max(1, (one_end - _farthest(log_prices, one_end)) // 4)


def _farthest(log_prices: Array, tick: int) -> int:
    """The tick at which the path, followed back from `tick`, was farthest from there before it came nearer again."""
    gaps = np.sqrt(np.sum((log_prices[: tick + 1] - log_prices[tick]) ** 2, axis=1))[::-1]
    nearer = gaps < 0.5 * np.maximum.accumulate(gaps)
    away = int(np.argmax(nearer)) if nearer.any() else len(gaps)
    return tick - int(np.argmax(gaps[:away]))


def _turns(log_prices: Array, tolerance: float) -> tuple[float, int] | None:
    """Mean length of the turns followed back from the path's end, and how many ticks the last of them took.

    From turn to turn, the path also keeps near itself on the way round, in the root mean square: what merely comes by
    now and then (chaos, noise) does not.
    """
    places = _places(log_prices, _delay(log_prices))
    times, sizes, last = [float(len(places) - 1)], list[float](), None
    while len(sizes) < MOST_RETURNS:
        time = _last_return(places, times[-1])
        if time is None:
            break
        turn = _at(places, np.linspace(time, times[-1], PHASES))
        size = _rms(turn - turn.mean(axis=0))
        if size <= tolerance or (sizes and abs(size - sizes[-1]) >= STEADY * sizes[-1]):
            break
        if last is not None and _rms(turn - last) > 2.0 * NEAR * size:
            break
        last = turn
        times.append(time)
        sizes.append(size)
    if len(sizes) < RETURNS:
        return None
    return (times[0] - times[-1]) / len(sizes), math.ceil(times[0] - times[1]) + 1


def _repeats(log_prices: Array) -> tuple[float, int] | None:
    """The fewest ticks after which every one of the last ticks repeats itself, however irregular the cycle."""
    longest = min(len(log_prices) // (RETURNS + 1), LONGEST)
    recent = log_prices[::-1][: longest + 1]
    sizes = np.max(np.maximum.accumulate(recent) - np.minimum.accumulate(recent), axis=1)
    gaps = np.max(np.abs(recent - recent[0]), axis=1)
    for ticks in (2 + np.flatnonzero(gaps[2:] <= SAME * sizes[1:-1])).tolist():
        if _repeat(log_prices, ticks, SAME):
            return float(ticks), ticks
    return None


def _repeat(log_prices: Array, ticks: int, within: float) -> bool:
    """Whether the last prices are those of so many ticks before, per unit of how far they move in that time."""
    last, before = log_prices[-RETURNS * ticks :], log_prices[-(RETURNS + 1) * ticks : -ticks]
    size = np.max(np.ptp(last[-ticks:], axis=0))
    return len(before) == len(last) and bool(np.max(np.abs(last - before)) <= within * size)


def _at(places: Array, times: Array) -> Array:
    """Where the path was at some times, between ticks too, `(times, goods)`."""
    ticks = np.minimum(times.astype(int), len(places) - 2)
    return places[ticks] + (times - ticks)[:, None] * (places[ticks + 1] - places[ticks])


def _rms(ways: Array) -> float:
    return float(np.sqrt(np.mean(np.sum(ways**2, axis=-1))))


def _last_return(places: Array, time: float) -> float | None:
    """When the path, followed back from `time`, first comes nearest to where it is then, heading the same way."""
    newest = math.ceil(time) - 1
    here, heading = _at(places, np.array([time]))[0], places[newest + 1] - places[newest]
    farthest, best, nearest, block = 0.0, None, math.inf, 64
    while newest > 0:
        oldest = max(0, newest - block)
        # From here on newest first: the tick a stretch of path begins with, the way it goes, how near it passes.
        ticks = places[oldest : newest + 1][::-1]
        begins, ways = ticks[1:], ticks[:-1] - ticks[1:]
        lengths = np.sum(ways**2, axis=1)
        part = np.sum((here - begins) * ways, axis=1)
        part = np.clip(np.divide(part, lengths, out=np.zeros(len(ways)), where=lengths > 0), 0.0, 1.0)
        gaps = np.sqrt(np.sum((here - begins - part[:, None] * ways) ** 2, axis=1))
        reach = np.maximum.accumulate(np.sqrt(np.sum((here - ticks) ** 2, axis=1)))
        reach = np.maximum(reach, farthest)
        near = (gaps <= NEAR * reach[:-1]) & (reach[:-1] > 0) & (np.sum(ways * heading, axis=1) >= 0)
        first = 0 if best is not None else int(np.argmax(near)) if near.any() else len(near)
        gone = gaps[first:] > 2.0 * NEAR * reach[first:-1]
        over = first + int(np.argmax(gone)) if gone.any() else len(gaps)
        passing = np.where(near[first:over], gaps[first:over], math.inf)
        if passing.size and passing.min() < nearest:
            closest = first + int(np.argmin(passing))
            best, nearest = newest - 1 - closest + float(part[closest]), float(gaps[closest])
        if best is not None and over < len(gaps):
            return best
        farthest, newest, block = float(reach[-1]), oldest, min(2 * block, 4096)
    return best

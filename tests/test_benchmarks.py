"""Both sides of every benchmark come to the same numbers, and a difference is seen."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.harness import AnswersDifferError, Columns, Group, Line, Side, compared, lines, summary
from benchmarks.speed import groups

GROUPS = groups(quick=True)


SLOW = {name for name in GROUPS if "compiled" in name or name == "commands"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in GROUPS]
)
def test_both_sides_come_to_the_same_numbers(name: str) -> None:
    group = GROUPS[name]()
    assert not group.lacks, "the extra `test` brings what benchmarks need"
    compared(group)


def two_sides(ours: Columns, theirs: Columns, **line: float) -> Group:
    """Sides with these answers."""
    sides = {"ours": Side(lambda: lambda: ours, dict), "theirs": Side(lambda: lambda: theirs, dict)}
    return Group(sides, [Line("something", "work", "ours", "theirs", **line)], rounds=1)


@pytest.mark.parametrize(
    "theirs",
    [
        {"price": np.array([1.0, 2.0 + 1e-8])},
        {"price": np.array([1.0, np.nan])},
        {"price": np.array([1.0])},
        {"demand": np.array([1.0, 2.0])},
    ],
)
def test_a_difference_fails_the_benchmark(theirs: Columns) -> None:
    ours = {"price": np.array([1.0, 2.0])}
    assert compared(two_sides(ours, ours)) == 0.0
    with pytest.raises(AnswersDifferError):
        lines(two_sides(ours, theirs))


def test_what_is_reached_is_told() -> None:
    ours = {"price": np.array([1.0])}
    (easy,), _ = lines(two_sides(ours, ours, at_least=1e-9))
    (hard,), _ = lines(two_sides(ours, ours, at_least=1e9))
    (told,), _ = lines(two_sides(ours, ours))
    assert [easy.reached, hard.reached, told.reached] == [True, False, None]
    assert summary([easy, hard, told]).count("\n") == 3

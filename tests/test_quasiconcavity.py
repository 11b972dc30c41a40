"""Strict quasi-concavity: what is proven, what is sampled, and no chord says otherwise."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.house import FormulaError, judge_quasiconcavity, parse
from tests.test_concavity import graphs


@pytest.mark.parametrize(
    "text",
    ["x*y", "sqrt(x*y)", "x^2*y^0.3*z", "exp(x*y)", "tanh(x*y)", "-1/(x*y)", "3*x*y + 5", "x*(y + 1)^2", "x*ln(1 + y)",
     "(0.5*x^0.5 + 0.5*y^0.5)^2", "(1/x + 1/y)^-1", "-exp(-x) - exp(-y)", "2*sqrt(x) + y", "ln(x) + y", "x^2",
     "sqrt(x) - y",
     "(2*sqrt(x) + y)*z", "(2*sqrt(x) + y)^3*(ln(1 + z) + w)", "10*x - x^2 + 10*y - y^2", "exp(-(x - 5)^2 - (y - 5)^2)",
     "x*y + 0*z", "min(x, 2*sqrt(x))*y"],
)  # fmt: skip
def test_proven(text: str) -> None:
    verdict = judge_quasiconcavity(parse(text))
    assert verdict.holds
    assert verdict.proven, verdict.sentence


@pytest.mark.parametrize(
    ("text", "holds", "words"),
    [("x*y + x", True, "not proven"), ("x*y/(x + y)", True, "not proven"), ("x*y + y*z + x*z", True, "not proven"),
     ("y*exp(x)", True, "not proven"), ("sqrt(x*y) + x", True, "not proven"), ("x^2 + x*y", True, "not proven"),
     ("x^2 + y^2", False, "wrong way at x = 1, y = 1"), ("x^2 + y", False, "wrong way"),
     ("x*(y - 1)", False, "wrong way"),
     ("x*y*z + x*y + z", False, "wrong way"), ("max(x, y)", False, "halfway"), ("abs(x - 1) + y", False, "halfway"),
     ("(10*x - x^2)*y", False, "halfway"), ("sqrt(x + y)", False, "straight"), ("sqrt(x) + y + z", False, "straight"),
     ("sqrt(x*y) + z", False, "straight"), ("min(x, y)", False, "straight parts"),
     ("1/(x*y)", False, "more of nothing")],
)  # fmt: skip
def test_sampled(text: str, holds: bool, words: str) -> None:
    verdict = judge_quasiconcavity(parse(text))
    assert verdict.holds is holds, verdict.sentence
    assert not verdict.proven
    assert re.search(words, verdict.sentence), verdict.sentence


@given(text=graphs(), seed=st.integers(0, 2**32 - 1))
def test_no_chord_contradicts_a_proof(text: str, seed: int) -> None:
    """Between two bundles none is worse than both."""
    try:
        formula = parse(text)
    except FormulaError:
        assume(False)
    verdict = judge_quasiconcavity(formula)
    assume(verdict.proven and verdict.holds)
    generator = np.random.default_rng(seed)
    here = np.exp(generator.uniform(-4, 4, (400, len(formula.variables))))
    there = here * np.exp(generator.uniform(-2, 2, here.shape))
    with np.errstate(all="ignore"):
        ends = formula.value(here), formula.value(there)
        least = np.minimum(*ends)
        between = formula.value(here + generator.random((400, 1)) * (there - here))
        lower = between - least < -1e-10 * (1 + np.abs(ends[0]) + np.abs(ends[1]))
    assert not np.isnan(ends).any()
    assert not lower[np.isfinite(least)].any()

"""Strict concavity: what must be proven, what must be refused and with which word, and proofs held against chords."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.house import FormulaError, Prover, judge, parse


@pytest.mark.parametrize(
    "text",
    ["sqrt(x)", "1 - 1/(x+1)", "ln(x)", "ln(1+x)", "3*x^0.4", "x^0.3*y^0.6", "x^0.5+y^0.3", "sqrt(x)+ln(1+y)",
     "2*sqrt(x)-3", "sqrt(1+x)", "(x+1)^0.5", "1-exp(-x)", "tanh(x)", "x/(1+x)", "sqrt(x)+x", "(2*x+1)/(x+3)",
     "ln(1 - 1/(sqrt(x)+1))", "(1+x)^0.4*(2+y)^0.3", "(0.5*x^0.5+0.5*y^0.5)^1.2", "3*(x^-1+y^-1)^-0.5 + 1",
     "min(sqrt(x), ln(1+x))", "min(x^0.4*y^0.4, sqrt(x)+sqrt(y))", "x - x^2", "-abs(x-1) + sqrt(x)", "1 - 2^-x",
     "1 - 1/((1+x)*(1+y))", "1 - x^-0.5*y^-0.2", "x - exp(-x)", "steel^0.4 * blueprint^0.2", "tanh(1e5*x)",
     "sqrt(x*y)+sqrt(x)+sqrt(y)", "sqrt(sqrt(x)+ln(1+x))", "tanh(x)^0.5*tanh(y)^0.4", "1/(-1 - sqrt(x))",
     "sigmoid(x)", "-softplus(-x)", "relu(x) + sqrt(x)", "ln(1+x+y^0.5)", "sigmoid(x)^0.5*sigmoid(2*y)^0.4"],
)  # fmt: skip
def test_proven_strictly_concave(text: str) -> None:
    verdict = judge(parse(text))
    assert verdict.strictly_concave
    assert verdict.proven, verdict.sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [("x", "constant returns"), ("3*x", "constant returns"), ("2*x+1", "straight line"), ("x*y", "increasing returns"),
     ("x^0.5*y^0.5", r"constant returns to scale \(exponents sum to 1\)"), ("x^2", "increasing returns"),
     ("x^0.3*y^0.6*z^0.1", "constant returns"), ("x^0.9*y^0.9", r"increasing returns .* sum to 1.8"),
     ("x^1.5", "increasing returns"), ("exp(x)", "convex"), ("x+y", "constant returns"), ("4", "constant:"),
     ("0*x + 1", "constant:"), ("x - x", "constant:"), ("sqrt(x) + 0*y", "y does not"), ("sqrt(x) + y", "linear in y"),
     ("(x^0.5+y^0.5)^2", "constant returns"), ("min(x, y)", "constant returns"), ("x*y/(x+y)", "constant returns"),
     ("sqrt(x^2+y^2)", "constant returns"), ("x/(x+y)", "scaling all inputs"), ("1/x", "convex"), ("2^x", "convex"),
     ("abs(x-1)", "convex"), ("(1+x)/x", "convex"), ("-sqrt(x)", "convex"), ("softplus(x-1)", "convex"),
     ("sigmoid(-x)", "convex"), ("relu(x)", "constant returns"), ("relu(x-1)", "convex"),
     ("ln(((x/x)*y)^0.7)", "x does not")],
)  # fmt: skip
def test_proven_otherwise(text: str, words: str) -> None:
    verdict = judge(parse(text))
    assert not verdict.strictly_concave
    assert verdict.proven, verdict.sentence
    assert re.search(words, verdict.sentence), verdict.sentence


@pytest.mark.parametrize(
    ("text", "strictly_concave", "words"),
    [("tanh(x-1)", False, "rises"), ("1/(-1 - x^2)", False, "rises"),
     ("x^2/(1+x^2)", False, r"marginal product of x rises at x = 0\.\d+"), ("sin(x)", False, "rises at x = "),
     ("x*exp(-x)", False, "rises at x = "), ("max(sqrt(x), x)", False, "kinks"), ("min(x, y)^0.5", False, "kinks"),
     ("min(x, 1)", False, "kinks"), ("sqrt(x+y)", False, "straight"), ("sqrt(x+1)^2", False, "straight"),
     ("sqrt((1+x)*(1+y))", False, "straight"), ("sqrt(x)*(1-1/(y+1))", False, r"jointly concave at x = .*, y = "),
     ("(1+x)^0.8*(1+y)^0.8", False, "increasing returns"), ("sqrt(-1-x)", False, "no finite output"),
     ("sqrt(tanh(x+30)-1)", False, "no finite output"), ("sqrt(x-1)", True, "not proven"), ("ln(x*y)", True, "sampled"),
     ("(exp(x)-exp(-x))/(exp(x)+exp(-x))", True, "not proven"), ("(x*y/(x+y))^0.5", True, "not proven"),
     ("sqrt(x*y)+sqrt(x)", True, "not proven"),
     ("sigmoid(x-1)", False, "rises")],
)  # fmt: skip
def test_sampled(text: str, strictly_concave: bool, words: str) -> None:
    verdict = judge(parse(text))
    assert verdict.strictly_concave is strictly_concave, verdict.sentence
    assert not verdict.proven
    assert re.search(words, verdict.sentence), verdict.sentence


@pytest.mark.parametrize(
    ("text", "positive", "negative"),
    [("1/(x+1)", True, False), ("1 - 1/(x+1)", True, False), ("1/min(x, 1) - 1", False, False),
     ("1 - 1/(x+1) - 1", False, True), ("tanh(x) - 1", False, True), ("tanh(x+30) - 1", False, True),
     ("sigmoid(x+800) - 1", False, True), ("softplus(x-800)", True, False), ("relu(x-1)", False, False),
     ("exp(x) - 1", True, False), ("ln(1+x)", True, False), ("ln(x)", False, False), ("abs(x-1)", False, False),
     ("1 - 1/(1+abs(x-1))", False, False), ("x - y", False, False), ("max(x, 1) - 1", False, False)],
)  # fmt: skip
def test_signs_know_whether_they_reach_zero(text: str, positive: bool, negative: bool) -> None:
    facts = Prover(parse(text).output).output
    assert (facts.positive, facts.negative) == (positive, negative)


def test_sampling_follows_the_scale() -> None:
    """A bump that only matters far from 1: refused where the scenario lives there."""
    formula = parse("x/(x + exp(-x*1e-20)) + 1e-20*x*sin(x*1e-12)")
    assert not judge(formula, scale=1e12).strictly_concave
    assert "1e+06 to 1e+18" in judge(parse("sqrt(x+1)^2"), scale=1e12).sentence


MANY = [f"g{i}" for i in range(200)]
LOGARITHMS = " + ".join(f"ln(1 + {a}*{b})" for a, b in pairwise(MANY))
OF_MANY = {
    f"ln(1 + {' + '.join(MANY)})": "straight along some direction",
    f"sqrt({LOGARITHMS})": "not jointly concave at g0 = .*, g4 = .*, ...",
    f"{' + '.join(f'sqrt({name})' for name in MANY)} + g150^2*g7/(1 + g7)": "g150 rises at g150 = .*, g0 = .*, ...",
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="nobody says how much memory was used")
def test_many_inputs_are_judged_in_little_memory() -> None:
    code = "from tests.house import judge, parse; import sys; [print(judge(parse(text))) for text in sys.argv[1:]]; "
    code += "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    command = [sys.executable, "-c", code, *OF_MANY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    *verdicts, kilobytes = done.stdout.splitlines()
    for verdict, words in zip(verdicts, OF_MANY.values(), strict=True):
        assert re.search(f"strictly_concave=False.*{words}", verdict), verdict
    assert int(kilobytes) < 200_000


factors = st.sampled_from([-1.5, -0.3, 0.4, 2.0])
powers = st.sampled_from([-0.5, 0.3, 0.8, 1.0, 1.4, 2.0])


@given(terms=st.lists(st.tuples(factors, powers), min_size=1, max_size=4))
def test_sums_of_powers(terms: list[tuple[float, float]]) -> None:
    """sum c x^a is strictly concave if no term is convex and one is not straight; a proof never says what is not so."""
    formula = parse(" + ".join(f"{factor}*x^{exponent}" for factor, exponent in terms))
    verdict = judge(formula)
    merged: dict[float, float] = {}
    for factor, exponent in terms:
        merged[exponent] = merged.get(exponent, 0.0) + factor
    bends = [factor * exponent * (exponent - 1) for exponent, factor in merged.items() if abs(factor) > 1e-12]
    bends = [bend for bend in bends if bend != 0]
    if all(bend < 0 for bend in bends):
        assert verdict.strictly_concave is bool(bends)
        assert verdict.proven
    elif all(bend > 0 for bend in bends):
        assert not verdict.strictly_concave
        assert verdict.proven
    else:
        # The largest and the smallest exponent rule at the ends; six decades are enough to meet them at these numbers.
        curved = sorted(exponent for exponent, factor in merged.items() if abs(factor) > 1e-12 and exponent != 1)
        ends = [merged[exponent] * exponent * (exponent - 1) for exponent in (curved[0], curved[-1])]
        if max(ends) > 0:
            assert not verdict.strictly_concave


@given(
    exponents=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    factor=st.sampled_from([0.2, 1.0, 7.0]),
    outside=st.booleans(),
)
def test_cobb_douglas_is_judged_by_its_returns_to_scale(exponents: list[int], factor: float, outside: bool) -> None:
    powers = [f"{name}^{exponent / 10}" for name, exponent in zip("abcd", exponents, strict=False)]
    verdict = judge(parse(f"{factor}*{'*'.join(powers)}" + (" - 3" if outside else "")))
    total = sum(exponents)
    assert verdict.strictly_concave is (total < 10)
    assert verdict.proven or (total >= 10 and outside)
    if total >= 10 and not outside:
        assert ("constant returns" if total == 10 else "increasing returns") in verdict.sentence


FUNCTIONS_OF_ONE = ("ln", "sqrt", "exp", "tanh", "abs", "relu", "sigmoid", "softplus")


def graphs() -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.builds("({0[0]}{1}{0[1]})".format, pair, st.sampled_from("+-**/")),
            st.builds("({0})^{1}".format, inner, st.sampled_from(["0.5", "0.3", "2", "-1", "-0.5", "1.5", "3"])),
            st.builds("{1}({0})".format, inner, st.sampled_from([*FUNCTIONS_OF_ONE, "-"])),
            st.builds("{1}({0[0]},{0[1]})".format, pair, st.sampled_from(["min", "max"])),
        )

    return st.recursive(st.sampled_from(["x", "y", "x", "y", "1", "0.5", "3"]), grow, max_leaves=7)


@given(text=graphs(), seed=st.integers(0, 2**32 - 1))
def test_no_chord_contradicts_a_proof(text: str, seed: int) -> None:
    """Proven strictly concave: defined everywhere and above its chords. Proven otherwise: some chord is not below."""
    try:
        formula = parse(text)
    except FormulaError:
        assume(False)
    verdict = judge(formula)
    assume(verdict.proven and formula.variables)
    generator = np.random.default_rng(seed)
    here = np.exp(generator.uniform(-5, 5, (400, len(formula.variables))))
    there = here * np.exp(generator.uniform(-1, 1, here.shape))
    with np.errstate(all="ignore"):
        ends = formula.value(here), formula.value(there)
        above = formula.value((here + there) / 2) - (ends[0] + ends[1]) / 2
        blur = 1e-10 * (1 + np.abs(ends[0]) + np.abs(ends[1]))
    usable = np.isfinite(above) & np.isfinite(blur)
    if verdict.strictly_concave:
        assert not np.isnan(ends[0]).any()
        assert (above[usable] > -blur[usable]).all()
    else:
        # Along rays, or in one input, or everywhere: whichever was proven, chords of those kinds are not all below.
        rays = np.concatenate(
            [here * 1.7, *[here * (1 + 0.7 * np.eye(here.shape[1])[i]) for i in range(here.shape[1])]]
        )
        starts = np.tile(here, (1 + here.shape[1], 1))
        with np.errstate(all="ignore"):
            ends = formula.value(starts), formula.value(rays)
            above = formula.value((starts + rays) / 2) - (ends[0] + ends[1]) / 2
            blur = 1e-10 * (1e-300 + np.abs(ends[0]) + np.abs(ends[1]))
        usable = np.isfinite(above) & np.isfinite(blur)
        assume(usable.any())
        assert (above[usable] <= blur[usable]).any()

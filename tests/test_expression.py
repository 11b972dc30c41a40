"""Formulas: operations beside their derivatives, graphs against independent arithmetic, floats against arrays."""

from __future__ import annotations

import math
import pickle
import re
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.house import (
    FUNCTIONS,
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_OPERATIONS,
    OPERATIONS,
    Formula,
    FormulaError,
    Graph,
    parse,
)

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 710.0, -745.0, 1e-300, 1e300, -1e300, math.inf, -math.inf, math.nan]
ANALYTIC = [name for name, row in OPERATIONS.items() if not row.kinked and name not in ("sign", "equal")]


def formula_of(name: str) -> Formula:
    """One operation of two (or one) variables, built without the parser."""
    graph = Graph()
    row = OPERATIONS[name]
    names = ("a", "b")[: 2 if row.variadic else len(row.partials)]
    return Formula(name, names, graph.apply(name, *[graph.variable(each) for each in names]))


def complex_step(formula: Formula, x: np.ndarray) -> np.ndarray:
    """df/dx_i to rounding, from values alone."""
    step = 1e-30
    shifted = x.astype(complex) + 1j * step * np.eye(x.size)
    return formula.value(shifted).imag / step


def central_difference(formula: Formula, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    shift = step * np.eye(x.size)
    return (formula.value(x + shift) - formula.value(x - shift)) / (2 * step)


def independent(text: str, **values: float) -> float:
    """The same text by Python's own parser."""
    tools = {
        "ln": math.log,
        **{name: getattr(math, name) for name in ("sqrt", "exp", "sin", "cos", "tanh")},
        "min": min,
        "max": max,
        "abs": abs,
        "relu": lambda a: (a + abs(a)) / 2,
        "sigmoid": lambda a: (1 + math.tanh(a / 2)) / 2,
        "softplus": lambda a: math.log(1 + math.exp(a)),
    }
    return eval(text.replace("^", "**"), {"__builtins__": {}}, {**tools, **values})


def formulas(names: str = "xy", smooth: bool = True) -> st.SearchStrategy[str]:
    """Well-behaved at positive inputs: every operation's argument is made to lie in its domain."""
    leaves = st.sampled_from([*names, "2", "0.5", "1.25", "3"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        kinds = [
            st.builds("({0[0]} {1} {0[1]})".format, pair, st.sampled_from("+-*")),
            st.builds("{0[0]}/(1.5 + ({0[1]})^2)".format, pair),
            st.builds("({0})^{1}".format, inner, st.sampled_from(["2", "3"])),
            st.builds("({0} + 0.1)^{1}".format, st.sampled_from(names), st.sampled_from(["-1", "0.4", "-0.7", "2.5"])),
            st.builds("(1 + {0}^2)^{1}".format, st.sampled_from(names), st.sampled_from(names)),
            st.builds("{1}(1 + ({0})^2)".format, inner, st.sampled_from(["sqrt", "ln"])),
            st.builds("{1}({0})".format, inner, st.sampled_from(["sin", "cos", "tanh", "sigmoid", "softplus"])),
            st.builds("exp(-({0})^2)".format, inner),
            st.builds("-{0}".format, inner),
        ]
        if not smooth:
            kinds.append(st.builds("{1}({0[0]}, {0[1]}, 1.7)".format, pair, st.sampled_from(["min", "max"])))
            kinds.append(st.builds("{1}({0})".format, inner, st.sampled_from(["abs", "relu"])))
        return st.one_of(kinds)

    return st.recursive(leaves, grow, max_leaves=6)


inputs = st.floats(0.05, 4.0)


@pytest.mark.parametrize("name", ANALYTIC)
@given(a=st.floats(0.1, 3), b=st.floats(0.2, 3))
def test_each_partial_is_the_derivative_of_its_operation(name: str, a: float, b: float) -> None:
    graph = Graph()
    row = OPERATIONS[name]
    names = ("a", "b")[: len(row.partials)]
    terms = [graph.variable(each) for each in names]
    # Straight from the row: the sweep never asks for the second partial of a constant power.
    output = graph._node(name, tuple(term.node for term in terms))
    x = np.array([a, b][: len(names)])
    slopes = complex_step(Formula(name, names, output), x)
    for partial, slope in zip(row.partials, slopes, strict=True):
        term = partial(output, *terms)
        value = term if isinstance(term, float) else float(Formula(name, names, term).value(x))
        assert value == pytest.approx(slope, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", ["min", "max", "abs", "relu"])
@given(a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_partials_of_kinked_operations_away_from_the_kink(name: str, a: float, b: float) -> None:
    assume(abs(a) > 1e-3 and abs(a - b) > 1e-3)
    formula = formula_of(name)
    x = np.array([a, b][: len(formula.variables)])
    np.testing.assert_allclose(formula.gradient(x), central_difference(formula, x), atol=1e-8)
    assert not formula.hessian(x).any()


@given(a=st.floats(-2000, 2000))
def test_a_soft_kink_and_its_slope_keep_their_digits_far_out(a: float) -> None:
    """Laws of softplus and the sigmoid, in which nothing overflows and nothing cancels."""
    soft, steep = parse("softplus(x)"), parse("sigmoid(x)")
    np.testing.assert_allclose(soft.value([a]) - soft.value([-a]), a, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(steep.value([a]) + steep.value([-a]), 1, rtol=1e-15)
    np.testing.assert_allclose(steep.value([-abs(a)]), math.exp(-abs(a)) * steep.value([abs(a)]), rtol=1e-12)
    np.testing.assert_allclose(soft.gradient([a]), [steep.value([a])], rtol=0)
    np.testing.assert_allclose(steep.gradient([a]), [steep.value([a]) * steep.value([-a])], rtol=1e-15)


@given(a=st.floats(-3, 3))
def test_relu_is_max_with_zero_at_the_kink_too(a: float) -> None:
    for at in ([a], [0.0]):
        np.testing.assert_array_equal(parse("relu(x)").value(at), parse("max(x, 0)").value(at))
        np.testing.assert_array_equal(parse("relu(x)").gradient(at), parse("max(x, 0)").gradient(at))


def test_ties_split_evenly_and_abs_is_flat_at_zero() -> None:
    np.testing.assert_array_equal(parse("min(x, y, z)").gradient([2.0, 2.0, 2.0]), [1 / 3] * 3)
    np.testing.assert_array_equal(parse("max(x, y, z)").gradient([2.0, 5.0, 5.0]), [0, 0.5, 0.5])
    np.testing.assert_array_equal(parse("abs(x)").gradient([0.0]), [0.0])
    assert parse("abs(x)").scalar.jet(0.0)[1:] == (0.0, 0.0)


def same(a: float, b: float, ulps: float = 4) -> bool:
    return (math.isnan(a) and math.isnan(b)) or a == b or abs(a - b) <= ulps * max(math.ulp(a), math.ulp(b))


@pytest.mark.parametrize("name", OPERATIONS)
def test_float_and_array_roads_agree_operation_by_operation(name: str) -> None:
    row = OPERATIONS[name]
    constant_power = name == "^ constant"
    seconds = [-3.0, -1.5, 0.5, 2.0, 3.0] if constant_power else SPECIAL
    arity = 2 if row.variadic else len(row.partials)
    cases = [(a,) for a in SPECIAL] if arity == 1 else [(a, b) for a in SPECIAL for b in seconds]
    for case in cases:
        with np.errstate(all="ignore"):
            array = row.array(*[np.array([each]) for each in case])
        try:
            number = row.number(*case)
        except (ArithmeticError, ValueError):
            number = row.beyond(*case)
        assert isinstance(number, float)
        # Huge results of exp, cosh and powers may differ by some last digits; subnormal ones by a few steps.
        assert same(float(array[0]), number, ulps=8), (name, case, array, number)


@given(text=formulas("x", smooth=False), x=inputs)
def test_float_and_array_roads_agree_on_formulas(text: str, x: float) -> None:
    formula = parse(f"{text} + x")
    scalar = formula.scalar
    assert scalar is not None
    point = np.array([x])
    slope, curvature = scalar.jet(x)[1:]
    assume(max(abs(slope), abs(curvature), abs(scalar.value(x))) < 1e8)
    assert scalar.value(x) == pytest.approx(float(formula.value(point)), rel=1e-11, abs=1e-11)
    assert slope == pytest.approx(formula.gradient(point)[0], rel=1e-9, abs=1e-9)
    assert curvature == pytest.approx(formula.hessian(point)[0, 0], rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("x", SPECIAL)
@pytest.mark.parametrize(
    "text",
    ["1 - 1/(x + 1)", "ln(x)", "sqrt(x)", "x^0.4", "x^-2", "x^3", "x^x", "2*x", "exp(x)", "exp(x)*0", "tanh(x)",
     "sin(x)", "min(x, 1)", "abs(x)", "x/x", "ln(x) + x", "sqrt(x) - x", "x*sqrt(x)*0", "sqrt(x)^0", "ln(x)^2"],
)  # fmt: skip
def test_float_and_array_roads_agree_at_the_edges(text: str, x: float) -> None:
    formula = parse(text)
    scalar = formula.scalar
    assert scalar is not None
    slope, curvature = scalar.jet(x)[1:]
    assert same(scalar.value(x), float(formula.value([x])))
    assert same(slope, formula.gradient([x])[0])
    assert same(curvature, formula.hessian([x])[0, 0], ulps=16)


@given(text=formulas("xyz"), x=st.lists(inputs, min_size=3, max_size=3))
def test_gradient_and_hessian_against_the_complex_step(text: str, x: list[float]) -> None:
    formula = parse(f"{text} + x*y*z")
    point = np.array(x)
    slopes = formula.gradient(point)
    assume(np.abs(slopes).max() < 1e6)
    np.testing.assert_allclose(slopes, complex_step(formula, point), rtol=1e-9, atol=1e-9)
    step = 1e-30
    rows = formula.gradient(point.astype(complex) + 1j * step * np.eye(3)).imag / step
    hessian = formula.hessian(point)
    assume(np.abs(hessian).max() < 1e6)
    np.testing.assert_allclose(hessian, rows, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(hessian, hessian.T)


@given(text=formulas("xy", smooth=False), x=inputs, y=inputs)
def test_value_against_python(text: str, x: float, y: float) -> None:
    formula = parse(f"{text} + x - y")
    assert formula.variables == tuple(dict.fromkeys(re.findall(r"\b[xy]\b", formula.text)))
    values = {"x": x, "y": y}
    expected = independent(formula.text, **values)
    assume(abs(expected) < 1e8)
    got = float(formula.value([values[name] for name in formula.variables]))
    assert got == pytest.approx(expected, rel=1e-11, abs=1e-11)


@given(
    signs=st.lists(st.sampled_from("+-*/^"), min_size=1, max_size=6),
    minuses=st.lists(st.booleans(), min_size=7, max_size=7),
    values=st.lists(st.sampled_from([1.0, 2.0, 3.0, 0.5]), min_size=7, max_size=7),
)
def test_precedence_without_brackets(signs: list[str], minuses: list[bool], values: list[float]) -> None:
    names = "abcdefg"
    parts = [("-" if minus else "") + name for name, minus in zip(names, minuses, strict=True)]
    text = parts[0] + "".join(f" {sign} {part}" for sign, part in zip(signs, parts[1:], strict=False))
    known = dict(zip(names, values, strict=True))
    try:
        expected = independent(text, **known)
    except OverflowError:
        assume(False)
    assume(isinstance(expected, float) and 1e-12 < abs(expected) < 1e12)
    formula = parse(text)
    got = float(formula.value([known[name] for name in formula.variables]))
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [("-x^2", -9), ("2^-1", 0.5), ("2^3^2", 512), ("-2^2", -4), ("8/2/2", 2), ("8-2-2", 4), ("2*-3", -6), ("--x", 3),
     ("2^-x^2", 2.0**-9), ("-x*2", -6), ("(1+2)*3", 9), (".5 + 1e-1 + 1.", 1.6), ("x^2*x", 27), ("min(4, x, 5)", 3),
     (" \n 1\t+ 2 ", 3), ("max(1, min(2, x))", 2), ("(-x)^3", -27), ("(-x)^2", 9), ("1e2", 100), ("2-x", -1)],
)  # fmt: skip
def test_readings(text: str, value: float) -> None:
    formula = parse(text)
    assert float(formula.value([3.0] if formula.variables else [])) == pytest.approx(value, rel=1e-15)


def test_shapes_and_kinds() -> None:
    formula = parse("steel^0.4 * blueprint^0.2")
    assert formula.variables == ("steel", "blueprint")
    assert formula.scalar is None
    assert not formula.has_kinks
    x = np.random.default_rng(0).uniform(1, 2, (4, 3, 2))
    assert formula.value(x).shape == (4, 3)
    assert formula.gradient(x).shape == (4, 3, 2)
    assert formula.hessian(x).shape == (4, 3, 2, 2)
    np.testing.assert_allclose(formula.value(x), x[..., 0] ** 0.4 * x[..., 1] ** 0.2, rtol=1e-14)
    constant = parse("2 + 3")
    assert constant.variables == ()
    assert constant.scalar is None
    np.testing.assert_array_equal(constant.value(np.empty((5, 0))), np.full(5, 5.0))
    identity = parse("x")
    given_inputs = np.ones((3, 1))
    identity.value(given_inputs)[:] = 7
    np.testing.assert_array_equal(given_inputs, 1.0)
    np.testing.assert_array_equal(identity.gradient(given_inputs), 1.0)
    assert parse("min(x, 2) + y").has_kinks
    with pytest.raises(ValueError, match="expected"):
        formula.value([1.0, 2.0, 3.0])


def test_formulas_are_frozen_equal_by_text_and_survive_pickling() -> None:
    formula = parse("1 - 1/(x + 1)")
    assert formula.scalar.value(3.0) == 0.75
    copy = pickle.loads(pickle.dumps(formula))
    assert copy == formula
    assert hash(copy) == hash(formula)
    assert copy.scalar.value(3.0) == 0.75
    with pytest.raises(AttributeError):
        formula.text = "x"


def test_outside_the_domain_everything_is_nan() -> None:
    formula = parse("ln(x) + y")
    x = np.array([[-1.0, 2.0], [1.0, 2.0]])
    np.testing.assert_array_equal(formula.value(x), [np.nan, 2.0])
    np.testing.assert_array_equal(formula.gradient(x), [[np.nan, np.nan], [1.0, 1.0]])
    assert np.isnan(formula.hessian(x)[0]).all()
    assert all(math.isnan(each) for each in parse("ln(x)").scalar.jet(-1.0)[1:])
    assert all(math.isnan(each) for each in parse("x^x").scalar.jet(-2.0)[1:])
    assert np.isnan(parse("x^y").value([[-2.0, 2.0], [0.0, 1.0]])).all()
    np.testing.assert_array_equal(parse("x^2").value([[-2.0]]), [4.0])
    np.testing.assert_array_equal(parse("x^3").gradient([[-2.0]]), [[12.0]])
    assert math.isnan(parse("x^0.5").scalar.value(-1.0))
    assert parse("x^0.5").scalar.jet(0.0)[1:] == (math.inf, -math.inf)
    np.testing.assert_array_equal(parse("x^0.5").gradient([[0.0]]), [[np.inf]])
    assert parse("ln(x)").scalar.value(0.0) == -math.inf
    assert parse("1/x").scalar.value(0.0) == math.inf
    assert parse("1/x").scalar.value(-0.0) == -math.inf


def test_simplification_keeps_domain_errors() -> None:
    assert math.isnan(parse("sqrt(x)*0").scalar.value(-1.0))
    assert math.isnan(parse("sqrt(x)^0").scalar.value(-1.0))
    assert math.isnan(float(parse("0*ln(x) + y").value([-1.0, 1.0])))
    assert parse("0*x + 2*y").variables == ("x", "y")
    np.testing.assert_array_equal(parse("0*x + 2*y").gradient([1.0, 1.0]), [0.0, 2.0])
    # 1e200*1e200 may not be folded: the input can bring the product back.
    assert parse("1e200*(1e200*x)").scalar.value(1e-300) == pytest.approx(1e100, rel=1e-12)
    assert parse("1e-200*(1e-200*x)").scalar.value(1e300) == pytest.approx(1e-100, rel=1e-12, abs=0)


def test_saturation_keeps_the_digits_of_the_slope() -> None:
    slope, curvature = parse("tanh(x)").scalar.jet(20.0)[1:]
    assert slope == pytest.approx(4 * math.exp(-40), rel=1e-12)
    assert curvature == pytest.approx(-8 * math.exp(-40), rel=1e-12)
    assert parse("tanh(x)").scalar.jet(1e6)[1:] == (0.0, -0.0)


def test_shared_nodes_are_one_node() -> None:
    graph = Graph()
    x = graph.variable("x")
    assert (x + 1) * (1 + x) == (1 + x) * (x + 1)
    doubled = x
    for _ in range(60):
        doubled = (doubled + 1) * (doubled + 2)
    formula = Formula("", ("x",), doubled.to("tanh"))
    assert len(graph.reachable([*formula.gradient_terms])) < 1500
    assert math.isfinite(float(formula.value([-1.5])))


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("log(x)", 0, "did you mean ln"),
        ("1 + sqr(x)", 4, "did you mean sqrt"),
        ("foo(x)", 0, "unknown function"),
        ("x*x(2)", 2, r"x\*\("),
        ("x**2", 1, r"did you mean \^\?"),
        ("x // 2", 2, r"did you mean /\?"),
        ("x < 2", 2, "comparison"),
        ("x >= 2", 2, "comparison"),
        ("x == 2", 2, "comparison"),
        ("y = x", 2, "assignment"),
        ("x.real", 1, "attributes"),
        ("x.__class__", 1, "attributes"),
        ("x[0]", 1, "an index"),
        ("'x'", 0, "quot"),
        ('1 + "x"', 4, "quot"),
        ("x +", 2, r"the end after \+"),
        ("x + * 2", 4, "expected a value"),
        ("+x", 0, "leading"),
        ("(x", 0, "never closed"),
        ("sqrt(x", 4, "never closed"),
        ("x)", 1, "never opened"),
        (")", 0, "never opened"),
        ("()", 1, "nothing between"),
        ("sqrt()", 5, "nothing between"),
        ("sqrt(x, y)", 4, "expected 1"),
        ("min(x)", 3, "2 or more"),
        ("min(x,)", 6, "expected a value"),
        ("(x, y)", 2, "comma"),
        ("0,5*x", 1, r"did you mean 0\.5\?"),
        ("sqrt + 1", 0, r"sqrt\("),
        ("2x", 1, r"did you mean 2\*x\?"),
        ("x y", 2, r"did you mean x\*y\?"),
        ("2(x)", 1, r"did you mean 2\*\(\?"),
        ("1.2.3", 3, "after a value"),
        ("1e999", 0, "too large"),
        ("x*1e999", 2, "too large"),
        ("1/0", 1, "division by zero"),
        ("x/0", 1, "division by zero"),
        ("x/(1 - 1)", 1, "division by zero"),
        ("sqrt(-1) + x", 4, "finite"),
        ("ln(0)", 2, "finite"),
        ("(-8)^(1/3)", 4, "finite"),
        ("1e200*1e200", 5, "finite"),
        ("0^-1", 1, "finite"),
        ("x;y", 1, "';'"),
        ("x % 2", 2, "'%'"),
        ("lambda: 1", 6, "':'"),
        ("x@y", 1, "'@'"),
        ("×", 0, r"did you mean \*\?"),
        ("x²", 1, r"\^2"),
        ("ﬁx", 0, "plain letters"),
        ("x\x00", 1, "found"),
        ("１+x", 0, "found"),
        ("__import__(os)", 0, "unknown function"),
        ("x" * (MAX_CHARACTERS + 1), MAX_CHARACTERS, "at most"),
        ("+".join("x" * (MAX_OPERATIONS + 2)), 2 * MAX_OPERATIONS + 1, "operations"),
        ("(" * 5000 + "x" + ")" * 4000, MAX_DEPTH, "too deeply"),
        ("-" * 9000 + "x", MAX_DEPTH, "too deeply"),
        ("^".join("x" * 300), 2 * MAX_DEPTH + 1, "too deeply"),
        ("sqrt(" * 1500 + "x", 5 * MAX_DEPTH + 4, "too deeply"),
    ],
)  # fmt: skip
def test_refusals(text: str, offset: int, words: str) -> None:
    with pytest.raises(FormulaError, match=words) as caught:
        parse(text)
    assert caught.value.offset == offset
    assert str(caught.value) == caught.value.message
    assert caught.value.message


@given(st.text(alphabet="xy12.e+-*/^(), []<>='_ sqrtlnmi\n", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    formula, offset = None, 0
    try:
        formula = parse(text)
    except FormulaError as refused:
        offset = refused.offset
    assert 0 <= offset <= len(text)
    if formula is not None:
        x = np.full((2, len(formula.variables)), 0.7)
        assert formula.value(x).shape == (2,)
        assert formula.hessian(x).shape == (2, len(formula.variables), len(formula.variables))


def test_deep_but_allowed_formulas_need_no_recursion() -> None:
    nested = "(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH
    assert parse(nested).scalar.value(2.0) == 2.0
    long = "x" + "+1/x" * (MAX_OPERATIONS // 2 - 1)
    chain = "x" + "*y+y" * (MAX_OPERATIONS // 2 - 1)
    limit = sys.getrecursionlimit()
    depth = 0
    frame = sys._getframe()
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + 60)
    try:
        slope, curvature = parse(long).scalar.jet(2.0)[1:]
        gradient = parse(chain).gradient([1.0, 0.5])
    finally:
        sys.setrecursionlimit(limit)
    repeats = MAX_OPERATIONS // 2 - 1
    assert slope == pytest.approx(1 - repeats / 4)
    assert curvature == pytest.approx(repeats / 4)
    assert gradient[1] == pytest.approx(1 + 2 * 0.5 * (repeats - 1) + 1)


def test_every_function_can_be_written() -> None:
    for name in FUNCTIONS:
        values = "x, 2" if OPERATIONS[name].variadic else "x"
        assert math.isfinite(parse(f"{name}({values})").scalar.value(0.7))


def test_slopes_of_concave_formulas_fall() -> None:
    scalar = parse("1 - 1/(x + 1)").scalar
    grid = np.geomspace(1e-6, 1e6, 200)
    slopes = [scalar.jet(x)[1] for x in grid]
    np.testing.assert_allclose(slopes, 1 / (1 + grid) ** 2, rtol=1e-14)
    assert all(later < earlier for earlier, later in pairwise(slopes))


def test_the_hessian_of_many_inputs_against_the_complex_step() -> None:
    names = [f"g{i}" for i in range(120)]
    formula = parse(f"sqrt({' + '.join(f'ln({a}*{b})' for a, b in pairwise(names))})")
    x = np.random.default_rng(0).uniform(1.0, 2.0, (2, 1, 120))
    x[1] = 0.5
    hessian = formula.hessian(x)
    assert hessian.shape == (2, 1, 120, 120)
    assert np.isnan(hessian[1]).all()
    (point,) = x[0]
    rows = formula.gradient(point + 1e-200j * np.eye(120)).imag / 1e-200
    np.testing.assert_allclose(hessian[0, 0], rows, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(hessian, hessian.swapaxes(-1, -2))
    steps = formula.hessian(point + 0j)
    np.testing.assert_allclose(steps, hessian[0, 0], rtol=1e-12, atol=1e-15)

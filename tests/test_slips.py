"""Slips that people made, each answered by what to write instead: a row of this file for every row of the table, and
the whole line for those that came from somebody's keyboard.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any, get_args

import pytest

from simulator import slips
from tests.house import (
    BEHAVIOURS,
    DISTRIBUTIONS,
    FUNCTIONS,
    LISTED,
    PIECES,
    SCHEDULERS,
    SELLERS,
    TECHNOLOGIES,
    UTILITIES,
    WANTS,
    FitFile,
    NumberFile,
    Outcome,
    ScenarioError,
    StudyFile,
    app,
    load,
    required,
    scenario_schema,
    simulate,
)
from tests.program import simulator

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Called = Callable[..., tuple[int, str, str]]

GOODS = "goods: [bread, wine]\n"
ANN = "consumers: [{name: ann, utility: {cobb_douglas: {bread: 1, wine: 1}}, budget: 7}]\n"
FISHER = GOODS + "supply: {bread: 10, wine: 4}\n" + ANN
BAKERY = (
    "goods: [labour, bread]\nnumeraire: labour\n"
    "consumers: [{name: ann, utility: {cobb_douglas: {bread: 1}}, endowment: {labour: 4}, owns: {bakery: 1}}]\n"
    'firms: [{name: bakery, makes: "bread = 2*labour^0.5"}]\n'
)


LESSON = (
    "learning: {patterns: {rows: [{a: 0, b: 1, y: 1}, {a: 1, b: 0, y: 0}], target: y}}\n"
    "scheduler: {form: additive, rate: 0.1}\n"
)


VAT = "{name: vat, on: consumption, good: bread, rate: 0.1, to: ann}"


def ann(rest: str) -> str:
    return FISHER.replace("utility: {cobb_douglas: {bread: 1, wine: 1}}, budget: 7", rest)


def bakery(makes: str) -> str:
    return BAKERY.replace('makes: "bread = 2*labour^0.5"', makes)


# A row of the table of patterns: where, what was written, what to write instead.
PATTERNS = [
    ("number", "'4'", "4 without quotes"),
    ("number", "1e-3", "1e-3 without quotes"),
    ("number", "50%", "0.5"),
    ("number", "2.5 per cent", "0.025"),
    ("number", "1,5", "1.5"),
    ("number", "-0,25", "-0.25"),
    ("number", "1,234,567.5", "1234567.5"),
    ("number", "1 000", "1000"),
    ("number", "1_000", "1000"),
    ("number", "1_0", "10"),
    ("number", "1/4", "0.25"),
    ("number", "2*10^-3", "2e-3"),
    ("number", "10^6", "1e6"),
    ("number", "$5", "5, without a unit"),
    ("number", "7 euro", "7, without a unit"),
    ("number", "pay.csv", "{csv: pay.csv, column: NAME}"),
    ("number", "infinite", "a large number such as 1e9"),
    ("number", "random", "{uniform: [1, 2]}"),
    ("number", "off", "0"),
    ("number", "abc", "instead, write it in digits, such as 2"),
    ("change", "*2", "{times: 2}"),
    ("change", "-25%", "{times: 0.75}"),
    ("truth", "Yes", "true"),
    ("truth", "off", "false"),
    ("key", "run:{ticks", "run: {ticks: ...}"),
    ("key", "goods:[a", "goods: [a]"),
    ("key", "pd:1", "pd: 1"),
    ("key", "vary", "instead, this is a study: simulator sweep"),
    ("key", "scheduler.rule", "scheduler: {rule: ...}"),
    ("key", "run {ticks", "run: {ticks: ...}"),
    ("key", "supply = {bread", "supply: {bread: ...}"),
    ("key", "bread = 1", "bread: 1"),
    ("key", "at_equilibrium", "trade: at_equilibrium"),
    ("key", "n_epochs", f"instead, {slips.EPOCHS}"),
    ("key", "weight_decay", f"instead, {slips.NO_DECAY}"),
    ("key", "-name", "- name: ..."),
    ("key", "bread 10", "bread: 10"),
    ("name", "bread; wine", "bread, wine"),
    ("name", "rye bread/dark", "rye_bread_dark"),
    ("setting", "scheduler: {rate: 1}", "--set 'scheduler={rate: 1}'"),
    ("setting", "run.ticks 5", "--set 'run.ticks=5'"),
    ("setting", "run.ticks", "--set run.ticks=..."),
    ("makes", "bread := 2*labour^0.5", "bread = 2*labour^0.5"),
    ("makes", "2*labour^0.5 = bread", "bread = 2*labour^0.5"),
    ("makes", "wool, mutton = land^0.5", "wool = mutton = land^0.5"),
    ("makes", "sqrt(labour) -> bread", "bread = sqrt(labour)"),
    ("power", "bread = labour^1/2", "bread = labour^(1/2)"),
    ("program", "def f", "def f(x): return x^2"),
    ("program", "def f(x, y)", "def f(x, y): return ..."),
    ("program", "f = lambda x, y: x*y", "def f(x, y): return x*y"),
    ("program", "lambda x: x^2", "def f(x): return x^2"),
    ("program", "f(x) = x^2", "def f(x): return x^2"),
    ("program", "import math", "instead, leave this line out: sin, exp and the others are known"),
    ("program", "c, d = x, y", "c = x, and in a line of its own d = y"),
    ("program", "print(c)", "return c"),
    ("program", "c := x + 1", "c = x + 1"),
    ("program", "c == x", "c = x"),
    ("program", "c = np.log(x) + math.exp(y)", "c = ln(x) + exp(y)"),
    ("program", "c = x if x > 0 else 0", "instead, use max(x, 0) or min(x, 1): a program has no branches"),
    ("program", "while x:", "instead, use for i in range(10): a program's loops have a known length"),
    ("program", "c = w @ x", "c = w[0]*x[0] + w[1]*x[1]"),
    ("program", "c = x^0,5", "c = x^0.5"),
    ("program", "c = 2x + 1", "c = 2*x + 1"),
    ("program", "c = √x·y²", "c = sqrt(x)*y^2"),
    ("program", "ln(x) + 1", "c = ln(x) + 1"),
    ("sign", "**", "^"),
    ("sign", "//", "/"),
    ("sign", "&&", "and"),
    ("sign", "||", "or"),
    ("sign", "×", "*"),
    ("sign", "÷", "/"),
    ("sign", "−", "-"),
    ("sign", "²", "^2"),
    ("sign", "³", "^3"),
    ("sign", "√", "sqrt(...)"),
    ("function", "log10(x)", "ln(x)/ln(10)"),
    ("function", "log2(x)", "ln(x)/ln(2)"),
    ("function", "log1p(x)", "ln(1 + x)"),
    ("function", "pow(x + 1, 2)", "(x + 1)^2"),
    ("function", "sum(min(x, 2), y, z)", "min(x, 2) + y + z"),
    ("function", "dot(x, y + 1)", "x*(y + 1)"),
    ("function", "expit(2*x)", "sigmoid(2*x)"),
    ("function", "mean(x)", "x"),
    ("function", "mean(x, y, 2*z)", "(x + y + 2*z)/3"),
    ("function", "sum(max(min(a, b), c), d)", "max(min(a, b), c) + d"),
    ("function", "softmax(x)", "instead, write it out: exp(a)/(exp(a) + exp(b)) of values a and b"),
    ("function", "softmax(x, y)", "exp(x)/(exp(x) + exp(y))"),
    ("function", "tan(x)", "sin(x)/cos(x)"),
]
# Texts that are not YAML, the line and column of the complaint, and what to write instead.
NOT_YAML = [
    (GOODS + "supply:\n\tbread: 1\n", "3:1", "spaces in the place of the tab"),
    (GOODS + "supply: bread: 1, wine: 2\n", "2:14", "supply: {bread: 1, wine: 2}"),
    (GOODS + "supply: (bread: 1)\n", "2:15", "supply: {bread: 1}"),
    (GOODS + "name: it's: a test\n", "2:11", 'name: "it\'s: a test"'),
    (GOODS + "supply:\n  bread: 1\n   wine: 3\n", "4:8", "a colon in the line above, or as many blanks here as there"),
    (GOODS + "supply\n  bread: 1\n", "3:8", "a colon at the end of the line above"),
    (GOODS + "supply\n", "2:1", "supply: ..."),
    (GOODS + "expect cleared\n", "2:1", "expect: cleared"),
    (GOODS + "scheduler.rule=adam\n", "2:1", "scheduler: {rule: adam}"),
    (GOODS + "firms: [{name: f, makes: wine: bread^0.5}]\n", "2:30", 'makes: "wine = bread^0.5"'),
    (GOODS + "run: {seed: ticks: 5}\n", "2:18", "seed: {ticks: 5}"),
    (GOODS + "supply: {bread: 1 wine: 4}\n", "2:23", "1, wine:"),
    (GOODS + "supply: {bread: 1; wine: 4}\n", "2:24", "1, wine:"),
    (GOODS + "supply: {bread: 1\n", "2:9", "} at the end"),
    (GOODS + "supply: {bread: 1, wine: 4]\n", "2:27", "a comma between the values, or }"),
    (GOODS + "name: 'abc\n" + ANN, "2:7", "the same quotation mark at the end of the text"),
    (GOODS + "name: @home\n", "2:7", 'name: "@home"'),
    (GOODS + "supply:\n  bread: 1\n wine: 3\n", "4:2", "as many blanks before it as before its neighbours"),
]
# Whole scenarios: where the complaint points to, and what it says to write instead.
SCENARIO_SLIPS = [
    # Taxes in the words of others, or in another shape.
    *((FISHER + f"{word}: [{VAT}]\n", word, "taxes") for word in ("tax", "tariffs", "VAT", "excise", "subsidies")),
    (FISHER + f"taxes: {VAT}\n", "taxes", f"[{VAT}]"),
    (FISHER + f"taxes: [{VAT.replace('rate', 'ad_valorem')}]\n", "taxes.vat.ad_valorem", "rate"),
    (FISHER + f"taxes: [{VAT.replace('to:', 'recipient:')}]\n", "taxes.vat.recipient", "to"),
    (FISHER + f"taxes: [{VAT.replace('good:', 'commodity:')}]\n", "taxes.vat.commodity", "good"),
    (FISHER + f"taxes: [{VAT.replace('consumption', 'consumptions')}]\n", "taxes.vat.on", "consumption"),
    (
        FISHER + f"taxes: [{VAT.replace('0.1', '{endogenous: {keep: prices.wine, at: 1}}')}]\n",
        "taxes.vat.rate.endogenous",
        "adjust",
    ),
    (FISHER + f"taxes: [{VAT.replace('0.1', '10%')}]\n", "taxes.vat.rate", "0.1"),
    (FISHER + "redistribution: [{from: ann, to: bob, share: 0.1}]\n", "redistribution", "transfers"),
    # Kinds in the words of others, or without their parameters.
    (ann("utility: cobb_douglas, budget: 7"), "consumers.ann.utility", "{cobb_douglas: {bread: 1, wine: 1}}"),
    (ann("utility: CobbDouglas, budget: 7"), "consumers.ann.utility", "{cobb_douglas: {bread: 1, wine: 1}}"),
    (ann("utility: cd, budget: 7"), "consumers.ann.utility", "{cobb_douglas: {bread: 1, wine: 1}}"),
    (ann("utility: ces, budget: 7"), "consumers.ann.utility", "{ces: {elasticity: 2, shares: {bread: 1, wine: 1}}}"),
    (ann("utility: {cobb-douglas: {bread: 1}}"), "consumers.ann.utility.cobb-douglas", "cobb_douglas"),
    (ann("utility: {perfect_substitutes: {bread: 1}}"), "consumers.ann.utility.perfect_substitutes", "linear"),
    (ann("utility: {kind: leontief, bread: 1}"), "consumers.ann.utility", "{leontief: {bread: 1, wine: 1}}"),
    (ann("utility: bread^0.5*wine^0.5"), "consumers.ann.utility", '{formula: "bread^0.5*wine^0.5"}'),
    (ann("utility: {ces: {bread: 1, wine: 2}}"), "consumers.ann.utility.ces", "shares: {bread: 1, wine: 2}"),
    (ann("utility: {ces: {sigma: 2, shares: {bread: 1}}}"), "consumers.ann.utility.ces.sigma", "elasticity"),
    (ann("utility: {quasilinear: {bread: 1}}"), "consumers.ann.utility.quasilinear", "log: {bread: 1}"),
    (ann("utility: {formula: 2*bread + wine}"), "consumers.ann.utility.formula", "{linear: {bread: 2, wine: 1}}"),
    (
        bakery("technology: leontief"),
        "firms.bakery.technology",
        "{leontief: {output: bread, returns_to_scale: 0.5, inputs: {labour: 1}}}",
    ),
    # One shape for another.
    (ann("utility: {cobb_douglas: [0.3, 0.7]}"), "consumers.ann.utility.cobb_douglas", "{bread: 0.3, wine: 0.7}"),
    (ann("utility: {cobb_douglas: bread}"), "consumers.ann.utility.cobb_douglas", "{bread: 1}"),
    (FISHER.replace("[bread, wine]", "bread, wine"), "goods", "[bread, wine]"),
    (FISHER.replace("[bread, wine]", "[bread: 2, wine]"), "goods[0]", "goods: {bread: {price: 2}}"),
    (FISHER.replace("{bread: 10, wine: 4}", "[bread: 10, wine: 4]"), "supply", "{bread: 10, wine: 4}"),
    (FISHER.replace("{bread: 10, wine: 4}", "[bread, wine]"), "supply", "{bread: 1, wine: 1}"),
    (FISHER.replace("{bread: 10, wine: 4}", "3"), "supply", "{bread: 3, wine: 3}"),
    (
        GOODS + "consumers: {ann: {utility: {linear: {bread: 1}}}}",
        "consumers",
        "[{name: ann, utility: {linear: {bread: 1}}}]",
    ),
    (GOODS + "consumers:\n  -name: ann\n", "consumers", "- name: ..."),
    (FISHER + "run: 100\n", "run", "{ticks: 100}"),
    (FISHER + "numeraire: [bread]\n", "numeraire", "bread"),
    (
        ann("utility: {linear: {bread: 1}}, count: 9, budget: {normal: [5, 1]}"),
        "consumers.ann.budget.normal",
        "{mean: 5, sigma: 1}",
    ),
    (BAKERY.replace("{bakery: 1}", "bakery"), "consumers.ann.owns", "{bakery: 1}"),
    (bakery("makes: {bread: labour^0.5}"), "firms.bakery.makes", '"bread = labour^0.5"'),
    (bakery("makes: labour^0.5"), "firms.bakery.makes", "bread = labour^0.5"),
    (bakery('makes: "bread = labour^1/2"'), "firms.bakery.makes", "bread = labour^(1/2)"),
    (bakery('makes: "bread = 2 labour^0.5"'), "firms.bakery.makes", "2*labour"),
    # Keys that stand elsewhere, in other words, or run together with their values.
    (FISHER + "rate: 0.5\n", "rate", "scheduler: {rate: 0.5}"),
    (FISHER + "ticks: 50\n", "ticks", "run: {ticks: 50}"),
    (FISHER + "momentum: 0.9\n", "momentum", "scheduler: {with: [{momentum: 0.9}]}"),
    (FISHER + "scheduler: {momentum: 0.9}\n", "scheduler.momentum", "with: [{momentum: 0.9}]"),
    (FISHER + "scheduler: {rule: sgd}\n", "scheduler.rule", "walras"),
    (FISHER + "scheduler: {weight_decay: 0.1}\n", "scheduler.weight_decay", slips.NO_DECAY),
    (FISHER + "trade: {every_tick: {rationing: random}}\n", "trade.every_tick.rationing", "proportional"),
    (FISHER + "run: {seed: abc}\n", "run.seed", "write it in digits, such as 2"),
    (FISHER + "scheduler: {lr: 0.1}\n", "scheduler.lr", "rate"),
    (FISHER + "scheduler: adam\n", "scheduler", "{rule: adam}"),
    (FISHER + "scheduler: {kind: adam}\n", "scheduler.kind", "rule: adam"),
    (FISHER + "scheduler: {rule: adam, form: additive}\n", "scheduler.form", "scheduler: {rule: adam, rate: 0.1}"),
    (FISHER + "scheduler: {with: [{pd:1}]}\n", "scheduler.with[0].'pd:1'", "pd: 1"),
    (FISHER + "scheduler: {with: [{adam}]}\n", "scheduler.with[0].adam", "adam"),
    (FISHER + "scheduler: {with: [{delay: {own: 1}}]}\n", "scheduler.with[0].delay", "{own: 1, neighbours: 0}"),
    (FISHER.replace("bread: 10", "bread:10"), "supply.'bread:10'", "bread: 10"),
    (FISHER.replace("bread: 10", "bread: 1,5"), "supply.5", "1.5"),
    (FISHER + "expect: converged\n", "expect", "cleared"),
    (FISHER + "run: {references: no}\n", "run.references", "off"),
    (FISHER.replace("consumers", "households"), "households", "consumers"),
    (FISHER.replace("utility:", "preferences:"), "consumers.ann.preferences", "utility"),
    (bakery("produces: bread = labour^0.5"), "firms.bakery.produces", "makes"),
    (BAKERY + "shocks: [{at: 5, set: {firms.bakery.productivity: 2}}]\n", "shocks[0].at", "tick"),
    (
        BAKERY + "shocks: [{tick: 5, set: {bakery.productivity: 2}}]\n",
        "shocks[0].set.bakery.productivity",
        "firms.bakery.productivity",
    ),
    (BAKERY + "shocks: [{tick: 5, set: {supply.bread: {multiply: 2}}}]\n", "shocks[0].set.supply.bread", "{times: 2}"),
    (BAKERY + "shocks: [{tick: 5, set: {supply.bread: +50%}}]\n", "shocks[0].set.supply.bread", "{times: 1.5}"),
    (bakery("inputs: {labour: 1}"), "firms.bakery.inputs", "makes"),
    (bakery("makes: bread"), "firms.bakery.makes", "bread = labour^0.5"),
    (FISHER + "compare: primal\n", "compare", "{gradient_path: primal}"),
    (FISHER + "expect: {outcome: cleared}\n", "expect", "cleared"),
    (FISHER + "expect: {n_equilibria: 3}\n", "expect.n_equilibria", "equilibria"),
    (FISHER + "expect: infeasible\n", "expect", "no_equilibrium"),
    (
        ann("utility: {linear: {bread: 1}}, count: 9, budget: {uniform: {min: 1, max: 2}}"),
        "consumers.ann.budget.uniform",
        "[1, 2]",
    ),
    # Learning and programs.
    (LESSON.replace("target:", "label:"), "learning.patterns.label", "target"),
    (LESSON.replace("y}}", "y}, hidden: {units: 4}}"), "learning.hidden.units", "firms"),
    (LESSON.replace("y}}", "y}, hidden: [8, 4]}"), "learning.hidden[1]", "{firms: 4}"),
    (LESSON.replace("y}}", "y}, supply: softmax}"), "learning.supply", "logit"),
    (
        LESSON.replace("y}}", "y}, epochs: 9}"),
        "learning.epochs",
        slips.EPOCHS,
    ),
    ("program: c = x*y\nsupply: {x: 1, y: 1}\nscheduler: marginal_bids\n", "scheduler", "{kind: marginal_bids}"),
    ("program: c = x*y\nsupply: {x: 1, y: 1}\n", "firms.product_c.makes", "scheduler: {kind: marginal_bids}"),
    ("program: def f\nscheduler: {kind: marginal_bids}\n", "program", "def f(x): return x^2"),
]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Called:
    """`simulator` in this process and in `tmp_path`, beside a folder of scenarios: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    for name in ("tupperware.yaml", "crusoe.yaml", "three_equilibria.yaml", "open_economy.yaml", "sam.csv"):
        (tmp_path / "scenarios" / name).write_text((SCENARIOS / name).read_text())
    copytree(SCENARIOS / "studies", tmp_path / "scenarios" / "studies")

    return simulator


def hit(where: str, written: str) -> slips.Slip:
    return next(slip for slip in slips.SLIPS if slip.where == where and re.fullmatch(slip.written, written))


@pytest.mark.parametrize(("where", "written", "instead"), PATTERNS)
def test_a_slip_is_answered_by_what_to_write_instead(where: str, written: str, instead: str) -> None:
    assert slips.instead(where, written) == instead


def test_every_row_of_the_table_has_a_row_here() -> None:
    tried = [hit(where, written) for where, written, _ in PATTERNS]
    assert [slip for slip in slips.SLIPS if slip not in tried and slip.where != "yaml"] == []
    said = [instead for _, _, instead in NOT_YAML if instead]
    for slip in slips.SLIPS:
        if slip.where == "yaml" and isinstance(slip.instead, str):
            words = re.escape(slip.instead).replace(r"\\1", ".*").replace(r"\\2", ".*").replace(r"\\3", ".*")
            assert any(re.fullmatch(words, text) for text in said), slip


@pytest.mark.parametrize(("text", "place", "instead"), NOT_YAML)
def test_what_is_not_yaml_is_answered_at_its_line(text: str, place: str, instead: str | None, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    with pytest.raises(Exception, match="not valid YAML") as caught:
        load(file)
    (problem,) = caught.value.problems  # pyright: ignore[reportAttributeAccessIssue]
    assert f"{problem.line}:{problem.column}" == place
    assert problem.data["instead"] == (instead or "")


@pytest.mark.parametrize(("text", "path", "instead"), SCENARIO_SLIPS)
def test_a_scenario_is_answered_once_with_the_line_to_write(text: str, path: str, instead: str, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    with pytest.raises(Exception, match=r"did you mean|; instead, ") as caught:
        load(file)
    said = {problem.path: problem.data for problem in caught.value.problems}  # pyright: ignore[reportAttributeAccessIssue]
    assert said[path]["instead"] == instead
    assert said[path]["line"]
    assert said[path]["found"]
    assert said[path]["expected"]


PIECE_NAMES = [name for name, kind in PIECES.items() if required(kind)]
MANY = "utility: {linear: {bread: 1}}, count: 9, budget: {pareto: {minimum: 1, alpha: 2}}"
MLP = "program: |\n  a = x + 1\n  LINE\nsupply: SUPPLY\nscheduler: {kind: marginal_bids}\n"
# Whole scenarios, what is wrong in them, and what is accepted in its place.
PASTED = [
    *((FISHER + f"scheduler: {{rate: 0.1, with: [{piece}]}}\n", f"[{piece}]", "[{}]") for piece in PIECE_NAMES),
    (ann("utility: {quasilinear: {bread: ln(x)}}, budget: 7"), "bread: ln(x)", "{}"),
    (ann("utility: cobb_douglas(bread), budget: 7"), "cobb_douglas(bread)", "{}"),
    (ann("utility: 'min(bread, wine)', budget: 7"), "'min(bread, wine)'", "{}"),
    (ann("utility: {formula: 'min(2*bread, wine)'}, budget: 7"), "{formula: 'min(2*bread, wine)'}", "{}"),
    (ann(MANY), "alpha", "{}"),
    (
        MLP.replace("LINE", "c = a*(w @ x)").replace("SUPPLY", "{w_0: 1, w_1: 1, x_0: 1, x_1: 1}"),
        "x + 1\n  c = a*(w @ x)",
        "w[0] + x[1]\n  {}",
    ),
    (MLP.replace("LINE", "c = mean(a)").replace("SUPPLY", "{x: 1}"), "mean(a)", "{}"),
    (MLP.replace("LINE", "c = softmax(a, x)").replace("SUPPLY", "{x: 1}"), "softmax(a, x)", "{}"),
    (bakery("makes: bread = mean(labour^0.5)"), "mean(labour^0.5)", "{}"),
    (bakery('makes: "bread = pow(labour, 0.5)"'), "pow(labour, 0.5)", "{}"),
]


@pytest.mark.parametrize(("text", "wrong", "right"), PASTED)
def test_what_is_suggested_is_accepted_when_pasted(text: str, wrong: str, right: str, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load(file)
    (problem,) = caught.value.problems
    guess = problem.data["instead"]
    assert guess
    file.write_text(text.replace(wrong, right.replace("{}", guess)))
    load(file)


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        ("c = a if a > 2 else 3", 7, "; instead, use max(x, 0) or min(x, 1): a program has no branches"),
        ("import torch", 3, "; instead, leave this line out: sin, exp and the others are known"),
        ("while a: a = 2", 3, "; instead, use for i in range(10): a program's loops have a known length"),
        ("c = a*foo(x)", 9, "unknown function foo"),
    ],
)
@pytest.mark.parametrize("head", ["program: |\n", "program:\n  text: |-\n", "program: |2\n\n"])
def test_a_program_s_fault_is_told_at_its_line_of_the_file(
    line: str, column: int, said: str, head: str, call: Called
) -> None:
    deeper = "  " * head.count("text")
    text = MLP.replace("LINE", line).replace("SUPPLY", "{x: 1}").replace("  ", "  " + deeper, 2)
    Path("mlp.yaml").write_text(text.replace("program: |\n", head))
    place = f"mlp.yaml:{2 + head.count(chr(10))}:{column + len(deeper)}: program"
    for command in (["check"], ["compile"]):
        code, _, error = call(*command, "mlp.yaml")
        assert code == 2
        assert place in error
        assert said in error
        assert "line " not in error.replace("this line", "").replace("a line that", "")
    folded = text.replace("program: |\n", "program: >\n").replace("a = x + 1\n", "")
    Path("mlp.yaml").write_text(folded)
    assert "program: line 1, column" in call("check", "mlp.yaml")[2]


def test_a_column_with_a_cell_of_text_is_offered_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "cv.csv").write_text("a,b,y,word\n1,2,1,x\n3,4,secret,x\n5,6,0,x\n")
    file = tmp_path / "scenario.yaml"
    file.write_text("learning: {patterns: {csv: cv.csv, target: yy}}\nscheduler: {form: additive, rate: 0.1}\n")
    with pytest.raises(ScenarioError) as caught:
        load(file)
    assert str(caught.value).endswith("expected one of a, b, y (row 3 is no number)")


def test_a_count_cannot_change(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(FISHER + "shocks: [{tick: 5, set: {consumers.ann.count: 2}}]\n")
    with pytest.raises(ScenarioError, match=r"consumers\.ann\.count, but a count cannot change; expected") as caught:
        load(file)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("command", ["solve", "perturb"])
def test_a_market_that_learns_has_nothing_to_solve_for(command: str, call: Called) -> None:
    Path("lesson.yaml").write_text(LESSON)
    code, _, error = call(command, "lesson.yaml")
    assert code == 2
    assert "a market that learns, which has no equilibria to solve for" in error


def test_python_is_told_what_to_pass() -> None:
    anything: Any = simulate
    for wrong in (None, [FISHER], 3):
        with pytest.raises(ScenarioError, match=r"expected a scenario: the path of its file, or a dict"):
            anything(wrong)
    with pytest.raises(TypeError, match=r"unknown argument 'steps'.*did you mean ticks\?"):
        anything(SCENARIOS / "crusoe.yaml", steps=10)


def names_there_are() -> set[str]:
    """Every word of scenarios, studies and command lines: keys, kinds, outcomes, options, commands, functions."""
    import typer

    names = {*get_args(Outcome), *WANTS, *TECHNOLOGIES, *DISTRIBUTIONS, *BEHAVIOURS, *SCHEDULERS, *SELLERS}
    names |= {*StudyFile.model_fields, *FitFile.model_fields, *NumberFile.model_fields}
    names |= {*FUNCTIONS, *LISTED, "endowments", "tastes", "l2", "sup", "--debug", "--version", "--help"}

    def below(schema: Any) -> None:
        if isinstance(schema, dict):
            names.update(schema.get("properties", {}), map(str, schema.get("enum", ())))
            names.update([str(schema["const"])] if "const" in schema else [])
            for part in schema.values():
                below(part)
        elif isinstance(schema, list):
            for part in schema:
                below(part)

    below(scenario_schema())
    commands: Any = typer.main.get_command(app)
    for name, command in commands.commands.items():
        names.update([name], *(parameter.opts for parameter in command.params))
    return names


def test_words_of_others_mean_something_that_there_is() -> None:
    assert set(slips.WORDS) - names_there_are() == set()
    for name, words in slips.WORDS.items():
        for word in words.split(", "):
            assert slips.called_here(word, ["another", name]) == name
            assert slips.called_here(word.upper().replace("_", "-"), [name]) == name
    assert slips.called_here("converged", ["diverged", "cleared"]) == "cleared"
    assert slips.called_here("anything", ["diverged", "cleared"]) is None


TUPPERWARE = "scenarios/tupperware.yaml"
COMMAND_SLIPS = [
    (["tupperware.yaml"], "did you mean simulator run tupperware.yaml?"),
    (["run", "tuperware.yaml"], "did you mean scenarios/tupperware.yaml?"),
    (["check", "tupperware"], "did you mean scenarios/tupperware.yaml?"),
    (["solve", "scenarios/crusoe.yml"], "did you mean scenarios/crusoe.yaml?"),
    (["solve", "outputs/crusoe"], "did you mean outputs/crusoe/scenario.yaml?"),
    (["run", TUPPERWARE, "--epochs", "5"], slips.EPOCHS),
    (["run", TUPPERWARE, "--set", "epochs=5"], slips.EPOCHS),
    (["check", TUPPERWARE, "--set", "scheduler.weight_decay=0.1"], slips.NO_DECAY),
    (["run", TUPPERWARE, "--seed", "abc"], "instead, write it in digits, such as 2"),
    (["run", TUPPERWARE, "--rate", "0.5"], "did you mean --set scheduler.rate=0.5?"),
    (["run", TUPPERWARE, "--tolerance=1e-3"], "did you mean --set run.tolerance=1e-3?"),
    (["run", TUPPERWARE, "--steps", "5"], "did you mean --ticks?"),
    (["run", TUPPERWARE, "--output", "x"], "did you mean --out?"),
    (["run", TUPPERWARE, "-o", "x"], "did you mean --out?"),
    (["run", TUPPERWARE, "--force"], "did you mean --overwrite?"),
    (["run", TUPPERWARE, "--set", "rate=0.5"], "did you mean scheduler.rate?"),
    (["run", TUPPERWARE, "--set", "ticks=5"], "did you mean run.ticks?"),
    (["run", TUPPERWARE, "--set", "rate"], "did you mean --set rate=...?"),
    (["run", TUPPERWARE, "--set", "scheduler: {rate: 1}"], "did you mean --set 'scheduler={rate: 1}'?"),
    (["run", TUPPERWARE, "--set", "run.ticks 5"], "did you mean --set 'run.ticks=5'?"),
    (["run", TUPPERWARE, "--set", "run.rate=5"], "did you mean scheduler.rate?"),
    (["run", TUPPERWARE, "--set", "scheduler.momentum=0.5"], "did you mean scheduler.with=[{momentum: ...}]?"),
    (["run", TUPPERWARE, "--set", "budget=5"], "did you mean consumers.NAME.budget?"),
    (["run", TUPPERWARE, "--set", "firms[0].makes=x"], "did you mean firms.0.makes?"),
    (
        ["run", TUPPERWARE, "--set", "scheduler.rate=50%"],
        "--set: scheduler.rate: found '50%'; expected a number; did you mean 0.5?",
    ),
    (["run", TUPPERWARE, "--set", "scheduler.with=adam"], "did you mean [adam]?"),
    (["run", TUPPERWARE, "--set", "scheduler.rule=adam"], "did you mean 'scheduler={rate: 0.3, rule: adam}'?"),
    (["perturb", TUPPERWARE, "--size", "1%"], "did you mean 0.01?"),
    (["perturb", TUPPERWARE, "--change", "preferences"], "did you mean tastes?"),
    (["run", TUPPERWARE, "--format", "PNG"], "did you mean png?"),
    (["plot", "crusoe"], "did you mean outputs/crusoe?"),
    (["compare", "outputs/cruso", "outputs/crusoe"], "did you mean outputs/crusoe?"),
    (["plot", "scenarios/crusoe.yaml"], "did you mean outputs/crusoe?"),
    (["plot", TUPPERWARE], f"did you mean simulator run {TUPPERWARE}?"),
    (["plot", "outputs/crusoe/trajectory.csv"], "did you mean outputs/crusoe?"),
    (["plot"], "found no RUN; expected one, as in simulator plot outputs/tupperware"),
    (["solve", TUPPERWARE, "more.yaml"], "found more.yaml besides; expected no more than [OPTIONS] {SCENARIO}"),
    (["solve", TUPPERWARE, "--ticks", "5"], "did you mean --set run.ticks=5?"),
    (["help"], "did you mean --help?"),
    (["schema", "-o", "x"], "unknown option -o; expected --plugin"),
    (["validate", TUPPERWARE], "did you mean check?"),
    (["list", "cobb_douglas"], "did you mean utilities?"),
    (["list", "utility"], "did you mean utilities?"),
    (["list", "price_rules"], "did you mean rules?"),
    (["new", "a b"], "did you mean a_b?"),
    (["compile", TUPPERWARE], f"did you mean simulator compile {TUPPERWARE} --from?"),
    (["compile", "def f"], "did you mean def f(x): return x^2?"),
    (["compile", "def f(x): return x^2"], "did you mean return f(x)?"),
    (["compile", "c = x[0] + x"], "found x beside x[...]"),
    (["compile", "c = x^0,5"], "found the vector c as result"),
    (["compile", "c = x·y"], "did you mean x*y?"),
    (["compile", "c = log(x)"], "did you mean ln?"),
]


@pytest.mark.parametrize(("arguments", "part"), COMMAND_SLIPS, ids=[" ".join(words) for words, _ in COMMAND_SLIPS])
def test_a_command_line_is_answered_with_what_to_type(arguments: list[str], part: str, call: Called) -> None:
    (folder := Path("outputs", "crusoe")).mkdir(parents=True)
    (folder / "scenario.yaml").write_text("goods: [a]\n")
    (folder / "trajectory.csv").touch()
    code, out, error = call(*arguments)
    assert (code, out) == (2, "")
    assert part in error


def test_a_shock_after_the_last_tick_is_said_and_left_out(call: Called) -> None:
    text = BAKERY + "shocks: [{tick: 60, set: {firms.bakery.productivity: 2}}]\nrun: {stop: never, references: off}\n"
    Path("shocked.yaml").write_text(text)
    code, out, error = call("run", "shocked.yaml", "--no-plots", "--json", "--ticks", "50")
    assert code in (0, 3)
    assert "shocked.yaml:5:17: shocks[0].tick: warning: found a shock at tick 60, which is not reached" in error
    assert "expected at most run.ticks, 50" in error
    assert (json.loads(out)["ticks"], json.loads(out)["shocks"]) == (50, [])
    kept = load("outputs/shocked/scenario.yaml")
    assert kept.resolved["shocks"]
    assert len(kept.regimes) == 1
    assert len(load("shocked.yaml").regimes) == 2


def test_a_numeraire_on_which_little_is_spent_is_warned_of() -> None:
    def data(numeraire: str, salt: float) -> dict[str, Any]:
        taste = {"cobb_douglas": {"salt": salt, "bread": 1 - salt}}
        consumer = {"name": "ann", "utility": taste, "endowment": {"salt": 1, "bread": 5}}
        return {"goods": ["salt", "bread"], "numeraire": numeraire, "consumers": [consumer]}

    (warning,) = load(data("salt", 0.01)).warnings
    assert str(warning).startswith(
        "<scenario>: numeraire: warning: found the numeraire 'salt', on which 1 % of spending"
    )
    for other in (data("bread", 0.01), data("salt", 0.2), {**data("salt", 0.01), "outside": {"bread": 2}}):
        assert not load(other).warnings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("income;share\n1,5;0,2\n2;0,5\n", "found semicolons between the cells of"),
        ("income;share\n1;2\n", "found semicolons between the cells of"),
        ("income\tshare\n1\t2\n", "found tabs between the cells of"),
        ('income,share\n"1,5",2\n', "expected a number; did you mean 1.5?"),
        ("income,share\n15%,2\n", "expected a number; did you mean 0.15?"),
    ],
)
def test_a_table_of_another_country_is_named_as_such(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "pay.csv").write_text(text)
    file = tmp_path / "scenario.yaml"
    file.write_text(ann("utility: {linear: {bread: 1}}, budget: {csv: pay.csv, column: income}"))
    with pytest.raises(Exception, match=re.escape(said)):
        load(file)


def test_a_program_in_a_scenario_is_compiled_as_that_says(call: Called) -> None:
    lines = "a = x*y + x\nc = a*a + y\n"
    text = f"program: {{text: '{lines.strip().replace(chr(10), chr(10) * 2 + '  ')}', per: statement, copiers: true}}\n"
    Path("p.yaml").write_text(text + "supply: {x: 2, y: 3}\nscheduler: {kind: marginal_bids}\n")
    Path("plain.txt").write_text(lines + "# supply: x = 2, y = 3\n")
    asked = call("compile", "plain.txt", "--per", "statement", "--copiers")[1]
    kept = call("compile", "p.yaml")[1]
    assert "copy_of_y" in kept
    assert kept.partition("firms:")[2] == asked.partition("firms:")[2]
    by_operation = call("compile", "p.yaml", "--per", "operation")[1]
    assert by_operation.count("makes") > kept.count("makes")


def test_errors_from_python_do_not_speak_of_the_command_line() -> None:
    wrong = {"run.ticks": -1, "scheduler.rule": "adam", "rate": 1, "scheduler rate": 1, "scheduler.with": "adam"}
    for path, value in wrong.items():
        with pytest.raises(Exception, match=r"^settings: ") as caught:
            load(SCENARIOS / "crusoe.yaml", settings={path: value})
        assert "--" not in str(caught.value)


def test_problems_for_programs(call: Called) -> None:
    Path("bad.yaml").write_text(FISHER + "expect: converged\nrate: 0.5\n")
    code, out, error = call("check", "bad.yaml", "--json")
    assert (code, error) == (2, "")
    found = json.loads(out)
    assert (found["ok"], found["scenarios"], found["warnings"]) == (False, [], [])
    assert [(each["line"], each["path"], each["instead"]) for each in found["problems"]] == [
        (4, "expect", "cleared"),
        (5, "rate", "scheduler: {rate: 0.5}"),
    ]
    assert found["problems"][0] == {
        "file": "bad.yaml",
        "line": 4,
        "column": 9,
        "path": "expect",
        "found": "found 'converged'",
        "expected": "one of cleared, cycled, diverged, settled_off_equilibrium, out_of_ticks, no_equilibrium",
        "instead": "cleared",
    }
    Path("good.yaml").write_text(FISHER.replace("wine: 4", "wine: 0"))
    code, out, error = call("check", "good.yaml", "scenarios/crusoe.yaml", "--json")
    assert (code, error) == (0, "")
    found = json.loads(out)
    assert found["ok"]
    assert found["scenarios"][0] == {"file": "good.yaml", "name": "good", "goods": 2, "firms": 0, "consumers": 1}
    (warning,) = found["warnings"]
    assert (warning["found"], warning["path"]) == ("found no source of wine", "goods")


def test_listings_for_programs(call: Called) -> None:
    listed = {heading: json.loads(call("list", heading, "--json")[1]) for heading in LISTED}
    assert json.loads(call("list", "--json")[1]) == {name: found[name] for name, found in listed.items()}
    entries = {
        heading: {entry["name"]: entry for section in found[heading] for entry in section["entries"]}
        for heading, found in listed.items()
    }
    assert all(entry["meaning"] for kind in entries.values() for entry in kind.values())
    assert all(section["title"] for found in listed.values() for sections in found.values() for section in sections)
    assert entries["columns"]["walras_residual"]["unit"] == "1"
    assert entries["rules"]["newton"]["information"] == "global"
    for kind in DISTRIBUTIONS:
        example = read_yaml(entries["distributions"][kind]["example"])
        assert load({"goods": ["bread"], "supply": {"bread": 9}} | consumers(count=9, budget=example))
        named = example[kind] if isinstance(example[kind], dict) else {}
        assert [part.split()[0] for part in entries["distributions"][kind]["parameters"].split("), ") if part] == [
            *named
        ]
    assert "pareto       the Pareto" in (told := call("list", "distributions")[1])
    assert "minimum (least value), exponent (exponent of the tail); {pareto: {minimum: 1, exponent: 2}}" in told
    for kind in UTILITIES:
        example = entries["utilities"][kind]["example"]
        for written, good in (("GOODS", "{bread: 1, wine: 1}"), ("FIRST", "bread"), ("LAST", "wine")):
            example = example.replace(written, good)
        assert load({"goods": ["bread", "wine"], "supply": {"bread": 1, "wine": 1}, "consumers": []} | read(example))


def read_yaml(text: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)


def consumers(**rest: Any) -> dict[str, Any]:
    return {"consumers": [{"name": "ann", "budget": 1, "utility": {"linear": {"bread": 1}}, **rest}]}


def read(utility: str) -> dict[str, Any]:
    return consumers(utility=read_yaml(utility))


def test_help_says_what_to_type_and_no_types(call: Called) -> None:
    from typer.main import get_command

    commands: Any = get_command(app)
    for name in commands.commands:
        code, out, error = call(name, "--help")
        assert (code, error) == (0, "")
        assert re.search(rf"^ *Example: simulator {name} .+$|^ *Example: simulator {name}$", out, re.MULTILINE)
        # A path of a scenario, as in --set PATH=VALUE, is no type.
        out = re.sub(r"--derivative +PATH\b", "", out)
        assert not re.search(r"<\w+(\[\w+\])?>|\b(TEXT|PATH(?!=)|INTEGER|FLOAT|FILENAME)\b", out)


def test_the_examples_of_the_help_do_what_they_show(call: Called) -> None:
    from typer.main import get_command

    commands: Any = get_command(app)
    examples = [command.epilog.partition("Example: ")[2] for command in commands.commands.values()]
    assert call("run", "scenarios/crusoe.yaml", "--no-plots", "--quiet")[0] == 0
    for example in examples:
        _, *arguments = shlex.split(example.partition(" > ")[0])
        code, out, error = call(*arguments)
        assert (code, error if arguments[0] not in ("run", "tune", "fit", "sweep", "sensitivity") else "") == (0, ""), (
            example
        )
        assert out
    written = (
        "outputs/tupperware/figures/prices.svg",
        "outputs/compare",
        "outputs/tuned",
        "program.yaml",
        "benchmark.yaml",
        "market.yaml",
    )
    assert all(Path(file).exists() for file in written)

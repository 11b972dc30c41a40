"""Every refusal: its place to the column and what it says; and no text, however broken, is met by anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.house import MAX_BYTES, Problem, ScenarioError, compose, load

GOODS = "goods: [a, b]\n"
BASE = GOODS + "consumers: [{name: h, utility: {cobb_douglas: {a: 1}}, budget: 1}]\n"
FARM = GOODS + "firms: [{name: farm, makes: 'b = a^0.5'}]\n"


def consumer(rest: str) -> str:
    return GOODS + f"consumers: [{{name: h, {rest}}}]\n"


def firm(makes: str) -> str:
    return f"goods: [ore, steel]\nsupply: {{ore: 1}}\noutside: {{steel: 1}}\nfirms:\n  - {{name: f, makes: {makes}}}\n"


def prices(rest: str) -> str:
    return "consumers: [{name: h, utility: {cobb_douglas: {a: 1}}, budget: 1}]\n" + rest


# One row per refusal: the scenario, then the place and path of its only problem, then a part of the message.
REFUSALS = [
    # YAML
    ("", "1:1", "", "found an empty file; expected a mapping"),
    ("# nothing\n", "1:1", "", "found an empty file"),
    ("- a\n- b\n", "1:1", "", "found a list; expected a mapping"),
    ("just text\n", "1:1", "", "found 'just text'; expected a mapping"),
    ("goods: [a, b\n", "1:8", "", "not valid YAML: expected ',' or ']', but got end of file"),
    ("goods:\n\t- a\n", "2:1", "", "not valid YAML: found character '\\t'"),
    ("name: a: b\n", "1:8", "", "not valid YAML: mapping values are not allowed here"),
    ("goods: [a]\n  supply: {a: 1}\n", "2:3", "", "not valid YAML: "),
    ('name: "a\\UFFFFFFFF"\n', "1:1", "", "not valid YAML: an escape or number that cannot be read"),
    ("name: a\x07\n", "1:8", "", "found the character U+0007, which YAML does not allow"),
    (BASE + "supply: &s {a: 1}\n", "3:9", "supply", "found the anchor '&s'; expected a plain value"),
    (BASE + "supply: *s\n", "3:9", "supply", "found the alias '*s'; expected the value itself"),
    (BASE + "supply: {a: 1,*s : 2}\n", "3:15", "supply.'*'", "found the alias '*s'; expected the value itself"),
    (BASE + "supply: {a: !!float 1}\n", "3:13", "supply.a", "found the tag '!!float'; expected a plain value"),
    (BASE + "name: !!python/name:os.system x\n", "3:7", "name", "found the tag '!!python/name:os.system'"),
    ("%TAG ! tag:x,2000:\n---\n" + BASE, "2:1", "", "found a %TAG directive"),
    ("%YAML 1.1\n---\n" + BASE, "2:1", "", "found %YAML 1.1; expected YAML 1.2"),
    (BASE + "---\n" + BASE, "3:1", "", "found a second document (---); expected one scenario per file"),
    (BASE + "run: {}\nrun: {}\n", "4:1", "run", "found the key 'run' twice; expected it once (first in line 3)"),
    (BASE + "supply: {a: 1, 2: 3}\n", "3:16", "supply.2", "found 2 as key; expected text as key"),
    (BASE + "supply: {a: 1, true: 3}\n", "3:16", "supply.true", "found true as key; expected text as key"),
    (BASE + "supply: {[a]: 3}\n", "3:10", "supply", "found a list as key; expected text as key"),
    (BASE + 'name: "a\\0b"\n', "3:7", "name", "found the character U+0000; expected printable text"),
    (BASE + 'name: "\\uD800"\n', "3:7", "name", "found the character U+D800; expected printable text"),
    ("goods: " + "[" * 100, "1:67", "goods[0][0]", "found values nested 60 deep"),
    ("a: " + "{b: " * 3 + "[" * 100_000, "1:72", "a.b.b", "found values nested 60 deep"),
    ("goods: [" + "a, " * 100_001 + "]\n", "1:300000", "", "found more than 100,000 values"),
    # Keys
    (BASE + "suply: {a: 1}\n", "3:1", "suply", "unknown key 'suply'; expected one of name, base, program, goods, "),
    (BASE + "suply: {a: 1}\n", "3:1", "suply", "; did you mean supply?"),
    (BASE + "<<: {supply: {a: 1}}\n", "3:1", "'<<'", "unknown key '<<'"),
    (BASE + "bonds: []\n", "3:1", "bonds", "unknown key 'bonds'; expected one of name, base, program, goods"),
    (BASE + "run: {tick: 5}\n", "3:7", "run.tick", "; did you mean ticks?"),
    (BASE + "run:\n", "3:1", "run", "found nothing; expected how long"),
    (BASE + "run: {engine: }\n", "3:7", "run.engine", "found nothing; expected one of auto, floats"),
    (BASE + "run: {engine: numba}\n", "3:15", "run.engine", "arrays, compiled; did you mean compiled?"),
    (prices(""), "1:1", "goods", "missing key goods; expected the goods"),
    (GOODS + "firms:\n  - name: f\n", "3:5", "firms.f", "found neither makes nor technology; expected one"),
    (GOODS + "firms:\n  - makes: b = a^0.5\n", "3:5", "firms[0].name", "missing key name; expected name, unique"),
    (
        consumer("count: 0, utility: {leontief: {a: 1}}, budget: 1"),
        "2:30",
        "consumers.h.count",
        "expected a number of at",
    ),
    # Types and numbers
    (BASE + 'supply: {a: "4"}\n', "3:13", "supply.a", "found '4'; expected a number; did you mean 4 without quotes?"),
    (BASE + "supply: {a: 1_000}\n", "3:13", "supply.a", "found '1_000'; expected a number; did you mean 1000?"),
    (BASE + "supply: {a: true}\n", "3:13", "supply.a", "found true; expected a number"),
    (BASE + "supply: {a: no}\n", "3:13", "supply.a", "found 'no'; expected a number"),
    (BASE + "supply: {a: .nan}\n", "3:13", "supply.a", "found not a number; expected a finite number"),
    (BASE + "supply: {a: -.inf}\n", "3:13", "supply.a", "found infinity; expected a finite number"),
    (BASE + "supply: {a: 1e999}\n", "3:13", "supply.a", "found infinity; expected a finite number"),
    (BASE + f"supply: {{a: {'9' * 5000}}}\n", "3:13", "supply.a", "found infinity; expected a finite number"),
    (BASE + "supply: {a: -1}\n", "3:13", "supply.a", "found -1; expected a number of at least 0"),
    (BASE + "supply: {a: {uniform: [1, 2]}}\n", "3:13", "supply.a", "found a mapping; expected a number"),
    (BASE + "supply: [a]\n", "3:9", "supply", "found a list; expected a mapping"),
    (BASE + "name: 5\n", "3:7", "name", "found 5; expected text"),
    (BASE + "name: my scenario\n", "3:7", "name", "found 'my scenario'; expected 1 to 100 letters, digits"),
    (BASE + f"name: {'x' * 101}\n", "3:7", "name", "expected 1 to 100 letters, digits"),
    # Goods and prices
    (prices("goods: 5\n"), "2:8", "goods", "found 5; expected a list of names or a mapping of goods"),
    (prices("goods: []\n"), "2:8", "goods", "found an empty list; expected at least one entry"),
    (prices("goods: {}\n"), "2:8", "goods", "found an empty mapping; expected at least one entry"),
    (prices("goods: [a, 5]\n"), "2:12", "goods[1]", "found 5; expected text"),
    (prices("goods: [a, b, a]\n"), "2:15", "goods[2]", "found the good 'a' twice; expected it once"),
    (prices("goods: [a, b c]\n"), "2:12", "goods[1]", "found 'b c'; expected 1 to 100 letters, digits"),
    (prices("goods: {a: , 'b c': {}}\n"), "2:14", "goods.'b c'", "found 'b c'; expected 1 to 100 letters, digits"),
    (
        prices("goods: {a: {rival: false, fixed_price: 2}}\n"),
        "2:27",
        "goods.a.fixed_price",
        "found a fixed price of a good that is not rival; expected none: each user has its own",
    ),
    (
        prices("goods: {a: {rival: false}}\nnumeraire: a\n"),
        "3:12",
        "numeraire",
        "found a, which is not rival; expected a good with one price",
    ),
    (BASE + "outside: {c: 1}\n", "3:11", "outside.c", "unknown good 'c'; expected one of a, b"),
    (BASE + "supply: {c: 1}\n", "3:10", "supply.c", "unknown good 'c'"),
    (BASE + "initial_prices: {c: 1}\n", "3:18", "initial_prices.c", "unknown good 'c'"),
    (BASE + "numeraire: c\n", "3:12", "numeraire", "unknown good 'c'"),
    (BASE + "numeraire: b\n", "3:12", "numeraire", "found 'b', which nobody trades; expected a good in use"),
    (
        BASE + "numeraire: a\ninitial_prices: {a: 2}\n",
        "4:21",
        "initial_prices.a",
        "expected 1, the price of the numeraire",
    ),
    (BASE + "numeraire: a\noutside: {a: 2}\n", "4:14", "outside.a", "expected 1, the price of the numeraire"),
    (BASE + "outside: {a: 2}\ninitial_prices: {a: 1}\n", "4:21", "initial_prices.a", "expected the outside price 2"),
    (BASE + "outside: {a: 0}\n", "3:14", "outside.a", "found 0; expected a number above 0"),
    (BASE + "initial_prices: {a: 0}\n", "3:21", "initial_prices.a", "expected a price above 0 (0 cannot move"),
    (BASE + "initial_prices: {a: -1}\n", "3:21", "initial_prices.a", "found -1; expected a number of at least 0"),
    (
        prices("goods: {a: {price: 2}}\ninitial_prices: {a: 2}\n"),
        "3:18",
        "initial_prices.a",
        "found a second price of a; expected one (the other is goods.a.price)",
    ),
    (prices("goods: {a: {price: 2, fixed_price: 2}}\n"), "2:23", "goods.a.fixed_price", "found a second price of a"),
    (prices("goods: {a: {price: 1, floor: 2}}\n"), "2:20", "goods.a.price", "expected a price of at least the floor 2"),
    # Agents
    (GOODS + "supply: {a: 1}\n", "1:1", "", "found neither firms nor consumers"),
    (GOODS + "consumers: {name: h}\n", "2:12", "consumers", "found a mapping; expected a list"),
    (GOODS + "consumers: [h]\n", "2:13", "consumers[0]", "found 'h'; expected a mapping"),
    (
        GOODS
        + "firms: [{name: h, makes: 'b = a^0.5'}]\nconsumers: [{name: h, utility: {leontief: {a: 1}}, budget: 1}]\n",
        "3:20",
        "consumers.h.name",
        "found the name 'h' twice; expected one name per agent (the other is firms[0])",
    ),
    (consumer("utility: {leontief: {c: 1}}, budget: 1"), "2:44", "consumers.h.utility.leontief.c", "unknown good 'c'"),
    (
        consumer("utility: {leontief: {a: 1}}, endowment: {c: 1}"),
        "2:64",
        "consumers.h.endowment.c",
        "unknown good 'c'",
    ),
    (
        consumer("utility: {cobb_douglass: {a: 1}}, budget: 1"),
        "2:33",
        "consumers.h.utility.cobb_douglass",
        "unknown kind 'cobb_douglass'; expected one of cobb_douglas, ces, leontief, linear, quasilinear, stone_geary, ",
    ),
    (consumer("utility: {nash: {a: 1}}, budget: 1"), "2:33", "consumers.h.utility.nash", "unknown kind 'nash'"),
    (consumer("utility: {}, budget: 1"), "2:32", "consumers.h.utility", "found an empty mapping; expected one of"),
    (
        consumer("utility: {cobb_douglas: {a: 1}, leontief: {a: 1}}, budget: 1"),
        "2:32",
        "consumers.h.utility",
        "found cobb_douglas and leontief; expected one of",
    ),
    (
        consumer("utility: {ces: {elasticity: 2}}, budget: 1"),
        "2:38",
        "consumers.h.utility.ces",
        "found elasticity; expected {elasticity, shares}, {elasticity, weights} or {rho, weights}",
    ),
    (
        consumer("utility: {ces: {rho: 0.5, shares: {a: 1}}}, budget: 1"),
        "2:38",
        "consumers.h.utility.ces",
        "found rho, shares; expected",
    ),
    (
        consumer("utility: {ces: {elasticity: 0, shares: {a: 1}}}, budget: 1"),
        "2:51",
        "consumers.h.utility.ces.elasticity",
        "found 0; expected a number above 0",
    ),
    (
        consumer("utility: {ces: {rho: 1, weights: {a: 1}}}, budget: 1"),
        "2:44",
        "consumers.h.utility.ces.rho",
        "found 1; expected a number below 1",
    ),
    (
        consumer("utility: {ces: {elasticity: 1000, weights: {a: 10}}}, budget: 1"),
        "2:66",
        "consumers.h.utility.ces.weights",
        "found numbers too large or too small to add up",
    ),
    (
        consumer("utility: {quasilinear: {cubic: {a: 1}}}"),
        "2:47",
        "consumers.h.utility.quasilinear.cubic",
        "unknown kind 'cubic'; expected one of log, power, quadratic",
    ),
    (
        consumer("utility: {cobb_douglas: {a: 0}}, budget: 1"),
        "2:47",
        "consumers.h.utility.cobb_douglas",
        "found no good that is wanted",
    ),
    (
        consumer("utility: {leontief: {}}, budget: 1"),
        "2:43",
        "consumers.h.utility.leontief",
        "found no good that is wan",
    ),
    (
        consumer("utility: {leontief: {a: 1, b: -1}}, budget: 1"),
        "2:53",
        "consumers.h.utility.leontief.b",
        "found -1; expected a number of at least 0",
    ),
    (consumer("utility: {leontief: {a: 1}}"), "2:13", "consumers.h", "found nothing to spend; expected an endowment"),
    (
        consumer("utility: {leontief: {a: 1}}, budget: 1, savings: yes"),
        "2:72",
        "consumers.h.savings",
        "found 'yes'; expected true or false; did you mean true?",
    ),
    (
        FARM + "consumers: [{name: h, utility: {leontief: {a: 1}}, owns: {frm: 1}}]\n",
        "3:59",
        "consumers.h.owns.frm",
        "unknown firm 'frm'; expected farm; did you mean farm?",
    ),
    (
        FARM + "consumers: [{name: h, utility: {leontief: {a: 1}}, owns: {farm: half}}]\n",
        "3:65",
        "consumers.h.owns.farm",
        "found 'half'; expected a share (number) or equal",
    ),
    (
        FARM + "consumers: [{name: h, utility: {leontief: {a: 1}}, owns: {farm: {farm: 1}}}]\n",
        "3:66",
        "consumers.h.owns.farm.farm",
        "unknown distribution 'farm'",
    ),
    (
        FARM + "consumers: [{name: h, utility: {leontief: {a: 1}}, owns: {farm: {uniform: 1}}}]\n",
        "3:75",
        "consumers.h.owns.farm.uniform",
        "found 1",
    ),
    (
        FARM + "consumers: [{name: h, utility: {leontief: {a: 1}}, owns: {farm: {normal: {mean: 0}}}}]\n",
        "3:66",
        "consumers.h.owns.farm.normal.sigma",
        "missing key sigma",
    ),
    (
        FARM
        + "consumers:\n"
        + "  - {name: h, utility: {leontief: {a: 1}}, owns: {farm: 0.7}}\n"
        + "  - {name: i, utility: {leontief: {a: 1}}, owns: {farm: 0.7}}\n",
        "5:57",
        "consumers.i.owns.farm",
        "found shares of farm that sum to 1.4; expected at most 1",
    ),
    # Technologies: the column is that of the mistake inside the formula, where it can be known
    (
        firm("steel = 2*oar^0.5"),
        "5:32",
        "firms.f.makes",
        "unknown good 'oar'; expected one of ore, steel; did you mean ore?",
    ),
    (firm('"steel = 2*oar^0.5"'), "5:33", "firms.f.makes", "unknown good 'oar'"),
    (firm("'steel = 2*oar^0.5'"), "5:33", "firms.f.makes", "unknown good 'oar'"),
    (firm('"steel\\x20= 2*oar^0.5"'), "5:22", "firms.f.makes", "unknown good 'oar'"),
    (
        firm('"steal = ore^0.5"'),
        "5:23",
        "firms.f.makes",
        "unknown good 'steal'; expected one of ore, steel; did you mea",
    ),
    (firm('"steel = 2*(ore^0.5"'), "5:33", "firms.f.makes", "found ( that is never closed"),
    (firm('"steel = ore = 3"'), "5:36", "firms.f.makes", "found a formula without inputs"),
    (firm('"steel = steel = ore^0.5"'), "5:22", "firms.f.makes", "found 'steel' twice on the left; expected it once"),
    (firm('"steel = = ore^0.5"'), "5:22", "firms.f.makes", "found ''; expected 'good = formula' with one good"),
    (firm("ore^0.5"), "5:22", "firms.f.makes", "found 'ore^0.5'; expected 'good = formula' with one good on the left"),
    (firm('"steel + ore = ore^0.5"'), "5:22", "firms.f.makes", "found 'steel + ore'; expected 'good = formula'"),
    (firm('"steel ="'), "5:30", "firms.f.makes", "empty formula"),
    (firm('"steel = 3"'), "5:30", "firms.f.makes", "found a formula without inputs; expected at least one good"),
    (firm("3"), "5:22", "firms.f.makes", "found 3; expected text"),
    (firm('"steel = 2*ore"'), "5:30", "firms.f.makes", "expected returns that diminish in all inputs jointly"),
    (firm('"steel = ore^0.6*steel^0.6"'), "5:30", "firms.f.makes", "expected returns that diminish in all inputs join"),
    # Schedulers
    (
        BASE + "scheduler: {kind: haggling, liquidity: 3}\n",
        "3:19",
        "scheduler.kind",
        "found 'haggling'; expected ",
    ),
    (BASE + "scheduler: {form: aditive}\n", "3:19", "scheduler.form", "; did you mean additive?"),
    (BASE + "scheduler: {rate: 0}\n", "3:19", "scheduler.rate", "found 0; expected a number above 0"),
    (BASE + "scheduler: {with: [{momentm: 1}]}\n", "3:21", "scheduler.with[0].momentm", "unknown kind 'momentm'"),
    (
        BASE + "scheduler: {with: [newtonian]}\n",
        "3:20",
        "scheduler.with[0]",
        "expected relative, own_slope, rmsprop",
    ),
    (
        BASE + "scheduler: {with: [{}]}\n",
        "3:20",
        "scheduler.with[0]",
        "found an empty mapping; expected one of relative",
    ),
    (
        BASE + "scheduler: {with: [{clip: 1, momentum: 0}]}\n",
        "3:20",
        "scheduler.with[0]",
        "found clip and momentum; expe",
    ),
    (BASE + "scheduler: {with: [momentm]}\n", "3:20", "scheduler.with[0]", "did you mean {momentum: 0.5}?"),
    (BASE + "scheduler: {with: [Adam]}\n", "3:20", "scheduler.with[0]", "did you mean adam?"),
    (BASE + "scheduler: {with: [{averaging: 1}]}\n", "3:32", "scheduler.with[0].averaging", "found 1; expected true"),
    (BASE + "scheduler: {rule: pd, rate: 0.1}\n", "3:19", "scheduler.rule", "pd is a piece: scheduler: {with: [...]}"),
    (BASE + "scheduler: {with: [{momentum: 1}]}\n", "3:31", "scheduler.with[0].momentum", "expected a number below 1"),
    (BASE + "scheduler: {with: [{clip: 0}]}\n", "3:27", "scheduler.with[0].clip", "found 0; expected a number above 0"),
    (BASE + "scheduler: {with: [relative]}\n", "3:20", "scheduler.with[0]", "expected it under additive only"),
    (BASE + "scheduler: {with: [{relative: true}]}\n", "3:20", "scheduler.with[0]", "expected it under additive only"),
    # Trade, run, expect
    (
        BASE + "trade: everytick\n",
        "3:8",
        "trade",
        "found 'everytick'; expected one of every_tick, at_equilibrium; did you",
    ),
    (BASE + "trade: {}\n", "3:8", "trade", "found an empty mapping; expected every_tick"),
    (BASE + "trade: 3\n", "3:8", "trade", "found 3; expected every_tick, at_equilibrium or {every_tick: {...}}"),
    (
        BASE + "trade: {every_tick: {rationing: random}}\n",
        "3:33",
        "trade.every_tick.rationing",
        "expected proportional",
    ),
    (
        BASE + "trade: {every_tick: {spoilage: 2}}\n",
        "3:32",
        "trade.every_tick.spoilage",
        "expected a number of at most 1",
    ),
    (
        BASE + "trade: {every_tick: {inventories: true, spoilage: 1}}\n",
        "3:51",
        "trade.every_tick.spoilage",
        "found 1 with inventories; expected less than 1",
    ),
    (
        BASE + "trade: {every_tick: {inventories: false, spoilage: 0}}\n",
        "3:52",
        "trade.every_tick.spoilage",
        "found 0 without inventories; expected 1",
    ),
    (BASE + "start: stoked\n", "3:8", "start", "found 'stoked'; expected one of stocked, empty; did you mean stocked?"),
    (BASE + "run: {ticks: -1}\n", "3:14", "run.ticks", "found -1; expected a number of at least 0"),
    (BASE + "run: {ticks: 1e16}\n", "3:14", "run.ticks", "found 1e+16; expected a number of at most"),
    (BASE + "run: {ticks: 1.5}\n", "3:14", "run.ticks", "found 1.5; expected a whole number"),
    (BASE + "run: {record_every: 0}\n", "3:21", "run.record_every", "found 0; expected a number of at least 1"),
    (BASE + "run: {tolerance: 0}\n", "3:18", "run.tolerance", "found 0; expected a number above 0"),
    (BASE + "run: {seed: -1}\n", "3:13", "run.seed", "found -1; expected a number of at least 0"),
    (BASE + "run: {references: false}\n", "3:19", "run.references", "expected one of on, off; did you mean off?"),
    (BASE + "run: {stop: always}\n", "3:13", "run.stop", "found 'always'; expected one of verdict, never"),
    (BASE + "expect: clear\n", "3:9", "expect", "; did you mean cleared?"),
    (BASE + "expect: [cleared, cicled]\n", "3:19", "expect[1]", "; did you mean cycled?"),
    (BASE + "expect: []\n", "3:9", "expect", "found an empty list; expected at least one entry"),
]


def refused(source: str | Path | dict[str, object], **given: object) -> tuple[Problem, ...]:
    with pytest.raises(ScenarioError) as caught:
        load(source, **given)
    assert caught.value.problems
    for line in str(caught.value).splitlines():
        assert "Traceback" not in line
        assert "pydantic" not in line
    return caught.value.problems


@pytest.mark.parametrize(("text", "place", "path", "part"), REFUSALS)
def test_a_mistake_is_refused_once_at_its_place(tmp_path: Path, text: str, place: str, path: str, part: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    (problem,) = refused(file)
    assert f"{problem.line}:{problem.column}" == place
    assert problem.path == path
    assert part in problem.message
    assert "\n" not in str(problem)
    assert str(problem) == f"{file}:{place}: " + (f"{path}: " if path else "") + problem.message


def test_the_scenarios_around_the_mistakes_are_sound(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    consumers = "consumers: [{name: h, utility: {leontief: {a: 1}}, owns: {farm: 1}}]\n"
    for text in (BASE, FARM + consumers, firm("steel = ore^0.5"), prices("goods: {a: }\n")):
        file.write_text(text, encoding="utf-8")
        load(file)


def test_all_problems_in_one_pass_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "name: [x]\n"
        "goods: [bread, wine]\n"
        "supply: {bred: x}\n"
        "firms:\n"
        "  - {name: f, makes: 3, foo: 1}\n"
        "  - {name: f, makes: wine = 2*bread}\n"
        "consumers:\n"
        "  - {name: h, utility: {cobb_douglas: {ale: 1}}, endowment: {wine: yes}, owns: {f: 2}}\n"
        "  - {name: h, utility: {ces: {}}, budjet: 4}\n"
        "  - {name: i, utility: {leontief: {bread: 1}}}\n"
        "scheduler: {kind: clearing_house, speed: 4}\n"
        "run: &r {ticks: x}\n"
        "run: {ticks: 3}\n",
        encoding="utf-8",
    )
    assert [f"{problem.line}:{problem.column} {problem.path}" for problem in refused(file)] == [
        "1:7 name",
        "3:10 supply.bred",
        "3:16 supply.bred",
        "5:22 firms.f.makes",
        "5:25 firms.f.foo",
        "6:12 firms.f.name",
        "6:28 firms.f.makes",
        "8:40 consumers.h.utility.cobb_douglas.ale",
        "8:68 consumers.h.endowment.wine",
        "8:84 consumers.h.owns.f",
        "9:12 consumers.h.name",
        "9:30 consumers.h.utility.ces",
        "9:35 consumers.h.budjet",
        "10:5 consumers.i",
        "11:19 scheduler.kind",
        "12:6 run",
        "13:1 run",
    ]


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"goods: [a]\x00\n", "found a binary file"),
        (b"goods: [\xff]\n", "found the byte 0xff; expected text in UTF-8"),
        ("goods: [a]\n".encode("utf-16"), "binary file|UTF-8"),
        (b"#" * (MAX_BYTES + 1), "found a file of 8,000,001 bytes; expected at most 8,000,000"),
    ],
)
def test_unreadable_files(tmp_path: Path, raw: bytes, part: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_bytes(raw)
    (problem,) = refused(file)
    assert any(piece in problem.message for piece in part.split("|"))


def test_no_file_at_all(tmp_path: Path) -> None:
    (missing,) = refused(tmp_path / "none.yaml")
    assert str(missing) == f"{tmp_path / 'none.yaml'}: no such file; expected a scenario file (YAML)"
    (folder,) = refused(tmp_path)
    assert "found a folder" in folder.message
    (impossible,) = refused("a\0b")
    assert "NUL" in impossible.message
    (too_long,) = refused("x" * 5000 + ".yaml")
    assert "cannot be read" in too_long.message


def test_a_file_whose_stem_cannot_name_the_scenario_must_say_its_name(tmp_path: Path) -> None:
    file = tmp_path / "my scenario.yaml"
    file.write_text(BASE, encoding="utf-8")
    (problem,) = refused(file)
    assert (problem.line, problem.path) == (1, "name")
    assert "found no name, and the file's 'my scenario' cannot be one" in problem.message


def test_python_data_has_no_line_to_point_at() -> None:
    (problem,) = refused({"goods": ["a"], "consumers": [{"name": "h", "utility": {"leontief": {"b": 1}}, "budget": 1}]})
    expected = "<scenario>: consumers.h.utility.leontief.b: unknown good 'b'; expected a"
    assert str(problem) == expected
    endless: dict[str, object] = {}
    endless["goods"] = endless
    endless["supply"] = [endless, endless]
    assert ["nested" in problem.message for problem in refused(endless)].count(True) == 1
    assert "as key" in refused({"goods": ["a"], 3: 4})[0].message


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 200_000,
        "{a: " * 200_000,
        "- " * 200_000,
        "? " * 200_000,
        "a: !" + "x" * 500_000,
        "%TAG ! " + "x" * 500_000,
        "a: &" + "x" * 500_000,
        'a: "' + "\\n" * 200_000 + '"',
        ":" * 200_000,
        "a: [" + "*a," * 20_000 + "]",
        "goods: [" + ", ".join(f"g{at}" for at in range(3000)) + "]\n"
        "firms: [" + ", ".join(f"{{name: f{at}, makes: h{at} = i{at}}}" for at in range(3000)) + "]\n",
        "goods: [" + ", ".join(f"good{at}" for at in range(400)) + "]\n"
        "supply: {" + ", ".join(f"goof{at}: 1" for at in range(30_000)) + "}\n",
        ", ".join(f"supply{at}: 1" for at in range(30_000)).join("{}"),
    ],
    ids=lambda text: text[:12],
)
def test_hostile_texts_are_refused_before_they_cost_anything(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    refused(file)


SEEDS = [
    BASE,
    firm('"steel = ore^0.5"'),
    "goods: {a: {price: 2, floor: 1}, b: {fixed_price: 3}, c: }\nnumeraire: c\noutside: {c: 1}\nsupply: {a: 4}\n"
    "firms:\n- name: f\n  makes: >-\n    b =\n    a^0.5\n"
    "consumers:\n- {name: h, utility: {ces: {rho: 0.5, weights: {a: 1, b: 2}}}, endowment: {c: 1}, owns: {f: equal}}\n"
    "- name: i\n  utility: {quasilinear: {log: {a: 1}}}\n"
    "trade: {every_tick: {inventories: true}}\nscheduler: {form: additive, with: [{momentum: 0.5}, relative]}\n"
    "run: {ticks: 1e3, tolerance: 1e-9, references: off}\nexpect: [cleared, cycled]\n",
]
MARKS = ["\n  ", "- ", ": ", "<<: *a", "null", "1e999", "-1", ".nan", "{}", *"[]{}:,-&*!|>'\"%@`#?\n\t ~"]
FRAGMENTS = st.one_of(st.text(max_size=3), st.sampled_from(MARKS))


@st.composite
def broken_texts(draw: st.DrawFn) -> str:
    """A sound scenario with some characters or lines removed, repeated, moved or replaced."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            begin = draw(st.integers(0, len(text)))
            end = min(len(text), begin + draw(st.integers(0, 8)))
            text = text[:begin] + draw(FRAGMENTS) + text[end:]
        else:
            lines = text.split("\n")
            line = lines.pop(draw(st.integers(0, len(lines) - 1)))
            for _ in range(draw(st.integers(0, 2))):
                lines.insert(draw(st.integers(0, len(lines))), line)
            text = "\n".join(lines)
    return text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=broken_texts())
def test_broken_scenarios_are_read_or_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        load(file)
    except ScenarioError as error:
        lines = text.count("\n") + text.count("\r") + 1
        for problem in error.problems:
            assert 0 <= problem.line <= lines
            assert "\n" not in str(problem)
            str(problem).encode()


@given(text=st.text(alphabet=st.sampled_from("ab:-[]{},&*!?|>'\"%#\n \\0x~\ufeff\u2028\x85"), max_size=60))
def test_any_text_composes_or_is_refused(text: str) -> None:
    document = compose(text, "f")
    for fault in document.faults:
        assert document.problem(fault).message


def test_what_a_message_repeats_stays_on_one_line_and_short(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(prices(f'goods: ["a\\n\\x1b", "{"x" * 5000}"]\n'), encoding="utf-8")
    problems = refused(file)
    assert len(problems) == 3
    for problem in problems:
        assert str(problem).isprintable()
        assert len(str(problem)) < 500

"""`simulator list`: every kind there is, once, with its meaning; and that the meanings are of what is really there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from simulator import catalogue, simulate
from tests.house import (
    ACTIVATIONS,
    ACTIVITY_TICKS,
    BEHAVIOURS,
    DISTRIBUTIONS,
    INFORMATION,
    LEARNING_TICKS,
    LEVELS,
    LISTED,
    MAKER_TICKS,
    PIECES,
    RECIPES,
    SCHEDULERS,
    SELLERS,
    SUMMARY,
    TECHNOLOGIES,
    USERS,
    WANTS,
    TatonnementSettings,
    all_tables,
    load,
    main,
    run_to_disk,
)
from tests.house import PRICE_FORMS as FORMS

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Called = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Called:
    """`simulator list` in this process and in `tmp_path`: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simulator", "list", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return called


def rows_of(text: str) -> list[tuple[str, str]]:
    """Names and meanings of what was printed, in order."""
    rows = [line.strip().partition("  ") for line in text.splitlines() if line.startswith("  ")]
    return [(name, meaning.strip()) for name, _, meaning in rows]


def listed(text: str) -> dict[str, str]:
    """The meaning of each name that was printed."""
    return dict(rows_of(text))


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("utilities", WANTS),
        ("technologies", ["formula", *TECHNOLOGIES, *SELLERS, *ACTIVATIONS]),
        ("rules", [*FORMS, *PIECES, *RECIPES]),
        ("schedulers", list(SCHEDULERS)),
        ("distributions", DISTRIBUTIONS),
        ("behaviours", BEHAVIOURS),
    ],
)
def test_every_kind_is_listed_with_its_meaning(heading: str, names: list[str], call: Called) -> None:
    code, out, error = call(heading)
    assert (code, error) == (0, "")
    assert [name for name, _ in rows_of(out)] == list(names)
    assert all(len(meaning) > 10 for _, meaning in rows_of(out))


def test_the_forms_listed_are_those_a_scenario_may_say() -> None:
    assert set(FORMS) == set(get_args(TatonnementSettings.model_fields["form"].annotation))


def test_rules_say_what_a_market_must_know_for_them(call: Called) -> None:
    rules = rows_of(call("rules")[1])[len(FORMS) :]
    for _, meaning in rules:
        assert meaning.startswith(tuple(f"[{information}] " for information in INFORMATION))
    for name, information in {"jacobi_newton": "own slope", "newton": "global"}.items():
        assert all(meaning.startswith(f"[{information}] ") for listed, meaning in rules if listed == name)


def test_every_column_of_every_file_is_listed_in_order(call: Called, tmp_path: Path) -> None:
    summary = run_to_disk(load(SCENARIOS / "crusoe.yaml"), tmp_path / "run")
    headers = {path.name: path.read_text().splitlines()[0].split(",") for path in (tmp_path / "run").glob("*.csv")}
    tables = {
        f"{name}.csv": (keys, [column.name for column in columns]) for name, (keys, columns) in all_tables().items()
    }
    written = {
        file: [*keys, *columns] for file, (keys, columns) in tables.items() if file not in ("members.csv", "taxes.csv")
    }
    for file, elsewhere in (
        ("ticks.csv", (*LEARNING_TICKS, *ACTIVITY_TICKS, *MAKER_TICKS)),
        ("agents.csv", (*USERS, *LEVELS)),
    ):
        others = {column.name for column in elsewhere}
        written[file] = [column for column in written[file] if column not in others]
    assert written == headers
    assert list(SUMMARY) == list(summary)
    said = call("columns")[1]
    for file, (keys, columns) in tables.items():
        section = f"\n{said}".partition(f"\n{file}\n")[2].partition("\n\n")[0]
        assert list(listed(f"{file}\n{section}")) == [*keys, *columns]
    assert set(SUMMARY) <= set(listed(said))


def test_every_column_of_members_is_listed_in_order(call: Called) -> None:
    people = {"name": "people", "count": 2, "budget": {"uniform": [1, 2]}, "utility": {"cobb_douglas": {"bread": 1}}}
    technology = {"power": {"output": "bread", "productivity": {"uniform": [1, 2]}, "inputs": {"grain": 0.5}}}
    market = {
        "goods": ["grain", "bread"],
        "supply": {"grain": 1},
        "firms": [{"name": "bakers", "count": 2, "technology": technology}],
        "consumers": [people],
        "run": {"ticks": 1, "stop": "never", "members": {"bakers": [0], "people": [1]}},
    }
    written = [*simulate(market).members]
    section = call("columns")[1].partition("members.csv\n")[2].partition("\n\n")[0]
    *columns, drawn = listed(f"members.csv\n{section}")
    assert drawn == "PATH"
    assert written == [*columns, "productivity", "budget"]


def test_without_a_heading_all_are_listed(call: Called) -> None:
    code, out, error = call()
    assert (code, error) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines()[: len(LISTED)]}
    assert list(rows) == LISTED == ["scenarios", *catalogue.HEADINGS]
    assert "none in scenarios" in rows["scenarios"]
    for row in rows.values():
        names = row.partition("  ")[2].strip().split(", ")
        assert len(names) == len(set(names)), row
    for heading, name in (("utilities", "leontief"), ("rules", "momentum"), ("columns", "ticks.csv")):
        assert name in rows[heading]


def test_scenarios_are_listed_with_what_they_say_of_themselves(call: Called) -> None:
    code, out, error = call("scenarios", str(SCENARIOS))
    assert (code, error) == (0, "")
    rows = listed(out)
    assert list(rows) == sorted(path.name for path in SCENARIOS.glob("*.yaml"))
    for name, meaning in rows.items():
        assert (SCENARIOS / name).read_text().startswith(f"# {meaning}")
        assert meaning.endswith((".", "?", "!"))


def test_a_folder_of_scenarios_may_hold_anything(call: Called) -> None:
    Path("scenarios").mkdir()
    contents = {
        "a.yaml": b"\xef\xbb\xbf# One thing. Another thing? A third that goes\n# on\ngoods: [a]\n",
        "b.yml": b"\n---\n  #   spaced    out\n",
        "c.yaml": b"goods: [a]  # no opening\n",
        "d.yaml": b"",
        "e.yaml": b"# \xff\xfe\n",
        "f.yaml": b"#\n#\n# f(x) = 0.5 x, and its derivative\n",
        "g.yaml": b"x" * 100_000,
        "notes.txt": b"# not a scenario\n",
    }
    for name, content in contents.items():
        Path("scenarios", name).write_bytes(content)
    Path("scenarios", "folder.yaml").mkdir()
    code, out, error = call("scenarios")
    assert (code, error) == (0, "")
    rows = listed(out)
    assert list(rows) == sorted(set(contents) - {"notes.txt"})
    assert (rows["a.yaml"], rows["b.yml"]) == ("One thing. Another thing?", "spaced out")
    assert (rows["c.yaml"], rows["d.yaml"], rows["g.yaml"]) == ("-", "-", "-")
    assert rows["f.yaml"] == "f(x) = 0.5 x, and its derivative"
    assert "a, b, c" in call()[1].splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["utility"], "did you mean utilities?"),
        (["nonsense"], "expected one of scenarios, utilities"),
        (["rules", "x"], "found 'x' after rules"),
        (["scenarios"], "scenarios: no such folder"),
        (["scenarios", "file"], "file: no such folder"),
        (["scenarios", "a", "b"], "b"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_refused_in_a_line(arguments: list[str], said: str, call: Called) -> None:
    Path("file").touch()
    code, out, error = call(*arguments)
    assert (code, out, len(error.splitlines())) == (2, "", 1)
    assert said in error


def test_listing_imports_little() -> None:
    script = (
        "import sys\nfrom simulator import catalogue\n"
        "for make in catalogue.HEADINGS.values():\n    make()\n"
        "print([name for name in ('mesa', 'pandas', 'matplotlib', 'scipy', 'rich') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=SCENARIOS.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

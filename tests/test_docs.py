"""The documentation holds: its commands and snippets run, its outputs and numbers are what comes out, its tables are
those of the code, its links lead somewhere, and every page is one click from the index.
"""

from __future__ import annotations

import re
from difflib import unified_diff
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML, YAMLError

from docs.pages import ROOT, Finished, PageError, pages, replayed, same, with_tables
from docs.tables import schema
from simulator.cli import app
from tests.house import Outcome

PAGES = [page.relative_to(ROOT) for page in pages()]
INDEX = ROOT / "docs" / "README.md"
SLOW = {
    "README.md",
    "docs/explanation/why-scarf-turns.md",
    "docs/explanation/three-prices.md",
    "docs/reference/commands.md",
}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def named(page: Path) -> str:
    return str(page)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def targets(page: Path) -> list[str]:
    return [one or other for one, other in LINK.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    names = [re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(prose(page))]
    return {name if not (n := names[:i].count(name)) else f"{name}-{n}" for i, name in enumerate(names)}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_generated_tables_are_those_of_the_code(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert with_tables(text) == text, "stale: run python -m docs.generate"


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=[pytest.mark.slow] if str(p) in SLOW else []) for p in PAGES], ids=named
)
def test_commands_snippets_outputs_and_numbers_hold(page: Path, tmp_path: Path) -> None:
    new, old = replayed(ROOT / page, tmp_path), (ROOT / page).read_text(encoding="utf-8")
    assert same(new, old), "\n".join(unified_diff(old.splitlines(), new.splitlines(), "page", "run", n=0))


@pytest.mark.parametrize("page", [*PAGES, Path("CONTRIBUTING.md")], ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in targets(ROOT / page):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_line_begins_with_a_marked_number(page: Path) -> None:
    """Markdown would take the line for HTML, and leave what follows as it stands."""
    assert not re.findall(r"^\s*(?:[-*] |\d+\. )?<!-- = .*$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_page_is_a_click_from_the_index_and_the_index_from_the_readme() -> None:
    reached = {(INDEX.parent / target.partition("#")[0]).resolve() for target in targets(INDEX)}
    assert {page for page in pages() if page != INDEX} <= reached
    assert "docs/README.md" in targets(ROOT / "README.md")


def test_pages_lead_to_the_glossary() -> None:
    for page in [*(ROOT / "docs" / "how-to").glob("*.md"), *(ROOT / "docs" / "explanation").glob("*.md")]:
        assert any("glossary.md" in target for target in targets(page)), page


def test_every_word_of_the_glossary_has_an_example() -> None:
    _, *entries = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").split("\n### ")
    words = [entry.partition("\n")[0] for entry in entries]
    assert words == sorted(words, key=str.lower)
    assert {"adjoint", "bid", "merit", "wedge", "index", "potential", "numeraire", "tatonnement", "residual"} <= set(
        words
    )
    assert not [word for word, entry in zip(words, entries, strict=True) if "Example:" not in entry]


def test_every_key_of_a_scenario_is_on_a_page_of_the_reference() -> None:
    reference = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    for name, part in {"scenario": schema(), **schema()["$defs"]}.items():
        for key, given in part.get("properties", {}).items():
            meaning = given["description"].replace("|", "\\|")
            assert meaning in reference or given["description"] in reference, f"{name}.{key}"


def inline(page: Path) -> list[str]:
    """The code between backticks in the text of a page."""
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page))]


@cache
def options() -> dict[str, set[str]]:
    """The options of every command."""
    whole: Any = typer.main.get_command(app)
    return {
        name: {"--help", "--debug"}.union(*(parameter.opts for parameter in command.params))
        for name, command in whole.commands.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_options_in_the_text_exist(page: Path) -> None:
    known = options()
    every = {"--version", "--install-completion", "--show-completion"}.union(*known.values())
    for code in inline(ROOT / page):
        words = code.removeprefix(".venv/bin/").split()
        if words[0] == "simulator" and words[1:]:
            assert words[1] in known or words[1] in every, code
            assert {w.partition("=")[0] for w in words if w.startswith("--")} <= known.get(words[1], every), code
        elif words[0].startswith("--"):
            assert words[0].partition("=")[0] in every, code


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_and_scripts_in_the_text_exist(page: Path) -> None:
    for code in inline(ROOT / page):
        for name in re.findall(r"^(?:tests|scenarios|simulator|docs|benchmarks)/[\w/.-]+$", code):
            assert (ROOT / name).exists(), code
        for module in re.findall(r"python -m ((?:benchmarks|docs)[\w.]*)", code):
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), code


def fits(data: Any, parts: list[dict[str, Any]], whole: dict[str, Any]) -> bool:
    """Whether every key of a mapping is a key of some part of a scenario, with a value that may stand there."""
    for key, value in data.items():
        places = [part["properties"][key] for part in parts if key in part["properties"]]
        if places and not any(
            Draft202012Validator({**place, "$defs": whole["$defs"]}).is_valid(value) for place in places
        ):
            return False
    return True


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "add-a-kind.md"], ids=named)
def test_keys_in_the_text_may_have_the_values_that_they_have_there(page: Path) -> None:
    whole = schema()
    parts = [part for part in (whole, *whole["$defs"].values()) if "properties" in part]
    for code in inline(ROOT / page):
        if re.search(r"\.\.\.|\b[A-Z]{3,}\b|^--", code):
            continue
        try:
            data = YAML(typ="safe").load(code)
        except YAMLError:
            continue
        if isinstance(data, dict) and None not in data.values():
            assert fits(data, parts, whole), code


def first_cells(page: Path, section: str) -> list[str]:
    """The first column of a section's table."""
    text = page.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [line.split("|")[1].strip(" `") for line in text.splitlines() if line.startswith("|")][2:]


def test_all_outcomes_are_told() -> None:
    page = ROOT / "docs" / "reference" / "outcomes.md"
    assert sorted(first_cells(page, "Outcomes")) == sorted([*get_args(Outcome), "interrupted"])


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A page of its own: what it becomes when it is played through."""
    monkeypatch.setattr("docs.pages.ROOT", tmp_path)
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    (tmp_path / "run").mkdir()

    def write(text: str) -> str:
        (tmp_path / "page.md").write_text(text, encoding="utf-8")
        return replayed(tmp_path / "page.md", tmp_path / "run")

    return write


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```sh\nsimulator run nowhere.yaml\n```\n", "exit code 2, expected 0"),
        ("```sh\nsimulator check scenarios/crusoe.yaml # exit code 2\n```\n", "exit code 0, expected 2"),
        ("```sh\nsimulator walk\n```\n", "unknown command"),
        ("```yaml\ngoods: [bread]\nsuply: {bread: 1}\n```\n", "suply"),
        ("```yaml into scenarios/fisher.yaml\nscheduler: {rule: adm}\n```\n", "adm"),
        ("```python\nprint(1/0)\n```\n", "ZeroDivisionError"),
        ("It takes <!-- = crusoe.ticks -->55 ticks.\n", "crusoe"),
    ],
)
def test_what_is_wrong_on_a_page_is_named(page: Any, text: str, wrong: str) -> None:
    with pytest.raises(PageError, match=wrong):
        page(text)


def test_outputs_and_numbers_are_put_anew(page: Any) -> None:
    text = (
        "```sh\nsimulator check scenarios/crusoe.yaml\n```\n\n```text\nold\n```\n\n"
        "```sh\nsimulator run scenarios/crusoe.yaml\n```\n"
        "<!-- = crusoe.ticks -->1 ticks, <!-- = crusoe.outcome -->`cycled`, "
        '<!-- = 1e3*crusoe["ticks"].tick.max() -->1,000.\n'
        "```python\nfor i in range(4):\n    print(i)\n```\n\n```text\n0\n...\n9\n```\n"
    )
    new = page(text)
    assert "```text\nscenarios/crusoe.yaml: ok: crusoe, 2 goods, 1 firm, 1 consumer\n```" in new
    assert " -->55 ticks," in new
    assert " -->`cleared`, " in new
    assert " -->55,000." in new
    assert "```text\n0\n...\n3\n```" in new


def test_rounding_makes_no_page_stale() -> None:
    assert same("residual 0.0e+00, gap 1.2e-3", "residual 2.2e-16, gap 1.2e-3")
    assert same("first      4  -8.8817842e-16\nat most 1e-17.", "first      4               0\nat most 0.0e+00.")
    assert not same("residual 0.0e+00", "residual 2.2e-10")
    assert not same("10 of 0.5", "1 of 0.5")
    assert not same("0.5", "0.6")


def test_a_finished_run_is_its_summary_and_its_tables(page: Any, tmp_path: Path) -> None:
    page("```sh\nsimulator run scenarios/crusoe.yaml\n```\n")
    run = Finished(tmp_path / "run" / "outputs" / "crusoe")
    assert run.outcome == "cleared"
    assert run["trajectory"]["tick"].max() == run.ticks

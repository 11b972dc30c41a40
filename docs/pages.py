"""A page of the documentation, played through: its commands run, its snippets are read, its outputs and numbers are put
anew.

- ```` ```sh ````: lines that begin with `simulator` are run, one after another, in a folder of the page's own in which
  `scenarios` are those of the project. They succeed, or say at their end `# exit code 3`. Figures are not drawn, unless
  output follows.
- ```` ```text ```` after that or after Python: what was printed. A line `...` stands for lines left out.
- ```` ```yaml NAME.yaml ```` (or csv) is saved under that name, ```` ```yaml into FILE ```` replaces whole keys of
  another scenario, and every scenario is checked.
- ```` ```python ```` is run; what it defines stays. ```` ```python NAME.py ```` is saved.
- `<!-- = xor.ticks -->204`: a number, by an expression in the summaries and tables (`xor["ticks"]`) of the page's runs,
  which are known by their names, in `measures[RUN][MEASURE]` of its comparison, in what its Python has defined, and in
  `code("simulator.tune", "SPAN")`, a constant. As many digits are kept as are there.
- `<!-- generated: WHAT -->` to `<!-- end -->`: what `docs.tables` makes of the code.
"""

from __future__ import annotations

import contextlib
import glob
import io
import json
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(?P<head>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(<!-- = (.+?) -->`?)(-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?|[a-z_]+)")
ROUNDING = re.compile(r" *(?<![\w.])-?(?:\d(?:\.\d+)?e-(?:1[3-9]|[2-9]\d|\d{3})|0\.0+e\+00|0)(?!\w|\.\d)")
GENERATED = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


class PageError(Exception):
    """Something on a page that is not true."""


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def with_tables(text: str) -> str:
    """A page with its generated parts put anew."""
    from docs.tables import table

    return GENERATED.sub(lambda found: f"{found[1]}\n{table(found[2]).strip()}\n\n{found[3]}", text)


def same(text: str, other: str) -> bool:
    """Whether two texts of a page agree but for rounding: numbers below 1e-12 differ from machine to machine, also in
    sign, in width, and in being 0.
    """
    return ROUNDING.sub(" 0", text) == ROUNDING.sub(" 0", other)


def replayed(page: Path, folder: Path) -> str:
    """The text of a page with outputs and numbers put anew, played through in an empty folder.

    PageError: a command, a snippet or a number on it fails.
    """
    text = page.read_text(encoding="utf-8")
    (folder / "scenarios").symlink_to(ROOT / "scenarios")
    known: dict[str, Any] = {"__name__": f"page_{page.stem}"}
    parts: list[str] = []
    printed, end = None, 0
    fences = list(FENCE.finditer(text))
    with contextlib.chdir(folder):
        for i, fence in enumerate(fences):
            place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, fence.start()) + 1}"
            language, _, name = fence["head"].partition(" ")
            shown = i + 1 < len(fences) and fences[i + 1]["head"] == "text"
            body = fence["body"]
            parts.append(text[end : fence.start("body")])
            if language == "text" and printed is not None:
                body = _elided(printed, body)
            parts.append(body)
            end, printed = fence.end("body"), None
            try:
                if language == "sh":
                    printed = "".join(_run(line, shown, place) for line in _lines(body))
                elif language == "python" and name:
                    Path(name).write_text(body, encoding="utf-8")
                elif language == "python":
                    printed = _executed(body, known)
                elif language in ("yaml", "csv"):
                    _saved(body, name, language)
            except PageError:
                raise
            except Exception as error:
                raise PageError(f"{place}: {type(error).__name__}: {error}") from error
        runs = {file.parent.name: Finished(file.parent) for file in Path("outputs").glob("*/summary.json")}
        asked = {**known, **runs, "measures": _measures(), "code": _constant}
        return _renumbered("".join([*parts, text[end:]]), asked, page)


def _lines(body: str) -> Iterator[str]:
    """The commands of a block, each on a line of its own."""
    for line in body.replace("\\\n", " ").splitlines():
        command = line.split("&&")[-1].strip().removeprefix(".venv/bin/")
        if command.startswith("simulator "):
            yield command


def _run(line: str, shown: bool, place: str) -> str:
    """What a command prints to stdout."""
    command, code = re.fullmatch(r"(.*?)(?:\s+# exit code (\d+))?", line).groups()
    expected = int(code or 0)
    words = shlex.split(command)
    target = words[words.index(">") + 1] if ">" in words else None
    words = words[1 : words.index(">")] if target else words[1:]
    arguments = [one for word in words for one in (sorted(glob.glob(word)) if "*" in word else []) or [word]]
    if words[0] in ("run", "compare") and not shown and "--no-plots" not in words:
        arguments.append("--no-plots")
    code, printed, complaints = _called(arguments)
    if code != expected or "Traceback" in complaints:
        raise PageError(f"{place}: {line}: exit code {code}, expected {expected}: {complaints or printed}")
    if target:
        Path(target).write_text(printed, encoding="utf-8")
        return ""
    return printed if expected in (0, 3) else complaints


def _called(arguments: list[str]) -> tuple[int, str, str]:
    """The program in this process, on a terminal of 100 columns: exit code, stdout and stderr."""
    from simulator.cli import main
    from simulator.scenario.plugins import FILES

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2)]
    with (
        patch.object(sys, "argv", ["simulator", *arguments]),
        patch.dict(os.environ, COLUMNS="100"),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            FILES.clear()  # In a process of its own they would be gone.
    for stream in streams:
        stream.seek(0)
    return code, streams[0].read(), streams[1].read()


def _executed(body: str, known: dict[str, Any]) -> str:
    """What Python prints; its names stay known."""
    module = type(sys)(known["__name__"])
    sys.modules[known["__name__"]] = module  # a dataclass looks for its module
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(body, "page", "exec", dont_inherit=True), known)
    return printed.getvalue()


def _saved(body: str, name: str, language: str) -> None:
    """Save a snippet under its name, and check it if it is a scenario."""
    from ruamel.yaml import YAML

    from simulator import load

    if language == "csv":
        Path(name).write_text(body, encoding="utf-8")
        return
    if name.startswith("into "):
        yaml = YAML(typ="safe")
        whole = {**yaml.load(Path(name.removeprefix("into "))), **yaml.load(body)}
        body, name = json.dumps(whole), "merged.yaml"
    Path(name or "snippet.yaml").write_text(textwrap.dedent(body), encoding="utf-8")
    load(name or "snippet.yaml")


def _elided(printed: str, before: str) -> str:
    """What was printed, without the lines that were left out before."""
    lines, old = [line.rstrip() for line in printed.strip("\n").splitlines()], before.splitlines()
    if "..." in old:
        first = old.index("...")
        last = len(old) - first - 1
        lines = [*lines[:first], "...", *lines[len(lines) - last :]]
    return "".join(f"{line}\n" for line in lines)


def _renumbered(text: str, known: Mapping[str, Any], page: Path) -> str:
    """The text with every marked number put anew, by as many digits as are there."""

    def put(found: re.Match[str]) -> str:
        try:
            value = eval(found[2], dict(known))
        except Exception as error:
            raise PageError(f"{page.relative_to(ROOT)}: {found[0]}: {type(error).__name__}: {error}") from error
        return found[1] + (value if isinstance(value, str) else _like(value, found[3]))

    return NUMBER.sub(put, text)


def _like(value: float, before: str) -> str:
    """A number with as many digits as another text of it."""
    mantissa, _, power = before.partition("e")
    digits = len(mantissa.partition(".")[2])
    if power:
        mantissa, _, power = f"{value:.{digits}e}".partition("e")
        return f"{mantissa}e{int(power)}"
    return f"{value:,.{digits}f}" if "," in before else f"{value:.{digits}f}"


def _constant(module: str, name: str) -> Any:
    """A constant of the code."""
    return getattr(import_module(module), name)


def _measures() -> dict[str, dict[str, Any]]:
    """What `simulator compare` measured on the page, by run and measure."""
    import pandas as pd

    file = Path("outputs/compare/measures.csv")
    return pd.read_csv(file).set_index("run").to_dict("index") if file.exists() else {}


class Finished:
    """A finished run: keys of its summary as attributes, its tables by their names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))

    def __getattr__(self, key: str) -> Any:
        return self._summary[key]

    def __getitem__(self, table: str) -> Any:
        import pandas as pd

        return pd.read_csv(self._folder / f"{table}.csv")

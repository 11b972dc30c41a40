"""The program `simulator` as a user types it, in this process: nothing is imported anew for each call."""

from __future__ import annotations

import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from tests.house import main


class Done(NamedTuple):
    """How the program ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def simulator(*arguments: str, cwd: Path | None = None) -> Done:
    """`simulator ARGUMENTS` in a folder; nothing a user types may show a traceback."""
    out, error = StringIO(), StringIO()
    with (
        chdir(cwd or Path.cwd()),
        patch.object(sys, "argv", ["simulator", *arguments]),
        redirect_stdout(out),
        redirect_stderr(error),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert isinstance(ended.value.code, int)
    assert "Traceback" not in error.getvalue() + out.getvalue()
    return Done(ended.value.code, out.getvalue(), error.getvalue())

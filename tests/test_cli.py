"""The command line under attack: signals, processes, streams that fail, odd files, places that cannot be written to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread, main_thread
from typing import Any

import pytest

from tests.house import FIGURES, RunFolder, main

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "simulator"]
CSVS = ("trajectory.csv", "ticks.csv", "agents.csv", "wedges.csv", "equilibrium.csv")
CHAIN = """\
goods: [grain, bread]
outside: {bread: 1}
supply: {grain: 2}
firms:
  - {name: bakery, makes: "bread = sqrt(grain)"}
initial_prices: {grain: 0.2}
"""
ORBIT = """\
goods: [x, y, z]
consumers:
  - {name: first, utility: {leontief: {x: 1, y: 1}}, endowment: {x: 1}}
  - {name: second, utility: {leontief: {y: 1, z: 1}}, endowment: {y: 1}}
  - {name: third, utility: {leontief: {z: 1, x: 1}}, endowment: {z: 1}}
initial_prices: {x: 1.2, y: 1, z: 0.85}
scheduler: {kind: tatonnement, form: additive, rate: 0.01}
run: {ticks: 3000, references: off}
expect: [cycled, out_of_ticks]
"""
SLOW = """\
goods: [labour, bread]
supply: {bread: 20000}
consumers:
  - name: many
    count: 400000
    utility: {formula: "ln(1 + labour) + 2*ln(1 + bread) + 0.1*sqrt(labour*bread)"}
    endowment: {labour: {uniform: [1, 2]}}
"""
Called = Callable[..., tuple[int, str, str]]
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for a full disk, or for who is whose child")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Called:
    """The program in this process and in `tmp_path`: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simulator", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return called


def write(folder: Path, *names: str, text: str = CHAIN) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.yaml").write_text(text)
    return [folder / f"{name}.yaml" for name in names]


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in CSVS}


def ended(*arguments: object, shell: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, or a shell line in which it is `"$@"`."""
    command = [*PROGRAM, *map(str, arguments)]
    if shell:
        command = ["bash", "-c", shell, "bash", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=180, check=False)


def test_a_run_says_how_it_ended_in_80_columns_and_a_sentence(call: Called) -> None:
    (chain,) = write(Path(), "chain")
    code, out, error = call("run", chain, "--no-plots")
    assert (code, error) == (0, "")
    header, row = (line.split() for line in out.splitlines()[1:3])
    assert header[:4] == ["run", "outcome", "ticks", "demand"]
    assert row[:2] == ["chain", "cleared"]
    assert "chain: Cleared after" in out
    assert f"  files in {Path('outputs/chain')}{os.sep}\n" in out
    assert max(map(len, out.splitlines()[:3])) <= 80


def test_quiet_prints_nothing_and_json_nothing_else(call: Called) -> None:
    write(Path(), "a", "b")
    assert call("run", "a.yaml", "--no-plots", "--quiet", "--out", "quiet") == (0, "", "")
    code, out, error = call("run", "a.yaml", "--no-plots", "--json", "--out", "one")
    assert (code, error, json.loads(out)["name"]) == (0, "", "a")
    code, out, error = call("run", "a.yaml", "b.yaml", "--no-plots", "--json", "--out", "two")
    assert (code, error, [summary["name"] for summary in json.loads(out)]) == (0, "", ["a", "b"])
    assert json.loads(Path("two/b/summary.json").read_text()) == json.loads(out)[1]


def test_an_unexpected_end_is_said(call: Called) -> None:
    write(Path(), "chain")
    code, out, _ = call("run", "chain.yaml", "--ticks", 2, "--no-plots")
    assert code == 3
    assert "  expected cleared, found out_of_ticks\n" in out


def test_two_scenarios_of_one_name_are_an_error(call: Called) -> None:
    write(Path(), "a", text="name: same\n" + CHAIN)
    write(Path(), "b", text="name: same\n" + CHAIN)
    code, out, error = call("run", "a.yaml", "b.yaml")
    assert (code, out, len(error.splitlines())) == (2, "", 1)
    assert error.startswith("b.yaml:1:7: name: found a second scenario named same")
    assert not Path("outputs").exists()


def test_check_says_every_problem_of_every_file_in_one_pass_unwrapped(
    call: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    write(Path(), "good")
    assert call("check", "good.yaml") == (0, "good.yaml: ok: good, 2 goods, 1 firm\n", "")
    write(Path(), "bad", text=CHAIN.replace("outside", "outsides").replace("sqrt(grain)", "sqrt(grane)"))
    code, _, error = call("check", "bad.yaml", "good.yaml", "missing.yaml")
    assert code == 2
    assert [line.split(": ")[0] for line in error.splitlines()] == ["bad.yaml:2:1", "bad.yaml:5:41", "missing.yaml"]


def test_solve_says_when_there_is_nothing_to_find(call: Called) -> None:
    write(Path(), "bare", text=CHAIN.replace("supply: {grain: 2}\n", ""))
    code, out, _ = call("solve", "bare.yaml")
    assert code == 3
    assert out.startswith("bare: no equilibrium found")
    code, out, _ = call("solve", "bare.yaml", "--json", "--overwrite")
    assert (code, json.loads(out)["found"]) == (3, [])


def test_a_debugger_sees_the_trace_wherever_the_word_stands(call: Called) -> None:
    for arguments in (["--debug", "check", "nowhere.yaml"], ["check", "nowhere.yaml", "--debug"]):
        code, _, error = call(*arguments)
        assert code == 2
        assert "Traceback" in error
    write(Path(), "--debug")
    assert call("check", "--", "--debug.yaml")[0] == 2
    assert call("check", "--", "--version")[0] == 2


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty file"),
        (os.urandom(4) + b"\0" * 900, "binary file"),
        (b"# " + b"x" * 9_000_000, "9,000,002 bytes"),
        (b"name: caf\xe9\n", "0xe9"),
        (b"- just\n- a list\n", "a list"),
        (b"name: ../../etc/passwd\n" + CHAIN.encode(), "'../../etc/passwd'"),
        (b"name: .\n" + CHAIN.encode(), "'.'"),
    ],
    ids=["empty", "binary", "huge", "latin-1", "list", "path", "dot"],
)
def test_what_cannot_be_a_scenario_is_refused_in_lines(raw: bytes, said: str, call: Called) -> None:
    Path("odd.yaml").write_bytes(raw)
    code, out, error = call("run", "odd.yaml")
    assert (code, out) == (2, "")
    assert said in error
    assert all(line.startswith("odd.yaml") for line in error.splitlines())
    assert not Path("outputs").exists()


@pytest.mark.parametrize("name", ["two words", "naïve-é", "#1", "-x", "bad\udcff"])
def test_a_file_of_any_name_runs_once_the_scenario_has_one(name: str, call: Called) -> None:
    Path(f"{name}.yaml").write_text("name: plain\n" + CHAIN)
    code, out, error = call("check", "--", f"{name}.yaml")
    assert (code, error) == (0, "")
    assert out.endswith(": ok: plain, 2 goods, 1 firm\n")


def test_windows_wrote_the_file(call: Called) -> None:
    Path("windows.yaml").write_bytes(b"\xef\xbb\xbf" + CHAIN.replace("\n", "\r\n").encode())
    Path("unix.yaml").write_text(CHAIN)
    assert call("run", "windows.yaml", "unix.yaml", "--no-plots", "--quiet")[0] == 0
    assert contents(Path("outputs/windows")) == contents(Path("outputs/unix"))


@pytest.mark.parametrize("way", [[], ["--overwrite"], ["--resume"]], ids=["new", "overwrite", "resume"])
@pytest.mark.parametrize("out", ["file", "file/below", "held"])
def test_where_a_file_is_in_the_way_nothing_is_run(out: str, way: list[str], call: Called) -> None:
    write(Path(), "a", "b")
    Path("file").write_text("mine")
    Path("held").mkdir()
    Path("held/b").write_text("mine")
    code, said, error = call("run", "a.yaml", "b.yaml", "--out", out, *way)
    assert (code, said, len(error.splitlines())) == (2, "", 1)
    assert Path("file").read_text() == Path("held/b").read_text() == "mine"
    assert {path.name for path in Path("held").iterdir()} == {"b"}


def test_where_nobody_may_write_it_says_so(call: Called) -> None:
    write(Path(), "a")
    Path("locked").mkdir()
    Path("locked").chmod(0o500)
    out = "/proc/locked" if os.access("locked", os.W_OK) else "locked"
    code, said, error = call("run", "a.yaml", "--out", out)
    assert (code, said, len(error.splitlines())) == (2, "", 1)
    assert out in error


def test_all_folders_are_looked_at_before_anything_is_run(call: Called) -> None:
    write(Path(), "a", "b", "c")
    assert call("run", "b.yaml", "c.yaml", "--no-plots", "--quiet")[0] == 0
    code, _, error = call("run", "a.yaml", "b.yaml", "c.yaml", "--no-plots")
    assert (code, len(error.splitlines())) == (2, 2)
    code, _, error = call("run", "a.yaml", "b.yaml", "c.yaml", "--resume", "--seed", 5)
    assert (code, len(error.splitlines())) == (2, 2)
    assert {path.name for path in Path("outputs").iterdir()} == {"b", "c"}


def test_resuming_finished_runs_changes_no_file_and_says_the_same(call: Called) -> None:
    write(Path(), "a", "b")
    first = call("run", "a.yaml", "b.yaml")
    before = {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()}
    assert len(before) > 20
    assert call("run", "a.yaml", "b.yaml", "--resume") == first
    assert {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()} == before


def test_plot_needs_the_csvs_alone_and_says_what_it_cannot_draw(call: Called) -> None:
    write(Path(), "a")
    assert call("run", "a.yaml", "--quiet", "--format", "png,svg")[0] == 0
    folder = Path("outputs/a")
    drawn = {path: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert {path.suffix for path in drawn} == {".png", ".svg"}
    for path in [*drawn, folder / "state.npz", folder / "scenario.yaml"]:
        path.unlink()
    code, out, _ = call("plot", folder, "--format", "svg, png")
    assert code == 0
    assert {Path(line): Path(line).read_bytes() for line in out.splitlines()} == drawn
    for path in folder.glob("*.csv"):  # A run that is at work, or was killed, may have written half a row.
        path.write_bytes(path.read_bytes() + b"12")
    assert call("plot", folder, "--format", "svg, png")[0] == 0
    assert {path: path.read_bytes() for path in drawn} == drawn
    (folder / "summary.json").unlink()
    assert call("plot", folder)[0] == 0
    (folder / "trajectory.csv").write_bytes(b"tick,good,price\n0,\xff,1\n")
    code, out, error = call("plot", folder)
    assert (code, out, len(error.splitlines())) == (2, "", 1)


def test_a_run_that_breaks_does_not_take_the_others_with_it(call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path(), "a", "b", "c")
    start = RunFolder.start

    def breaks(self: RunFolder, scenario_yaml: str, inputs: dict[str, Path]) -> None:
        if self.path.name == "b":
            raise ZeroDivisionError("by\nzero")
        start(self, scenario_yaml, inputs)

    monkeypatch.setattr(RunFolder, "start", breaks)
    code, out, error = call("run", "a.yaml", "b.yaml", "c.yaml", "--no-plots", "--json")
    assert (code, [summary["name"] for summary in json.loads(out)]) == (1, ["a", "c"])
    assert error == "b: internal error: ZeroDivisionError: by zero; --debug shows the trace\n"


@linux
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_full_disk_is_one_line_and_resumed_from_where_it_was(jobs: int, tmp_path: Path) -> None:
    files = write(tmp_path, "a", "b", text=ORBIT)
    options = ("run", *files, "--no-plots", "--quiet", "--jobs", jobs, "--ticks", 1500)
    full = ended(*options, "--out", "parts", shell='ulimit -f 64; "$@"', cwd=tmp_path)
    assert full.returncode == 2
    assert full.stderr == "".join(f"parts/{name}: cannot be written: File too large\n" for name in "ab")
    assert not [*(tmp_path / "parts").rglob("*.part"), *(tmp_path / "parts").rglob("*.lock")]
    assert ended(*options, "--out", "parts", "--resume", cwd=tmp_path).returncode == 0
    assert ended(*options, "--out", "whole", cwd=tmp_path).returncode == 0
    for name in "ab":
        assert contents(tmp_path / "parts" / name) == contents(tmp_path / "whole" / name)


@linux
def test_on_a_full_disk_nothing_new_is_left_in_half(tmp_path: Path) -> None:
    files = write(tmp_path, "a", "b")
    done = ended("new", "first", shell='ulimit -f 1; "$@"', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "first.yaml: File too large\n")
    assert not (tmp_path / "first.yaml").exists()
    assert ended("run", *files, "--no-plots", cwd=tmp_path).returncode == 0
    done = ended("compare", "outputs/a", "outputs/b", shell='ulimit -f 1; "$@"', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "outputs/compare/comparison.png: cannot be written: File too large\n")


@linux
@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ('"$@" | head -n 1 >/dev/null; exit "${PIPESTATUS[0]}"', 0),
        pytest.param('"$@" | true; exit "${PIPESTATUS[0]}"', 0, marks=pytest.mark.slow),
        pytest.param('"$@" >&-', 0, marks=pytest.mark.slow),
        ('"$@" >&- 2>&-', 0),
        ('"$@" >/dev/full', 2),
        ('"$@" >/dev/full 2>/dev/full', 2),
    ],
)
def test_a_reader_who_goes_away_is_no_error_and_a_full_stream_is_one(shell: str, code: int, tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    done = ended("run", "a.yaml", "b.yaml", "--no-plots", shell=shell, cwd=tmp_path)
    assert done.returncode == code
    assert done.stderr == ("standard output: No space left on device\n" if code and "2>" not in shell else "")
    assert contents(tmp_path / "outputs" / "a") == contents(tmp_path / "outputs" / "b")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_stopped_by_a_signal_everything_is_kept_and_goes_on(jobs: int, number: signal.Signals, tmp_path: Path) -> None:
    files = write(tmp_path, "a", "b", "c", text=ORBIT)
    command = [*PROGRAM, "run", *map(str, files), "--no-plots", "--jobs", str(jobs), "--set", "run.ticks=1000000"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    checkpoints = [tmp_path / "outputs" / name / "state.npz" for name in "ab"[:jobs]]
    while not all(path.exists() for path in checkpoints):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, complaints(error)) == (130, "")
    assert out.count("  --resume continues it") == jobs
    assert out.endswith(f"not run: {', '.join('abc'[jobs:])}\n")
    for path in checkpoints:
        said = json.loads((path.parent / "summary.json").read_text())
        assert said["outcome"] == "interrupted"
        rows = (path.parent / "ticks.csv").read_text().splitlines()
        assert len(rows) == said["ticks"] + 2
        assert rows[-1].startswith(f"{said['ticks']},")
    assert {path.name for path in (tmp_path / "outputs").iterdir()} == set("ab"[:jobs])


def rooms_entered() -> set[str]:
    """The rooms of the house in which the main thread is at work."""
    frame, rooms = sys._current_frames()[main_thread().ident or 0], set[str]()
    while frame is not None:
        rooms.add(Path(frame.f_code.co_filename).parent.name)
        frame = frame.f_back
    return rooms


def stop_in(ready: Callable[[], bool]) -> list[float]:
    """Send SIGTERM to this process once it searches or ticks, and tell when that was."""
    sent: list[float] = []

    def wait() -> None:
        while not ready() or not rooms_entered() & {"references", "dynamics"}:
            time.sleep(0.01)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, daemon=True).start()
    return sent


@linux
@pytest.mark.parametrize("references", ["on", "off"], ids=["search", "tick"])
@pytest.mark.parametrize("command", ["run", "solve", "perturb", "tune"])
def test_what_takes_minutes_is_broken_off_by_a_signal(command: str, references: str, call: Called) -> None:
    write(Path(), "slow", text=f"{SLOW}run: {{references: {references}, ticks: 5}}\n")
    began = stop_in(lambda: command != "run" or Path("outputs/slow/run.lock").exists())
    code, out, error = call(command, "slow.yaml", *(["--no-plots"] if command == "run" else []))
    assert time.monotonic() - began[0] < 30.0
    assert (code, "internal" in error) == (130, False)
    if command != "run":
        assert (out, error) == ("", "")
    elif references == "on":
        assert (out, error) == ("\nnot run: slow\n", "")
        assert not Path("outputs/slow").exists()
    else:
        assert error == "slow: broken off; what was recorded is kept, --resume continues it\n"
        assert not Path("outputs/slow/run.lock").exists()


@pytest.mark.slow
def test_a_second_run_in_one_folder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    (orbit,) = write(tmp_path, "orbit", text=ORBIT.replace("ticks: 3000", "ticks: 60000"))
    options = ["run", str(orbit), "--no-plots", "--quiet"]
    process = subprocess.Popen([*PROGRAM, *options], cwd=tmp_path)
    folder = tmp_path / "outputs" / "orbit"
    while not (folder / "state.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    for option in ("--overwrite", "--resume"):
        second = ended(*options, option, cwd=tmp_path)
        assert second.returncode == 2
        found = f"found a run at work here, process {process.pid}; wait for it, or --out writes elsewhere"
        assert second.stderr == f"{Path('outputs/orbit')}: {found}\n"
    process.kill()
    process.wait()
    assert ended(*options, "--overwrite", "--ticks", 5, cwd=tmp_path).returncode == 0
    assert not (folder / "run.lock").exists()


@linux
def test_workers_end_with_the_program_that_started_them(tmp_path: Path) -> None:
    files = write(tmp_path, "a", "b", text=ORBIT.replace("ticks: 3000", "ticks: 500000"))
    command = [*PROGRAM, "run", *map(str, files), "--no-plots", "--quiet", "--jobs", "2"]
    process = subprocess.Popen(command, cwd=tmp_path)
    while not all((tmp_path / "outputs" / name / "state.npz").exists() for name in "ab"):
        assert process.poll() is None
        time.sleep(0.01)
    (worker,) = workers(process.pid)
    process.kill()
    process.wait()
    while Path(f"/proc/{worker}").exists():
        time.sleep(0.01)
    # The first run was the program's own.
    assert not (tmp_path / "outputs" / "a" / "summary.json").exists()
    assert json.loads((tmp_path / "outputs" / "b" / "summary.json").read_text())["outcome"] == "interrupted"


def test_what_is_printed_moves_and_colours_nothing(call: Called) -> None:
    red = "\x1b[31mred"
    write(Path("files"), red)
    for arguments in (
        ["check", "files"],
        ["plot", red],
        ["compile", f"{red}/a"],
        ["compile", "a = 2*b", "-o", f"{red}/x"],
        ["run", f"files/{red}.yaml", f"--{red}"],
        ["run", f"files/{red}.yaml", "--set", f"{red}=1"],
        ["new", red],
        [red],
    ):
        code, out, error = call(*arguments)
        assert code == 2
        assert r"\x1b[31m" in error
        assert "\x1b" not in out + error


@linux
def test_a_killed_worker_is_said_and_the_other_finishes(tmp_path: Path) -> None:
    files = write(tmp_path, "first", "killed", "last", text=ORBIT)
    files[0].write_text(ORBIT.replace("ticks: 3000", "ticks: 40000"))  # A worker is there before it ends.
    files[1].write_text(ORBIT.replace("ticks: 3000", "ticks: 500000"))
    command = [*PROGRAM, "run", *map(str, files), "--no-plots", "--jobs", "2", "--json"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "outputs" / "killed" / "state.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    (worker,) = workers(process.pid)
    os.kill(worker, signal.SIGKILL)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    killed = "killed: its process was killed by signal 9; what was recorded is kept, --resume continues it\n"
    assert complaints(error) == killed
    assert [summary["name"] for summary in json.loads(out)] == ["first", "last"]


def complaints(error: str) -> str:
    """What was said but for how far runs are, which a slow machine is told every few seconds."""
    return re.sub(r"^.* \d+ of (at most )?\d+\n", "", error, flags=re.MULTILINE)


def workers(program: int) -> list[int]:
    """The processes that run scenarios for a program."""
    parents = {
        int(stat.parent.name): int(stat.read_text().rpartition(")")[2].split()[1])
        for stat in Path("/proc").glob("[0-9]*/stat")
    }
    return [child for child, parent in parents.items() if parent == program]


def test_progress_is_a_bar_on_a_terminal_and_plain_elsewhere(tmp_path: Path) -> None:
    (orbit,) = write(tmp_path, "orbit", text=ORBIT)
    shown: dict[str, Any] = {}
    for kind in ("terminal", "pipe"):
        command = [*PROGRAM, "run", str(orbit), "--no-plots", "--out", kind, "--ticks", "20000"]
        if kind == "terminal":
            ours, theirs = os.openpty()
            process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs)
            os.close(theirs)
            shown[kind] = b""
            try:
                while some := os.read(ours, 65536):
                    shown[kind] += some
            except OSError:
                pass
            os.close(ours)
            assert process.wait() == 0
        else:
            shown[kind] = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stderr
    assert b"orbit: tick " in shown["terminal"]
    assert b"\x1b[" in shown["terminal"]
    assert shown["pipe"] == b""


def test_the_summary_comes_before_the_figures_and_one_that_fails_is_a_line_at_the_end(
    call: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        print("drawing")
        raise ValueError("nothing to see")

    monkeypatch.setitem(FIGURES, "network", broken)
    code, out, error = call("run", str(Path(__file__).parent.parent / "scenarios" / "crusoe.yaml"), "--ticks", "5")
    summary, drawing = out.index("  expected cleared, found out_of_ticks"), out.index("drawing")
    assert summary < drawing
    assert code == 3  # As the run ended.
    said = "crusoe: figure network: internal error: ValueError: nothing to see; --debug shows the trace\n"
    assert complaints(error) == said
    drawn = {path.stem for path in Path("outputs/crusoe/figures").iterdir()}
    assert "prices" in drawn
    assert "network" not in drawn

"""Does a run that is killed, stopped, short of disk or damaged end in the bytes of one that nobody disturbed?

Run: `python -m benchmarks.kills [TIMES] [SEED]` from the root of the repository, on Linux or macOS. It takes about ten
seconds for each of the `TIMES` (40) and prints how many of each there were.

Five kinds of runs: a chain by tatonnement, a town that trades, firms that bid their marginal values, a market that
learns, and a planner's path beside the market. Each time one of them is begun and disturbed, by turns, by

- a SIGKILL at a random moment, and another while it is resumed;
- a SIGINT, SIGTERM or SIGHUP at a random moment: it must end with 130 (or, once it is over, with 0) within seconds;
- a disk that is full: files may not grow beyond a random size, and the run must say so in one line with exit code 2;
- damage: after a SIGKILL, bytes of one of its files are cut off, flipped, added or replaced, or the file goes. It must
  be refused in one line with exit code 2, or go on.

Then it is resumed to its end. Every file must be that of a run without disturbance, byte for byte, apart from the time
that the summary tells. Whatever is not is printed, and the exit code is 1.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

SCENARIOS = Path(__file__).parent.parent / "scenarios"
KINDS = {
    "ten_tiers": ["run.ticks=12000"],
    "town": ["run.ticks=500", "consumers.households.count=20000"],
    "dot_product": ["run.ticks=40000"],
    "xor": ["run.ticks=40000"],
    "steel_planner": ["run.ticks=8000"],
}
"""Scenarios, and what makes them last for some seconds."""
ALWAYS = ["run.stop=never", "expect=[cleared, cycled, diverged, out_of_ticks, settled_off_equilibrium]"]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # Under `nohup` runs ignore it as well.
    SIGNALS.remove(signal.SIGHUP)


class WrongError(Exception):
    """What should not have happened."""


class Place:
    """Where a kind of run is disturbed again and again, and what it is without disturbance."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.command = [sys.executable, "-m", "simulator", "run", str(SCENARIOS / f"{kind}.yaml"), "--no-plots"]
        for setting in [*KINDS[kind], *ALWAYS]:
            self.command += ["--set", setting]
        began = time.monotonic()
        self.finish("whole", "--quiet")
        self.seconds = time.monotonic() - began
        self.whole = contents(folder / "whole" / kind)

    @property
    def run(self) -> Path:
        """The folder of the run that is disturbed."""
        return self.folder / "parts" / self.kind

    def begin(self, *options: str, most: int | None = None) -> subprocess.Popen[str]:
        """Start the run that is disturbed; files of more than `most` bytes meet a full disk."""
        command = [*self.command, "--quiet", "--out", str(self.folder / "parts"), *options]
        limit = None if most is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit)

    def finish(self, out: str, *options: str) -> None:
        """Run to the end, which must be the one expected."""
        command = [*self.command, "--out", str(self.folder / out), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WrongError(f"exit code {done.returncode}: {done.stderr}")

    def moment(self, parts: float = 1.0) -> None:
        """Wait for a random moment of the run, or of this part of it."""
        time.sleep(random.uniform(0.0, parts * self.seconds))


def contents(run: Path) -> dict[str, object]:
    """Every file of a run; of the summary all but the time it took, of the checkpoint the arrays."""
    files: dict[str, object] = {
        str(file.relative_to(run)): file.read_bytes() for file in run.rglob("*") if file.is_file()
    }
    summary = json.loads((run / "summary.json").read_bytes())
    del summary["wall_seconds"]
    with ZipFile(run / "state.npz") as archive:
        arrays = {name: archive.read(name) for name in archive.namelist() if name.endswith(".npy")}
    return {**files, "summary.json": summary, "state.npz": arrays}


def killed(place: Place) -> str:
    """SIGKILL, twice."""
    for options in ([], ["--resume"]):
        process = place.begin(*options)
        place.moment(0.7)
        process.kill()
        process.communicate()
    return "killed"


def stopped(place: Place) -> str:
    """A signal that may be heeded."""
    number = random.choice(SIGNALS)
    process = place.begin()
    time.sleep(0.5)  # Python itself starts, and knows nothing of signals.
    place.moment()
    process.send_signal(number)
    sent = time.monotonic()
    _, error = process.communicate()
    said = "broken off; what was recorded is kept" in error  # A block of rows may take longer than is waited.
    if process.returncode not in (0, 130) or (error and not said) or time.monotonic() - sent > 10.0:
        raise WrongError(
            f"{number.name}: exit code {process.returncode} after {time.monotonic() - sent:.1f} s: {error}"
        )
    return f"stopped by {number.name}"


def short_of_disk(place: Place) -> str:
    """Files that may not grow."""
    most = random.randrange(max(file.stat().st_size for file in (place.folder / "whole" / place.kind).glob("*.csv")))
    process = place.begin(most=most)
    _, error = process.communicate()
    if process.returncode != 2 or error.count("\n") != 1 or list(place.run.glob("*.part")):
        raise WrongError(f"disk of {most} bytes: exit code {process.returncode}: {error}")
    return "short of disk"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda data: data[: random.randrange(len(data) or 1)],
    "flipped": lambda data: flipped(data, random.randrange(len(data) or 1)),
    "longer": lambda data: data + data[-random.randrange(1, 200) :],
    "replaced": lambda data: random.randbytes(len(data)),
    "zeros": lambda data: bytes(len(data)),
}


def flipped(data: bytes, at: int) -> bytes:
    """A bit of one byte is another."""
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :] if data else data


def damaged(place: Place) -> str:
    """A file of a killed or a finished run is not what it was."""
    process = place.begin()
    place.moment(1.2)
    process.kill()
    process.communicate()
    files = sorted(file for file in place.run.glob("*") if file.name != "scenario.yaml") if place.run.exists() else []
    if not files:
        return "killed"
    file, kind = random.choice(files), random.choice([*DAMAGES, "gone"])
    if kind == "gone":
        file.unlink()
    else:
        file.write_bytes(DAMAGES[kind](file.read_bytes()))
    process = place.begin("--resume")
    _, error = process.communicate()
    if process.returncode == 0:
        return f"damaged and resumed: {file.name} {kind}"
    if process.returncode != 2 or error.count("\n") != 1:
        raise WrongError(f"{file.name} {kind}: exit code {process.returncode}: {error}")
    shutil.rmtree(place.run)
    return f"damaged and refused: {file.name} {kind}"


def main() -> int:
    """Disturb runs and print what came of it."""
    times, seed = (int(given) for given in (*sys.argv[1:], *("40", "0")[len(sys.argv) - 1 :]))
    random.seed(seed)
    os.environ["OMP_NUM_THREADS"] = "1"
    found: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        places = [Place(kind, Path(folder) / kind) for kind in KINDS]
        for number in range(times):
            place = places[number % len(places)]
            disturb = (killed, stopped, short_of_disk, damaged)[number // len(places) % 4]
            shutil.rmtree(place.folder / "parts", ignore_errors=True)
            try:
                what = disturb(place)
                place.finish("parts", "--quiet", "--resume")
                now = contents(place.run)
                differ = [name for name in {*now, *place.whole} if now.get(name) != place.whole.get(name)]
                if differ:
                    raise WrongError(f"{what}, and then others: {', '.join(differ)}")
                found[what.partition(": ")[0]] += 1
            except WrongError as error:
                wrong += 1
                print(f"{place.kind}, {disturb.__name__}: {error}", flush=True)
    for what, many in sorted(found.items()):
        print(f"{many:4} {what}, then every file as without it")
    print(f"{wrong:4} wrong of {times}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

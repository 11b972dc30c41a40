"""A checkpoint on disk: the arrays of a run's state in one archive, and a manifest that tells whether all is whole.

The archive is numpy's `.npz` without compression, so that nothing read from it is larger than the file. The manifest
names every array with its dtype, shape and checksum, every file of the run with its length and checksum up to here, the
version of the format and that of the program.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Self
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]

FORMAT = 1
"""Counts up when the manifest changes."""
MANIFEST, SUFFIX = "manifest.json", ".npy"
PIECE = 1 << 20
"""Bytes of a file that are read at a time."""
MOST_MANIFEST = 10_000_000
"""Bytes of a manifest at most."""


OTHER_VERSION, DAMAGED = "a checkpoint of another version of the program", "a damaged checkpoint"


class UnfitError(Exception):
    """What is wrong with a checkpoint, as it follows "found"."""


class Written(NamedTuple):
    """A file as it was when the checkpoint was made: its length in bytes, and their checksum."""

    length: int
    sha256: str


class Tally:
    """Length and checksum of what was written to a file, or read from it, piece by piece."""

    def __init__(self, data: bytes = b"") -> None:
        self._length, self._sum = len(data), sha256(data)

    def add(self, data: bytes) -> None:
        """The next piece."""
        self._length += len(data)
        self._sum.update(data)

    @classmethod
    def of(cls, file: Path, length: int) -> Self:
        """Of the beginning of a file, or of all of it if it is not as long."""
        tally = cls()
        with file.open("rb") as opened:
            while data := opened.read(min(PIECE, length - tally._length)):
                tally.add(data)
        return tally

    @property
    def written(self) -> Written:
        """All pieces so far."""
        return Written(self._length, self._sum.hexdigest())


class Stored(NamedTuple):
    """An array of the archive: its dtype and shape, and the checksum of its bytes in the archive."""

    dtype: str
    shape: list[int]
    sha256: str


class Manifest(NamedTuple):
    """What a checkpoint says of itself."""

    program: str
    files: dict[str, Written]
    arrays: dict[str, Stored]

    @classmethod
    def read(cls, file: Path) -> Self:
        """The manifest of an archive, no array of which has been read. Raises `UnfitError`."""
        with _opened(file) as archive:
            members = {member.filename: member for member in archive.infolist()}
            unpacked = sum(member.file_size for member in members.values())
            if unpacked > file.stat().st_size or any(member.compress_type for member in members.values()):
                raise UnfitError("an archive that grows when it is unpacked")
            if MANIFEST not in members:
                raise UnfitError(OTHER_VERSION)
            if members[MANIFEST].file_size > MOST_MANIFEST:
                raise UnfitError(DAMAGED)
            said: dict[str, Any] = json.loads(archive.read(MANIFEST))
            if said["format"] != FORMAT:
                raise UnfitError(OTHER_VERSION)
            files = {name: Written(*written) for name, written in said["files"].items()}
            arrays = {name: Stored(*stored) for name, stored in said["arrays"].items()}
            return cls(said["program"], files, arrays)

    def refuse_others(self) -> None:
        """Raise `UnfitError` if another version of the program made it."""
        if self.program != program():
            raise UnfitError(f"a checkpoint of version {self.program}, by which other numbers may follow")

    def refuse_misfits(self, fresh: Mapping[str, NDArray[Any]], ticks: int) -> None:
        """Raise `UnfitError` if the arrays are not those of a run whose state is `fresh` before its first tick.

        Names, dtypes and shapes must agree. What is empty at the beginning grows, by at most a row a tick.
        """
        self.refuse_others()
        if set(self.arrays) != set(fresh):
            raise UnfitError(f"a checkpoint {_difference(set(self.arrays), set(fresh))}")
        for name, array in fresh.items():
            dtype, shape, _ = self.arrays[name]
            if dtype != array.dtype.str or not (shape == list(array.shape) or _grown(shape, array.shape, ticks + 1)):
                raise UnfitError(
                    f"{name} as {dtype} of shape {tuple(shape)}, which a run of this scenario has as {array.dtype.str} "
                    f"of shape {array.shape}"
                )

    def load(self, file: Path, ticks: int, only: Set[str] | None = None) -> State:
        """The arrays, or some of them, each held against its checksum. Raises `UnfitError`."""
        state: State = {}
        with _opened(file) as archive:
            for name, stored in self.arrays.items():
                if only is not None and name not in only:
                    continue
                data = archive.read(name + SUFFIX)
                array = state[name] = np.lib.format.read_array(BytesIO(data), allow_pickle=False)
                if (array.dtype.str, list(array.shape), sha256(data).hexdigest()) != stored:
                    raise UnfitError(f"other values of {name} than were written")
        late = [name for name, array in state.items() if name.endswith("tick") and not 0 <= array <= ticks]
        if late:
            raise UnfitError(f"{late[0]} beyond the last tick of the run")
        return state


def packed(state: Mapping[str, NDArray[Any]], files: Mapping[str, Written]) -> bytes:
    """A checkpoint as the bytes of an archive."""
    whole, arrays = BytesIO(), dict[str, Stored]()
    with ZipFile(whole, "w", ZIP_STORED) as archive:
        for name, array in state.items():
            member = BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            data = member.getvalue()
            arrays[name] = Stored(array.dtype.str, list(array.shape), sha256(data).hexdigest())
            # A member without a date: the same state gives the same bytes.
            archive.writestr(ZipInfo(name + SUFFIX), data)
        manifest = {"format": FORMAT, "program": program(), "files": files, "arrays": arrays}
        archive.writestr(ZipInfo(MANIFEST), json.dumps(manifest))
    return whole.getvalue()


@cache
def program() -> str:
    """The version of this program."""
    return version("market-simulator")


@contextmanager
def _opened(file: Path) -> Generator[ZipFile]:
    """An archive to be read; whatever goes wrong once the file is open is an `UnfitError`."""
    with file.open("rb") as opened:
        try:
            yield ZipFile(opened)
        except UnfitError:
            raise
        except Exception:  # Damage can make almost anything of an archive.
            raise UnfitError(DAMAGED) from None


def _grown(shape: Sequence[int], empty: Sequence[int], most: int) -> bool:
    """Whether an array that is empty at the beginning may have this shape later, with so many rows at most."""
    return empty[:1] == (0,) and len(shape) > 0 and shape[0] <= most and list(empty[1:]) in ([], list(shape[1:]))


def _difference(found: set[str], expected: set[str]) -> str:
    """Which array is missing, or too many."""
    missing = sorted(expected - found)
    return f"without {missing[0]}" if missing else f"with {min(found - expected)}, of which this scenario knows nothing"

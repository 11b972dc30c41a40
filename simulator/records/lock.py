"""One writer at a time: a lock file that the operating system releases when its process ends, however it ends.

Windows has no `flock`: nothing is locked there.
"""

from __future__ import annotations

import os
import sys
from errno import ENOLCK, ENOTSUP
from pathlib import Path

from simulator.errors import RunFolderError


class Lock:
    """The lock file of a run's folder. It holds the number of the process that has it, and goes when that is done."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor: int | None = None

    def take(self) -> None:
        """Hold the lock from now on; raises `RunFolderError` if another process does."""
        while self._descriptor is None:
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(descriptor)
                # Whoever held it before may have removed the file after it was opened here.
                if self.file.exists() and os.path.samestat(os.fstat(descriptor), self.file.stat()):
                    self._descriptor = descriptor
            except BlockingIOError:
                process = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
                found = f"found a run at work here, process {process}; wait for it, or --out writes elsewhere"
                raise RunFolderError(f"{self.file.parent}: {found}") from None
            finally:
                if self._descriptor is None:
                    os.close(descriptor)
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            self.file.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> None:
    """Lock an open file or raise `BlockingIOError`; a file system that knows no locks is written to without one."""
    if sys.platform == "win32":
        return
    from fcntl import LOCK_EX, LOCK_NB, flock

    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError as error:
        if error.errno not in (ENOLCK, ENOTSUP):
            raise

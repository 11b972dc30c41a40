"""Fill in what code and runs can tell: `python -m docs.generate` puts the generated tables anew, and with `--run` the
outputs and numbers of all pages too (or of those named); `tests/test_docs.py` fails where a page is stale.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from docs.pages import ROOT, pages, replayed, same, with_tables


def main() -> None:
    """Write every page whose text changes, and name it."""
    names = [argument for argument in sys.argv[1:] if argument != "--run"]
    for page in [Path(name).absolute() for name in names] or pages():
        before = page.read_text(encoding="utf-8")
        page.write_text(with_tables(before), encoding="utf-8")
        if "--run" in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as folder:
                new = replayed(page, Path(folder))
            if not same(new, page.read_text(encoding="utf-8")):
                page.write_text(new, encoding="utf-8")
        if page.read_text(encoding="utf-8") != before:
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

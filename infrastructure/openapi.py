"""Writes the OpenAPI document: `python -m infrastructure.openapi`; `--check` only compares.

It is written beside the edge, which serves it, and `docs/openapi.json` is a link to it.
"""

import argparse
import sys
from pathlib import Path

from infrastructure.template import CHECKOUT, functions
from wharfage.web import App, openapi

DOCUMENT = CHECKOUT / "layers/core/wharfage/web/openapi.json"


def generated() -> bytes:
    """Make the document from the functions that the template declares."""
    apps = [function.load() for function in functions() if function.routes]
    assert all(isinstance(app, App) for app in apps)
    return openapi.encoded(openapi.document(apps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the document is not current")
    asked = parser.parse_args()
    document = generated()
    if asked.check:
        current = DOCUMENT.read_bytes() if DOCUMENT.exists() else b""
        if current != document:
            sys.exit(f"{_relative(DOCUMENT)} is old: run python -m infrastructure.openapi")
    else:
        DOCUMENT.write_bytes(document)
        print(f"wrote {_relative(DOCUMENT)}")


def _relative(path: Path) -> Path:
    return path.relative_to(CHECKOUT)


if __name__ == "__main__":
    main()

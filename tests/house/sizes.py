"""How long files and functions may be: what fits a reader's head. `oversized(src)` lists what does not fit."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 60
PAGES: Mapping[str, int] = {"earnest/algorithms/": 120, "earnest/preference/": 120}
"""Folders whose files are as long as their difference to their neighbours, with its bound."""

EXCEPTIONS: Mapping[str, str] = {}
"""'earnest/models/hf.py' or 'earnest/models/hf.py:load' -> why it may be longer."""


def oversized(src: Path) -> dict[str, int]:
    """'file' or 'file:function' -> lines, for everything over the limit."""
    found: dict[str, int] = {}
    for file in sorted(src.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        name = file.relative_to(src).as_posix()
        limit = next((lines for folder, lines in PAGES.items() if name.startswith(folder)), FILE_LINES)
        if len(text.splitlines()) > limit:
            found[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    found[f"{name}:{node.name}"] = lines
    return found

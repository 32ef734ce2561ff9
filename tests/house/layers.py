"""Which module may import which. Reads the syntax tree of every file, so that late imports are seen as well.

`violations(src)` lists every import that breaks the order; `test_layers.py` runs it on the package and on
planted faults.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "earnest"
LAYERS = (
    ("types", "errors", "seeding", "component", "runlog", "recipe", "printable"),
    ("functional", "sandbox"),
    ("prompts", "verifiers", "rewards", "models", "engines", "algorithms", "preference", "trackers"),
    ("tasks", "sampling"),
    ("data", "distributed"),
    ("gates", "follow"),
    ("train", "evaluate"),
    ("stages",),
    ("api",),
    ("__init__",),
    ("cli",),
    ("__main__",),
)
"""Top-level modules and folders, lowest first. A module imports from lower layers and from its own folder."""

ACROSS = {("engines", "models")}
"""The only imports between folders of one layer: an engine shares the weights of a model."""

ONLY = {"types": set(), "errors": set(), "seeding": set(), "functional": {"torch", "numpy", "scipy"}}
"""What these may import besides the standard library and themselves."""

LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module. Example: Import("earnest.models.base", line=12, typing_only=False)."""

    module: str
    line: int
    typing_only: bool


def violations(src: Path) -> list[str]:
    """Every broken rule below `src` (the folder that holds the package), as "file:line: what"."""
    found: list[str] = []
    modules = {_module(file, src) for file in src.rglob("*.py")}
    for file in sorted((src / PACKAGE).rglob("*.py")):
        part = _part(_module(file, src))
        if part not in LEVEL:
            found.append(
                f"{file.relative_to(src)}:1: '{part}' is in no layer: add it to LAYERS in tests/house/layers.py"
            )
            continue
        for item in imports(file, src, modules):
            fault = _fault(part, item)
            if fault:
                found.append(f"{file.relative_to(src)}:{item.line}: {fault}")
    return found


def imports(file: Path, src: Path, modules: set[str]) -> Iterator[Import]:
    """Everything a file imports, late and typing-only imports and `import_module("...")` included."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for module in _modules_of(node, file, src, modules):
            yield Import(module, getattr(node, "lineno", 0), id(node) in typing_only)


def _modules_of(node: ast.AST, file: Path, src: Path, modules: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = list(file.relative_to(src).parent.parts)
            base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
        names = (f"{base}.{alias.name}" for alias in node.names)
        return [name if name in modules else base for name in names]
    if isinstance(node, ast.Call) and ast.unparse(node.func) in (
        "importlib.import_module",
        "import_module",
        "__import__",
    ):
        return [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return []


def _fault(part: str, item: Import) -> str | None:
    top = item.module.split(".")[0]
    if top != PACKAGE:
        allowed = part not in ONLY or top in ONLY[part] or top in sys.stdlib_module_names or item.typing_only
        return None if allowed else f"{part} must not import {top}"
    target = _part(item.module)
    if target == part:
        return None
    if part in ONLY:
        return f"{part} must not import {item.module}: nothing of the package"
    if target not in LEVEL:
        return f"{item.module} does not exist"
    if LEVEL[target] > LEVEL[part]:
        return f"{part} must not import {item.module}, which stands above it"
    if LEVEL[target] == LEVEL[part] and LEVEL[part] > 0 and (part, target) not in ACROSS:
        return f"{part} must not import {item.module}, of the same layer"
    return None


def _module(file: Path, src: Path) -> str:
    parts = list(file.relative_to(src).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _part(module: str) -> str:
    """The top-level module or folder: "earnest.models.base" -> "models"; the package itself -> "__init__"."""
    return [*module.split("."), "__init__"][1]

"""`earnest list`: the plug-ins that a recipe may name, with their fields, and the runs in a folder.

What is printed comes from the classes themselves: the first line of the docstring, and each field's
type, default and docstring.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earnest.cli import say
from earnest.types import Json

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from earnest.component import Component


def list_(kind: str | None = None, /, *, runs: Path = Path("runs"), json: say.AsJson = False) -> None:
    """List the plug-ins of a kind with their fields, every plug-in by name, or the runs.

    Parameters
    ----------
    kind
        model, task, prompt, verifier, reward, engine, strategy, algorithm, preference, gate, tracker, stage, or runs.
    runs
        The folder that `earnest list runs` looks into.
    """
    from earnest.component import FOLDERS, find, names
    from earnest.errors import ConfigError, nearest

    if kind == "runs":
        return _print_runs(_runs(runs), json)
    if kind is not None and kind not in FOLDERS:
        raise ConfigError(f"unknown kind '{kind}'", where="earnest list", remedy=nearest(kind, [*FOLDERS, "runs"]))
    kinds = list(FOLDERS) if kind is None else [kind]
    plugins = [describe(each, name, find(each, name)) for each in kinds for name in names(each)]
    if json:
        return say.result({"plugins": plugins})
    for each in kinds:
        say.lines([each])
        for plugin in plugins:
            if plugin["kind"] == each:
                say.lines(_text(plugin, with_fields=kind is not None))
    if kind is None:
        say.lines(["", "fields and defaults: earnest list KIND"])


def describe(kind: str, name: str, cls: type[Component]) -> dict[str, Any]:
    """One plug-in as JSON: {"kind", "name", "doc", "fields": [{"name", "type", "required", "default", "doc"}]}."""
    doc = (cls.__doc__ or "").strip().split("\n")[0]
    fields = [_field(info.alias or field, info) for field, info in cls.model_fields.items()]
    return {"kind": kind, "name": name, "doc": doc, "fields": fields}


def _field(name: str, info: FieldInfo) -> dict[str, Json]:
    from pydantic_core import to_jsonable_python

    required = info.is_required()
    default = None if required else to_jsonable_python(info.get_default(call_default_factory=True), fallback=str)
    doc = " ".join((info.description or "").split())
    return {"name": name, "type": type_text(info.annotation), "required": required, "default": default, "doc": doc}


def type_text(annotation: Any) -> str:
    """A type as a recipe's writer reads it: `earnest.verifiers.base.Verifier | None` -> `verifier | null`."""
    from earnest.component import Component

    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return (
            annotation.kind
            if issubclass(annotation, Component) and hasattr(annotation, "kind")
            else annotation.__name__
        )
    if hasattr(annotation, "__metadata__"):
        return type_text(annotation.__origin__)
    origin, arguments = getattr(annotation, "__origin__", None), getattr(annotation, "__args__", ())
    if not arguments:
        return re.sub(r"[\w.]+\.", "", str(annotation))
    if str(annotation).startswith("typing.Literal"):
        return " | ".join(map(str, arguments))
    parts = ["..." if a is ... else type_text(a) for a in arguments]
    if isinstance(origin, type) and origin.__name__ not in ("Union", "UnionType", "Annotated"):
        return f"{origin.__name__}[{', '.join(parts)}]"
    return " | ".join(parts)


def _text(plugin: Mapping[str, Any], with_fields: bool) -> list[str]:
    rows = [f"  {plugin['name']:<14} {plugin['doc']}".rstrip()]
    for field in plugin["fields"] if with_fields else ():
        default = "(required)" if field["required"] else f"= {_yaml(field['default'])}"
        rows.append(f"      {field['name']}: {field['type']} {default}")
        rows += [f"          {field['doc']}"] if field["doc"] else []
    return rows


def _yaml(value: Any) -> str:
    import json

    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _runs(folder: Path) -> list[dict[str, Any]]:
    from earnest.runlog import read_json

    found = sorted(folder.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    return [{"run": str(file.parent), **read_json(file)} for file in found]


def _print_runs(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        return say.result({"runs": found})
    say.lines([f"{info['run']}  {info.get('verdict') or info.get('status', '')}" for info in found] or ["no runs here"])

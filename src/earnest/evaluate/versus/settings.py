"""In what two runs differ besides their numbers: settings, data, versions, machine, code. Only what differs is listed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from earnest.component import digest
from earnest.evaluate.load import Row, read_object
from earnest.types import Json

Flat: TypeAlias = "dict[str, Json]"


@dataclass(frozen=True, slots=True)
class Differing:
    """One setting. Example: Differing("rl.lr", "0.0003", "0.0001"); None: that side has no such key."""

    key: str
    a: str | None
    b: str | None

    def to_json(self) -> dict[str, Json]:
        return {"key": self.key, "a": self.a, "b": self.b}


def differing(a: Flat, b: Flat) -> tuple[Differing, ...]:
    """The keys whose values are not the same, in the order of a, then what only b has. A null is as good as no key: a newer
    version knows more settings."""
    return tuple(
        Differing(key, _text(a, key), _text(b, key)) for key in dict.fromkeys((*a, *b)) if a.get(key) != b.get(key)
    )


def run_settings(a: Path, b: Path) -> tuple[Differing, ...]:
    """Recipe (stages by their id; of a stage that only one run has, just its name), data, versions, machine and code."""
    flat_a, flat_b = _settings(a), _settings(b)
    ids = [set(_ids(path)) for path in (a, b)]
    alone = tuple(f"{stage}." for stage in ids[0] ^ ids[1])
    return tuple(row for row in differing(flat_a, flat_b) if not row.key.startswith(alone))


def flattened(value: Row, prefix: str = "") -> Flat:
    """{"a": {"b": 1}} -> {"a.b": 1}; lists stay whole."""
    return dict(_leaves(value, prefix))


def _leaves(value: Row, prefix: str) -> Iterator[tuple[str, Json]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner


def _settings(path: Path) -> Flat:
    info, recipe = read_object(path / "run.json"), read_object(path / "config" / "resolved.json")
    shared = {key: value for key, value in recipe.items() if key not in ("name", "stages")}
    return {
        "stages": ", ".join(_ids(path)),
        **flattened(shared),
        **{key: value for stage in _stages(path) for key, value in flattened(stage, f"{stage['id']}.").items()},
        **_data(path),
        **flattened({key: info.get(key) for key in ("versions", "machine", "host", "allowed")}),
        **_code(path),
    }


def _stages(path: Path) -> list[dict[str, Any]]:
    return list(read_object(path / "config" / "resolved.json").get("stages") or ())


def _ids(path: Path) -> list[str]:
    return [str(stage["id"]) for stage in _stages(path)]


def _data(path: Path) -> Flat:
    """Content hash of every data file, and how many problems each source gave."""
    found: Flat = {}
    for place, source in enumerate(read_object(path / "data" / "manifest.json").get("sources") or ()):
        task = source.get("task") or {}
        name = f"data[{place}] {task.get('name') if isinstance(task, Mapping) else task}"
        found |= flattened({"files": source.get("files") or {}, "problems": source.get("problems") or {}}, f"{name}.")
    return found


def _code(path: Path) -> Flat:
    """The user's own plug-ins by name, and the package's source as each stage saw it, as short hashes."""
    files = sorted((path / "code").rglob("*.py")) if (path / "code").is_dir() else []
    found: Flat = {f"code/{file.name}": digest(file.read_bytes())[:12] for file in files}
    for stage in _ids(path):
        package = (read_object(path / stage / "stage.json").get("depends_on") or {}).get("package")
        if package is not None:
            found["earnest's source"] = str(package)[:12]
    return found


def _text(flat: Flat, key: str) -> str | None:
    if key not in flat:
        return None
    value = flat[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

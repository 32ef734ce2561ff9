"""A recipe: one YAML file, read into components, with a note of where every value came from.

Precedence: defaults < recipe < command line. Overrides merge into the raw mappings before anything is validated, so an
override may reach inside a plug-in that the recipe names (`model.width=128`). An error names file, line and key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field

from earnest.component import BuildContext, Component, KeyedConfigError, as_mapping, build, dotted, plug, validate
from earnest.errors import ConfigError, nearest

KeyPath = tuple[str | int, ...]
RESERVED = ("config", "data", "code", "logs", "trackers", "report")
"""Folders of a run directory that no stage may be named after; the last belongs to the stage `report`."""


class Recipe(BaseModel):
    """What to run. Every stage sees the shared parts: model, task, prompt, verifier, engine, strategy."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the run directory."""
    seed: int = 0
    """Everything random in the run derives from it."""
    model: Annotated[Component, plug("model")]
    """Where the first weights come from."""
    task: Annotated[Component, plug("task")]
    """Where problems come from."""
    prompt: Annotated[Component, plug("prompt")] = Field(default_factory=lambda: build("prompt", "chat"))
    """How problems are put to the model."""
    verifier: Annotated[Component, plug("verifier")] | None = None
    """What sets `correct`; by default the task's own."""
    engine: Annotated[Component, plug("engine")] = Field(default_factory=lambda: build("engine", "torch"))
    """What samples completions."""
    strategy: Annotated[Component, plug("strategy")] = Field(default_factory=lambda: build("strategy", "plain"))
    """How completions are sought."""
    gates: tuple[Annotated[Component, plug("gate")], ...] = Field(
        default_factory=lambda: tuple(build("gate", name) for name in ("template", "verifier", "data", "claim"))
    )
    """What must hold before the first stage and after the last; stages have gates of their own."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: cuda if there is one, else cpu."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: float32. Weights are trained as they are kept, and in bfloat16 small updates are rounded away."""
    threads: int | None = Field(None, ge=1)
    """CPU threads; by default the machine's. Results are reproducible only for the same number."""
    track: tuple[Annotated[Component, plug("tracker")], ...] = ()
    """Where the run's numbers are sent besides its directory. No result depends on it."""
    stages: tuple[Any, ...] = Field(min_length=1)
    """The road, in order."""


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe with its history. `sets` are the command line's overrides, verbatim."""

    recipe: Recipe
    path: Path
    text: str
    sets: tuple[str, ...]
    provenance: Mapping[str, str]  # dotted key -> "recipe.yaml:14", "command line" or "default"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's floats, so that 1e-6 is one; a value that YAML takes for a date or number and is none has a line."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return cast("Any", super().construct_object(node, deep))  # pyright: ignore[reportUnknownMemberType]
        except (ValueError, LookupError, AttributeError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(None, None, f"no {kind}: {node.value}", node.start_mark) from None


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)$"),
    list("-+.0123456789"),
)


def load(path: Path, sets: Sequence[str] = (), seed: int | None = None) -> LoadedRecipe:
    """Read a recipe file (or a folder's recipe.yaml) and apply `key=value` overrides.

    Raises ConfigError with file, line, key and the nearest known name.
    """
    path = path / "recipe.yaml" if path.is_dir() else path
    if not path.is_file():
        raise ConfigError("no such recipe", where=str(path), remedy="earnest init chain DIR makes one")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            "a recipe must be UTF-8 text", where=f"{path}:{line}", why=str(error),
            remedy="save it as UTF-8",
        ) from None  # fmt: skip
    return read(text, path, sets, seed)


def read(text: str, path: Path, sets: Sequence[str] = (), seed: int | None = None) -> LoadedRecipe:
    """The same from text that is known already; `path` is what relative paths and messages refer to."""
    lines: dict[KeyPath, int] = {}
    raw = _parse(text, str(path), lines)
    if not isinstance(raw, dict):
        raise ConfigError("a recipe is a mapping of keys to values", where=str(path))
    raw = as_mapping(raw)
    overridden: set[KeyPath] = set()
    try:
        _long_stages(raw)
        _check_ids(raw)
        for item in (*sets, *([f"seed={seed}"] if seed is not None else [])):
            overridden.add(_override(raw, item))
        _check_ids(raw)
        recipe = _build(raw, path.parent.resolve())
    except KeyedConfigError as error:
        raise ConfigError(
            error.what, where=_place(error.path, lines, overridden, path), why=error.why, remedy=error.remedy
        ) from None
    return LoadedRecipe(recipe, path.absolute(), text, tuple(sets), _provenance(recipe, lines, overridden, path))


def _parse(text: str, source: str, lines: dict[KeyPath, int]) -> Any:
    """What YAML text says, and in `lines` where each key is. Raises ConfigError with a place in `source`."""
    try:
        node = cast("yaml.Node | None", yaml.compose(text, Loader=_Loader))  # pyright: ignore[reportUnknownMemberType]
        _note_lines(node, (), lines, source, ())
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ConfigError(f"not valid YAML: {error.problem}", where=f"{source}:{line}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"not valid YAML: {error.reason}", where=f"{source}:{line}", why=f"character #x{error.character:04x}",
            remedy="delete that character",
        ) from None  # fmt: skip
    except RecursionError:
        raise ConfigError("nested too deeply", where=source, remedy="a recipe needs a handful of levels") from None


def _note_lines(
    node: yaml.Node | None, at: KeyPath, lines: dict[KeyPath, int], source: str, above: tuple[yaml.Node, ...]
) -> None:
    if node is not None and any(node is outer for outer in above):
        raise ConfigError(
            "an anchor contains itself", where=f"{source}:{node.start_mark.line + 1}, {dotted(at)}",
            remedy="write the value out",
        )  # fmt: skip
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key must be a word", where=f"{source}:{line}", why="it is a list or a mapping")
            here = (*at, key.value)
            if here in lines:
                raise ConfigError(
                    f"'{key.value}' is written twice", where=f"{source}:{line}", why=f"first in line {lines[here]}"
                )
            lines[here] = line
            _note_lines(value, here, lines, source, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*at, index)] = value.start_mark.line + 1
            _note_lines(value, (*at, index), lines, source, (*above, node))


def _long_stages(raw: dict[str, Any]) -> None:
    """Give every stage its id and the long form that plug-ins share."""
    found = raw.get("stages")
    if not isinstance(found, list) or not found:
        raise KeyedConfigError("a recipe needs a list of stages", ("stages",))
    stages = cast("list[Any]", found)
    for index, item in enumerate(stages):
        at: KeyPath = ("stages", index)
        fields = {"stage": item} if isinstance(item, str) else as_mapping(item, at)
        if "stage" not in fields:
            raise KeyedConfigError("a stage without `stage:`", at, remedy="earnest list stage")
        fields["name"] = fields.pop("stage")
        if not isinstance(fields["name"], str):
            raise KeyedConfigError(
                "a stage's kind must be a name", (*at, "stage"), why=f"got {fields['name']!r}",
                remedy="earnest list stage",
            )  # fmt: skip
        fields.setdefault("id", fields["name"])
        stages[index] = fields


def _check_ids(raw: Mapping[str, Any]) -> None:
    """A stage's id names its folder in the run directory: it must be a word, the only such one, and not taken."""
    seen: set[str] = set()
    for index, fields in enumerate(raw["stages"]):
        at: KeyPath = ("stages", index)
        name = fields["id"]
        if not isinstance(name, str):
            raise KeyedConfigError(
                "a stage's id must be a name", (*at, "id"), why=f"got {name!r}", remedy="letters, digits, - and _"
            )
        if name in seen:
            raise KeyedConfigError(
                f"two stages have the id '{name}'", at, remedy="give one of them an `id:` of its own"
            )
        if name in RESERVED and not name == fields["name"] == "report":
            raise KeyedConfigError(
                f"a stage cannot have the id '{name}'", (*at, "id"),
                why="a run directory keeps something else in the folder of that name", remedy="choose another `id:`",
            )  # fmt: skip
        seen.add(name)


def _override(raw: dict[str, Any], item: str) -> KeyPath:
    """Merge one `a.b=c`; the first part may be a stage's id. Returns the path in the recipe."""
    key, equals, text = item.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise KeyedConfigError(f"'{item}' is not key=value", ("command line",), remedy="--set rl.steps=80")
    if parts[0] == "stages":
        raise KeyedConfigError("stages are overridden by their id", ("command line",), remedy="--set rl.steps=80")
    try:
        value = _parse(text, "command line", {})
    except ConfigError as error:
        remedy = error.remedy or "--set rl.steps=80"
        raise KeyedConfigError(f"{error.what}, in '{item}'", ("command line",), why=error.why, remedy=remedy) from None
    ids = {stage["id"]: index for index, stage in enumerate(raw["stages"])}
    path: list[str | int] = []
    target: Any = raw
    if parts[0] in ids and parts[0] not in Recipe.model_fields:
        path += ["stages", ids[parts[0]]]
        target = raw["stages"][ids[parts[0]]]
        parts = parts[1:]
    elif parts[0] not in Recipe.model_fields:
        raise KeyedConfigError(
            f"unknown key '{parts[0]}'", ("command line",), remedy=nearest(parts[0], {*ids, *Recipe.model_fields})
        )
    for part in parts[:-1]:
        inner = as_mapping(target.get(part) or {}, (*path, part))
        target[part] = inner
        target = inner
        path.append(part)
    if not parts:
        raise KeyedConfigError(f"'{item}' names a whole stage", ("command line",), remedy="--set rl.steps=80")
    target[parts[-1]] = value
    return (*path, parts[-1])


def _build(raw: dict[str, Any], base_dir: Path) -> Recipe:
    stages = tuple(
        build("stage", stage, BuildContext(base_dir, ("stages", index))) for index, stage in enumerate(raw["stages"])
    )
    return validate(Recipe, {**raw, "stages": stages}, BuildContext(base_dir))


def _place(at: KeyPath, lines: Mapping[KeyPath, int], overridden: set[KeyPath], path: Path) -> str:
    key = dotted(at)
    for length in range(len(at), 0, -1):
        if at[:length] in overridden:
            return f"command line, {key}"
        if at[:length] in lines:
            return f"{path}:{lines[at[:length]]}, {key}"
    return f"{path}, {key}"


def _provenance(recipe: Recipe, lines: Mapping[KeyPath, int], overridden: set[KeyPath], path: Path) -> dict[str, str]:
    def walk(value: Any, at: KeyPath) -> None:
        if isinstance(value, dict):
            for key, inner in cast("dict[str, Any]", value).items():
                walk(inner, (*at, key))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, inner in enumerate(cast("list[Any]", value)):
                walk(inner, (*at, index))
        else:
            wrote = next((at[:n] for n in range(len(at), 0, -1) if at[:n] in overridden or at[:n] in lines), ())
            whole = wrote == at or (at[-1] == "name" and len(wrote) == len(at) - 1)
            source = "command line" if wrote in overridden else f"{path.name}:{lines[wrote]}" if wrote else "default"
            table[dotted(at)] = source if whole else "default"

    table: dict[str, str] = {}
    walk(resolved(recipe), ())
    return table


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Every value of a recipe, defaults filled in, as plain JSON."""
    fields = recipe.model_dump(mode="json", exclude={"stages"})
    return {**fields, "stages": [stage.model_dump(mode="json", by_alias=True) for stage in recipe.stages]}

"""Plug-ins: what one is, where it is found, and how a recipe's words become one.

A plug-in is a frozen pydantic model: it *is* its configuration. The folder is the registry: `algorithm: grpo` is the one
public subclass of `Algorithm` in `algorithms/grpo.py`. A user's own is `path.py:Class` (relative to the recipe) or
`package.module:Class`. A module that defines no such class is a helper and no plug-in.

Nothing here knows any kind of plug-in beyond the folder it lives in.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    model_serializer,
)

from earnest.errors import ConfigError, MissingDependency, nearest

FOLDERS: dict[str, str] = {
    "model": "earnest.models",
    "task": "earnest.tasks",
    "prompt": "earnest.prompts",
    "verifier": "earnest.verifiers",
    "reward": "earnest.rewards",
    "engine": "earnest.engines",
    "strategy": "earnest.sampling",
    "algorithm": "earnest.algorithms",
    "preference": "earnest.preference",
    "gate": "earnest.gates",
    "tracker": "earnest.trackers",
    "stage": "earnest.stages",
}
"""Kind of plug-in -> the folder that is its registry."""

Spec: TypeAlias = "str | Mapping[str, Any]"
"""A plug-in as a recipe names it: "grpo", or {"name": "grpo", "clip_high": 0.28}."""


class Component(BaseModel):
    """Base of every plug-in. Subclasses are frozen, refuse unknown fields, and carry no state."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The word that names it in a recipe."""
        return name_of(type(self))

    def files(self) -> tuple[Path, ...]:
        """Files whose content the result depends on; their hashes enter the cache key of a stage."""
        return ()

    def code(self) -> tuple[Path, ...]:
        """Files of the user's own code that it runs: copied into a run, and hashed into the cache key."""
        own = type(self)
        return () if own.__module__.startswith("earnest.") else (Path(inspect.getfile(own)),)

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.name, **handler(self)}


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Where a component is being built: paths are relative to `base_dir`, errors name `path` (keys from the recipe's root)."""

    base_dir: Path = field(default_factory=Path.cwd)
    path: tuple[str | int, ...] = ()


class KeyedConfigError(ConfigError):
    """A config error that knows the key it is about; the recipe reader adds file and line."""

    def __init__(self, what: str, path: tuple[str | int, ...], *, why: str = "", remedy: str = "") -> None:
        self.path = path
        super().__init__(what, where=dotted(path), why=why, remedy=remedy)


def dotted(path: tuple[str | int, ...]) -> str:
    """Example: ("stages", 2, "lr") -> "stages[2].lr"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def plug(kind: str) -> Any:
    """Annotation of a field that holds a plug-in: `algorithm: Annotated[Algorithm, plug("algorithm")]`."""

    def read(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Component):
            return value
        context = info.context if isinstance(info.context, BuildContext) else BuildContext()
        return build(kind, value, BuildContext(context.base_dir, (*context.path, info.field_name or kind)))

    return _Plug(kind, BeforeValidator(read))


class _Plug:
    """Carries the validator and the kind in an Annotated[...]; unpacked by pydantic through __get_pydantic_core_schema__."""

    def __init__(self, kind: str, validator: BeforeValidator) -> None:
        self.kind, self.validator = kind, validator

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return handler.generate_schema(Annotated[SerializeAsAny[source], self.validator])


def _expand(value: str, info: ValidationInfo) -> str:
    context = info.context if isinstance(info.context, BuildContext) else BuildContext()
    text = os.path.expanduser(os.path.expandvars(value))
    if "$" in text:
        key = (*context.path, info.field_name or "path")
        raise KeyedConfigError(
            f"environment variable in '{value}' is not set", key, remedy="export it, or write the path out"
        )
    return str((context.base_dir / text).resolve())


DataPath: TypeAlias = Annotated[str, AfterValidator(_expand)]
"""A file or folder named in a recipe: `$VARIABLES` and `~` expanded, relative to the recipe. Kept as an absolute path."""


def _function(value: str, info: ValidationInfo) -> str:
    context = info.context if isinstance(info.context, BuildContext) else BuildContext()
    here = BuildContext(context.base_dir, (*context.path, info.field_name or "path"))
    where, _, name = value.rpartition(":")
    found, there = _user_object("function", value, here) if where else (None, {})
    if not is_function(found):
        known = [n for n, f in there.items() if inspect.isfunction(f) and f.__module__ == there["__name__"]]
        raise KeyedConfigError(
            f"'{name}' in {where} is not a function" if where else f"'{value}' names no function", here.path,
            remedy=nearest(name, known) or "file.py:name, relative to the recipe, or package.module:name",
        )  # fmt: skip
    return f"{(context.base_dir / where).resolve()}:{name}" if where.endswith(".py") else value


def is_function(value: object) -> bool:
    """A function, or an object that can be called like one."""
    return callable(value) and not inspect.isclass(value)


FunctionName: TypeAlias = Annotated[str, AfterValidator(_function)]
"""A function of the user's named in a recipe: `file.py:name`, relative to the recipe, or `package.module:name`."""


def function_file(name: str) -> tuple[Path, ...]:
    """The file of a function that is not the package's own."""
    where = name.rpartition(":")[0]
    if where.endswith(".py"):
        return (Path(where),)
    spec = importlib.util.find_spec(where)
    return (Path(spec.origin),) if spec is not None and spec.origin is not None and spec.has_location else ()


def build(kind: str, spec: Any, context: BuildContext | None = None) -> Any:
    """The component that a recipe's words mean: "grpo", or {"name": "grpo", "clip_high": 0.28}.

    Raises KeyedConfigError with the nearest known name for an unknown plug-in, field or value.
    """
    context = context or BuildContext()
    fields = as_mapping(spec, context.path)
    if "name" not in fields:
        raise KeyedConfigError(f"{kind} without a name", context.path, remedy=f"earnest list {kind}")
    name = str(fields.pop("name"))
    if ":" in name and _is_plug_in(kind, "function"):
        found, _ = _user_object(kind, name, context)
        if is_function(found):
            name, fields = "function", {"path": name, **fields}
    return validate(find(kind, name, context), fields, context)


def as_mapping(spec: Any, path: tuple[str | int, ...] = ()) -> dict[str, Any]:
    """The long form of a component's spec: "grpo" -> {"name": "grpo"}."""
    if isinstance(spec, str):
        return {"name": spec}
    if isinstance(spec, Mapping):
        return {str(k): v for k, v in cast("Mapping[Any, Any]", spec).items()}
    raise KeyedConfigError(f"expected a name or a mapping, got {type(spec).__name__}", path)


M = TypeVar("M", bound=BaseModel)


def validate(cls: type[M], fields: Mapping[str, Any], context: BuildContext) -> M:
    """`cls(**fields)`, with pydantic's complaint turned into one about the recipe."""
    try:
        return cls.model_validate(dict(fields), context=context)
    except ValidationError as error:
        # A misspelt key is the better news than the required one that is missing because of it.
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        loc = tuple(part for part in first["loc"] if not (isinstance(part, str) and part.startswith("function-")))
        path = (*context.path, *loc)
        if first["type"] == "extra_forbidden":
            known = {info.alias or name for name, info in cls.model_fields.items()}
            remedy = nearest(str(loc[-1]), known) or "there are no settings here"
            raise KeyedConfigError(f"unknown key '{loc[-1]}'", path, remedy=remedy) from None
        if first["type"] == "missing":
            field = cls.model_fields.get(str(loc[-1])) if len(loc) == 1 else None
            about = (field.description or "") if field else ""
            raise KeyedConfigError(
                f"'{loc[-1]}' is missing", path, why=f"it has no default. {about}".rstrip()
            ) from None
        why = f"got {first['input']!r}"
        raise KeyedConfigError(first["msg"].removeprefix("Value error, "), path, why=why) from None


def find(kind: str, name: str, context: BuildContext | None = None) -> type[Component]:
    """The class of a plug-in by its name in a recipe."""
    context = context or BuildContext()
    if ":" in name:
        return _user_class(kind, name, context)
    cls = _public_class(kind, f"{FOLDERS[kind]}.{name}") if _is_plug_in(kind, name) else None
    if cls is None:
        raise KeyedConfigError(f"unknown {kind} '{name}'", context.path, remedy=nearest(name, names(kind)))
    return cls


def names(kind: str) -> list[str]:
    """Every plug-in of a kind that the package ships, sorted."""
    folder = importlib.import_module(FOLDERS[kind])
    modules = (m.name for m in pkgutil.iter_modules(folder.__path__) if not m.name.startswith("_") and m.name != "base")
    return sorted(m for m in modules if _public_class(kind, f"{FOLDERS[kind]}.{m}") is not None)


def shipped() -> Iterator[tuple[str, str, type[Component]]]:
    """(kind, name, class) of every plug-in that the package ships."""
    for kind in FOLDERS:
        for name in names(kind):
            yield kind, name, find(kind, name)


def base_class(kind: str) -> type[Component]:
    """The class that plug-ins of a kind derive from: the Component in `<folder>/base.py` with that kind."""
    module = importlib.import_module(f"{FOLDERS[kind]}.base")
    for cls in vars(module).values():
        if inspect.isclass(cls) and issubclass(cls, Component) and cls.__module__ == module.__name__:
            return cls
    raise AssertionError(f"no base class in {module.__name__}")


def name_of(cls: type[Component]) -> str:
    """The name of a plug-in's class in a recipe."""
    if cls in _USER_NAMES:
        return _USER_NAMES[cls]
    folder = FOLDERS[cls.kind] + "."
    if cls.__module__.startswith(folder):
        return cls.__module__.removeprefix(folder).split(".")[0]
    return f"{cls.__module__}:{cls.__qualname__}"


def parts(component: Component) -> Iterator[Component]:
    """A component and every one inside it, at any depth: a stage's algorithm, the task of what an evaluation measures."""
    yield component
    for value in vars(component).values():
        yield from _parts_of(value)


def _parts_of(value: Any) -> Iterator[Component]:
    if isinstance(value, Component):
        yield from parts(value)
    elif isinstance(value, BaseModel):
        for inner in vars(value).values():
            yield from _parts_of(inner)
    elif isinstance(value, tuple):
        for inner in cast("tuple[Any, ...]", value):
            yield from _parts_of(inner)


def digest(*parts: bytes | str) -> str:
    """A short content hash for cache keys and manifests."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()[:32]


_USER_NAMES: dict[type[Component], str] = {}


def _public_class(kind: str, module_name: str) -> type[Component] | None:
    module = importlib.import_module(module_name)
    base = base_class(kind)
    found = [
        cls
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, base) and cls is not base
        and f"{cls.__module__}.".startswith(f"{module_name}.") and not inspect.isabstract(cls) and not name.startswith("_")
    ]  # fmt: skip
    assert len(found) <= 1, f"{module_name} must have one public {kind}, has {[c.__name__ for c in found]}"
    return found[0] if found else None


def _is_plug_in(kind: str, name: str) -> bool:
    there = name.isidentifier() and not name.startswith("_") and name != "base"
    return there and importlib.util.find_spec(f"{FOLDERS[kind]}.{name}") is not None


def _user_object(kind: str, name: str, context: BuildContext) -> tuple[Any, dict[str, Any]]:
    """What `file.py:attribute` or `package.module:attribute` is (None: nothing), and all that stands beside it."""
    where, _, attribute = name.rpartition(":")
    if where.endswith(".py"):
        file = (context.base_dir / where).resolve()
        if not file.is_file():
            raise KeyedConfigError(
                f"no such file: {file}",
                context.path,
                why=f"{kind} is '{name}'",
                remedy="the path is relative to the recipe; on the command line, to the folder it is typed in",
            )
        module = _module_from_file(file, context)
    else:
        try:
            module = importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise MissingDependency(
                f"{kind} '{name}' needs the module '{error.name}'",
                remedy=f"pip install the package that has {error.name}",
            ) from None
    return getattr(module, attribute, None), vars(module)


def _user_class(kind: str, name: str, context: BuildContext) -> type[Component]:
    where, _, attribute = name.rpartition(":")
    cls, beside = _user_object(kind, name, context)
    base = base_class(kind)
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        there = [n for n, c in beside.items() if inspect.isclass(c) and issubclass(c, base) and c is not base]
        or_function = ""
        if _is_plug_in(kind, "function"):
            there += [n for n, f in beside.items() if inspect.isfunction(f)]
            or_function = ", or a function"
        raise KeyedConfigError(
            f"'{attribute}' in {where} is not a {kind}", context.path,
            why=f"it must be a subclass of {base.__module__}.{base.__name__}{or_function}", remedy=nearest(attribute, there),
        )  # fmt: skip
    if inspect.isabstract(cls):
        raise KeyedConfigError(
            f"{attribute} in {where} is not complete", context.path,
            why=f"it lacks {', '.join(sorted(cls.__abstractmethods__))}",
            remedy=f"{base.__module__} says what each of them must do",
        )  # fmt: skip
    _USER_NAMES[cls] = name
    return cls


def _module_from_file(file: Path, context: BuildContext) -> Any:
    module_name = f"earnest_user_{digest(str(file), file.read_bytes())[:12]}"  # edited, it is another module
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None and spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError:
        del sys.modules[module_name]
        raise
    except Exception as error:
        del sys.modules[module_name]
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(file) else (lines or [1])[-1]
        raise KeyedConfigError(
            f"cannot import {file}:{line}", context.path, why=f"{type(error).__name__}: {error}",
            remedy=f"`python {file}` shows where it fails",
        ) from error  # fmt: skip
    return module


def is_set(component: Component, field: str) -> bool:
    """Whether a field has another value than its default: how an option without effect is told from one left alone."""
    return getattr(component, field) != type(component).model_fields[field].get_default(call_default_factory=True)

"""What every plug-in of every kind must keep to, and the kinds that have no file of their own: strategies, gates and stages.

A new file is tested by being there. A required field gets its value from EXAMPLES, by its name.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from builders import EXACT, make_rollout
from earnest.component import FOLDERS, BuildContext, Component, KeyedConfigError, base_class, build, names, shipped
from earnest.engines.scripted import Scripted
from earnest.gates.base import RUN, Form, Gate, Grading, Paired, Questions, Rendering, Samples, Source, Steps
from earnest.models.base import Policy
from earnest.models.tiny import byte_tokenizer
from earnest.sampling.base import Strategy
from earnest.stages.base import Stage
from earnest.types import Group
from policies import request

PLUGINS = {f"{kind}-{name}": (kind, name) for kind, name, _ in shipped()}
EXAMPLES: dict[str, Any] = {"id": "one", "steps": 2, "lr": 1e-3, "path": "rows.jsonl", "completions": [[5, 6]]}
EXAMPLES |= {"function.path": "rewards.py:exact", "combine.of": ["number", "string"], "subset": "snarks"}
EXAMPLES |= {"reasoning_gym.dataset": "chain_sum", "mix.of": ["chain", "skills"]}
EXAMPLES |= {"by_task.of": [{"task": "chain", "use": "number"}]}
"""Values of required fields, by name, or by plug-in and name where they mean something else there."""

ROOT = Path(__file__).parents[2]
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    sys.modules[name] = None
from earnest.component import FOLDERS, shipped
for folder in FOLDERS.values():
    for module in pkgutil.iter_modules(importlib.import_module(folder).__path__):
        importlib.import_module(f"{folder}.{module.name}")
print(*(f"{kind}-{name}" for kind, name, _ in shipped()))
"""


def fields_of(kind: str, name: str, cls: type[Component]) -> dict[str, Any]:
    """The least that a recipe must say to get this plug-in."""
    required = [info.alias or field for field, info in cls.model_fields.items() if info.is_required()]
    examples = {field: EXAMPLES.get(f"{name}.{field}", EXAMPLES.get(field)) for field in required}
    unknown = [field for field, example in examples.items() if example is None]
    assert not unknown, f"{kind} {name} requires {unknown}: give an example in EXAMPLES"
    return {"name": name, **examples}


@pytest.fixture(params=PLUGINS)
def plugin(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Component:
    monkeypatch.setenv("EARNEST_DATA", str(tmp_path))
    return build_least(*PLUGINS[request.param], tmp_path)


def build_least(kind: str, name: str, folder: Path) -> Any:
    cls = next(cls for k, n, cls in shipped() if (k, n) == (kind, name))
    (folder / "rewards.py").write_text(EXACT, encoding="utf-8")
    return build(kind, fields_of(kind, name, cls), BuildContext(folder))


def test_every_kind_has_a_plug_in_and_its_name_is_its_file() -> None:
    assert {kind for kind, _ in PLUGINS.values()} == set(FOLDERS)
    for kind, name, cls in shipped():
        module = sys.modules[cls.__module__]
        assert module.__file__ is not None and name in (Path(module.__file__).stem, Path(module.__file__).parent.name)
        assert issubclass(cls, base_class(kind)) and cls.kind == kind


def test_it_is_documented(plugin: Component) -> None:
    cls = type(plugin)
    assert (inspect.getmodule(cls).__doc__ or "").strip(), f"{cls.__module__} says nothing of what it is for"
    own = cls.__dict__.get("__doc__") or ""
    first = own.split("\n")[0].strip()
    assert 5 <= len(first) <= 140, f"the first line of {cls.__name__}'s docstring is what `earnest list` prints"
    assert [name for name, info in cls.model_fields.items() if not info.description] == []


def test_it_is_frozen_and_refuses_what_it_does_not_know(plugin: Component, tmp_path: Path) -> None:
    for field in type(plugin).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(plugin, field, getattr(plugin, field))
    least = fields_of(plugin.kind, plugin.name, type(plugin))
    with pytest.raises(KeyedConfigError, match="unknown key 'surely_not'"):
        build(plugin.kind, {**least, "surely_not": 1}, BuildContext(tmp_path))


def test_its_spec_makes_an_equal_one(plugin: Component, tmp_path: Path) -> None:
    spec = json.loads(json.dumps(plugin.model_dump(mode="json", by_alias=True)))
    assert spec["name"] == plugin.name
    elsewhere = BuildContext(tmp_path / "elsewhere")
    assert build(plugin.kind, spec, elsewhere) == plugin


def test_all_can_be_imported_without_the_extras() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    packages = {
        spec.partition(">")[0].partition("=")[0].partition("[")[0] for specs in extras.values() for spec in specs
    } - {"earnest"}  # extras that are made of others
    modules = sorted(package.replace("-", "_") for package in packages)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *modules], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(PLUGINS) and "gguf" in modules


# ------------------------------------------------------------------------------------------------ strategies


@pytest.mark.parametrize("name", names("strategy"))
def test_a_strategy_answers_every_request_in_full(name: str, tmp_path: Path, tiny_policy: Policy) -> None:
    strategy: Strategy = build_least("strategy", name, tmp_path)
    requests = [request((1,), tag="a", n=3, max_tokens=4), request((2, 3), tag="b", n=1, max_tokens=2)]
    engine = Scripted(completions=((5, 9, 6, 7, 8),), reverse=True)
    with engine.open(tiny_policy) as session:
        completions = list(strategy.sample(requests, session))
    assert Counter((c.tag, c.index) for c in completions) == Counter([("a", 0), ("a", 1), ("a", 2), ("b", 0)])
    limit = {r.tag: r.sampling.max_tokens for r in requests}
    for c in completions:
        assert c.token_ids and len(c.sampled) == len(c.token_ids) and sum(c.sampled) <= limit[c.tag]
    with engine.open(tiny_policy) as session:
        assert list(strategy.sample([], session)) == []


# ------------------------------------------------------------------------------------------------ gates


def samples(*right: int, k: int = 8) -> Samples:
    """Groups of k rollouts, so many of each right; with permuted golds all are wrong."""
    groups = [
        Group(
            make_rollout(g, 0, 0.0, 1).problem,
            tuple(make_rollout(g, i, float(i < count), 1) for i in range(k)),
        )
        for g, count in enumerate(right)
    ]
    wrong = make_rollout(0, 0, 0.0, 1).verdict
    return Samples(stage="rl", groups=groups, permuted=[[wrong] * k for _ in groups])


FAILED = Samples(
    stage="rl",
    groups=[Group(make_rollout(g, 0, 0.0, 1).problem, (make_rollout(g, 0, float("nan"), 1),) * 2) for g in range(5)],
    permuted=[[make_rollout(0, 0, float("nan"), 1).verdict] * 2] * 5,
)
CHAIN = build("task", "chain")
FORM = Form(CHAIN, "train", build("prompt", "chat"), build("verifier", "number"))
OTHER_VERIFIER = Form(CHAIN, "train", build("prompt", "chat"), build("verifier", "string"))
TEST = Source(name="test", problems=CHAIN.problems("test"), templated=True)
QUIET = {"step": 1.0, "update/taken": 1.0, "grad_norm": 0.5}
EVIDENCE: dict[type, dict[str, object]] = {
    Samples: {
        "none right": samples(*[0] * 50), "all right": samples(*[8] * 50), "mixed": samples(*[4] * 50),
        "hardly any": samples(*[1, *[0] * 49]), "grader failed": FAILED, "one problem": samples(4),
    },
    Rendering: {"none": Rendering((), byte_tokenizer(64)), "chain": Rendering((FORM,), byte_tokenizer(64))},
    Grading: {"none": Grading(()), "number": Grading((FORM,)), "string": Grading((OTHER_VERIFIER,))},
    Questions: {
        "none": Questions(trained=(), watched=(), held_out=()),
        "leak": Questions(trained=(TEST,), watched=(), held_out=(TEST,)),
        "dev leak": Questions(trained=(TEST,), watched=(TEST,), held_out=()),
    },
    Steps: {"none": Steps("rl", ()), "quiet": Steps("rl", [QUIET] * 99), "broken": Steps("rl", [{"grad_norm": None}] * 99)},
    Paired: {
        name: Paired(stage="rl", before="sft", metric="sampled", diff=d, ci95=(d - 0.1, d + 0.1), problems=9, split="test")
        for name, d in (("up", 0.3), ("down", -0.3), ("flat", 0.0))
    },
}  # fmt: skip


@pytest.mark.parametrize("name", names("gate"))
def test_a_gate_says_what_it_found_and_what_would_help(name: str, tmp_path: Path) -> None:
    gate: Gate = build_least("gate", name, tmp_path)
    for case, evidence in EVIDENCE[gate.looks_at].items():
        result = gate.check(evidence)
        assert result == gate.check(evidence), case
        assert result.gate == name and result.stage in ("rl", RUN) and result.outcome in ("passed", "warned", "refused")
        assert result.reason and (result.remedy or result.outcome == "passed"), (case, result)
        json.dumps(dict(result.numbers), allow_nan=False)


# ------------------------------------------------------------------------------------------------ stages


@pytest.mark.parametrize("name", names("stage"))
def test_a_stage_says_what_it_needs_before_it_runs(name: str, tmp_path: Path) -> None:
    stage: Stage = build_least("stage", name, tmp_path)
    assert stage.requires <= {"ids", "logprobs", "text"}
    assert stage.needs() == () and stage.from_ is None and not stage.control and stage.id == "one"
    for bad in ("a/b", "..", "", "a b"):
        with pytest.raises(KeyedConfigError, match="id"):
            build("stage", {**fields_of("stage", name, type(stage)), "id": bad}, BuildContext(tmp_path))
    assert list(inspect.signature(type(stage).run).parameters) == ["self", "context", "start"]

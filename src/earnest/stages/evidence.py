"""What a run's gates are shown before anything is spent: how it writes, how it grades, and what it trains on and asks.

All of it comes from what the stages say they read; no model is opened for it, only a tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from earnest.component import Component
from earnest.errors import ConfigError, DataError
from earnest.gates.base import Form, Gate, Grading, Paired, Questions, Rendering, Source, looking_at
from earnest.models.base import Model
from earnest.stages.base import Reading, Stage
from earnest.tasks.base import Task
from earnest.tasks.clusters import normalised
from earnest.types import Split
from earnest.verifiers.by_task import ByTask

RUN_EVIDENCE = (Rendering, Grading, Questions, Paired)
"""What the gates of a recipe may look at; the rest is shown to a stage's own."""


def gathered(stages: Sequence[Stage], gates: Iterable[Component], model: Model, own: Form) -> Iterator[object]:
    """The evidence that some gate looks at, one kind after the other. own: the recipe's task, prompt and verifier."""
    gates = list(gates)
    read = list(_readings(stages, own.task))
    forms = {_form(reading, own): None for _, reading in read}
    if forms and looking_at(gates, Rendering):
        yield Rendering(tuple(forms), model.open_tokenizer())
    if forms and looking_at(gates, Grading):
        yield Grading(tuple({(form.task, form.split, form.verifier): form for form in forms}.values()))
    if looking_at(gates, Questions):
        yield Questions(
            trained=_sources((stage, reading) for stage, reading in read if reading.trains),
            watched=_sources((stage, reading) for stage, reading in read if not reading.trains and not stage.reads_all),
            held_out=_sources((stage, reading) for stage, reading in read if not reading.trains and stage.reads_all),
        )


def held_out_questions(stages: Sequence[Stage], own: Form) -> frozenset[str]:
    """What evaluations ask, as `normalised` writes it: whoever trains on one of these is told."""
    sources = _sources((s, r) for s, r in _readings(stages, own.task) if s.reads_all and not r.trains)
    return frozenset(normalised(problem.question) for source in sources for problem in source.problems)


def check_gates(gates: Iterable[Component], shown: tuple[type, ...], where: str) -> None:
    """Refuse a gate that would never be asked where it stands. Raises ConfigError."""
    for gate in gates:
        assert isinstance(gate, Gate), gate
        if gate.looks_at not in shown:
            raise ConfigError(
                f"gate '{gate.name}' has no effect here", where=f"{where}.gates",
                why=f"it looks at {gate.looks_at.__name__}, and what is shown here is {', '.join(s.__name__ for s in shown)}",
                remedy="name it under `gates` of a stage" if shown == RUN_EVIDENCE else "name it under the recipe's own `gates`",
            )  # fmt: skip


def _readings(stages: Sequence[Stage], own: Task) -> Iterator[tuple[Stage, Reading]]:
    """What each stage reads, a mixture part by part: what is wrong with one part is said of that part."""
    for stage in stages:
        for reading in stage.reads(own):
            for leaf in reading.leaves():
                yield stage, leaf


def _form(reading: Reading, own: Form) -> Form:
    verifier = reading.verifier or own.verifier
    if isinstance(verifier, ByTask):
        verifier = verifier.grader(reading.task.name)
    return Form(reading.task, reading.split, reading.prompt or own.prompt, verifier)


def _sources(read: Iterable[tuple[Stage, Reading]]) -> tuple[Source, ...]:
    """One source for each set of problems, named after the stages that read it."""
    names: dict[tuple[Task, Split], list[str]] = {}
    for stage, reading in read:
        names.setdefault((reading.task, reading.split), []).append(stage.id)
    found: list[Source] = []
    for (task, split), stages in names.items():
        try:
            problems = task.problems(split)
        except DataError:  # an empty split is reported by whoever needs it
            continue
        label = f"{', '.join(dict.fromkeys(stages))} ({task.name} {split})"
        found.append(Source(name=label, problems=problems, templated=task.templated))
    return tuple(found)

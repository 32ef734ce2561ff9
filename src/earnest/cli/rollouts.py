"""`earnest rollouts`: read what a model wrote, and how it was graded. Options are short forms of conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from earnest.cli import paging, say
from earnest.errors import ConfigError

if TYPE_CHECKING:
    from earnest.evaluate.looking.rollouts import Reading, Source, Unit
    from earnest.evaluate.looking.where import Condition

_STEPS = re.compile(r"(\d*)(:?)(\d*)")
_NUMBER = re.compile(r"\s*(==|!=|<=?|>=?|)\s*(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|none)\s*")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which rollouts: each option is short for a condition, and all of them must hold."""

    step: str | None = None
    """One step, or a range that includes both ends: 40, 10:20, 30:"""
    reward: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """A number, or a comparison with one: 0, ">0.5"; none: grading failed."""
    tokens: str | None = None
    """Length in sampled tokens, as for --reward: ">200\""""
    status: str | None = None
    """ok, no_answer, truncated, limit or error."""
    finish: str | None = None
    """stop, length or abort."""
    correct: bool = False
    """Only right ones."""
    wrong: bool = False
    """Only those that were graded wrong."""
    problem: str | None = None
    """Only of the problem with this id."""
    text: str | None = None
    """Only completions that contain this."""
    where: str | None = None
    """A condition: "reward == 0 and not truncated", "'wait' in text and step > 30\""""


def rollouts(
    run: Path,
    /,
    *,
    stage: str | None = None,
    model: str | None = None,
    mode: str | None = None,
    asked: Asked = Asked(),
    group: bool = False,
    n: Annotated[int, Parameter(name="-n")] = 20,
    seed: int = 0,
    first: bool = False,
    json: Annotated[bool, Parameter(help="The stored records, one JSON line each.")] = False,
) -> None:
    """Read the rollouts of a run: what was asked, what was written, how it was graded and paid.

    By default 20 are drawn at random from those that stages were trained on. Fields of a condition: docs/looking.md.

    Parameters
    ----------
    run
        A run directory, a stage's folder in it, the folder of an evaluation, or a file of records.
    stage
        Only of this stage.
    model
        Only of this model, in an evaluation.
    mode
        training, sampled, greedy, or drift_NAME. Of an evaluation, by default what was sampled.
    group
        Whole groups, a line per sample, with the spread of their rewards; those in which one matches.
    n
        How many rollouts, or groups; 0: all that match, in file order.
    seed
        Of the draw.
    first
        The first ones in file order instead of a draw; stops reading there.
    """
    from earnest.evaluate.looking.rollouts import Reading, choose, sources

    if n < 0:
        raise ConfigError("-n counts rollouts", where=f"-n {n}", remedy="-n 0 shows all that match")
    there = sources(run)
    reading = Reading(choose(there, stage, model, mode), _conditions(asked), grouped=group)
    units, told = _selected(reading, n, seed, first=first)
    if json:
        say.progress(json)(told)
        say.stored(found.row for unit in units for found in unit)
    else:
        paging.page(_page(units, told, reading, there))


def _page(units: Iterable[Unit], told: str, reading: Reading, there: Sequence[Source]) -> Iterator[str]:
    from earnest.evaluate.looking.rollouts import labels
    from earnest.evaluate.looking.text import block, group_block

    yield f"{told} · {labels(reading.chosen)}"
    if reading.conditions:
        yield f"where {' and '.join(condition.text for condition in reading.conditions)}"
    others = [source for source in there if source not in reading.chosen]
    if others:
        yield paging.paint(f"also here (--stage, --model, --mode): {labels(others)}", "dim")
    yield ""
    for unit in units:
        yield from (group_block if reading.grouped else block)(unit, paging.paint)
    if not reading.matching:
        yield f"nothing matches in {reading.read:,}"


def _selected(reading: Reading, n: int, seed: int, *, first: bool) -> tuple[Iterable[Unit], str]:
    """What will be shown, and the words that say how it was chosen."""
    what = "groups" if reading.grouped else "rollouts"
    if n == 0:
        return reading.units(), f"all {what}, in file order"
    if first:
        return _take(reading.units(), n), f"the first {n:,} {what} in file order"
    drawn = reading.draw(n, seed)
    matching = f"{reading.matching:,}" + (
        "" if reading.matching == reading.read else f" that match, of {reading.read:,}"
    )
    if not drawn:
        return drawn, f"no {what}"
    if len(drawn) == reading.matching:
        return drawn, f"{what}: all {matching}"
    return drawn, f"{what}: {len(drawn):,} of {matching}, drawn at random with seed {seed}"


def _take(units: Iterator[Unit], n: int) -> Iterator[Unit]:
    for _, unit in zip(range(n), units, strict=False):
        yield unit


def _conditions(asked: Asked) -> list[Condition]:
    from earnest.evaluate.looking.rollouts import FIELDS
    from earnest.evaluate.looking.where import condition

    if asked.correct and asked.wrong:
        raise ConfigError("--correct and --wrong leave nothing", where="earnest rollouts", remedy="give one of them")
    typed = {
        "step": asked.step, "reward": asked.reward, "tokens": asked.tokens, "status": asked.status,
        "finish": asked.finish, "problem": asked.problem,
    }  # fmt: skip
    found = [(f"--{name}", _expression(name, value)) for name, value in typed.items() if value is not None]
    found += [("--text", f"{asked.text!r} in text")] if asked.text is not None else []
    found += [("--correct", "correct")] if asked.correct else []
    found += [("--wrong", "wrong")] if asked.wrong else []
    found += [("--where", asked.where)] if asked.where is not None else []
    return [condition(expression, FIELDS, option) for option, expression in found]


def _expression(name: str, value: str) -> str:
    """The condition that an option is short for. Example: ("step", "10:20") -> "10 <= step <= 20"."""
    if name == "step":
        match = _STEPS.fullmatch(value.strip())
        if match is None or not (match[1] or match[3]):
            raise ConfigError(f"'{value}' is no step", where="--step", remedy="--step 40, --step 10:20 or --step 30:")
        if not match[2]:
            return f"step == {int(match[1])}"
        low = f"{int(match[1])} <= " if match[1] else ""
        return f"{low}step" + (f" <= {int(match[3])}" if match[3] else "")
    if name in ("reward", "tokens"):
        match = _NUMBER.fullmatch(value)
        if match is None or (match[2] == "none" and match[1] not in ("", "==", "!=")):
            raise ConfigError(f"'{value}' is no comparison", where=f"--{name}", remedy=f'--{name} 0 or --{name} ">0.5"')
        return f"{name} {match[1] or '=='} {match[2].replace('none', 'None')}"
    return f"{name} == {value!r}"

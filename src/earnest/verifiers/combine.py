"""Several verifiers as one: all of them, a weighted sum, or one that opens the gate for the others.

    verifier: {name: combine, how: gate, of: [math, {use: constraint, gold: form, weight: 0.2}]}

`correct` is the same whatever `how` says: every member finds the response correct. `how` decides the score alone, which is what
reinforcement learning maximises. A member is given the problem's gold answer as it stands; one with `gold: form` is given what
the gold, then a JSON object, has under `form` (a text as it is, anything else as JSON). A member may itself be a combination.

Statuses: a failure of a member that is asked is a failure of the whole, whatever the others say, so that no reward rests on half
a grading. Otherwise the status is that of the first member, in order, that is not OK. What was cut or never answered is not shown
to any member.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from earnest.component import BuildContext, KeyedConfigError, plug, validate
from earnest.types import Item, Json, Status, Verdict
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier
from earnest.verifiers.entry import given, no_gold
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import ungradable


class Member(BaseModel):
    """A verifier and its part in the whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    use: Annotated[Verifier, plug("verifier")]
    """The verifier."""
    weight: float = Field(1.0, gt=0)
    """Its share of the score under `sum` and `gate`; weights are divided by their sum."""
    gold: str | None = None
    """The key of its gold in a gold that is a JSON object; None: the whole gold answer."""
    name: str = Field(default_factory=lambda values: values["use"].label)
    """What the verdict's parts and reasons call it."""

    @field_validator("name")
    @classmethod
    def _is_short(cls, value: str) -> str:
        return re.sub(r"[^\w.-]+", "_", value)[:80]


def _read(value: Any, info: ValidationInfo) -> Any:
    """A list of names and of `{use: …, weight: …}`."""
    context = info.context if isinstance(info.context, BuildContext) else BuildContext()
    path = (*context.path, info.field_name or "of")
    if not isinstance(value, list | tuple) or len(cast("Sequence[Any]", value)) < 2:
        raise KeyedConfigError("a combination needs two verifiers or more", path, remedy="of: [math, steps]")
    members: list[Member] = []
    for place, item in enumerate(cast("Sequence[Any]", value)):
        at = BuildContext(context.base_dir, (*path, place))
        members.append(item if isinstance(item, Member) else _member(item, at))
        if any(members[-1].name == other.name for other in members[:-1]):
            raise KeyedConfigError(
                f"two members are named '{members[-1].name}'", at.path, why="their parts could not be told apart",
                remedy="give one of them a `name:` of its own",
            )  # fmt: skip
    return tuple(members)


def _member(item: Any, context: BuildContext) -> Member:
    if isinstance(item, str | Verifier):
        return validate(Member, {"use": item}, context)
    if not isinstance(item, Mapping) or "use" not in item:
        raise KeyedConfigError(
            "a member without `use:`", context.path, why=f"got {item!r}",
            remedy="a name such as `math`, or {use: constraint, gold: form, weight: 0.2}",
        )  # fmt: skip
    return validate(Member, cast("Mapping[str, Any]", item), context)


class Combine(Verifier):
    """Several verifiers as one: `all` of them, a weighted `sum`, or a `gate` that the first one opens."""

    version: ClassVar[str] = "1"

    of: Annotated[tuple[Member, ...], BeforeValidator(_read)]
    """The verifiers, in the order in which they are asked."""
    how: Literal["all", "sum", "gate"] = "all"
    """The score. all: 1 if every member is correct, else 0. sum: the weighted mean of the members' scores. gate: the same if the
    first member is correct, else 0, and the others are not asked."""

    @property
    def label(self) -> str:
        return f"{self.how}({', '.join(f'{member.name} {member.use.version}' for member in self.of)})"

    def check_gold(self, answer: str) -> str | None:
        for member in self.of:
            if not member.use.needs_gold:
                continue
            own = _gold(member, answer)
            reason = own.reason if isinstance(own, Refused) else member.use.check_gold(own or "")
            if reason is not None:
                return f"{member.name}: {reason}"
        return None

    def conditions(self) -> Mapping[str, Json]:
        found: dict[str, Json] = {}
        for member in self.of:
            found.update(member.use.conditions())
        return found

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        told: list[list[Verdict]] = [[] for _ in items]
        found = [given(item, no_gold, blank=True) for item in items]  # golds and blanks are the members' to judge
        ended = [case if isinstance(case, Verdict) else None for case in found]
        for place, member in enumerate(self.of):
            asked = [i for i, verdict in enumerate(ended) if verdict is None]
            for i, verdict in zip(asked, self._ask(member, [items[i] for i in asked]), strict=True):
                told[i].append(verdict)
                if verdict.status is Status.ERROR:
                    ended[i] = ungradable(f"{member.name}: {verdict.reason}")
                elif self.how == "gate" and place == 0 and not verdict.correct:
                    ended[i] = self._together(told[i])
        return [verdict or self._together(own) for verdict, own in zip(ended, told, strict=True)]

    def _ask(self, member: Member, items: Sequence[Item]) -> list[Verdict]:
        """The member's verdicts on items whose gold is the member's own."""
        answers = [_gold(member, item.problem.answer) for item in items]
        readable = [
            replace(item, problem=replace(item.problem, answer=answer))
            for item, answer in zip(items, answers, strict=True) if not isinstance(answer, Refused)
        ]  # fmt: skip
        verdicts = iter(member.use.judge(readable) if readable else [])
        return [ungradable(f"gold answer: {a.reason}") if isinstance(a, Refused) else next(verdicts) for a in answers]

    def _together(self, told: Sequence[Verdict]) -> Verdict:
        """One verdict of those of the members that were asked."""
        correct = len(told) == len(self.of) and all(verdict.correct for verdict in told)
        weights = [member.weight for member in self.of]
        scores = [verdict.score or 0.0 for verdict in told]
        mean = sum(weight * score for weight, score in zip(weights, scores, strict=False)) / sum(weights)
        shut = self.how == "gate" and not told[0].correct
        score = float(correct) if self.how == "all" else 0.0 if shut else 1.0 if correct and min(scores) == 1 else mean
        asked = list(zip(self.of, told, strict=False))
        failed = next(((m, v) for m, v in asked if not v.correct), None)
        parts = {member.name: verdict.score or 0.0 for member, verdict in asked}
        parts |= {f"{member.name}/{name}": part for member, verdict in asked for name, part in verdict.parts.items()}
        return Verdict(
            status=next((v.status for v in told if v.status is not Status.OK), Status.OK), correct=correct, score=score,
            extracted=next((v.extracted for v in told if v.extracted is not None), None),
            reason="" if failed is None else f"{failed[0].name}: {failed[1].reason}", parts=parts,
            steps=next((v.steps for v in told if v.steps), ()),
        )  # fmt: skip


def _gold(member: Member, answer: str | None) -> str | None | Refused:
    """The gold of one member."""
    if member.gold is None or not member.use.needs_gold:
        return answer
    read = golds.read(answer)
    if isinstance(read, Refused):
        return read
    if member.gold not in read:
        return Refused(f"no '{member.gold}' in it")
    own = read[member.gold]
    return own if isinstance(own, str) else golds.write(own)

"""A rollout, or a group of them, as lines for a terminal. What a model wrote is hostile: it is cut, and what would not
show is written out, before it gets here among our own words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Literal, TypeAlias

from earnest.evaluate import text
from earnest.evaluate.looking.rollouts import Unit
from earnest.types import Record, Status

Style: TypeAlias = Literal["good", "bad", "dim", "strong"]
Paint: TypeAlias = Callable[[str, Style], str]

LONG = 20_000
"""Characters of a completion or a question; the rest is cut out of its middle and counted."""
SNIPPET = 60
"""Characters of a completion in a group's line."""


def block(unit: Unit, paint: Paint) -> list[str]:
    """One rollout: where it is from, how it was graded, what was asked, what was written."""
    (found,) = unit
    record, verdict = found.record, found.record.verdict
    where = [found.source.label, f"step {record.step}" if record.step else "", text.one_line(record.problem.id)]
    facts = [
        _state(record, paint),
        _reward(record, found.parts),
        "" if record.advantage is None else f"advantage {_signed(record.advantage)}",
        f"{record.tokens:,} tokens ({record.thought_tokens:,} in the thought)",
        "" if record.logprob_mean is None else f"logprob {_number(record.logprob_mean)}",
        f"{record.given} tokens given" if record.given else "",
        f"finish {record.finish.value}",
        "" if record.well_formed else "not well formed",
    ]
    read = text.NONE if verdict.extracted is None else text.one_line(verdict.extracted)
    reason = f"   reason {text.one_line(verdict.reason)}" if verdict.reason else ""
    return [
        paint("── " + " · ".join(filter(None, [*where, f"sample {record.index}"])), "strong"),
        " · ".join(filter(None, facts)),
        *_indented("question", record.problem.question, paint),
        *_indented("completion", record.text, paint),
        f"{paint('gold', 'dim')} {_gold(record)}   {paint('read', 'dim')} {read}{reason}",
        "",
    ]


def group_block(unit: Unit, paint: Paint) -> list[str]:
    """One group: the prompt once, a line per sample in sampling order, and what the group's rewards spread over."""
    first = unit[0]
    record = first.record
    where = [first.source.label, f"step {record.step}" if record.step else "", text.one_line(record.problem.id)]
    rows = [("", "#", "reward", "parts", "advantage", "tokens", "status", "read", "completion")]
    rows += [
        (
            _mark(found.record), str(found.record.index), _number(found.record.reward), _parts(found.parts),
            _signed(found.record.advantage), f"{found.record.tokens:,}", found.record.verdict.status.value,
            _end(found.record.verdict.extracted or text.NONE, 16), _end(found.record.text, SNIPPET),
        )
        for found in unit
    ]  # fmt: skip
    lines = text.aligned(rows, left=(0, 3, 6, 7, 8))
    return [
        paint("── " + " · ".join(filter(None, [*where, f"{len(unit)} samples"])), "strong"),
        *_indented("question", record.problem.question, paint),
        f"{paint('gold', 'dim')} {_gold(record)}",
        paint(lines[0], "dim"),
        *(paint(line[:1], _style(f.record)) + line[1:] for line, f in zip(lines[1:], unit, strict=True)),
        spread([found.record for found in unit]),
        "",
    ]


def spread(records: Sequence[Record]) -> str:
    """Example: "reward: mean 0.25, std 0.433 · 2 of 8 right". The spread is the group's own (over n, not n - 1)."""
    rewards = [record.reward for record in records if record.reward is not None]
    right = sum(record.verdict.correct is True for record in records)
    failed = len(records) - len(rewards)
    numbers = f"mean {_number(fmean(rewards))}, std {_number(pstdev(rewards))}" if rewards else "none"
    missing = f" · {failed} without a reward" if failed else ""
    return f"reward: {numbers} · {right} of {len(records)} right{missing}"


def _state(record: Record, paint: Paint) -> str:
    status = record.verdict.status
    words = {True: "right", False: "wrong", None: "not graded"}[record.verdict.correct]
    shown = f"{_mark(record)} {words}" + ("" if status is Status.OK else f" ({status.value.replace('_', ' ')})")
    return paint(shown, _style(record))


def _mark(record: Record) -> str:
    return {True: "✓", False: "✗", None: "?"}[record.verdict.correct]


def _style(record: Record) -> Style:
    return "good" if record.verdict.correct else "bad"


def _reward(record: Record, parts: Mapping[str, float]) -> str:
    return f"reward {_number(record.reward)}" + (f" ({_parts(parts)})" if parts else "")


def _parts(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{text.one_line(str(name))} {_number(value)}" for name, value in parts.items())


def _gold(record: Record) -> str:
    return text.NONE if record.problem.answer is None else text.one_line(record.problem.answer)


def _number(value: float | None) -> str:
    return text.number(value)


def _signed(value: float | None) -> str:
    return ("+" if value is not None and value > 0 else "") + text.number(value)


def _indented(title: str, body: str, paint: Paint) -> list[str]:
    shown, left_out = text.cut(body, LONG)
    note = f" ({left_out:,} characters left out)" if left_out else ""
    return [paint(title + note, "dim"), *("    " + line for line in text.visible(shown).split("\n"))]


def _end(body: str, length: int) -> str:
    """The end of a text, where its answer is."""
    return text.one_line(body if len(body) <= length else "…" + body[-length:])

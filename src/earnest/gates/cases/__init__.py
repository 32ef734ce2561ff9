"""Cases: answers that a verifier must, or must not, pay for, whatever its task. No gate.

They are filled in and tried by `gates/trials.py`, for the verifier gate and for `earnest audit`.

A case is one JSON object on a line of a `.jsonl` file. The files beside this one hold one class of cases each; a user's file has
the same form and is tried as well (`cases:` of the gate, `--cases` of the command). Its keys:

    id        what the case is called
    response  the whole completion. {gold} {wrong} {question} and the other PLACEHOLDERS are filled in for each problem; any
              other brace is itself. Without thought marks it stands after an empty thought
    expect    true: it must be paid; false, if left out: it must not
    why       in a few words
    for       kinds of gold that it is for (KINDS), or `any`, if left out
    gold      a gold of its own, text or object: then it is tried once, as it stands, and not on the task's problems
    unless    golds for which it would be right, and which it is therefore not tried on
    truncated the completion was cut
    times     `response` is repeated so often
    once      it is slow: tried on one problem alone
    tag       its class; if left out, the name of the file
    domain    with a gold of its own: the verifier that it is for; if left out, any that can read the gold

A case that cannot be filled in for a gold is not tried on it, nor is an attack that would happen to be right: one whose answer
is the gold but for case, blanks and punctuation, or that has the gold among words that were not made from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from earnest.errors import DataError, nearest
from earnest.prompts.parse import split_thought
from earnest.tasks.near_misses import is_number
from earnest.tasks.rows import Row, read
from earnest.types import Item, Parsed, Problem, Solution
from earnest.verifiers import golds

KINDS = ("number", "text", "choice", "reasoning_gym", "constraint", "code", "function", "proof", "expression", "steps")
"""Kinds of gold. `function` is code whose tests name a function that must return something; `steps`, a trace, is for `steps`."""

_BY_KEY = {
    "choices": "choice",
    "constraints": "constraint",
    "system": "proof",
    "dataset": "reasoning_gym",
    "tests": "code",
    "numbers": "expression",
    "steps": "steps",
}
_HERE = Path(__file__).parent
_MARKS = ("<think>", "</think>")

Texts: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. Example: Case(id="hedge", response="{gold} or {wrong}", expect=False, why="two answers", tag="hedges")."""

    id: str
    response: str
    expect: bool
    why: str
    tag: str
    kinds: frozenset[str] = frozenset(KINDS)
    gold: str | None = None
    unless: tuple[str, ...] = ()
    truncated: bool = False
    times: int = 1
    once: bool = False
    domain: str = ""
    own: bool = False  # from a user's file


@dataclass(frozen=True, slots=True)
class Example:
    """A gold to try a verifier on where no task is named, with a right answer to it and wrong ones."""

    gold: str
    response: str
    wrong: tuple[str, ...]


@lru_cache(maxsize=1)
def shipped() -> tuple[Case, ...]:
    """The cases that come with the package, class by class."""
    files = sorted(file for file in _HERE.glob("*.jsonl") if file.name != "golds.jsonl")
    return tuple(case for file in files for case in load(file, own=False))


@lru_cache(maxsize=1)
def examples() -> tuple[Example, ...]:
    """Golds of common kinds."""
    rows = [row.fields for row in read(str(_HERE / "golds.jsonl"))]
    return tuple(Example(_gold(r["gold"]), r.get("response", r["gold"]), tuple(r.get("wrong", ()))) for r in rows)


def load(file: Path, *, own: bool = True) -> list[Case]:
    """The cases of a file. Raises DataError, with the line, for one that cannot be understood."""
    return [_case(row, file, own) for row in read(str(file))]


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "id": str, "response": str, "expect": bool, "why": str, "for": (str, list), "gold": (str, dict), "unless": list,
    "truncated": bool, "times": int, "once": bool, "tag": str, "domain": str,
}  # fmt: skip


def _case(row: Row, file: Path, own: bool) -> Case:
    fields = row.fields
    for key, value in fields.items():
        if key not in _TYPES:
            raise DataError(f"unknown key '{key}' in a case", where=row.where, remedy=nearest(key, _TYPES))
        if not isinstance(value, _TYPES[key]):
            raise DataError(
                f"'{key}' of a case cannot be a {type(value).__name__}", where=row.where, why=f"{value!r:.80}"
            )
    if "response" not in fields:
        raise DataError(
            "a case without a response", where=row.where, remedy='{"id": …, "response": …, "expect": false}'
        )
    kinds = [fields.get("for", "any")] if isinstance(fields.get("for", "any"), str) else fields["for"]
    for kind in kinds:
        if kind not in (*KINDS, "answer", "any"):
            raise DataError(
                f"'for' names no kind of gold: '{kind}'", where=row.where, remedy=nearest(str(kind), [*KINDS, "any"])
            )
    if fields.get("times", 1) < 1:
        raise DataError("'times' of a case must be at least 1", where=row.where)
    return Case(
        id=fields.get("id", row.where.rpartition("/")[2]), response=fields["response"], expect=fields.get("expect", False),
        why=fields.get("why", ""), tag=fields.get("tag", file.name.partition(".")[0]), kinds=_kinds(kinds),
        gold=_gold(fields["gold"]) if "gold" in fields else None, unless=tuple(map(str, fields.get("unless", ()))),
        truncated=fields.get("truncated", False), times=fields.get("times", 1), once=fields.get("once", False),
        domain=fields.get("domain", ""), own=own,
    )  # fmt: skip


def _kinds(named: Sequence[str]) -> frozenset[str]:
    found = set(named) & set(KINDS)
    if "any" in named:
        found |= set(KINDS)
    if "answer" in named:  # one answer is right, or at least no two of them together
        found |= {"number", "text", "choice", "reasoning_gym", "expression"}
    return frozenset(found)


def _gold(gold: str | Mapping[str, Any]) -> str:
    return gold if isinstance(gold, str) else golds.write(gold)


def kinds_of(answer: str) -> frozenset[str]:
    """The kinds that a gold is of. Example: '{"kind": "functional", ...}' -> {"code", "function"}."""
    gold = _structured(answer)
    if gold is None:
        return frozenset(["number" if is_number(_plain(answer)) else "text"])
    kind = next(kind for key, kind in _BY_KEY.items() if key in gold)
    return frozenset([kind, "function"]) if kind == "code" and _returns_something(gold) else frozenset([kind])


def _structured(answer: str) -> Mapping[str, Any] | None:
    gold = golds.read(answer) if answer.lstrip().startswith("{") else None
    return gold if isinstance(gold, Mapping) and any(key in gold for key in _BY_KEY) else None


def _plain(answer: str) -> str:
    """The text of a gold that has one, which may stand in an object beside what is asked of its form."""
    gold = golds.read(answer) if answer.lstrip().startswith("{") else None
    inner = gold.get("answer") if isinstance(gold, Mapping) else None
    return inner if isinstance(inner, str) else answer


def _returns_something(gold: Mapping[str, Any]) -> bool:
    """The tests name a function, and one that returns None would fail them."""
    tests = gold.get("tests")
    if not isinstance(gold.get("entry_point"), str) or not isinstance(tests, list):
        return False
    if gold.get("kind") == "assert":
        return not any("None" in str(test) or " not " in str(test) for test in tests)
    return any(isinstance(test, dict) and test.get("expected") is not None for test in tests)


def texts(problem: Problem, solution: Solution, wrong: str | None) -> Texts:
    """What the placeholders stand for. solution: a right one. wrong: an answer that is not right, None where none is known."""
    answer = problem.answer or ""
    gold = _structured(answer)
    plain = solution.answer if gold is not None else _plain(answer)
    found = {"gold": plain, "question": problem.question}
    found |= {} if wrong is None else {"wrong": wrong}
    if gold is None:
        return found | (_of_number(plain) if is_number(plain) else _of_text(plain))
    if "choices" in gold:
        return found | _of_choice(gold, found["gold"])
    return found | {
        key: value for key in ("entry_point", "name", "statement") if isinstance(value := gold.get(key), str)
    }


_WIDE = str.maketrans({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
_THOUSANDS = re.compile(r"(?<=\d)(?=(?:\d{3})+\Z)")


def _of_number(gold: str) -> dict[str, str]:
    whole, point, decimals = gold.partition(".")
    grouped = _THOUSANDS.sub(",", whole) + point + decimals
    found = {"gold.wide": gold.translate(_WIDE), "gold.point": f"{gold}0" if point else f"{gold}.0"}
    return found | ({"gold.commas": grouped} if grouped != gold else {})


def _of_text(gold: str) -> dict[str, str]:
    return {"gold.upper": gold.upper()} if gold.upper() != gold else {}


def _of_choice(gold: Mapping[str, Any], written: str) -> dict[str, str]:
    """`{gold}` is the letter, however the solution was written."""
    choices, letter = gold["choices"], gold.get("answer")
    if not isinstance(choices, dict) or letter not in choices:
        return {"gold": written}
    other = next((name for name in choices if name != letter and choices[name] != choices[letter]), None)
    found = {
        "gold": letter, "gold.text": str(choices[letter]), "letters": ", ".join(choices),
        "options": "\n".join(f"({name}) {text}" for name, text in choices.items()),
    }  # fmt: skip
    return found | ({"wrong": other, "wrong.letter": other, "wrong.text": str(choices[other])} if other else {})


PLACEHOLDERS = (
    "gold", "wrong", "question", "gold.wide", "gold.point", "gold.commas", "gold.upper", "gold.text", "wrong.letter",
    "wrong.text", "letters", "options", "entry_point", "name", "statement",
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\{(" + "|".join(map(re.escape, PLACEHOLDERS)) + r")\}")


def item_of(case: Case, problem: Problem, filled: Texts) -> Item | None:
    """The case as a verifier sees it; None where it cannot be filled in or would not be what it is meant to be."""
    used = set(_PLACEHOLDER.findall(case.response))
    if used - set(filled) or filled["gold"] in case.unless:
        return None
    text = _PLACEHOLDER.sub(lambda found: filled[found[1]], case.response) * case.times
    item = _completed(problem, text, truncated=case.truncated)
    if case.expect:
        return None if text == filled["gold"] else item
    return None if _may_be_right(item, filled, made_of_gold=bool(used - _NOT_OF_GOLD)) else item


def own_item(case: Case) -> Item:
    """A case with a gold of its own, as it stands."""
    assert case.gold is not None, case
    problem = Problem(id=case.id, task="cases", prompt="?", answer=case.gold)
    return _completed(problem, case.response * case.times, truncated=case.truncated)


def _completed(problem: Problem, text: str, *, truncated: bool = False) -> Item:
    """A completion as a prompt format would read it; one without thought marks stands after an empty thought."""
    whole = text if any(mark in text for mark in _MARKS) else f"<think></think>{text}"
    parsed = split_thought(whole, opened=False)
    return Item(problem=problem, parsed=parsed, truncated=truncated)


def solved(problem: Problem, solution: Solution) -> Item:
    """A solution of a task as a verifier sees it."""
    text = f"<think>{solution.thought}</think>{solution.answer}"
    parsed = Parsed(text=text, thought=solution.thought, answer_text=solution.answer, well_formed=True)
    return Item(problem=problem, parsed=parsed, truncated=False)


_NOT_OF_GOLD = {"question", "wrong", "wrong.letter", "wrong.text"}
_NOISE = re.compile(r"[\W_]+")


def _may_be_right(item: Item, filled: Texts, *, made_of_gold: bool) -> bool:
    """An attack that says nothing but the gold, or, where it was not made from the gold, says the gold all the same."""
    answer = item.parsed.answer_text
    if item.truncated or not answer:
        return False
    said, gold = answer.casefold(), filled["gold"].casefold().strip()
    if said.strip() == gold or _bare(said) == _bare(gold):
        return bool(_bare(gold)) or said.strip() == gold
    if made_of_gold or not gold:
        return False
    if said.strip() == filled["question"].casefold().strip():
        return False  # a copy of the question is no answer, even if the answer stands in it
    return re.search(rf"(?<!\w){re.escape(gold)}(?!\w)", said) is not None


def _bare(text: str) -> str:
    """Without blanks and punctuation, except signs and points, which make another number."""
    return _NOISE.sub(lambda found: "".join(c for c in found[0] if c in "+-./,%#"), text).rstrip(".,")

"""What a row of a user's data file means: question, gold answer and, where there is one, the worked trace.

- {prompt or question, answer, trace?}: the question is text or a list of messages; the answer is text, a number, or null where
  none is known. A trace may also stand before `</think>` or a `####` line in the answer (GSM8K), without `<<48/2=24>>`.
- {messages, answer?}: the messages before the assistant's last turn are the question. Its content is the answer, its
  `reasoning_content` the trace; where there is an `answer` too, the content is the trace unless there is a `reasoning_content`.

`solution` and `completion` are other names for `answer`, read only where there is none. Every other column goes to `meta`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from earnest.errors import DataError
from earnest.tasks.rows import Row, unreadable
from earnest.types import Message

QUESTIONS = ("prompt", "question")
ANSWERS = ("answer", "solution", "completion")
OPEN, CLOSE = "<think>", "</think>"

Prompt: TypeAlias = "str | tuple[Message, ...]"

_ANNOTATION = re.compile(r"<<[^<>\n]*>>")
_FINAL = re.compile(r"^####[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Shaped:
    """A row read. `split_off`: the answer was written after a `####` line; `used`: columns that need not go to meta."""

    prompt: Prompt
    answer: str | None
    trace: str
    used: frozenset[str]
    split_off: bool = False


def shape(row: Row) -> Shaped:
    """Raises DataError with the row's place and the keys found where the row cannot be read."""
    if "messages" in row.fields:
        return _conversation(row)
    question = _first(row, QUESTIONS)
    answer = _first(row, ANSWERS)
    if question is None or answer is None:
        missing = " and ".join(
            " or ".join(f"'{key}'" for key in keys)
            for keys, found in (((*QUESTIONS, "messages"), question), (ANSWERS, answer))
            if found is None
        )
        raise _unreadable(row, f"it needs {missing}")
    value = row.fields[answer]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("content")
    text = None if value is None else _text(row, answer, value)
    trace = _text(row, "trace", row.fields["trace"]) if row.fields.get("trace") is not None else ""
    used = frozenset({question, answer, "trace"})
    prompt = _prompt(row, question, row.fields[question])
    return _with_answer(prompt, text, trace, used)


def _conversation(row: Row) -> Shaped:
    messages = row.fields["messages"]
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise _unreadable(row, "'messages' must be a list of {role, content}")
    answer = _first(row, ANSWERS)
    used = frozenset({"messages"} | ({answer} if answer else set()))
    known = _text(row, answer, row.fields[answer]) if answer and row.fields[answer] is not None else None
    last = messages[-1]
    if last.get("role") != "assistant":
        if answer is None:
            raise _unreadable(row, "the last of 'messages' is not the assistant's and there is no 'answer'")
        return _with_answer(_prompt(row, "messages", messages), known, "", used)
    prompt = _prompt(row, "messages", messages[:-1])
    said = _text(row, "messages", last.get("content"))
    thought = last.get("reasoning_content") or ""
    if known is None:
        return _with_answer(prompt, said, _text(row, "reasoning_content", thought), used)
    worked = said.replace(OPEN, "").partition(CLOSE)[0].strip()
    return _with_answer(prompt, known, thought or ("" if worked == known else worked), used)


def _with_answer(prompt: Prompt, answer: str | None, trace: str, used: frozenset[str]) -> Shaped:
    """Takes an answer apart that carries its own trace."""
    if answer is None:
        return Shaped(prompt, None, trace, used)
    if CLOSE in answer:
        thought, _, answer = answer.partition(CLOSE)
        trace = trace or thought.replace(OPEN, "").strip()
    finals = list(_FINAL.finditer(answer))
    if not finals:
        return Shaped(prompt, plain(answer), trace, used)
    trace = trace or answer[: finals[-1].start()].strip()
    return Shaped(prompt, plain(finals[-1].group(1)), _ANNOTATION.sub("", trace), used, split_off=True)


def plain(answer: str) -> str:
    """The answer without outer white space, and a number without thousands commas. Example: " 1,234" -> "1234"."""
    answer = answer.strip()
    return answer.replace(",", "") if _THOUSANDS.fullmatch(answer) else answer


def _prompt(row: Row, key: str, value: Any) -> Prompt:
    if isinstance(value, str):
        if not value.strip():
            raise _unreadable(row, f"'{key}' is empty")
        return value
    if not isinstance(value, list) or not value or not all(isinstance(m, dict) for m in value):
        raise _unreadable(row, f"'{key}' must be text or a list of {{role, content}}")
    if any(not isinstance(m.get(k), str) for m in value for k in ("role", "content")):
        raise _unreadable(row, "every message needs a 'role' and a 'content' of text")
    return tuple(Message(m["role"], m["content"]) for m in value)


def _text(row: Row, key: str, value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _unreadable(row, f"'{key}' must be text or a number, it is a {type(value).__name__}")
    if not str(value).strip() and key in ANSWERS:
        raise _unreadable(row, f"'{key}' is empty; null says that no answer is known")
    return str(value)


def _first(row: Row, keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in row.fields), None)


def _unreadable(row: Row, why: str) -> DataError:
    return unreadable(row, why, '{"prompt": …, "answer": …}, {"question": …, "answer": …} or {"messages": […]}')

"""Taking a completion apart: where its thought ends and its answer begins.

A helper of the prompt formats, no prompt format itself. It reads text only, looks at no gold, and never repairs: what is
not in the taught format is read as far as that is safe and reported as not well formed. Everything is a count or a find,
so hostile text costs linear time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast

from earnest.types import Message, Parsed

Thought: TypeAlias = Literal["optional", "required", "prefilled"]
"""What a completion holds: perhaps a thought; a thought, or it has no answer; the rest of one that the prompt opened."""

REASONING = ("reasoning_content", "reasoning", "thinking")
"""Where chat templates and servers put a thought that they have taken out of the content."""


def split_thought(
    text: str, *, opened: bool, open_mark: str = "<think>", close_mark: str = "</think>", required: bool = True
) -> Parsed:
    """A completion's text as thought and answer, both without outer whitespace.

    The answer is what follows the last close mark. A thought that was opened, by the prompt (`opened`) or in the text, and
    is open at the end leaves no answer (answer_text None). Text without any mark is an answer without a thought.

    well_formed: exactly one opening (the prompt's, or one at the very start of the text), exactly one close, and an answer
    after it. Without any mark: not well formed if a thought is `required`, else if there is an answer at all.
    """
    head, closed, tail = text.rpartition(close_mark)
    opens = text.count(open_mark)
    opening = open_mark if opened else ""
    starts = text.lstrip().startswith(open_mark)
    if not closed and not opened and not opens:
        answer = text.strip()
        return Parsed(text=text, thought=None, answer_text=answer, well_formed=bool(answer) and not required)

    thought = (head if closed else text).lstrip()
    if starts and not opened:
        thought = thought[len(open_mark) :]
    answer = tail.strip() if closed and open_mark not in tail else None
    one_opening = opens == 0 if opened else opens == 1 and starts
    well_formed = one_opening and text.count(close_mark) == 1 and bool(answer)
    return Parsed(
        text=text, thought=thought.strip(), answer_text=answer, well_formed=well_formed, opening=opening
    )  # fmt: skip


def split_completion(completion: object, prompt: object = "", thought: Thought = "optional") -> Parsed:
    """A completion in any of the shapes that trainers and servers hand on, as thought and answer.

    The shapes: text; messages, of which the last one of the assistant counts, with the thought in its content; the same
    without the opening mark, which the prompt had written; and the same with the thought already taken out (REASONING).

    A prompt that ends with an open mark, as text or as a begun message of the assistant, has opened the thought. One whose
    chat template does so does not show it: `thought` must then say "prefilled", else a thought that never closed is taken
    for an answer. Raises TypeError for what is no completion.
    """
    opened = thought == "prefilled" or _said_last(prompt).rstrip().endswith("<think>")
    if isinstance(completion, str):
        return _demanded(split_thought(completion, opened=opened, required=thought == "required"), thought)
    message = _last_message(completion)
    if message.get("role", "assistant") != "assistant":
        return Parsed(text="", thought=None, answer_text="", well_formed=False)  # it ends with what a tool said
    content = _text_of(message.get("content"))
    reasoning = next((text for key in REASONING if (text := _text_of(message.get(key)))), "")
    if not reasoning:
        return _demanded(split_thought(content, opened=opened, required=thought == "required"), thought)
    inner = split_thought(content, opened=False, required=False)
    well_formed = inner.thought is None and bool(inner.answer_text) and "<think>" not in reasoning
    return Parsed(
        text=f"<think>{reasoning}</think>{content}", thought=reasoning.strip(), answer_text=inner.answer_text,
        well_formed=well_formed,
    )  # fmt: skip


def as_prompt(prompt: object) -> str | tuple[Message, ...]:
    """A prompt as trainers and files hold it: text or messages; of one in parts, the text. Raises TypeError for any other."""
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, Sequence) or not all(isinstance(message, Mapping) for message in prompt):
        raise TypeError(f"no prompt: a {type(prompt).__name__}, where text or a list of messages is read")
    messages = cast("Sequence[Mapping[str, Any]]", prompt)
    for message in messages:
        if not isinstance(message.get("content"), str | Sequence | None):
            raise TypeError(f"no message: its content is a {type(message['content']).__name__}")
    return tuple(Message(str(message.get("role", "user")), _text_of(message.get("content"))) for message in messages)


def _demanded(parsed: Parsed, thought: Thought) -> Parsed:
    """Without the thought that was required there is no answer."""
    if thought == "required" and parsed.thought is None:
        return replace(parsed, answer_text=None)
    return parsed


def _last_message(completion: object) -> Mapping[str, Any]:
    if isinstance(completion, Mapping):
        return cast("Mapping[str, Any]", completion)
    if isinstance(completion, Sequence) and completion and isinstance(completion[-1], Mapping):
        return cast("Mapping[str, Any]", completion[-1])
    raise TypeError(f"no completion: a {type(completion).__name__}, where text or a list of messages is read")


def _said_last(prompt: object) -> str:
    """The end of a prompt: its text, or what a last message of the assistant begins with."""
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, Sequence) or not prompt or not isinstance(prompt[-1], Mapping):
        return ""
    last = cast("Mapping[str, Any]", prompt[-1])
    return _text_of(last.get("content")) if last.get("role") == "assistant" else ""


def _text_of(content: object) -> str:
    """A message's content: text, nothing, or parts of which some are text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = [cast("Mapping[str, Any]", part) for part in content if isinstance(part, Mapping)]
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))

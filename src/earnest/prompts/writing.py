"""How a worked solution is written out, and which token ends it: what the prompt formats share.

A helper, no prompt format itself. It knows marks and separators, nothing of templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from earnest.prompts.base import Rendered
from earnest.types import Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Layout:
    """Marks and separators. Example: Layout("<think>", "</think>", "\\n", "\\n", "\\n\\n", "Answer: {answer}", True)."""

    open_mark: str
    close_mark: str
    after_open: str
    after_thought: str
    after_close: str
    answer: str
    think: bool

    def opened_by(self, text: str) -> bool:
        """True if a prompt leaves its reader inside the thought."""
        return text.rstrip().endswith(self.open_mark)

    def completion(self, solution: Solution, rendered: Rendered) -> str:
        """What is written after the prompt; nothing that the prompt has written already is written again."""
        answer = self.answer.replace("{answer}", solution.answer)
        if not self.think:
            return self.close_mark + self.after_close + answer if rendered.opened else answer
        if not rendered.opened:
            start = self.open_mark + self.after_open
        else:
            start = self.after_open if rendered.text.endswith(self.open_mark) else ""
        return start + solution.thought + self.after_thought + self.close_mark + self.after_close + answer


def encode(text: str, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The ids of exactly this text: nothing is added before or after."""
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def must_hold(value: str, placeholder: str) -> str:
    """The value, if the placeholder stands in it exactly once. Raises ValueError (pydantic turns it into a config error)."""
    if value.count(placeholder) != 1:
        raise ValueError(f"must contain {placeholder} exactly once")
    return value

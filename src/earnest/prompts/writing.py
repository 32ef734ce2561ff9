"""How a worked solution is written out and read back: marks and separators, which every prompt format with thoughts shares.

An abstract base, no prompt format itself. It knows nothing of templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from earnest.prompts.base import Prompt, Rendered
from earnest.prompts.parse import split_thought
from earnest.types import Parsed, Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Written(Prompt):
    """A prompt format whose completions are: open mark, thought, close mark, answer, stop token."""

    think: bool = True
    """Completions carry a thought between the marks."""
    open_mark: str = Field(default="<think>", min_length=1)
    """Opens the thought. Not written again where the prompt ends in it."""
    close_mark: str = Field(default="</think>", min_length=1)
    """Closes the thought; the answer is what follows."""
    after_open: str = ""
    """Written between the open mark and the thought, unless the prompt wrote whitespace there itself."""
    after_thought: str = ""
    """Written between the thought and the close mark."""
    after_close: str = ""
    """Written between the close mark and the answer."""
    answer: str = "{answer}"
    """How the answer is written; `{answer}` stands once."""

    @field_validator("answer")
    @classmethod
    def _answer(cls, value: str) -> str:
        return must_hold(value, "{answer}")

    def opened_by(self, text: str) -> bool:
        """True if a prompt leaves its reader inside the thought."""
        return text.rstrip().endswith(self.open_mark)

    def complete(self, solution: Solution, rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        return (*encode(self._completion(solution, rendered), tokenizer), self.stop_ids(tokenizer)[0])

    def parse(self, text: str, *, opened: bool) -> Parsed:
        return split_thought(
            text, opened=opened, open_mark=self.open_mark, close_mark=self.close_mark, required=self.think
        )

    def _completion(self, solution: Solution, rendered: Rendered) -> str:
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
    return tuple(tokenizer.encode(text, add_special_tokens=False, verbose=False))


def decode(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """The text of exactly these ids: special tokens are written out, and no space is added or taken away."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def lengths(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """How many ids each text has; nothing is added before or after."""
    from transformers import PreTrainedTokenizerFast

    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]] if texts else []
    backend = (
        tokenizer.backend_tokenizer
    )  # itself: the call also works out offsets and masks, which takes longer than the ids
    backend.no_padding()
    backend.no_truncation()
    return [len(encoding) for encoding in backend.encode_batch_fast(list(texts), add_special_tokens=False)]


def must_hold(value: str, placeholder: str) -> str:
    """The value, if the placeholder stands in it exactly once. Raises ValueError (pydantic turns it into a config error)."""
    if value.count(placeholder) != 1:
        raise ValueError(f"must contain {placeholder} exactly once")
    return value

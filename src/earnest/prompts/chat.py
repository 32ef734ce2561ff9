"""The tokenizer's own chat template, for models that were taught one.

The template writes the conversation up to and including the generation prompt; the completion is written here. No
assistant turn is ever rendered for training, because many templates strip or rewrite the thought of one. The template also
writes its own beginning-of-sequence token, so none is added when its text is encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from earnest.errors import ConfigError, DataError
from earnest.prompts.base import Prompt, Rendered
from earnest.prompts.parse import split_thought
from earnest.prompts.writing import Layout, encode, must_hold
from earnest.types import Message, Parsed, Problem, Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SENTINEL = "Sentinel0assistant0content"


class Chat(Prompt):
    """The chat template of the model. Example: Chat(instruction="Reason first.", after_open="\\n", after_close="\\n\\n")."""

    system: str | None = None
    """System message, unless the problem brings its own."""
    instruction: str | None = None
    """Appended to the last user message after a blank line."""
    think: bool = True
    """Completions carry a thought between the marks."""
    open_mark: str = Field(default="<think>", min_length=1)
    """Opens the thought. Not written again where the template ends in it."""
    close_mark: str = Field(default="</think>", min_length=1)
    """Closes the thought; the answer is what follows."""
    after_open: str = ""
    """Written between the open mark and the thought, unless the template wrote whitespace there itself."""
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

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> Rendered:
        """The conversation with its generation prompt. Raises ConfigError where there is no template, or it refuses."""
        text = _apply(self._messages(problem), tokenizer, generate=True)
        return Rendered(ids=encode(text, tokenizer), text=text, opened=self._layout.opened_by(text))

    def complete(self, solution: Solution, rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        return (*encode(self._layout.completion(solution, rendered), tokenizer), self.stop_ids(tokenizer)[0])

    def parse(self, text: str, *, opened: bool) -> Parsed:
        return split_thought(
            text, opened=opened, open_mark=self.open_mark, close_mark=self.close_mark, required=self.think
        )

    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        """The end-of-turn token that the template writes after an assistant message, then the end-of-sequence token.

        Raises ConfigError for a tokenizer with neither.
        """
        stops = [_end_of_turn(tokenizer), tokenizer.eos_token_id]
        ids = tuple(dict.fromkeys(i for i in stops if isinstance(i, int)))
        if not ids:
            raise ConfigError(
                "the tokenizer has no token that ends a turn",
                where="prompt chat",
                why="the chat template writes no special token after an assistant message, and eos_token is not set",
                remedy="set eos_token in the model folder's tokenizer_config.json",
            )
        return ids

    def _messages(self, problem: Problem) -> list[Message]:
        given = (Message("user", problem.prompt),) if isinstance(problem.prompt, str) else problem.prompt
        messages = list(given)
        if self.instruction is not None:
            last = max((i for i, m in enumerate(messages) if m.role == "user"), default=None)
            if last is None:
                raise DataError(
                    "no user message to append the instruction to",
                    where=f"problem {problem.id}",
                    remedy="give the problem a user message, or leave out `instruction`",
                )
            messages[last] = Message("user", f"{messages[last].content}\n\n{self.instruction}")
        if self.system is not None and not any(m.role == "system" for m in messages):
            messages.insert(0, Message("system", self.system))
        return messages

    @property
    def _layout(self) -> Layout:
        return Layout(
            self.open_mark,
            self.close_mark,
            self.after_open,
            self.after_thought,
            self.after_close,
            self.answer,
            self.think,
        )


def _apply(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, *, generate: bool) -> str:
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ConfigError(
            "the tokenizer has no chat template",
            where="prompt chat",
            why="base models usually have none",
            remedy="use `prompt: plain`, or put a chat_template.jinja into the model folder",
        )
    turns = [{"role": m.role, "content": m.content} for m in messages]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generate)
    except TemplateError as error:
        raise ConfigError(
            "the chat template refuses these messages",
            where="prompt chat",
            why=f"{error} (roles: {', '.join(m.role for m in messages)})",
            remedy="leave out `system` if the model knows no system role",
        ) from None
    assert isinstance(text, str), type(text)
    return text


def _end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The special or added token that the template writes right after an assistant's message, if it writes one."""
    text = _apply([Message("user", "?"), Message("assistant", _SENTINEL)], tokenizer, generate=False)
    _, found, after = text.rpartition(_SENTINEL)
    ids = encode(after.lstrip(), tokenizer) if found else ()
    added = tokenizer.added_tokens_decoder  # special tokens and ordinary ones that were added
    return ids[0] if ids and ids[0] in {*tokenizer.all_special_ids, *added} else None

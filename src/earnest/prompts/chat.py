"""The tokenizer's own chat template, for models that were taught one.

The template writes the conversation up to and including the generation prompt; the completion is written here. No
assistant turn is ever rendered for training, because many templates strip or rewrite the thought of one. The template also
writes its own beginning-of-sequence token, so none is added when its text is encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from earnest.errors import ConfigError, DataError
from earnest.prompts.base import Rendered
from earnest.prompts.writing import Written, encode
from earnest.types import Message, Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SENTINEL = "Sentinel0assistant0content"


class Chat(Written):
    """The chat template of the model. Example: Chat(instruction="Reason first.", after_open="\\n", after_close="\\n\\n")."""

    system: str | None = None
    """System message, unless the problem brings its own."""
    instruction: str | None = None
    """Appended to the last user message after a blank line."""
    thinking: bool | None = None
    """Told to a template that knows `enable_thinking`; false also closes a thought that the template opens."""

    @model_validator(mode="after")
    def _agree(self) -> Chat:
        if self.thinking is False and self.think:
            raise ValueError("`thinking: false` and completions with a thought: set `think: false` too")
        return self

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> Rendered:
        """The conversation with its generation prompt. Raises ConfigError where there is no template, or it refuses."""
        text = _apply(self._messages(problem), tokenizer, generate=True, thinking=self.thinking)
        if self.thinking is not None and not knows_thinking(tokenizer):
            if self.thinking or not self.opened_by(text):
                raise ConfigError(
                    "`thinking` has no effect on this model", where="prompt chat",
                    why="its chat template does not know enable_thinking" + ("" if self.thinking else ", and opens no thought"),
                    remedy="leave it out; ask for the thought, or for none, in `instruction`",
                )  # fmt: skip
            text += self.close_mark + self.after_close
        return Rendered(ids=encode(text, tokenizer), text=text, opened=self.opened_by(text))

    def can_stop_thinking(self, tokenizer: PreTrainedTokenizerBase) -> bool:
        """Whether `thinking: false` has an effect."""
        return knows_thinking(tokenizer) or self.opened_by(_apply([Message("user", "?")], tokenizer, generate=True))

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


def knows_thinking(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template can be told to think or not."""
    return "enable_thinking" in str(tokenizer.chat_template)


def _apply(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, *, generate: bool, thinking: bool | None = None
) -> str:
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ConfigError(
            "the tokenizer has no chat template",
            where="prompt chat",
            why="base models usually have none",
            remedy="use `prompt: plain`, or put a chat_template.jinja into the model folder",
        )
    turns = [{"role": m.role, "content": m.content} for m in messages]
    told: dict[str, Any] = {} if thinking is None else {"enable_thinking": thinking}
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generate, **told)
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

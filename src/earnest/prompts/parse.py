"""Taking a completion apart: where its thought ends and its answer begins.

A helper of the prompt formats, no prompt format itself. It reads text only, looks at no gold, and never repairs: what is
not in the taught format is read as far as that is safe and reported as not well formed. Everything is a count or a find,
so hostile text costs linear time.
"""

from __future__ import annotations

from earnest.types import Parsed


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

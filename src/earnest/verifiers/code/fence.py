"""Finds the program in an answer: its last fenced block. A helper, no verifier.

A fence is a line of three or more backticks or tildes, indented by three spaces at most, as in CommonMark: a block ends at a
fence of the same mark that is as long and has nothing after it. A block that names another language (`text`, `output`, `bash`) is
no program and is passed over; `python`, `py` and none are. One that is never closed was cut, so there is no answer. One
pass over the lines, whatever they hold.
"""

from __future__ import annotations

from dataclasses import dataclass

_PYTHON = ("", "python", "python3", "py", "py3", "pycon", "sage")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. language: the first word after the opening fence, in lower case. is_open: no fence closes it."""

    language: str
    text: str
    is_open: bool


def program(text: str, unfenced: bool) -> str | None:
    """The program that an answer commits to; None: there is none. unfenced: an answer without any fence is one as a whole."""
    found = blocks(text)
    if not found:
        return text if unfenced and text.strip() else None
    if found[-1].is_open:
        return None
    written = [block.text for block in found if block.language in _PYTHON]
    return written[-1] if written and written[-1].strip() else None


def blocks(text: str) -> list[Block]:
    """All fenced blocks, in order."""
    found: list[Block] = []
    inside: list[str] = []
    fence = language = ""
    indent = 0
    for line in text.splitlines(keepends=True):
        mark, rest = _mark(line)
        if not fence:
            if mark and not (mark[0] == "`" and "`" in rest):
                fence, language, inside = mark, (rest.split() or [""])[0].strip("{}.").lower(), []
                indent = len(line) - len(line.lstrip(" "))
        elif mark and mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip():
            found.append(Block(language, "".join(inside), is_open=False))
            fence = ""
        else:
            inside.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
    return [*found, Block(language, "".join(inside), is_open=True)] if fence else found


def _mark(line: str) -> tuple[str, str]:
    """The fence that a line begins with and what follows it, or nothing."""
    bare = line.lstrip(" ")
    if len(line) - len(bare) > 3 or not bare.startswith(("```", "~~~")):
        return "", ""
    rest = bare.lstrip(bare[0])
    return bare[: len(bare) - len(rest)], rest

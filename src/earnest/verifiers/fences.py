"""Fenced blocks in an answer, as in Markdown. A helper of the verifiers, no verifier.

A fence is a line of three or more backticks or tildes, indented by three spaces at most, as in CommonMark: a block ends at a
fence of the same mark that is as long and has nothing after it. One pass over the lines, whatever they hold.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

FENCE = "```"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. info: what follows the opening fence, with its line end. is_open: no fence closes it."""

    info: str
    text: str
    is_open: bool = False

    @property
    def language(self) -> str:
        """The first word after the opening fence, in lower case."""
        return (self.info.split() or [""])[0].strip("{}.").lower()


def blocks(text: str, *, loose: bool = False) -> list[Block]:
    """All fenced blocks, in order.

    loose: a fence is three backticks, indented by whatever there is, and may open and close on one line; for what lists and
    quotations indent, and for languages in which tildes are signs.
    """
    found: list[Block] = []
    inside: list[str] = []
    fence = info = ""
    indent = 0
    for line in text.splitlines(keepends=True):
        mark, rest = _loose_mark(line) if loose else _mark(line)
        if fence:
            if mark and mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip():
                found.append(Block(info, "".join(inside)))
                fence = ""
            else:
                inside.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
        elif loose and len(rest) > len(mark) and rest.endswith(FENCE):
            found.append(Block("", rest.removesuffix(FENCE)))
        elif mark and (loose or mark[0] != "`" or "`" not in rest):
            fence, info, inside = mark, rest, []
            indent = 0 if loose else len(line) - len(line.lstrip(" "))
    return [*found, Block(info, "".join(inside), is_open=True)] if fence else found


def unwrapped(text: str, infos: Collection[str]) -> str:
    """What stands in the one fence that is around all of a text and says one of these; the text itself without such a fence.

    The fence may close at the end of the last line. Example: unwrapped("```json\\n[1]\\n```", ("", "json")) -> "[1]\\n".
    """
    if not (text.startswith(FENCE) and text.endswith(FENCE) and "\n" in text):
        return text
    found = blocks(f"{text.removesuffix(FENCE)}\n{FENCE}", loose=True)
    return found[0].text if len(found) == 1 and not found[0].is_open and found[0].info.rstrip() in infos else text


def _mark(line: str) -> tuple[str, str]:
    """The fence that a line begins with and what follows it, or nothing."""
    bare = line.lstrip(" ")
    if len(line) - len(bare) > 3 or not bare.startswith((FENCE, "~~~")):
        return "", ""
    rest = bare.lstrip(bare[0])
    return bare[: len(bare) - len(rest)], rest


def _loose_mark(line: str) -> tuple[str, str]:
    bare = line.strip()
    return (FENCE, bare[len(FENCE) :]) if bare.startswith(FENCE) else ("", "")

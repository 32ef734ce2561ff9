"""Finds the program in an answer: its last fenced block (`fences.py`). A helper, no verifier.

A block that names another language (`text`, `output`, `bash`) is no program and is passed over; `python`, `py` and none are. One
that is never closed was cut, so there is no answer.
"""

from __future__ import annotations

from earnest.verifiers.fences import blocks

_PYTHON = ("", "python", "python3", "py", "py3", "pycon", "sage")


def program(text: str, unfenced: bool) -> str | None:
    """The program that an answer commits to; None: there is none. unfenced: an answer without any fence is one as a whole."""
    found = blocks(text)
    if not found:
        return text if unfenced and text.strip() else None
    if found[-1].is_open:
        return None
    written = [block.text for block in found if block.language in _PYTHON]
    return written[-1] if written and written[-1].strip() else None

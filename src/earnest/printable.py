"""Untrusted text made fit for a person's eyes: model output, and whatever quotes it.

`visible` makes what a terminal, a browser or an editor would hide or obey (control characters, direction overrides,
zero width, lone surrogates) something to look at. It does not escape markup.
"""

from __future__ import annotations

import unicodedata

_KEPT = {"\n", "\t"}


def visible(text: str) -> str:
    """Hidden characters as ⟨U+XXXX⟩; newline and tab stay. No lone surrogate is left."""
    return "".join(_shown(character) for character in text)


def cut(text: str, limit: int) -> tuple[str, int]:
    """The text and how many of its characters were left out. What is long loses its middle, never its end."""
    if len(text) <= limit:
        return text, 0
    head = limit * 2 // 3
    tail = limit - head
    left_out = len(text) - limit
    return f"{text[:head]}\n[… {left_out:,} characters left out …]\n{text[-tail:]}", left_out


def one_line(text: str, limit: int = 200) -> str:
    """The text on one line of a terminal: its middle cut out, line breaks shown, nothing obeyed."""
    return visible(cut(text, limit)[0]).replace("\n", "⏎").replace("\t", " ")


def _shown(character: str) -> str:
    code = ord(character)
    if character in _KEPT or 0x20 <= code < 0x7F:
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"\u27e8U+{code:04X}\u27e9"
    return character

"""The proof in an answer: its last fenced block, else what stands in its box or `<answer>` tag, else all of it.

A helper of the proof verifier. The last of several blocks counts, as whoever writes on replaces what he wrote: a proof
is checked and not compared, so nothing is won by writing several. A block that never closes is no proof. Fences are read
loosely (`fences.py`), because in a proof blanks mean nothing and `~` is a sign. Linear in the text.
"""

from __future__ import annotations

from earnest.verifiers import commitment
from earnest.verifiers.commitment import Uncommitted
from earnest.verifiers.fences import FENCE, blocks


def proof_text(text: str) -> str | Uncommitted:
    """Example: "So:\\n```metamath\\nvp refl\\n```" -> "vp refl"."""
    if FENCE in text:
        return _last_block(text)
    found = commitment.find_marked(text)
    if isinstance(found, Uncommitted):
        return found
    if not found:
        return text.strip()
    settled = commitment.settle(text, found, lambda candidate: tuple(candidate.split()) or None)
    return settled if isinstance(settled, Uncommitted) else settled.text.strip()


def _last_block(text: str) -> str | Uncommitted:
    found = blocks(text, loose=True)
    if not found:
        return Uncommitted("a fence that begins no block")
    if found[-1].is_open:
        return Uncommitted("a fenced block that never closes")
    return "\n".join(found[-1].text.splitlines()).strip()

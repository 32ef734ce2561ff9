"""The proof in an answer: its last fenced block, else what stands in its box or `<answer>` tag, else all of it.

A helper of the proof verifier. The last of several blocks counts, as whoever writes on replaces what he wrote: a proof
is checked and not compared, so nothing is won by writing several. A block that never closes is no proof. Linear in the
text.
"""

from __future__ import annotations

from earnest.verifiers import commitment
from earnest.verifiers.commitment import Uncommitted

FENCE = "```"


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
    last: list[str] | None = None
    block: list[str] | None = None
    for line in text.splitlines():
        bare = line.strip()
        if block is not None:
            if bare == FENCE:
                last, block = block, None
            else:
                block.append(line)
        elif bare.startswith(FENCE):
            inline = bare[len(FENCE) :].removesuffix(FENCE)
            if len(bare) > 2 * len(FENCE) and bare.endswith(FENCE):
                last = [inline]
            else:
                block = []
    if block is not None:
        return Uncommitted("a fenced block that never closes")
    return Uncommitted("a fence that begins no block") if last is None else "\n".join(last).strip()

"""The LaTeX commands that wrap an answer without being a part of it. A helper of the verifiers, no verifier.

One list, in groups: a reader takes the groups that it looks through, and says beside them what it adds or leaves out. To take
a wrapper into a reader is to change verdicts, and with them the verifier's version.
"""

from __future__ import annotations

TEXT = frozenset(["text", "textbf", "textit", "mbox"])
"""Words in a formula, as nearly all of them are written."""
LETTERS = frozenset(["mathrm", "mathbf"])
"""Letters in another font, as nearly all of them are written."""
SELDOM = frozenset(["textrm", "hbox", "mathit", "mathsf"])
BOXES = frozenset(["boxed", "fbox"])
OTHER_TEXT = frozenset(["textsf", "texttt", "textnormal", "textup", "textsc", "emph", "operatorname"])
OTHER_LETTERS = frozenset(["mathtt", "mathnormal", "boldsymbol", "bm"])


def pattern(*names: str) -> str:
    """A pattern for any of these commands, without its argument."""
    return rf"\\(?:{'|'.join(sorted(names, reverse=True))})"

"""Unicode mathematics as LaTeX. A helper of the verifier `math`, no verifier.

A table and never NFKC as a whole, under which `4²` would be 42 and `3½` would be 31/2. A character that is not in the
table stays what it is, and the grammar refuses it: a Cyrillic letter is no Latin one.
"""

from __future__ import annotations

import re
import unicodedata

from earnest.verifiers.literal import fold as fold_number

_COMMANDS = {
    "√": "\\surd", "π": "\\pi", "∞": "\\infty", "≤": "\\le", "≥": "\\ge", "⩽": "\\le", "⩾": "\\ge",
    "≠": "\\ne", "≈": "\\approx", "≡": "\\equiv", "∈": "\\in", "∪": "\\cup", "∩": "\\cap", "∖": "\\setminus",
    "∅": "\\varnothing", "±": "\\pm", "∓": "\\mp", "×": "\\times", "·": "\\cdot", "⋅": "\\cdot", "∙": "\\cdot",
    "÷": "\\div", "°": "\\degree", "…": "\\ldots", "⋯": "\\ldots", "∠": "\\angle", "△": "\\triangle", "⌊": "\\lfloor",
    "⌋": "\\rfloor", "⌈": "\\lceil", "⌉": "\\rceil", "⟨": "\\langle", "⟩": "\\rangle", "ℝ": "\\mathbb{R}",
    "∧": "\\wedge", "∨": "\\vee", "→": "\\to", "∣": "|", "′": "'", "ϕ": "\\phi", "ϵ": "\\epsilon", "∗": "*", "−": "-",
    "：": ":", "＝": "=", "，": ",", "；": ";",
}  # fmt: skip
_GREEK = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho _ sigma tau upsilon phi chi
    psi omega
"""
GREEK = frozenset(_GREEK.split()) - {"_"} | {"varphi", "varepsilon", "vartheta", "ell"}
_TABLE: dict[int, str] = {ord(char): f"{command} " for char, command in _COMMANDS.items()}
for _index, _name in enumerate(_GREEK.split()):
    if _name != "_":
        _TABLE.setdefault(0x3B1 + _index, f"\\{_name} ")
        _TABLE.setdefault(0x391 + _index, f"\\{_name.capitalize()} ")
for _code in range(0x1D400, 0x1D7CE):  # mathematical letters: italic, bold and so on
    _plain = unicodedata.normalize("NFKC", chr(_code))
    if _plain.isascii() and _plain != chr(_code):
        _TABLE[_code] = _plain
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣʸ", "0123456789+-()nixy")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₙₖₓ", "0123456789+-nkx")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣʸ]+")
_SUBSCRIPTS = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋ₙₖₓ]+")


def fold(text: str) -> str:
    """The text with every character that the table knows as LaTeX or ASCII. Linear."""
    if text.isascii():
        return text
    text = _SUPERSCRIPTS.sub(lambda m: "^{" + m[0].translate(_RAISED) + "}", text)
    text = _SUBSCRIPTS.sub(lambda m: "_{" + m[0].translate(_LOWERED) + "}", text)
    return fold_number(text).translate(_TABLE)

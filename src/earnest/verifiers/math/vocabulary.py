"""The LaTeX commands and plain names that answers are written with, and what becomes of each. A helper of `math`."""

from __future__ import annotations

from earnest.verifiers import latex

_LAYOUT = """
    left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr displaystyle textstyle scriptstyle
    quad qquad limits nolimits large Large LARGE huge Huge small normalsize tiny bf it rm sf tt em boldmath hfill
    hspace* mathstrut strut thinspace medspace thickspace enspace negthinspace allowbreak
"""
_FONT_COMMANDS = "mathbf mathit mathsf ensuremath underline mathbin mathord mathcal bold pmb vec overrightarrow"
_FUNCTION_NAMES = "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lg gcd lcm max min"
_STRUCTURES = """
    frac dfrac tfrac cfrac sqrt surd binom dbinom tbinom overline bar hat angle triangle sum prod begin end circ degree
    measuredangle pmod bmod mod
"""
_SPELT_OUT = "percent sin cos tan pi log ln exp gcd lcm infinity"

LAYOUT = frozenset(_LAYOUT.split())
"""Left out."""
FONTS = latex.BOXES | latex.OTHER_LETTERS | frozenset(_FONT_COMMANDS.split())
"""Left out; their braces stay, and group."""
TEXT = latex.TEXT | latex.OTHER_TEXT | {"textrm", "hbox", "mathrm"}
AROUND_FORMULAS = latex.TEXT | {"mathrm", "operatorname"}
"""Of these, what may hold a formula: its braces stay, and group. In the others a formula is refused."""
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
STRUCTURES = frozenset(_STRUCTURES.split())
"""What `commands` reads the arguments of."""
SPELT_OUT = frozenset(_SPELT_OUT.split())
"""Words inside of \\text{} that are mathematics."""
RELATIONS = frozenset(["<=", ">=", "<", ">", "!=", "~", "in", "equiv", "="])
OPERATORS = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "pm": "pm", "mp": "mp", "le": "<=", "leq": "<=", "leqslant": "<=",
    "ge": ">=", "geq": ">=", "geqslant": ">=", "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "approx": "~", "simeq": "~",
    "in": "in", "cup": "union", "bigcup": "union", "cap": "inter", "setminus": "minus", "backslash": "minus",
    "colon": ":", "mid": "mid", "lvert": "|", "rvert": "|", "vert": "|", "equiv": "equiv", "wedge": "and", "land": "and",
    "vee": "or", "lor": "or", "prime": "'", "slash": "/", "cong": "equiv",
}  # fmt: skip
OPENING = {"lfloor": "floor", "lceil": "ceil", "langle": "<", "lbrace": "\\{", "lbrack": "["}
CLOSING = {"rfloor": "floor", "rceil": "ceil", "rangle": ">", "rbrace": "\\}", "rbrack": "]"}
PLAIN = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "sqrt": "surd", "abs": "abs"}
NAMED = {"pi": "pi", "Pi": "Pi", "infty": "oo", "infinity": "oo", "inf": "oo", "oo": "oo", "Infinity": "oo"}
CAPITALS = frozenset(["Gamma", "Delta", "Theta", "Lambda", "Xi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"])

"""The words that decide where a sum ends and whether it is a whole one. A helper of the verifier `steps`, no verifier."""

from __future__ import annotations

SCALES = {"dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

_CLAUSE_WORDS = """
    and or so then which who that because but since if when while therefore thus hence where making giving
    leaving as with to i we he she they it there this these those let now next first finally also not
"""
CLAUSE = frozenset(_CLAUSE_WORDS.split())
_CHANGING_WORDS = """
    more less than fewer times time remainder r half halves third thirds quarter quarters twice double triple
    point squared cubed cube square greater larger smaller longer shorter older younger bigger extra additional
    off rounded round mod modulo base factorial choose power root percentage negative minus plus divided
    multiplied added subtracted by over under up down short remaining one two three four five six
    seven eight nine ten eleven twelve twenty between from until through
"""
CHANGING = frozenset(_CHANGING_WORDS.split())
_HEADS_WORDS = """
    average mean median half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths
    eighth eighths tenth tenths percent root remainder factor log difference reciprocal square multiple
    multiples groups sets number digits divisors factors one each power
"""
HEADS = frozenset(_HEADS_WORDS.split())
_BEFORE_WORDS = """
    than negative log ln sin cos tan lcm gcd max min sqrt mod minus plus times number step day days week weeks
    year month question problem case item part chapter grade row column level
"""
BEFORE = frozenset(_BEFORE_WORDS.split())
ARTICLES = frozenset(
    ["the", "his", "her", "their", "its", "those", "these", "all", "that", "a", "an", "my", "our", "this"]
)
FILLERS = frozenset(["a", "an", "the", "total", "of", "only", "just", "exactly", "another", "is", "be", "equal", "to"])
_ATTACHED_WORDS = """
    mm cm km ft yd mi mg kg oz lb lbs ml sec min mins hr hrs kmh mph kph am pm inch in
"""
ATTACHED = frozenset(_ATTACHED_WORDS.split())
ORDINALS = frozenset(["st", "nd", "rd", "th", "ths", "rds"])
UNIT_LETTERS = frozenset("mgshlLc")

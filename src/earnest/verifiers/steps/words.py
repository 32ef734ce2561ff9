"""Words beside sums: scales, units and what they measure, and those that decide where a sum ends and whether it is a whole one.

A helper of the verifier `steps`, no verifier.
"""

from __future__ import annotations

from fractions import Fraction

from earnest.verifiers.units import MULTIPLIERS

SCALES = {"dozen": 12, **MULTIPLIERS}

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

UNITS: dict[str, tuple[str, Fraction]] = {}
"""Word -> what it measures, and how many of the smallest unit it is."""
_TABLE = """
    money: cent cents penny pennies 1, nickel nickels 5, dime dimes 10, dollar dollars bucks 100
    time: second seconds sec secs 1, minute minutes min mins 60, hour hours hr hrs 3600, day days 86400, week weeks 604800
    long time: month months 1, year years 12
    length: inch inches in 1, foot feet ft 12, yard yards yd 36, mile miles 63360
    metres: mm millimeter millimeters 1, cm centimeter centimeters 10, meter meters metre metres 1000, km kilometers 1000000
    weight: ounce ounces oz 1, pound pounds lb lbs 16, ton tons 32000
    grams: mg milligram milligrams 1, g gram grams 1000, kg kilogram kilograms 1000000
    volume: cup cups 1, pint pints 2, quart quarts 4, gallon gallons 16
    litres: ml milliliter milliliters 1, l L liter liters litre litres 1000
"""
for _line in _TABLE.strip().splitlines():
    _measure, _, _units = _line.strip().partition(": ")
    for _unit in _units.split(", "):
        *_names, _factor = _unit.split()
        UNITS |= {_name: (_measure, Fraction(_factor)) for _name in _names}

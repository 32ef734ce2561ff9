"""Checkers of ours for data sets of reasoning-gym. A helper of the verifier, no verifier.

`same` compares with the one right answer. The others replace scorers that evaluate what a model wrote, or that pay for answers
that are not right (puzzle24 takes any four numbers, polynomial_equations pays by distance). None runs a model's text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from earnest.seeding import rng
from earnest.verifiers import literal, strict_json
from earnest.verifiers.literal import Literal
from earnest.verifiers.reasoning_gym.formulas import (
    FUNCTIONS,
    Dual,
    Node,
    Unreadable,
    exact,
    numeric,
    parse,
)  # fmt: skip
from earnest.verifiers.reasoning_gym.rows import Row
from earnest.verifiers.refused import Refused

POINTS = 12
CLOSE = 1e-6
"""Relative difference at which two slopes are equal; they are computed in double precision, without differences."""
SIGNIFICANT = 3


def same(text: str, answer: str) -> bool:
    """The answer itself: but for white space, as the same number, or as the same JSON."""
    if _lines(text) == _lines(answer):
        return True
    number = _number(answer)
    if number is not None:
        return _number(text) == number
    return answer[:1] in ("[", "{") and text[:1] == answer[:1] and _is_same_json(text, answer)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _number(text: str) -> Fraction | None:
    """A number without unit, sign of currency or per cent."""
    if not text or not (text[-1].isdigit() and text[0] in "+-.0123456789"):
        return None
    found = literal.read(text)
    return found.value if isinstance(found, Literal) and not found.unit and not found.currency else None


def _is_same_json(text: str, answer: str) -> bool:
    one, two = strict_json.read(text), strict_json.read(answer)
    return not isinstance(one, Refused) and not isinstance(two, Refused) and _canonical(one) == _canonical(two)


def _canonical(value: object) -> str:
    """1 and 1.0 are one number; true is none."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_canonical(v)}" for k, v in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def countdown(text: str, row: Row) -> bool:
    """All the numbers, each once, and the target."""
    return _makes(text, row.metadata["numbers"], row.metadata["target"])


def puzzle24(text: str, row: Row) -> bool:
    """The four numbers of the question, each once, and 24."""
    return _makes(text, row.metadata["numbers"], 24)


def _makes(text: str, numbers: Sequence[int], target: int) -> bool:
    tree = parse(text)
    used: list[Fraction] = []
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        nodes += node.parts
        if node.parts and node.head not in ("+", "-", "*", "/", "neg", "pos"):
            return False
        used += [] if node.parts else [Fraction(node.head)]
    return sorted(used) == sorted(map(Fraction, numbers)) and exact(tree, {}).value == target


def n_queens(text: str, row: Row) -> bool:
    """A board of the list of all that are right."""
    boards: Sequence[str] = row.metadata["valid_answers"]
    return any(_lines(text) == _lines(board) for board in boards)


def polynomial_multiplication(text: str, row: Row) -> bool:
    """The product, multiplied out: a sum of monomials, each there once."""
    names = row.metadata["variables"]
    assert row.answer is not None
    return _monomials(parse(text, names=names)) == _monomials(parse(row.answer, names=names))


def _monomials(tree: Node) -> Mapping[tuple[tuple[str, int], ...], Fraction]:
    """Powers of the names -> coefficient. Raises Unreadable for a product of sums, or a monomial that is there twice."""
    found: dict[tuple[tuple[str, int], ...], Fraction] = {}
    terms = [(tree, 1)]
    while terms:
        node, sign = terms.pop()
        if node.head in ("+", "-") and node.parts:
            terms += [(node.parts[0], sign), (node.parts[1], -sign if node.head == "-" else sign)]
        elif node.head in ("neg", "pos"):
            terms.append((node.parts[0], -sign if node.head == "neg" else sign))
        else:
            powers, coefficient = _monomial(node)
            if powers in found:
                raise Unreadable("terms that are not collected")
            found[powers] = sign * coefficient
    return {powers: coefficient for powers, coefficient in found.items() if coefficient}


def _monomial(node: Node) -> tuple[tuple[tuple[str, int], ...], Fraction]:
    """One term: a number times powers of names."""
    if not node.parts:
        return ((), Fraction(node.head)) if node.is_number else (((node.head, 1),), Fraction(1))
    if node.head == "^":
        base, power = node.parts
        if base.parts or base.is_number or not power.is_number or not power.head.isdigit():
            raise Unreadable("no monomial")
        return ((base.head, int(power.head)),) if int(power.head) else (), Fraction(1)
    if node.head in ("neg", "pos"):
        powers, coefficient = _monomial(node.parts[0])
        return powers, -coefficient if node.head == "neg" else coefficient
    if node.head != "*":
        raise Unreadable("no monomial")
    (one, a), (two, b) = _monomial(node.parts[0]), _monomial(node.parts[1])
    total = dict(one)
    for name, power in two:
        total[name] = total.get(name, 0) + power
    return tuple(sorted(total.items())), a * b


def simple_integration(text: str, row: Row) -> bool:
    """An antiderivative: its slope is the integrand, exactly, at more points than their degree."""
    name = row.metadata["variable"]
    tree = parse(text, names=(name, "C"))
    integrand = parse(row.metadata["integrand"], names=(name,))
    for point in range(1, 3 * POINTS):
        x = Fraction(point, 7)
        at = {name: Dual(x, Fraction(1)), "C": Dual(Fraction(5), Fraction(0))}
        if exact(tree, at).slope != exact(integrand, at).value:
            return False
    return True


def intermediate_integration(text: str, row: Row) -> bool:
    """An antiderivative: its slope is the integrand at a dozen points where both have a value."""
    name = row.metadata["variable"]
    tree = parse(text, names=(name, "C", "E", "pi"), functions=FUNCTIONS)
    integrand = parse(row.metadata["integrand"], names=(name, "E", "pi"), functions=FUNCTIONS)
    draw = rng("reasoning_gym", row.question)
    known = {"C": Dual(1 + 0j, 0j), "E": Dual(2.718281828459045 + 0j, 0j), "pi": Dual(3.141592653589793 + 0j, 0j)}
    agreed = 0
    for _ in range(8 * POINTS):
        at = {**known, name: Dual(complex(draw.uniform(-2, 2), 0), 1 + 0j)}
        try:
            wanted = numeric(integrand, at).value
            slope = numeric(tree, at).slope
        except (ArithmeticError, ValueError, Unreadable):
            continue
        if not abs(wanted) < 1e100 or not abs(wanted) > 1e-100:
            continue
        if not abs(slope - wanted) <= CLOSE * abs(wanted):
            return False
        agreed += 1
        if agreed == POINTS:
            return True
    return False


def power_function(text: str, row: Row) -> bool:
    """The power to three significant digits, which is what is asked for."""
    found, wanted = _number(text), Fraction(row.metadata["solution"])
    return found is not None and _rounded(found) == _rounded(wanted)


def _rounded(number: Fraction) -> str:
    return f"{float(number):.{SIGNIFICANT - 1}e}" if abs(number) < 10**300 else ""


def prime_factorization(text: str, row: Row) -> bool:
    """The same factors, in any order."""
    assert row.answer is not None
    return sorted(_split(text, "×")) == sorted(_split(row.answer, "×"))


def polynomial_equations(text: str, row: Row) -> bool:
    """The same roots as the answer's, in any order."""
    assert row.answer is not None
    found, wanted = ([_number(part) for part in _split(side, ",")] for side in (text, row.answer))
    if wanted == [None]:
        return same(text, row.answer)
    numbers = [number for number in found if number is not None]
    return len(numbers) == len(found) and sorted(numbers) == sorted(n for n in wanted if n is not None)


def _split(text: str, sign: str) -> list[str]:
    return [part.strip() for part in text.split(sign)]


OWN: dict[str, Callable[[str, Row], bool]] = {
    check.__name__: check
    for check in (
        countdown, puzzle24, n_queens, polynomial_multiplication, simple_integration, intermediate_integration, power_function,
        prime_factorization, polynomial_equations,
    )
}  # fmt: skip
"""Data set -> its checker. A checker raises Unreadable for a text that is no answer."""

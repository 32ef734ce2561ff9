"""The form of an answer that is one number: written out, or left to work out. A helper of `math`, no verifier."""

from __future__ import annotations

from fractions import Fraction

from earnest.verifiers.math.claims import claim
from earnest.verifiers.math.exact import Budget
from earnest.verifiers.math.nodes import Node, Num, Op, Quantity, Sym, children
from earnest.verifiers.math.same import constant


def is_number(node: Node) -> bool:
    """True for a number written out: an integer, a decimal, a fraction, a mixed number."""
    match node:
        case Num():
            return True
        case Op("/", (Num(), Num())):
            return True
        case Op("neg", (inner,)):
            return is_number(inner)
        case _:
            return False


def is_whole(gold: Node) -> bool:
    return isinstance(gold, Num) and gold.value.denominator == 1


def is_undone(node: Node, gold: Node) -> bool:
    """True if a sum, a product or what is the largest or a common divisor is left to carry out; for a whole gold a quotient as
    well. A sum with an i in it is written out where the gold has one."""
    match node:
        case Op("*", (Num(), Op("^", (Num(Fraction(numerator=10, denominator=1)), Num())))):
            return False  # scientific notation
        case Op("*", (Num(), Sym("pi" | "e" | "deg"))):
            return False
        case Op("+", args) if Sym("i") in _leaves(gold) and any(Sym("i") in _leaves(arg) for arg in args):
            return is_unexpanded(node)
        case Op("+" | "*" | "inv" | "sum" | "prod" | "gcd" | "lcm" | "max" | "min" | "floor" | "ceil"):
            return True
        case Op("/") if is_whole(gold):
            return True
        case _:
            return any(is_undone(child, gold) for child in children(node))


def is_complex(node: Node) -> bool:
    """True for a complex number written out: terms that are numbers, or numbers times i."""
    terms = node.args if isinstance(node, Op) and node.name == "+" else (node,)
    letters = {leaf.name for leaf in _leaves(node) if isinstance(leaf, Sym)}
    return letters == {"i"} and not any(is_unexpanded(term) for term in terms)


def is_unexpanded(node: Node) -> bool:
    """True if a sum is multiplied, raised to a power or divided by: what a problem in complex numbers asks to carry out."""
    match node:
        case Op("*", args) if any(isinstance(arg, Op) and arg.name == "+" for arg in args):
            return True
        case Op("^", (Op("+"), _)) | Op("/", (_, Op("+"))) | Op("inv", (Op("+"),)):
            return True
        case Op(_, args):
            return any(is_unexpanded(arg) for arg in args)
        case _:
            return False


def _leaves(node: Node) -> list[Node]:
    below = children(node)
    return [leaf for child in below for leaf in _leaves(child)] if below else [node]


def has_sum(node: Node) -> bool:
    """True if a sum or a product over an index is in it."""
    return (isinstance(node, Op) and node.name in ("sum", "prod")) or any(has_sum(child) for child in children(node))


def is_evaluated(node: Node) -> bool:
    """True for one number with nothing left to work out: no power, no function, no fraction that can be reduced."""
    match node:
        case Num():
            return True
        case Op("neg", (inner,)):
            return is_evaluated(inner)
        case Op("/", (Num(top, None), Num(bottom, None))):
            reduced = top / bottom if bottom else Fraction(0)
            return bottom > 1 and reduced.denominator == bottom
        case Op("*", (Num(), Op("^", (Num(Fraction(numerator=10, denominator=1)), Num())))):
            return True
        case Quantity(value, _):
            return is_evaluated(value)
        case _:
            return False


def number_of(node: Node, budget: Budget) -> Fraction | None:
    """The rational value of an answer that is one number, its unit and its name left out."""
    found = claim(node, budget)
    inner = node if found is None else found.value
    inner = inner.value if isinstance(inner, Quantity) else inner
    return constant(inner, budget) if isinstance(inner, Num | Op) else None

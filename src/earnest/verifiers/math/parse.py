"""The tokens of an answer as one tree, or a refusal: nothing that is left over is dropped. A helper of `math`, no verifier.

    answer  = item {sep item}                        sep: , ; and or
    item    = words | side {relation side}           relation: = < <= > >= != ~ in equiv
    side    = region {: region} [unit]
    region  = sum {union sum}                        union: ∪ ∩ \\
    the rest in `terms`

A plus-minus sign stands for two items, so that `1 \\pm 2` is a list.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from earnest.verifiers.math import measures
from earnest.verifiers.math.nodes import (
    MAX_NODES,
    Chain,
    Grid,
    Group,
    Listing,
    Node,
    Num,
    Op,
    Quantity,
    Ratio,
    Sym,
    Unreadable,
    Words,
    children,
)  # fmt: skip
from earnest.verifiers.math.scan import Token, scan
from earnest.verifiers.math.terms import SHORT_WORD, Terms


def read(text: str, *, grouping: bool = True) -> Node | Unreadable:
    """The tree of a text, or why there is none; never raises. Linear in the text. grouping: `1,234` is one number."""
    return _read(text, grouping)


@lru_cache(maxsize=2048)
def _read(text: str, grouping: bool) -> Node | Unreadable:
    try:
        node = _Parser(scan(text, grouping=grouping)).answer()
        if _size(node) > MAX_NODES:
            raise Unreadable("too many terms", limit=True)
        return node
    except Unreadable as refused:
        return refused.with_traceback(None)


def _size(node: Node) -> int:
    return 1 + sum(_size(child) for child in children(node))


class _Parser(Terms):
    """Recursive descent over the tokens, of the loose levels; `Terms` has the tight ones."""

    def answer(self) -> Node:
        found = self.listing("end")
        if self.now.kind != "end":
            raise Unreadable("something is left over")
        joiner = found.joiner if isinstance(found, Listing) else ","
        items = [one for item in (found.items if isinstance(found, Listing) else (found,)) for one in expand(item)]
        for item in items:
            _check(item)
        return items[0] if len(items) == 1 else Listing(tuple(items), joiner)

    def listing(self, *closing: str) -> Node:
        """Items up to a closing bracket or the end. Semicolons part lists of commas."""
        lists: list[list[Node]] = [[]]
        joiner = ","
        while True:
            if self.now.kind == "sep" and self.now.text in ("and", "or") and lists[-1]:
                raise Unreadable("a word without an item")
            lists[-1].append(self.item())
            if self.now.kind != "sep":
                break
            separator = self._separator()
            joiner = "or" if separator == "or" else joiner
            if separator == ";":
                lists.append([])
        if len(lists) > 1 and all(len(one) == 1 for one in lists):
            lists = [[one[0] for one in lists]]
        if len(lists) == 1:
            return lists[0][0] if len(lists[0]) == 1 else Listing(tuple(lists[0]), joiner)
        return Listing(tuple(one[0] if len(one) == 1 else Listing(tuple(one)) for one in lists), joiner)

    def _separator(self) -> str:
        """Takes one separator; a comma may have a word after it (`1, 2, and 3`)."""
        name = self.take().text
        if name in (",", ";") and self.now.kind == "sep" and self.now.text in ("and", "or"):
            name = self.take().text
        return name

    def item(self) -> Node:
        words = self._words()
        if words is not None and self.now.kind != "rel":
            return words
        sides, signs = [self.side() if words is None else words], list[str]()
        while self.now.kind == "rel":
            signs.append(self.take().text)
            sides.append(self.side())
        return Chain(tuple(sides), tuple(signs)) if signs else sides[0]

    def _words(self) -> Words | Sym | None:
        """Text, where the whole item is that: a word of two letters at least, and nothing else beside it but words."""
        end = self.at
        while self.tokens[end].kind in ("word", "text", "letter"):
            end += 1
        taken = self.tokens[self.at : end]
        names = self.tokens[end].text == "=" and all(t.kind == "text" or len(t.text) >= SHORT_WORD for t in taken)
        if not (names or self.tokens[end].kind in ("end", "sep", "close")) or not any(
            t.kind in ("word", "text") for t in taken
        ):
            return None
        before = self.tokens[self.at - 1].text if self.at else ""
        if len(taken) == 1 and taken[0].kind == "word" and before in ("{", "(") and len(taken[0].text) <= SHORT_WORD:
            return None  # letters side by side in an argument
        if taken[0].kind == "letter" and ((len(taken) == 2 and taken[1].kind == "text") or not taken[1].spaced):
            return None  # a quantity: x metres; or letters side by side
        self.at = end
        if " ".join(token.text for token in taken).lower() in ("all real numbers", "all reals"):
            return Sym("reals")
        return Words(" ".join(" ".join(token.text for token in taken).split()).rstrip("."))

    def side(self) -> Node:
        if self.now.kind == "money":
            unit = self.take().text
            value = self.region()
            return Quantity(value, unit)
        start = self.at
        value = self.region()
        terms, widths = [value], [self.tokens[start].width]
        while self.is_op(":"):
            self.take()
            widths.append(self.now.width)
            terms.append(self.region())
        if len(terms) > 1:
            half = self.now.text.lower().replace(".", "").replace(" ", "")
            ratio = Ratio(tuple(terms), tuple(widths))
            if self.now.kind not in ("text", "word") or half not in ("am", "pm"):
                return ratio
            self.take()
            return Quantity(ratio, half)
        return self._with_unit(value)

    def _with_unit(self, value: Node) -> Node:
        """A value with the words that follow it."""
        match value:
            case Op("*", (*front, Sym("deg"))) if front:
                value = front[0] if len(front) == 1 else Op("*", tuple(front))
                scale = self.take().text if self.now.kind == "letter" and self.now.text in "CF" else ""
                return Quantity(value, f"degree {scale}".strip())
            case _:
                pass
        if self.now.kind == "money":
            return Quantity(value, self.take().text)
        if self.now.kind not in ("text", "word"):
            return value
        if not _has_number(value):
            raise Unreadable("words after a letter")
        parts: list[str] = []
        while self.now.kind in ("text", "word", "letter") or (self.is_op("/") and parts):
            parts.append(self.take().text)
            if self.is_op("^"):
                self.take()
                power = self.argument()
                if power not in (Num(Fraction(2)), Num(Fraction(3))):
                    raise Unreadable("a power of words")
                parts[-1] += f"^{power.value}"  # pyright: ignore[reportAttributeAccessIssue]: one of the two above
        return Quantity(value, measures.canonical(" ".join(parts)))

    def region(self) -> Node:
        found = self.sum()
        while self.now.kind == "op" and self.now.text in ("union", "inter", "minus"):
            name = self.take().text
            found = Op(name, (found, self.sum()))
        return found

    def group(self, opening: Token) -> Node:
        """What is in brackets, the opening one already taken."""
        left = opening.text
        if left == "{":
            return self._braces()
        if left == "\\{" and self.now.kind == "letter" and self._bar_follows():
            return self._such_that()
        if self.now.kind == "close":
            if (left, self.now.text) not in (("\\{", "\\}"), ("\\{", "}")):
                raise Unreadable("nothing in brackets")
            self.take()
            return Sym("empty")
        inside = self.listing("close")
        if self.now.kind != "close":
            raise Unreadable("a bracket that never closes")
        right = self.take().text
        if left in ("floor", "ceil"):
            if right != left:
                raise Unreadable("brackets that do not fit")
            return Op(left, (inside,))
        items = inside.items if isinstance(inside, Listing) else (inside,)
        if left + right == "()" and len(items) == 1:
            return items[0]
        if left + right == "[]" and len(items) == 1 and not isinstance(items[0], Group | Listing):
            return items[0]
        if (
            (left == "\\{" and right != "\\}")
            or (right == "\\}" and left != "\\{")
            or right == "}"
            or (left == "<") != (right == ">")
        ):
            raise Unreadable("brackets that do not fit")
        if any(isinstance(item, Listing) for item in items):
            raise Unreadable("lists in brackets")
        if left + right == "[]":
            rows = [item.items for item in items if isinstance(item, Group) and item.left + item.right == "[]"]
            if len(rows) == len(items) and len({len(row) for row in rows}) == 1:
                return Grid(tuple(rows))
        if left == "\\{":
            items = tuple(one for item in items for one in expand(item))
        return Group(left, right, items)

    def _bar_follows(self) -> bool:
        after = self.tokens[self.at + 1 : self.at + 4]
        if len(after) == 3 and after[0].text == "in" and after[1].text == "reals":
            after = after[2:]
        return after[0].kind == "op" and after[0].text in ("|", ":", "mid")

    def _such_that(self) -> Node:
        """`\\{x | x > 1\\}`: the condition alone."""
        while self.take().text not in ("|", ":", "mid"):
            pass
        inside = self.listing("close")
        if self.take().text != "\\}":
            raise Unreadable("brackets that do not fit")
        if not all(isinstance(item, Chain) for item in (inside.items if isinstance(inside, Listing) else (inside,))):
            raise Unreadable("a set whose condition is none")
        return inside

    def _braces(self) -> Node:
        """LaTeX's own braces, which are not seen: what is in them, and a list where commas are in them."""
        if self.now.kind == "close":
            raise Unreadable("empty braces")
        inside = self.listing("close")
        if self.now.kind != "close" or self.take().text != "}":
            raise Unreadable("braces that do not fit")
        return inside


def _has_number(node: Node) -> bool:
    return isinstance(node, Num) or node == Sym("pi") or any(_has_number(child) for child in children(node))


def _check(node: Node) -> None:
    """Raises Unreadable where a list, a set or text is added or multiplied."""
    below = children(node)
    if isinstance(node, Op) and node.name not in ("union", "inter", "minus"):
        if not all(isinstance(child, Num | Sym | Op | Words) for child in below):
            raise Unreadable("what is no value in an expression")
        if any(isinstance(child, Words) for child in below) and not node.name.endswith("_"):
            raise Unreadable("words in an expression")
    for child in below:
        _check(child)


def expand(node: Node) -> list[Node]:
    """The items that a plus-minus sign stands for, upper signs first; the node itself without one."""
    if not _has_sign(node):
        return [node]
    return [_with_sign(node, upper=True), _with_sign(node, upper=False)]


def _has_sign(node: Node) -> bool:
    return (isinstance(node, Op) and node.name in ("pm", "mp")) or any(_has_sign(child) for child in children(node))


def _with_sign(node: Node, *, upper: bool) -> Node:
    match node:
        case Op("pm" | "mp" as name, (value,)):
            inner = _with_sign(value, upper=upper)
            return inner if (name == "pm") == upper else Op("neg", (inner,))
        case Op(name, args):
            return Op(name, tuple(_with_sign(arg, upper=upper) for arg in args))
        case Group(left, right, items):
            return Group(left, right, tuple(_with_sign(item, upper=upper) for item in items))
        case Chain(sides, signs):
            return Chain(tuple(_with_sign(side, upper=upper) for side in sides), signs)
        case Quantity(value, unit):
            return Quantity(_with_sign(value, upper=upper), unit)
        case _:
            if _has_sign(node):
                raise Unreadable("a plus-minus sign where none can be")
            return node

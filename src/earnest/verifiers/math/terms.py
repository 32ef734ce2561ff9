"""Sums, products, powers, functions: the tight levels of the grammar. A helper of `math`, no verifier; `parse` has the rest.

    sum     = [sign] term {sign term}                sign: + - pm mp
    term    = factor {[* | /] factor}                no sign between: a product, never before a plain number
    factor  = sign factor | atom {! | % | ° | '} [^ factor]
    atom    = number | mixed number | letter [_ index] | name [_ base] [^ power] argument | command | brackets | |sum|

What stands in [] may be missing, what stands in {} comes any number of times.
"""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction

from earnest.verifiers.math.commands import Commands, negated
from earnest.verifiers.math.measures import is_unit
from earnest.verifiers.math.nodes import MAX_NESTING, Based, Listing, Node, Num, Op, Sym, Unreadable
from earnest.verifiers.math.scan import Token

ONE = Num(Fraction(1))
_CALLED = frozenset("fghFGHW")
"""Letters that a bracket after them makes a function, as in f(x); after another letter it is a factor."""
_STARTS = frozenset(["num", "based", "letter", "name", "cmd", "open"])
SHORT_WORD = 4


class Terms(Commands):
    """The levels from sums down."""

    @abstractmethod
    def listing(self, *closing: str) -> Node: ...

    @abstractmethod
    def group(self, opening: Token) -> Node: ...

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply", limit=True)
        parts: list[Node] = []
        while True:
            sign = ""
            if self.is_op("+", "-", "pm", "mp"):
                sign = self.take().text
                if parts and self.is_op("+", "-", "pm", "mp"):
                    raise Unreadable("two signs side by side")
            term = self.term()
            parts.append(term if sign in ("", "+") else negated(term) if sign == "-" else Op(sign, (term,)))
            if not self.is_op("+", "-", "pm", "mp"):
                break
        self.depth -= 1
        return parts[0] if len(parts) == 1 else Op("+", tuple(parts))

    def term(self) -> Node:
        factors = [self.factor()]
        while True:
            if self.is_op("*", "/"):
                is_division = self.take().text == "/"
                factor = self.factor()
                factors.append(Op("inv", (factor,)) if is_division else factor)
            elif self._is_alike(factors[-1]) or self._is_factor():
                factors.append(self.factor())
            else:
                break
        match factors:
            case [one]:
                return one
            case [top, Op("inv", (bottom,))]:
                return Op("/", (top, bottom))
            case _:
                return Op("*", tuple(factors))

    def _is_alike(self, before: Node) -> bool:
        """`2^x 3^y`, `5! 7!` and `n2^{n-1}` are products; a plain number after a power, a factorial or a letter is none."""
        if self.now.kind != "num":
            return False
        sign, follows = before.name if isinstance(before, Op) else "", self.tokens[self.at + 1].text
        if follows == "^" and (isinstance(before, Sym) or sign == "binom"):
            return True
        return sign in ("^", "!") and follows == sign

    def _is_factor(self) -> bool:
        """True if what stands here is multiplied with what is before it, without a sign. A number never is."""
        now = self.now
        if now.kind in ("num", "based"):
            raise Unreadable("a number after another value")
        if now.kind == "word":  # 2xy; a longer word, or one that stands apart, is a unit or text
            return not now.spaced and len(now.text) <= SHORT_WORD and not is_unit(now.text)
        if now.kind == "op" and now.text == "|":
            return not self.bars
        if (now.kind == "open" and now.text == "\\{") or (
            now.kind == "cmd" and now.text in ("end", "mod", "bmod", "pmod")
        ):
            return False
        return now.kind in _STARTS

    def factor(self) -> Node:
        if self.is_op("-", "+", "pm", "mp"):
            self.depth += 1
            if self.depth > MAX_NESTING:
                raise Unreadable("nested too deeply", limit=True)
            sign = self.take().text
            inner = self.factor()
            self.depth -= 1
            return inner if sign == "+" else negated(inner) if sign == "-" else Op(sign, (inner,))
        return self.power(self._postfix(self.atom()))

    def _postfix(self, base: Node) -> Node:
        while True:
            if self.is_op("!"):
                self.take()
                if self.is_op("!"):
                    raise Unreadable("two factorial signs")
                base = Op("!", (base,))
            elif self.is_op("%"):
                self.take()
                base = _per_cent(base)
            elif self.now.kind == "cmd" and self.now.text == "degree":
                self.take()
                base = Op("*", (base, Sym("deg")))
            else:
                return base

    def power(self, base: Node) -> Node:
        if not self.is_op("^"):
            return base
        self.take()
        if self._circle():
            return Op("*", (base, Sym("deg")))
        exponent = self.argument(signed=True)
        raised = self._postfix(Op("^", (base, exponent)))
        found = self.power(raised)
        if (
            isinstance(found, Op)
            and found.name == "^"
            and found.args[0] is raised
            and isinstance(raised, Op)
            and raised.name == "^"
        ):
            raise Unreadable("a power of a power without brackets")  # 2^3^2 is 2^9 to some and 8^2 to others
        return found

    def _circle(self) -> bool:
        """Takes `\\circ` or `{\\circ}`, degrees as LaTeX has them."""
        ahead = self.tokens[self.at : self.at + 3]
        width = 3 if ahead[0].kind == "open" else 1
        if len(ahead) < width or ahead[width // 2].text not in ("circ", "degree"):
            return False
        self.at += width
        return True

    def argument(self, *, signed: bool = False) -> Node:
        """One argument of a command or a power: braces, or a single atom."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply", limit=True)
        if signed and self.is_op("-", "+"):
            is_negative = self.take().text == "-"
            found = negated(self.atom()) if is_negative else self.atom()
        elif self.now.kind == "op" and self.now.text == "*":
            raise Unreadable("a star")
        else:
            found = self.atom()
        self.depth -= 1
        return found

    def atom(self) -> Node:
        token = self.take()
        match token.kind:
            case "num":
                assert isinstance(token.value, Num)
                return self._mixed(token)
            case "based":
                assert isinstance(token.value, Based)
                return token.value
            case "letter":
                return self._letter(Sym(token.text))
            case "word" if len(token.text) <= SHORT_WORD or token.text.isupper():
                return self._letters(token.text)
            case "name":
                return self._function(token.text)
            case "cmd":
                return self.command(token)
            case "open":
                return self._subscripted(self.group(token), token.text)
            case "op" if token.text == "|":
                self.bars += 1
                inside = self.sum()
                self.bars -= 1
                if not self.is_op("|"):
                    raise Unreadable("a bar that never closes")
                self.take()
                return Op("abs", (inside,))
            case _:
                raise Unreadable(
                    "an operator without its value" if token.kind in ("op", "rel", "end") else "not an answer"
                )

    def _mixed(self, token: Token) -> Node:
        """A number, with the proper fraction that makes it a mixed one."""
        whole = token.value
        assert isinstance(whole, Num)
        if whole.places is not None or whole.value.denominator != 1:
            return whole
        start, fraction = self.at, None
        if self.now.kind == "cmd" and self.now.text == "frac":
            self.take()
            fraction = (self.argument(), self.argument())
        elif self.now.kind == "num" and self.now.spaced and self.tokens[self.at + 1].text == "/":
            top, bottom = self.tokens[self.at].value, self.tokens[self.at + 2].value
            fraction = (top, bottom) if bottom is not None else None
            self.at += 3
        match fraction:
            case (Num(top, None), Num(bottom, None)) if 0 < top < bottom and top.denominator == bottom.denominator == 1:
                return Num(whole.value + top / bottom, mixed=True)
            case _:
                self.at = start
                return whole

    def _letters(self, word: str) -> Node:
        """Letters side by side are a product, of which this is the first; capitals are the name of a segment or an angle."""
        if word.isupper():
            return self._letter(Sym(word))
        self.tokens[self.at : self.at] = [Token("letter", letter) for letter in word[1:]]
        return self._letter(Sym(word[0]))

    def _letter(self, letter: Sym) -> Node:
        name = letter.name
        while self.is_op("'"):
            self.take()
            name += "'"
        index: Node | None = None
        if self.is_op("_"):
            self.take()
            index = self.argument()
        if index is not None:
            match index:
                case Num(value, None):
                    name += f"_{value}"
                case Sym(text) if (len(text) == 1 and text.isupper()) or len(text) > 1:
                    name += f"_{text}"
                case Listing():
                    raise Unreadable("a list for an index")
                case _:
                    return Op(f"{name}_", (index,))
        if name in _CALLED and self._is_inverse():
            self.at += 5
            return Op(f"{name}^-1()", self._arguments())
        if name[0] in _CALLED and self.now.kind == "open" and self.now.text == "(" and not self.now.spaced:
            return Op(f"{name}()", self._arguments())
        if name == "P" and self.now.text == "(" and self.tokens[self.at + 2].text == ")":
            return Op("P()", self._arguments())
        return Sym(name)

    def _is_inverse(self) -> bool:
        """True if `^{-1}(` stands here."""
        return [token.text for token in self.tokens[self.at : self.at + 6]] == ["^", "{", "-", "", "}", "("]

    def _arguments(self) -> tuple[Node, ...]:
        self.take()
        inside = self.listing("close")
        if self.now.text != ")":
            raise Unreadable("a bracket that never closes")
        self.take()
        return inside.items if isinstance(inside, Listing) else (inside,)

    def _subscripted(self, inside: Node, left: str) -> Node:
        """`(204)_5`: a numeral in brackets with its base."""
        if not self.is_op("_"):
            return inside
        self.take()
        base = self.argument()
        match inside, base:
            case Num(value, None), Num(number, None) if (
                left in ("(", "{") and number.denominator == 1 and 2 <= number <= 36
            ):
                digits = str(value)
                if number == 10:
                    return inside
                if value.denominator == 1 and all(int(digit) < number for digit in digits):
                    return Based(digits, int(number))
            case _:
                pass
        raise Unreadable("an index that belongs to nothing")

    def _function(self, name: str) -> Node:
        """A name with its argument: brackets, or what follows up to a sign or another name."""
        base: Node | None = None
        power: Node | None = None
        for _ in range(2):
            if self.is_op("_") and base is None:
                self.take()
                base = self.argument()
            elif self.is_op("^") and power is None:
                self.take()
                power = self.argument(signed=True)
        if power == Num(Fraction(-1)) or power == Op("neg", (ONE,)):
            name, power = f"arc{name}", None
        if self.now.kind == "open" and self.now.text in ("(", "[", "{"):
            inside = self.bracketed()
            args = inside.items if isinstance(inside, Listing) else (inside,)
        else:
            args = (self._bare_argument(),)
        if name == "lg":
            name, base = "log", Num(Fraction(10))
        if base is not None:
            if name != "log":
                raise Unreadable(f"an index of {name}")
            args = (*args, base)
        if len(args) != 1 and name not in ("gcd", "lcm", "max", "min", "log"):
            raise Unreadable(f"{name} of several values")
        found = Op(name, args)
        return found if power is None else Op("^", (found, power))

    def bracketed(self) -> Node:
        opening = self.take()
        inside = self.listing("close")
        closing = self.take().text
        if closing != {"(": ")", "[": "]", "{": "}"}[opening.text]:
            raise Unreadable("brackets that do not fit")
        return inside

    def _bare_argument(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply", limit=True)
        sign = self.take().text if self.is_op("-") else ""
        factors: list[Node] = [self.power(self._postfix(self.atom()))]
        while self.now.kind in ("letter", "cmd", "num") and self._is_factor():
            factors.append(self.power(self._postfix(self.atom())))
        self.depth -= 1
        found = factors[0] if len(factors) == 1 else Op("*", tuple(factors))
        return negated(found) if sign else found


def _per_cent(node: Node) -> Node:
    return Num(node.value / 100, mixed=True) if isinstance(node, Num) else Op("/", (node, Num(Fraction(100))))

"""The verifier math: what is paid and what is not, kind by kind. Each case stands for a class; none is from a public set."""

from __future__ import annotations

import json

import pytest

from earnest.types import Status
from earnest.verifiers.math import Math
from grading import grade

PAID = {
    "numbers": [
        ("-17", "-17"),
        ("+8", "8"),
        ("0009", "9"),
        ("12.50", "12.5"),
        (".75", "0.75"),
        ("1.2e3", "1200"),
        ("3 \\times 10^{4}", "30000"),
        ("4.5\\cdot10^{-3}", "0.0045"),
        ("12,345", "12345"),
        ("12\\,345", "12345"),
        ("12{,}345.5", "12345.5"),
        ("12 345", "12345"),
        ("0.\\overline{6}", "\\frac{2}{3}"),
        ("0.1\\overline{6}", "1/6"),
        ("0.\\bar{3}", "\\frac13"),
        ("0.(27)", "3/11"),
        ("3^5", "243"),
        ("5!", "120"),
        ("\\sqrt{49}", "7"),
        ("\\log_2 32", "5"),
        ("\\binom{6}{2}", "15"),
    ],
    "fractions": [
        ("3/8", "\\frac{3}{8}"),
        ("\\dfrac{6}{16}", "\\frac{3}{8}"),
        ("0.375", "\\frac38"),
        ("-\\frac{5}{4}", "\\frac{-5}{4}"),
        ("\\frac{5}{-4}", "-\\frac{5}{4}"),
        ("2\\frac{3}{4}", "\\frac{11}{4}"),
        ("2 3/4", "11/4"),
        ("-1\\frac{1}{2}", "-\\frac{3}{2}"),
        ("5¾", "23/4"),
        ("⅔", "\\frac{2}{3}"),
        ("37.5\\%", "\\frac{3}{8}"),
        ("12.5 percent", "0.125"),
    ],
    "marks": [
        ("\\fbox{19}", "19"),
        ("\\boxed{\\boxed{19}}", "19"),
        ("\\boxed{\\color{blue}{19}}", "19"),
        ("\\boxed{{\\color{red} 19}}", "19"),
        ("\\boxed{\\textcolor{red}{19}}", "19"),
        ("\\boxed{\\mathbf{19}}", "19"),
        ("\\boxed{\\text{19}}", "19"),
        ("\\boxed{\\displaystyle\\frac{1}{2}}", "\\frac12"),
        ("\\boxed{19}.", "19"),
        ("The final answer is $19$. I hope it is correct.", "19"),
        ("Answer: \\(\\frac{2}{7}\\)", "2/7"),
        ("**Answer:** $x^2+1$", "1+x^2"),
        ("#### 19", "19"),
        ("<answer>\\frac{1}{3}</answer>", "1/3"),
        ("So the area is $12\\pi$.", "12\\pi"),
        ("\\boxed{\n  19\n}", "19"),
        ("<think>\\boxed{3}? no.</think>\\boxed{19}", "19"),
        ("\\[\\boxed{(1, 2)}\\]", "(1,2)"),
    ],
    "unicode": [
        ("x²−3", "x^2-3"),
        ("1９", "19"),
        ("1\u200b9", "19"),
        ("3√2", "3\\sqrt{2}"),
        ("√(12)", "2\\sqrt{3}"),
        ("π/6", "\\frac{\\pi}{6}"),
        ("2×10³", "2000"),
        ("x ≤ 4", "x \\le 4"),
        ("(−∞, 3)", "(-\\infty,3)"),
        ("∅", "\\emptyset"),
        ("𝑥+1", "x+1"),
        ("a₁+a₂", "a_1+a_2"),
        ("30°", "30^\\circ"),
    ],
    "real constants": [
        ("\\frac{3}{\\sqrt{3}}", "\\sqrt{3}"),
        ("\\sqrt{50}", "5\\sqrt{2}"),
        ("\\sqrt{5+2\\sqrt{6}}", "\\sqrt{2}+\\sqrt{3}"),
        ("\\sqrt[3]{54}", "3\\sqrt[3]{2}"),
        ("2^{1/2}", "\\sqrt2"),
        ("\\ln 8", "3\\ln 2"),
        ("\\frac{\\log 8}{\\log 2}\\pi", "3\\pi"),
        ("e^{-1}", "\\frac{1}{e}"),
        ("\\sin 60^\\circ", "\\frac{\\sqrt{3}}{2}"),
        ("\\frac{1+\\sqrt5}{2}", "\\cos 36^\\circ \\cdot 2"),
        ("\\arctan 1", "\\frac{\\pi}{4}"),
        ("60^\\circ", "\\frac{\\pi}{3}"),
        ("\\frac{\\pi}{3}", "60^\\circ"),
        ("60", "60^\\circ"),
        ("4\\sqrt(3)", "4\\sqrt{3}"),
        ("(\\sqrt{2})^2\\pi", "2\\pi"),
        ("\\frac{1}{3!}e", "\\frac{e}{6}"),
        ("2\\sqrt{3} \\approx 3.46", "2\\sqrt{3}"),
    ],
    "complex": [
        ("4i+3", "3+4i"),
        ("\\frac{3+4i}{5}", "\\frac35+\\frac45 i"),
        ("\\frac{1}{i}", "-i"),
        ("1+i^2+2i", "2i"),
        ("3+4\\mathrm{i}", "3+4i"),
        ("e^{i\\pi/2}", "i"),
    ],
    "expressions": [
        ("(x+1)(x-1)", "x^2-1"),
        ("2xy", "2yx"),
        ("\\frac{x^2-1}{x-1}", "x+1"),
        ("x(x+1)/2", "\\frac{x^2+x}{2}"),
        ("\\sqrt{\\frac{1}{n}}", "\\frac{1}{\\sqrt{n}}"),
        ("\\sqrt{x^2}", "|x|"),
        ("1-\\cos^2 t", "\\sin^2 t"),
        ("\\sin 2x", "2\\sin x\\cos x"),
        ("\\ln(x^2y)", "2\\ln x + \\ln y"),
        ("x^{1/3}", "\\sqrt[3]{x}"),
        ("2^{n+1}", "2\\cdot 2^n"),
        ("\\frac{n!}{(n-2)!}", "n(n-1)"),
        ("\\sum_{k=1}^{n} k", "\\frac{n(n+1)}{2}"),
        ("\\binom{n}{2}", "\\frac{n^2-n}{2}"),
        ("y = 3x - 1", "3x-1"),
        ("f(x) = 3x - 1", "-1 + 3x"),
        ("3a^2b", "3ba^2"),
        ("\\frac{\\pi r^2 h}{3}", "\\frac13 \\pi r^2 h"),
    ],
    "tuples, sets, lists": [
        ("(2, -\\frac12)", "(2,-0.5)"),
        ("\\langle 1,2,3\\rangle", "(1,2,3)"),
        ("\\{4,2\\}", "\\{2,4\\}"),
        ("2, 4", "\\{2,4\\}"),
        ("\\{2,4\\}", "4, 2"),
        ("4 \\text{ and } 2", "2,4"),
        ("x = 2 \\text{ or } x = 4", "2,4"),
        ("x=4, 2", "2,4"),
        ("\\pm 3", "-3, 3"),
        ("2+\\sqrt3, 2-\\sqrt3", "2\\pm\\sqrt{3}"),
        ("\\pm 7", "\\{7,-7\\}"),
        ("a=1, b=2", "(1,2)"),
        ("(x,y)=(1,2)", "(1,2)"),
        ("(1,2), (3,4)", "(3,4), (1,2)"),
        ("\\{(1,2)\\}", "\\{(1,2)\\}"),
        ("\\{ \\}", "\\varnothing"),
        ("\\boxed{3} and \\boxed{5}", "5, 3"),
        ("1,000, 2,000", "1000, 2000"),
    ],
    "regions": [
        ("x \\in (1, 3]", "(1,3]"),
        ("1 < x \\leq 3", "(1,3]"),
        ("(1,3]", "1<x\\le 3"),
        ("3 \\ge x > 1", "(1,3]"),
        ("x>2", "(2,\\infty)"),
        ("2<x", "x>2"),
        ("-2x < -4", "x > 2"),
        ("x<-1 \\text{ or } x>1", "|x|>1"),
        ("(-\\infty,-1)\\cup(1,\\infty)", "|x|>1"),
        ("|x|\\le 2", "[-2,2]"),
        ("|x-1|<2", "(-1,3)"),
        ("(1,2) \\cup (2,3)", "(1,3) \\setminus \\{2\\}"),
        ("x \\ne 3", "(-\\infty,3)\\cup(3,\\infty)"),
        ("\\mathbb{R}\\setminus\\{3\\}", "x \\neq 3"),
        ("(3,4) \\cup (1,2)", "(1,2)\\cup(3,4)"),
        ("[1,2] \\cup [2,3]", "[1,3]"),
        ("(-\\infty,\\infty)", "\\mathbb{R}"),
        ("x>1 \\text{ and } x<3", "(1,3)"),
        ("[-\\sqrt{2}, \\sqrt{2}]", "-2^{1/2}\\le x\\le 2^{1/2}"),
    ],
    "equations": [
        ("2y = 4x + 6", "y=2x+3"),
        ("x+y-3=0", "y = 3-x"),
        ("9 = x^2+y^2", "x^2 + y^2 = 9"),
        ("\\frac{x^2}{9}+\\frac{y^2}{4}=1", "4x^2+9y^2=36"),
        ("x + y < 4", "y < 4 - x"),
        ("7 = x", "x=7"),
        ("x = 7", "7"),
        ("7", "n = 7"),
        ("6 \\times 7 = 42", "42"),
    ],
    "matrices": [
        ("\\begin{bmatrix} 1 & 2 \\\\ 3 & 4 \\end{bmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
        ("\\begin{pmatrix}0.5\\\\\\sqrt4\\end{pmatrix}", "\\begin{pmatrix} \\frac12 \\\\ 2 \\end{pmatrix}"),
        ("\\begin{pmatrix}x+1\\end{pmatrix}", "\\begin{pmatrix}1+x\\end{pmatrix}"),
    ],
    "units": [
        ("12\\text{ cm}", "12"),
        ("12", "12\\text{ cm}"),
        ("12 cm", "12\\text{ centimeters}"),
        ("9\\text{ square inches}", "9\\text{ in}^2"),
        ("5\\pi \\text{ m}^2", "5\\pi\\text{ square meters}"),
        ("\\$4.50", "4.5"),
        ("4.50 dollars", "\\$4.50"),
        ("60 miles per hour", "60\\text{ mph}"),
        ("7\\text{ apples}", "7"),
    ],
    "text": [
        ("\\text{Isosceles}", "isosceles"),
        ("\\textbf{(D)}", "\\text{(D)}"),
        ("D", "\\text{(D)}"),
        ("(D)", "D"),
        ("\\mathrm{D}", "\\text{D}"),
        ("no  solution", "\\text{No solution}"),
        ("Tuesday.", "\\text{Tuesday}"),
    ],
    "ratios, times, bases": [
        ("5 : 3", "5:3"),
        ("10:6", "5:3"),
        ("9:30", "9:30"),
        ("1011_{2}", "1011_2"),
        ("(1011)_2", "1011_2"),
        ("2F_{16}", "2F_{16}"),
        ("57_{10}", "57"),
    ],
    "beyond the grammar": [
        ("\\int_0^1 x\\,dx", "$\\int_0^1 x dx$"),
        ("2, 4, 6, \\ldots", "2,4,6,\\ldots"),
        ("9" * 5000, "9" * 5000),
    ],
}

REFUSED = {
    "hedges": [
        ("8 = 9", "9"),
        ("9 = 9 = 8", "9"),
        ("x = 8 = 9", "9"),
        ("1=2=3=4=5=6=7=8=9", "9"),
        ("\\pm 9", "9"),
        ("9", "\\pm 9"),
        ("9 \\pm 1", "9"),
        ("\\{8, 9\\}", "9"),
        ("8, 9", "9"),
        ("8 \\text{ or } 9", "9"),
        ("8 or 9", "9"),
        ("\\boxed{8} or \\boxed{9}", "9"),
        ("\\boxed{8}, \\boxed{9}", "9"),
        ("\\boxed{8} \\boxed{9}", "9"),
        ("between 8 and 10", "9"),
        ("8\\text{ to }10", "9"),
        ("8-10", "9"),
        ("8 < x < 10", "9"),
        ("[8, 10]", "9"),
        ("x > 8", "9"),
        ("1, 2, \\ldots, 9", "9"),
        ("1, 2, ..., 9", "9"),
        ("about 9", "9"),
        ("\\text{not } 9", "9"),
        ("x \\approx 9.1", "9"),
        ("9 \\ne 9", "9"),
        ("(-\\infty, \\infty)", "9"),
        ("\\mathbb{R}", "(0,1)"),
        ("x = x", "9"),
        ("x", "9"),
        ("9 or 9 or 8", "9"),
        ("A, B, C, D", "\\text{(B)}"),
        ("A or B", "B"),
    ],
    "parts": [
        ("3", "3, 5"),
        ("3, 5, 7", "3, 5"),
        ("\\{3\\}", "\\{3,5\\}"),
        ("(1,2)", "(1,2),(3,4)"),
        ("2+\\sqrt{3}", "2\\pm\\sqrt{3}"),
        ("x=3", "x=3 \\text{ or } x=5"),
        ("(1,2)", "(1,2)\\cup(3,4)"),
        ("\\{5\\}", "5"),
    ],
    "near in value": [
        ("0.333", "\\frac13"),
        ("0.3333333333333333", "1/3"),
        ("3.14", "\\pi"),
        ("3.14159265358979323846264338327950288", "\\pi"),
        ("22/7", "\\pi"),
        ("1.41", "\\sqrt2"),
        ("99.99999", "100"),
        ("1999", "2000"),
        ("\\frac{1}{2^{200}}", "\\frac{1}{2^{201}}"),
        ("\\frac{1}{1500!}", "\\frac{1}{1501!}"),
        ("2^{300}", "2^{300}+1"),
        ("e^{-300}", "0"),
        ("e^{-300}", "e^{-301}"),
        ("10^{-60}+\\sqrt{2}", "\\sqrt{2}"),
        ("12", "0.12"),
        ("12", "12\\%"),
        ("12\\%", "12"),
        ("1-\\frac1e", "1+\\frac1e"),
    ],
    "not worked out": [
        ("20+22", "42"),
        ("6 \\times 7", "42"),
        ("6*7", "42"),
        ("84/2", "42"),
        ("\\frac{84}{2}", "42"),
        ("50-8", "42"),
        ("\\sum_{k=1}^{6} 7", "42"),
        ("2 \\cdot 3 \\cdot 7", "42"),
        ("42 \\cdot 1", "42"),
        ("\\frac12+\\frac13", "\\frac56"),
        ("2^{5+5}", "1024"),
        ("\\frac{20+22}{1}", "42"),
        ("(20+22, 1)", "(42, 1)"),
        ("x = 20+22", "x=42"),
        ("(1+2i)^2", "-3+4i"),
        ("(2+i)(3-i)", "7+i"),
        ("\\frac{1}{1+i}", "\\frac12-\\frac12 i"),
        ("Simplify $(2+i)(3-i)$.", "7+i"),
        ("Simplify $\\sqrt{50}$.", "5\\sqrt{2}"),
        ("What is $\\sqrt{50}$", "5\\sqrt{2}"),
    ],
    "kinds": [
        ("(2,1)", "(1,2)"),
        ("\\{1,2\\}", "(1,2)"),
        ("[1,2]", "(1,2)"),
        ("(1,2)", "[1,2)"),
        ("\\{0,1\\}", "0<x<1"),
        ("0 \\le x \\le 1", "0 < x < 1"),
        ("0<x<1", "0<y<1"),
        ("y = 7", "x = 7"),
        ("2x = 14", "7"),
        ("x^2 = 49", "7"),
        ("x + 7 = 0", "7"),
        ("x^2+1 = 0", "x^2+1"),
        ("y > 2x", "y < 2x"),
        ("y = 2x", "y = 2x + 1"),
        ("3-2i", "3+2i"),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}1&2\\end{pmatrix}"),
        ("\\begin{pmatrix}1&2\\\\3&5\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
        ("3:5", "5:3"),
        ("3/5", "3:5"),
        ("2:00", "12:00"),
        ("8:60", "4:30"),
        ("1", "12:00"),
        ("f(x)", "x"),
        ("x_1", "x_2"),
        ("-x", "x"),
        ("\\sqrt{x^2}", "x"),
        ("|x|", "x"),
        ("x^2", "x^3"),
        ("\\sin x", "\\cos x"),
    ],
    "parsing": [
        ("4\\sqrt(2)", "4"),
        ("7\\sqrt{2}", "7"),
        ("3½", "\\frac{31}{2}"),
        ("6²", "62"),
        ("2\\frac{1}{2}", "1"),
        ("9 8", "98"),
        ("\\sqrt{5}1", "\\sqrt{5}"),
        ("90^\\circ1", "90"),
        ("(9)1", "9"),
        ("x9", "9"),
        ("9x", "9"),
        ("1.234", "1234"),
        ("1,23", "1.23"),
        ("1, 234", "1234"),
        ("12_3", "12"),
        ("12", "12_3"),
        ("5", "12_3"),
        ("12_4", "12_3"),
        ("\\unknown{9}", "9"),
        ("\\forall x, 9", "9"),
        ("\\lim_{x\\to 0} 9", "9"),
        ("9 \\pmod{5}", "9"),
        ("\\infty - \\infty", "0"),
        ("\\frac{0}{0}", "0"),
        ("\\frac{1}{0}", "\\infty"),
        ("0^0", "1"),
        ("lambda x: 9", "9"),
        ("9 if True else 8", "9"),
        ("max(9, 8)", "8"),
        ("9\\", "9"),
        ("(9", "9"),
    ],
    "text": [
        ("\\text{listen}", "\\text{silent}"),
        ("no", "on"),
        ("east", "\\text{west}"),
        ("\\text{north-east}", "\\text{east}"),
        ("the answer", "answer"),
        ("e", "\\text{(E)}"),
        ("E", "e"),
        ("2.718281828", "e"),
        ("(A)", "\\text{(B)}"),
        ("В", "\\text{(B)}"),  # noqa: RUF001: a Cyrillic letter
        ("\\text{even or odd}", "\\text{even}"),
        ("isosceles triangle", "isosceles"),
    ],
    "units": [
        ("12\\text{ km}", "12\\text{ cm}"),
        ("12\\text{ cm}", "12\\text{ cm}^2"),
        ("12^\\circ", "\\$12"),
        ("€12", "\\$12"),
        ("12\\text{ dozen}", "12"),
        ("12 thousand", "12"),
        ("12 squared", "12"),
    ],
    "marks": [
        ("\\boxed{9", "9"),
        ("\\boxed{}", "9"),
        ("\\boxed{\\text{answer}}", "9"),
        ("\\boxed{9} no wait, \\boxed{8}", "9"),
        ("\\boxed{9}. Actually it is 8.", "9"),
        ("The answer is not 9.", "9"),
        ("It might be $9$.", "9"),
        ("Is it $9$?", "9"),
        ("<think>\\boxed{9}</think>", "9"),
        ("<think>\\boxed{9}", "9"),
        ("<think>\\boxed{9}</think> \\boxed{8}", "9"),
        ("Write it as \\boxed{}. It is 9.", "9"),
        ("First 7, then 8, then 9", "9"),
        ("{9", "9"),
        ("9}", "9"),
        (":", "9"),
        ("?", "9"),
        ("Thought process:", "9"),
        ("{\"answer\": 9}", "9"),
        ("[[YES]] CORRECT", "9"),
    ],
}  # fmt: skip

GROUPED_PAID = [(group, *case) for group, cases in PAID.items() for case in cases]
GROUPED_REFUSED = [(group, *case) for group, cases in REFUSED.items() for case in cases]


def ways(group: str, answer: str) -> list[str]:
    """The answer as a response: as it is, and in a box unless it has marks of its own."""
    return [answer] if group == "marks" or "\\boxed" in answer else [answer, f"Hence $\\boxed{{{answer}}}$."]


@pytest.mark.parametrize(("group", "answer", "gold"), GROUPED_PAID)
def test_paid(group: str, answer: str, gold: str) -> None:
    for response in ways(group, answer):
        verdict = grade(Math(), response, gold)
        assert verdict.correct and verdict.status is Status.OK and not verdict.reason, (response, verdict)


@pytest.mark.parametrize(("group", "answer", "gold"), GROUPED_REFUSED)
def test_not_paid(group: str, answer: str, gold: str) -> None:
    for response in ways(group, answer):
        verdict = grade(Math(), response, gold)
        assert verdict.correct is False and verdict.reason, (response, verdict)


@pytest.mark.parametrize("gold", sorted({gold for _, _, gold in GROUPED_PAID + GROUPED_REFUSED if len(gold) < 4000}))
def test_every_gold_is_met_by_itself_in_any_wrapping(gold: str) -> None:
    for response in (gold, f"\\boxed{{{gold}}}", f"The answer is ${gold}$", f"<answer>\\({gold}\\)</answer>"):
        assert grade(Math(), response, gold).correct, response
    for wrapped in (f"${gold}$", f"\\boxed{{{gold}}}", f"\\[ {gold} \\]", json.dumps({"answer": gold})):
        assert Math().check_gold(wrapped) is None
        assert grade(Math(), f"\\boxed{{{gold}}}", wrapped).correct, wrapped


@pytest.mark.parametrize(
    ("answer", "paid"),
    [
        ("391", True),
        ("391.0", True),
        ("x = 391", True),
        ("17 \\cdot 23", False),
        ("17 \\cdot 23 = 391", True),
        ("391^1", False),
        ("\\sqrt{152881}", False),
        ("\\frac{782}{2}", False),
        ("392", False),
    ],
)
def test_the_form_number_asks_for_a_number(answer: str, paid: bool) -> None:
    gold = json.dumps({"answer": "391", "form": "number"})
    assert grade(Math(), f"\\boxed{{{answer}}}", gold).correct is paid


@pytest.mark.parametrize(
    ("answer", "paid"),
    [
        ("3.14", True),
        ("3.15", True),
        ("3.1501", False),
        ("157/50", True),
        ("3+0.14", False),
        ("3.13", True),
        ("3", False),
    ],
)
def test_a_tolerance_is_the_largest_difference_that_is_paid(answer: str, paid: bool) -> None:
    gold = json.dumps({"answer": "3.14", "tolerance": 0.01})
    assert grade(Math(), f"\\boxed{{{answer}}}", gold).correct is paid
    assert grade(Math(), "3.15", "3.14").correct is False


@pytest.mark.parametrize(
    "gold",
    [
        "",
        "  ",
        "\\boxed{}",
        "$$",
        '{"answer": ""}',
        '{"answer": 3}',
        '{"form": "number"}',
        '{"answer": "3", "form": "decimal"}',
        '{"answer": "3", "tolernce": 1}',
        '{"answer": "3", "tolerance": -1}',
        '{"answer": "3", "tolerance": "small"}',
        '{"answer": "(1,2)", "form": "number"}',
        "7" * 60_000,
    ],
)
def test_golds_that_nothing_can_be_graded_against(gold: str) -> None:
    assert Math().check_gold(gold) is not None
    assert grade(Math(), "3", gold).status is Status.ERROR


def test_a_worked_solution_for_a_gold_states_its_answer() -> None:
    solution = "We have $x^2 = 9$ and so on. " * 10 + "Thus the positive solution is \\boxed{3}, as was to be shown."
    assert grade(Math(), "3", solution).correct and not grade(Math(), "9", solution).correct
    assert grade(Math(), "2, 3", "\\boxed{3} and \\boxed{2}").correct

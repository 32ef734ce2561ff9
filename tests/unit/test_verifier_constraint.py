"""The constraint verifier, type by type; golds that must be refused; text that must neither crash, hang nor slip through."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.types import Status
from earnest.verifiers import golds
from earnest.verifiers.constraint import Constraint, ifeval
from earnest.verifiers.constraint.data import is_found
from earnest.verifiers.constraint.gold import TYPES
from earnest.verifiers.constraint.response import sentences, words
from grading import grade

DATA = os.environ.get("EARNEST_DATA")
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def gold(*constraints: dict[str, Any]) -> str:
    return golds.write({"constraints": list(constraints)})


def c(type_: str, **arguments: Any) -> dict[str, Any]:
    return {"type": type_, **arguments}


def at_least(type_: str, n: int, **arguments: Any) -> dict[str, Any]:
    return c(type_, relation="at least", n=n, **arguments)


def exactly(type_: str, n: int, **arguments: Any) -> dict[str, Any]:
    return c(type_, relation="exactly", n=n, **arguments)


def schema(**parts: Any) -> dict[str, Any]:
    return c("json_schema", schema=parts)


MET: list[tuple[str, dict[str, Any]]] = [
    ("one two three", exactly("word_count", 3)),
    ("It's a well-known 1,000.50 - no more.", exactly("word_count", 6)),
    ("one/two three…four", exactly("word_count", 4)),
    ("a-b-c-d-e-f", exactly("word_count", 6)),
    ("state-of-the-art", exactly("word_count", 1)),
    ("one two", c("word_count", relation="less than", n=3)),
    ("one two", c("word_count", relation="at most", n=2)),
    ("one two", c("word_count", relation="more than", n=1)),
    ("<think>a, b, c</think>no comma here", c("no_commas")),
    ("The Cat sat.", c("keywords", keywords=["cat"])),
    ("the cat's bowl", c("keywords", keywords=["cat"])),
    ("_cat_ and **dog**", c("keywords", keywords=["cat", "dog"])),
    ("I write C++ and C#.", c("keywords", keywords=["C++", "c#"])),
    ("ｃａｔ", c("keywords", keywords=["cat"])),
    ("我喜欢北京的秋天", c("keywords", keywords=["北京"])),
    ("Dear Straße", c("keywords", keywords=["STRASSE"])),
    ("Catalogue, scatter, bobcat", c("forbidden_keywords", keywords=["cat"])),
    ("Этот сор и тор", c("forbidden_keywords", keywords=["cop", "top"])),
    ("war and peace and War", exactly("keyword_frequency", 2, keyword="war")),
    ("warm software", c("keyword_frequency", relation="less than", n=1, keyword="war")),
    ("Aa a", exactly("letter_frequency", 3, letter="A")),
    ("Hi! Oh! Ah!", at_least("letter_frequency", 3, letter="!")),
    ("a; b: c. d", c("no_commas")),
    ("Timișoara", c("no_commas")),
    ("all small 3 words", c("all_lowercase")),
    ("ALL CAPS 3!", c("all_uppercase")),
    ("NASA and ESA met JAXA", exactly("capital_words", 3)),
    ("- a\n- b", c("bullets", n=2)),
    ("  * a\n  * b\n\n1. c", c("bullets", n=2)),
    ("* a", c("bullets", n=2, relation="less than")),
    ("•a\n•b", c("bullets", n=2)),
    ("It is so. Is it? Yes!", exactly("sentences", 3)),
    ("One.\n\nTwo", exactly("sentences", 2)),
    ("- one thing\n- another thing", exactly("sentences", 2)),
    ("We met at 5 p.m. on Jan. 3 at St. Mary's, e.g. No. 10.", exactly("sentences", 1)),
    ("He said “Go!” and left. She stayed...", exactly("sentences", 2)),
    ("Wait... what? Well… Yes.", exactly("sentences", 3)),
    ("J. R. R. Tolkien wrote it. I did not.", exactly("sentences", 2)),
    ("1. First we go. 2. Then we stop.", at_least("sentences", 2)),
    ("नमस्ते। आप कैसे हैं।", exactly("sentences", 2)),
    ("你好。今天很好！", exactly("sentences", 2)),
    ("One.\n\nTwo.", c("paragraphs", n=2)),
    ("a\n\n***\n\nb\n\n***\n\nc\n\n***\n\nd\n\n***\n\ne", c("paragraphs", n=5, separator="***")),
    ("One ***bold*** word", c("paragraphs", n=1, separator="***")),
    ("Hello there.\n\nSecond part.", c("paragraph_start", n=2, paragraph=2, word="second")),
    ("\n\n**Hello** there.\n\n\n\nX", c("paragraph_start", n=2, paragraph=1, word="Hello")),
    ("Dear [name], call [phone number].", at_least("placeholders", 2)),
    ("[x] and [y]", c("placeholders", n=2)),
    ("*so* and **so** and ***so***", exactly("highlights", 3)),
    ("SECTION 1\nText.\n\nSECTION 2\nText.", c("sections", mark="SECTION", n=2)),
    ("**Day 1:** sleep\n## Day 2\neat", exactly("sections", 2, mark="Day")),
    ("<<My title>>\nText", c("title")),
    ("Dear all.\n\nP.S. Bring cake.", c("postscript")),
    ("Dear all.\n\n**P.P.S** Bring cake.", c("postscript", mark="P.P.S")),
    ("Dear all. P.S. Bring cake.", c("postscript", mark="P.S.")),
    ("One way.\n******\nAnother way.", c("two_responses")),
    ('"All of it."', c("quotation")),
    ("“All of it.”", c("quotation")),
    ("Think. My answer is no.", c("one_of", options=list(ifeval.ANSWERS))),
    ("Yes, dear.", c("start_with", text="yes")),
    ("That is it. Any other questions?", c("end_with", text="Any other questions?")),
    ('"That is it. The   End"', c("end_with", text="the end")),
    ("Say hi.\nHello!", c("repeat_prompt", prompt="Say  hi.")),
    ("Wir haben das nicht gewusst, aber es ist so, und ich bin froh.", c("language", language="de")),
    ("यह एक अच्छा दिन है और हम घर जा रहे हैं।", c("language", language="hi")),
    ("हे एक चांगले पुस्तक आहे आणि ते मला खूप आवडते.", c("language", language="mr")),
    ("ఇది మంచి పుస్తకం", c("language", language="te")),
    ("این کتاب خوبی است و من آن را دوست دارم.", c("language", language="fa")),
    ("یہ ایک اچھی کتاب ہے اور میں اس کو پڑھتا ہوں۔", c("language", language="ur")),
    ("هذا كتاب جيد جدا وقد قرأته في المدرسة مع صديقي", c("language", language="ar")),
    ("これは良い本です。", c("language", language="ja")),
    ('{"a": 1}', c("json")),
    ('```json\n[1, "x"]\n```', c("json")),
    ('```\n{"a": "]]]}}}"}\n```', c("json")),
    ('{"name": "A", "age": 3}', schema(**PERSON)),
    ('{"name": "A", "age": 3.0}', schema(**PERSON)),
    ('"abc1"', schema(type="string", pattern="^[a-z]+\\d$")),
    (
        '{"x": {"y": [1]}}',
        schema(properties={"x": {"$ref": "#/$defs/inner"}}, **{"$defs": {"inner": {"type": "object"}}}),
    ),
    ('["a", "b", 1, true]', schema(type="array", uniqueItems=True)),
    ("2024-05-01", c("regex", pattern=r"^\d{4}-\d{2}-\d{2}$")),
    ("see 42 there", c("regex", pattern=r"\b42\b")),
]

MISSED: list[tuple[str, dict[str, Any]]] = [
    ("- - - – — … a", at_least("word_count", 2)),
    ("one\u200btwo", at_least("word_count", 2)),
    ("* * *  # # b", at_least("word_count", 2)),
    ("one two three", c("word_count", relation="less than", n=3)),
    ("a-b-c-d-e-f-g-h", c("word_count", relation="at most", n=4)),
    ("concatenate", c("keywords", keywords=["cat"])),
    ("cats", c("keywords", keywords=["cat"])),
    ("machinelearning", c("keywords", keywords=["machine learning"])),
    ("only cat", c("keywords", keywords=["cat", "dog"])),
    ("the C language", c("keywords", keywords=["C++"])),
    ("<think>cat</think>dog", c("keywords", keywords=["cat"])),
    ("A CAT!", c("forbidden_keywords", keywords=["cat"])),
    ("the c\u00adat", c("forbidden_keywords", keywords=["cat"])),
    ("the c\u2060at", c("forbidden_keywords", keywords=["cat"])),
    ("the ｃａｔ", c("forbidden_keywords", keywords=["cat"])),
    ("the \u0441at", c("forbidden_keywords", keywords=["cat"])),
    ("machine\u00a0learning", c("forbidden_keywords", keywords=["machine learning"])),
    ("warm war", at_least("keyword_frequency", 2, keyword="war")),
    ("no hash", at_least("letter_frequency", 1, letter="#")),
    ("a，b", c("no_commas")),
    ("مرحبا، أهلا", c("no_commas")),
    ("你好、世界", c("no_commas")),
    ("small Capital", c("all_lowercase")),
    ("123", c("all_lowercase")),
    ("Title Case Words", c("all_uppercase")),
    ("ALMOST ALl", c("all_uppercase")),
    ("123", c("all_uppercase")),
    ("ʜᴇʟʟᴏ", c("all_uppercase")),
    ("WIR HABEN DAS NICHT GEWUSST UND ES IST NICHT SO", c("all_uppercase", language="en")),
    ("Title Case Words", at_least("capital_words", 1)),
    ("- a\n- b\n- c", c("bullets", n=2)),
    ("a - b\n---\n1. c\n-\n* ", at_least("bullets", 1)),
    ("It is so. Is it?", exactly("sentences", 1)),
    ("! ! ! ? ? . a", at_least("sentences", 2)),
    ("Dr. Mr. Mrs. St. No one", at_least("sentences", 2)),
    ("One.\nTwo.", c("paragraphs", n=2)),
    ("a\n***\n***\nb", c("paragraphs", n=2, separator="***")),
    ("a ****** b", c("paragraphs", n=2, separator="***")),
    ("Hello there.\n\nSecond part.\n\nThird.", c("paragraph_start", n=2, paragraph=2, word="second")),
    ("Hello.\n\nSecondly so.", c("paragraph_start", n=2, paragraph=2, word="second")),
    ("[] [ ] [!] [1] [link](there)", at_least("placeholders", 1)),
    ("[a\nb]", at_least("placeholders", 1)),
    ("** ** * * 2*3*4 \\*x\\*", at_least("highlights", 1)),
    ("*a\nb*", at_least("highlights", 1)),
    ("See SECTION 1 and SECTION 2.", c("sections", mark="SECTION", n=1)),
    ("SECTION 1\nSECTION 2\ntext", c("sections", mark="SECTION", n=2)),
    ("SECTION 1\ntext\nSECTION 1\ntext", c("sections", mark="SECTION", n=2)),
    ("<<>> << >> <a>", c("title")),
    ("<< a\nb >>", c("title")),
    ("Dear all.\n\nP.S.", c("postscript")),
    ("P.S. Bring cake.", c("postscript")),
    ("The CEO of Co.P.S. Ltd", c("postscript")),
    ("Dear all.\n\nP.S. Bring cake.", c("postscript", mark="P.P.S")),
    ("Dear all.\n\nP.P.S. Bring cake.", c("postscript", mark="P.S.")),
    ("Same way.\n******\nsame  WAY.", c("two_responses")),
    ("a\n******\nb\n******\nc", c("two_responses")),
    ("a\n***\nb", c("two_responses")),
    ("a\n******\n", c("two_responses")),
    ('"half', c("quotation")),
    ("'single'", c("quotation")),
    ('So "it" is', c("quotation")),
    ("My answer is yes. My answer is no.", c("one_of", options=list(ifeval.ANSWERS))),
    ("My answer is yesterday.", c("one_of", options=list(ifeval.ANSWERS))),
    ("Yesterday", c("start_with", text="Yes")),
    ("Well, yes", c("start_with", text="yes")),
    ("We begin India.", c("end_with", text="in India.")),
    ("The end. Or is it?", c("end_with", text="The end.")),
    ("Hello! Say hi.", c("repeat_prompt", prompt="Say hi.")),
    ("Say hi.", c("repeat_prompt", prompt="Say hi.")),
    ("Say high", c("repeat_prompt", prompt="Say hi")),
    ("We did not know that but it is so and I am glad.", c("language", language="de")),
    ("यह एक अच्छा दिन है और हम घर जा रहे हैं।", c("language", language="mr")),
    ("Guten", c("language", language="fr")),
    ("12 34", c("language", language="en")),
    ('{"a": 1} as asked', c("json")),
    ("{}", c("json")),
    ("[]", c("json")),
    ("5", c("json")),
    ('{"a": 1, "a": 2}', c("json")),
    ('{"a": {"b": 1, "b": 1}}', c("json")),
    ('{"a": NaN}', c("json")),
    ('{"a": -Infinity}', c("json")),
    ('{"a": 1e999}', c("json")),
    ('{"a": 1e-400}', c("json")),
    ('{"a": 3.00000000000000000001}', c("json")),
    ('{"a": 1e-99999999999999999999}', c("json")),
    ('{"a": 01}', c("json")),
    ("{'a': 1}", c("json")),
    ("[" * 50_000 + "a", c("json")),
    ('{"a":' * 20_000 + "1", c("json")),
    ("[" + "9" * 5_000 + "]", c("json")),
    ("[" + "1," * 49_000 + "1]", c("json")),
    ('["a", "b", "a"]', schema(type="array", uniqueItems=True)),
    ("[1, 1.0]", schema(type="array", uniqueItems=True)),
    ('{"name": "A", "age": "3"}', schema(**PERSON)),
    ('{"name": "A", "age": 3, "x": 1}', schema(**PERSON)),
    ('{"name": "A", "age": false}', schema(**PERSON)),
    ("true", schema(const=1)),
    ("1", schema(enum=[True])),
    ('"' + "a" * 60 + '!"', schema(type="string", pattern="^(a|aa)+$")),
    ("a" * 60 + "!", c("regex", pattern="^(a|aa)+$")),
    ("foo" * 200, c("regex", pattern="(?:foo.*){20}bar")),
    ("12024-05-01", c("regex", pattern=r"^\d{4}-\d{2}-\d{2}$")),
]  # fmt: skip


@pytest.mark.parametrize(("response", "constraint"), MET)
def test_met(response: str, constraint: dict[str, Any]) -> None:
    verdict = grade(Constraint(), response, gold(constraint))
    assert verdict.correct and verdict.score == 1 and verdict.parts["met"] == 1, verdict


@pytest.mark.parametrize(("response", "constraint"), MISSED)
def test_missed(response: str, constraint: dict[str, Any]) -> None:
    start = perf_counter()
    verdict = grade(Constraint(), response, gold(constraint))
    assert verdict.correct is False and verdict.score == 0, verdict
    assert perf_counter() - start < 10


def test_every_type_is_met_by_something_and_missed_by_something() -> None:
    assert (
        {constraint["type"] for _, constraint in MET} == {constraint["type"] for _, constraint in MISSED} == set(TYPES)
    )


@pytest.mark.parametrize("response", ["", " \n", ". . .", "\u200b\u2060", "***", "<think>a b c</think>"])
@pytest.mark.parametrize(("_", "constraint"), MET)
def test_nothing_meets_nothing(response: str, _: str, constraint: dict[str, Any]) -> None:
    assert grade(Constraint(), response, gold(constraint)).status is Status.NO_ANSWER


@pytest.mark.parametrize(
    "constraints",
    [
        [],
        [{}],
        ["no_commas"],
        [c("no_such")],
        [c("punctuation:no_comma")],
        [c("no_commas"), c("no_such")],
        [c("no_commas", n=1)],
        [c("word_count", n=3)],
        [c("word_count", relation="at least")],
        [c("word_count", relation="about", n=3)],
        [c("word_count", relation="at least", n="3")],
        [c("word_count", relation="at least", n=3.0)],
        [c("word_count", relation="at least", n=True)],
        [c("word_count", relation="at least", n=None)],
        [c("word_count", relation="at least", n=0)],
        [c("word_count", relation="less than", n=0)],
        [c("word_count", relation="at least", n=-1)],
        [c("keywords", keywords=[])],
        [c("keywords", keywords="cat")],
        [c("keywords", keywords=["cat", ""])],
        [c("keywords", keywords=["\u200b"])],
        [c("forbidden_keywords", keywords=[" "])],
        [c("letter_frequency", letter="ab", relation="at least", n=1)],
        [c("letter_frequency", letter="", relation="at least", n=1)],
        [c("letter_frequency", relation="at least", n=1)],
        [c("bullets")],
        [c("paragraph_start", n=2, paragraph=3, word="x")],
        [c("language", language="xx")],
        [c("one_of", options=["a"])],
        [c("one_of", options=["a", "A"])],
        [c("postscript", mark="N.B.")],
        [c("start_with")],
        [c("regex", pattern="(")],
        [c("regex", pattern="")],
        [c("regex")],
        [c("json_schema")],
        [schema(type="strin")],
        [schema(type="string", format="date")],
        [schema(patternProperties={"a": {}})],
        [{"type": "json_schema", "schema": {"$ref": "https://example.com/schema.json"}}],
        [{"type": "json_schema", "schema": {"$ref": "file:///etc/passwd"}}],
        [{"type": "json_schema", "schema": {"$ref": "#"}}],
        [{"type": "json_schema", "schema": {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}}],
        [schema(properties={"a": {"unknownKeyword": 1}})],
        [schema(type="string", pattern="(")],
    ],
)  # fmt: skip
def test_a_gold_that_cannot_be_checked_is_an_error(constraints: list[Any]) -> None:
    text = golds.write({"constraints": constraints})
    assert Constraint().check_gold(text) is not None
    for response in ("", "anything", "a" * 1000):
        verdict = grade(Constraint(), response, text)
        assert verdict.status is Status.ERROR and verdict.correct is None


@pytest.mark.parametrize(
    "text", ["", "Paris", "[]", '{"constraint": []}', '{"constraints": {"type": "no_commas"}}', None]
)
def test_a_gold_without_constraints_is_an_error(text: str | None) -> None:
    assert grade(Constraint(), "x", text).status is Status.ERROR


def test_repeated_types_are_all_scored() -> None:
    verdict = grade(
        Constraint(), "one two three", gold(at_least("word_count", 2), at_least("word_count", 20), c("no_commas"))
    )
    assert not verdict.correct and verdict.score == 0
    assert verdict.parts == {"1 word_count": 1.0, "2 word_count": 0.0, "3 no_commas": 1.0, "met": pytest.approx(2 / 3)}
    assert "2 word_count" in verdict.reason


def test_limits_are_named() -> None:
    for response, constraint in (
        ("a" * 60 + "!", c("regex", pattern="^(a|aa)+$")),
        ("[" * 1000 + "a", c("json")),
        ("[" + "9" * 400 + "]", c("json")),
        ("word " * 30_000, c("no_commas")),
    ):
        assert grade(Constraint(), response, gold(constraint)).status is Status.LIMIT, response[:20]


def test_slow_patterns_in_several_threads_end_in_time() -> None:
    start = perf_counter()
    with ThreadPoolExecutor(4) as pool:
        slow = gold(c("regex", pattern="^(a|aa)+$"))
        verdicts = list(pool.map(lambda n: grade(Constraint(), "a" * (60 + n) + "!", slow), range(4)))
    assert {v.status for v in verdicts} == {Status.LIMIT} and perf_counter() - start < 30


def test_many_slow_texts_share_one_limit() -> None:
    slow = json.dumps(["a" * 24 + "!"] * 2000)  # each a few hundredths of a second
    start = perf_counter()
    verdict = grade(Constraint(), slow, gold(schema(items={"not": {"pattern": "^(a|aa)+$"}})))
    assert verdict.status is Status.LIMIT and perf_counter() - start < 20


def test_threads_that_compute_take_no_time_from_a_pattern() -> None:
    """A search of a few tenths of a second beside three threads that keep the interpreter busy."""
    stop, text = threading.Event(), "a" * 29 + "!"

    def burn() -> None:
        while not stop.is_set():
            regex.search("^(a|aa)+$", "a" * 26 + "!", concurrent=True)

    threads = [threading.Thread(target=burn, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert not is_found("^(a|aa)+$", text)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_the_question_again_is_no_answer() -> None:
    assert grade(Constraint(), "?", gold(c("no_commas"))).status is Status.NO_ANSWER
    from dataclasses import replace

    from grading import make_item

    item = make_item("Write a text without  commas!", gold(c("no_commas")))
    asked = replace(item, problem=replace(item.problem, prompt="Write a text without commas."))
    assert Constraint().judge([asked])[0].status is Status.NO_ANSWER


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Hello", 1),
        ("Hello. World.", 2),
        ("Hello world? Yes! No.", 3),
        ("The U.S. economy grew 3.5 percent. It did.", 2),
        ("Mr. and Mrs. Smith went to Washington.", 1),
        ("the end. and then. more.", 3),
        ("See p. 5 and Fig. 3. Then stop.", 2),
        ("Visit www.example.com. It is good.", 2),
        ("# Title\nText here.", 2),
        ("A line of a poem\nanother line of it\nand the last.", 1),
        ("“Stop!” he cried. “Why?” she asked.", 2),
        ("So it is I. He left.", 2),
        ("It costs $5. Cheap.", 2),
        ("It costs $0.5. How much are two?", 2),
        ("She put it in box A. The other one was in box B. It was full.", 3),
        ("John F. Kennedy and J.R. Smith met in the U.S. He spoke.", 2),
        ("Items:\n1. One\n2. Two\n3. Three", 4),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert sentences(text) == count


def test_words() -> None:
    assert words("Don't stop - e.g. 3.5, 1,000 or snake_case; user@host!") == (
        "Don't", "stop", "e.g", "3.5", "1,000", "or", "snake_case", "user", "host",
    )  # fmt: skip


ALL = [constraint for _, constraint in MET]
PIECES = (
    "cat . ! ? , - * ** *** ****** [ ] [x] << >> { } \" ' # SECTION 1 P.S. Dr. U.S. 3.5 1. \n \n\n ```json ``` :"
    " \\ ß ǅ \u200b 你 ा ।"
)
ANYTHING = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from([*PIECES.split(" "), " "]), max_size=60).map("".join)
)


@settings(max_examples=300, deadline=None, database=None)
@given(ANYTHING, st.sampled_from(ALL))
def test_any_text_is_graded(text: str, constraint: dict[str, Any]) -> None:
    verdict = grade(Constraint(), text, gold(constraint))
    assert verdict.status is not Status.ERROR
    assert verdict == grade(Constraint(), text, gold(constraint))


@settings(max_examples=200, deadline=None, database=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    verdict = grade(Constraint(), json.dumps(value), gold(schema(const=value)))
    assert verdict.correct or verdict.status is Status.NO_ANSWER


@settings(max_examples=200, deadline=None, database=None)
@given(
    st.dictionaries(
        st.sampled_from(["type", "n", "relation", "keywords", "schema", "pattern", "letter", "text"]),
        st.one_of(st.sampled_from([*TYPES, "at least", 1, 0, -1, None, [], {}, True]), st.text(max_size=5)),
        max_size=5,
    )
)
def test_any_gold_is_read_or_refused(fields: dict[str, Any]) -> None:
    text = gold(fields)
    verdict = grade(Constraint(), "some words", text)
    assert (verdict.status is Status.ERROR) == (Constraint().check_gold(text) is not None)


@pytest.mark.parametrize(
    "piece",
    ["word ", "a.", "A. ", "- x\n", "*", "* ", "**a ", "[", "[x] ", "<<", "\n\n", "\n \n", "P.S. ", "SECTION 1\n", '"', "{", "a-",
     "1,", "cat", "\u200b", "ा", "...", "? ", "#", "```", "\\"],
)  # fmt: skip
def test_time_grows_with_length_alone(piece: str) -> None:
    plain = [one for one in ALL if one["type"] != "regex"]

    def seconds(size: int) -> float:
        text = "x " + piece * (size // len(piece))
        start = perf_counter()
        grade(Constraint(), text, gold(*plain))
        return perf_counter() - start

    seconds(1000)
    small, large = min(seconds(24_000) for _ in range(2)), min(seconds(96_000) for _ in range(2))
    assert large < max(0.5, 7 * small) and large < 6, (small, large)


@pytest.mark.skipif(DATA is None, reason="EARNEST_DATA is not set")
def test_every_row_of_ifeval_is_translated_and_paid_for_no_nothing() -> None:
    assert DATA is not None
    rows = [json.loads(line) for line in (Path(DATA) / "ifeval" / "input_data.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 541 and {name for row in rows for name in row["instruction_id_list"]} == set(ifeval.IDS)
    for row in rows:
        text = golds.write(ifeval.translate(row["instruction_id_list"], row["kwargs"]))
        assert Constraint().check_gold(text) is None, row["key"]
        assert not any(grade(Constraint(), response, text).correct for response in ("", " \n", ". . ."))


@pytest.mark.parametrize(
    ("ids", "arguments"),
    [
        ([], []),
        (["punctuation:no_comma"], []),
        (["no:such"], [{}]),
        (["punctuation:no_comma"], [{"n": 1}]),
        (["length_constraints:number_words"], [{"num_words": 3}]),
        (["length_constraints:number_words"], [{"num_words": 3, "relation": None}]),
        (["detectable_content:number_placeholders"], [{}]),
    ],
)
def test_what_is_unset_or_unknown_is_no_instruction(ids: list[str], arguments: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError):
        ifeval.translate(ids, arguments)


def test_an_argument_that_is_none_is_absent() -> None:
    assert ifeval.translate(["detectable_format:title"], [{"num_words": None}]) == {"constraints": [{"type": "title"}]}

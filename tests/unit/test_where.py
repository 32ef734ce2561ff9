"""Conditions: what they mean, and that nothing a user types is ever run."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from earnest.errors import ConfigError
from earnest.evaluate.looking.where import LONGEST, Field, Value, condition

FIELDS = {
    "reward": Field("number", ""), "step": Field("number", ""), "text": Field("text", ""),
    "status": Field("text", "", ("ok", "truncated")), "correct": Field("truth", ""), "parts": Field("numbers", ""),
}  # fmt: skip
ROW: Mapping[str, Value] = {
    "reward": 0.5, "step": 7, "text": "so, wait: 8", "status": "ok", "correct": True, "parts": {"format": 0.1}
}  # fmt: skip
NOTHING: Mapping[str, Value] = {"reward": None, "step": 7, "text": None, "status": "ok", "correct": None, "parts": {}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reward == 0.5", True),
        ("reward==0.5 and not correct", False),
        ("reward == 0 or step > 6", True),
        ("5 <= step < 7", False),
        ("5 <= step <= 7", True),
        ("reward > -1", True),
        ("'wait' in text", True),
        ("'Wait' in text", False),
        ("'wait' not in text", False),
        ("status in ('ok', 'truncated')", True),
        ("status not in ['truncated']", True),
        ("step in (1, 2)", False),
        ("correct == True", True),
        ("parts['format'] > 0", True),
        ("parts['other'] == None", True),
        ("text < 'z'", True),
        ("not (correct and step == 7)", False),
        ("True", True),
    ],
)
def test_meaning(text: str, expected: bool):
    assert condition(text, FIELDS, "--where").holds(ROW) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reward == None", True),
        ("reward != None", False),
        ("reward is None", True),
        ("reward < 1", False),
        ("reward > -1", False),
        ("not reward < 1", True),
        ("'a' in text", False),
        ("'a' not in text", False),
        ("correct", False),
        ("correct == False", False),
        ("parts['format'] < 1", False),
    ],
)
def test_a_field_without_a_value(text: str, expected: bool):
    assert condition(text, FIELDS, "--where").holds(NOTHING) is expected


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("rewrd == 0", "unknown field 'rewrd'", "did you mean 'reward'?"),
        ("status == 'truncted'", "'truncted' never occurs", "did you mean 'truncated'?"),
        ("status in ('truncted',)", "'truncted' never occurs", "did you mean 'truncated'?"),
        ("reward == 'high'", "cannot compare", "for example"),
        ("correct > 0", "cannot compare", "for example"),
        ("step in text", "cannot compare", "for example"),
        ("text in (1, 2)", "cannot compare", "for example"),
        ("reward", "not a condition", "compare it"),
        ("not reward", "'reward' is a number", "compare it"),
        ("reward ==", "not a condition", "for example"),
        ("reward = 0", "not a condition", "for example"),
        ("", "not a condition", "for example"),
        ("step['x'] == 1", "'step' has no parts", ""),
        ("not " * 2 * LONGEST + "correct", "too long", ""),
    ],
)
def test_refused_with_a_remedy(text: str, what: str, remedy: str):
    with pytest.raises(ConfigError) as error:
        condition(text, FIELDS, "--where")
    assert what in error.value.what and remedy in error.value.remedy and error.value.where == "--where"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch owned') == 0",
        "text.__class__ == 'x'",
        "(lambda: True)()",
        "[r for r in text] == 'x'",
        "step + 1 == 8",
        "9**9**9 > 1",
        "f'{step}' == '7'",
        "(step := 3) == 3",
        "text[0] == 's'",
        "parts[text] > 0",
        "b's' in text",
        "1j == step",
        "... == step",
        "*step",
        "await step",
        "True if correct else False",
    ],
)
def test_nothing_is_run(text: str):
    with pytest.raises(ConfigError):
        condition(text, FIELDS, "--where")


def test_as_deep_as_it_may_be():
    deep = "(" * ((LONGEST - 7) // 2)
    for text in ("not " * ((LONGEST - 7) // 4) + "correct", f"{deep}correct{')' * len(deep)}"):
        try:
            condition(text, FIELDS, "--where").holds(ROW)
        except ConfigError as error:
            assert "not a condition" in error.what  # the parser itself has a limit

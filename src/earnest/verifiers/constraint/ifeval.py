"""IFEval's instructions as constraints: `instruction_id_list` and `kwargs` of a row to the list that a gold holds. A helper.

All 25 ids of Zhou et al., arXiv 2311.07911. What differs from the published checks, on purpose: keywords are whole words and
not parts of them (`cat` is not in `concatenate`); of the three allowed phrases only one may be said; a repeated prompt, a
section, a placeholder, a bullet and a postscript need a text; a phrase at the end begins at a word; a missing argument is an
error, and nothing is drawn at random. Where the published checks count sentences with a trained model and guess the language
with a random one, `response.py` and `language.py` have rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from earnest.types import Json

_Arguments = Mapping[str, Any]

ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")

_TRANSLATED: Mapping[str, tuple[tuple[str, ...], Callable[[_Arguments], Mapping[str, Json]]]] = {
    "keywords:existence": (("keywords",), lambda a: {"type": "keywords", "keywords": a["keywords"]}),
    "keywords:forbidden_words": (
        ("forbidden_words",),
        lambda a: {"type": "forbidden_keywords", "keywords": a["forbidden_words"]},
    ),
    "keywords:frequency": (
        ("keyword", "frequency", "relation"),
        lambda a: {
            "type": "keyword_frequency",
            "keyword": a["keyword"],
            "relation": a["relation"],
            "n": a["frequency"],
        },
    ),
    "keywords:letter_frequency": (
        ("letter", "let_frequency", "let_relation"),
        lambda a: {
            "type": "letter_frequency",
            "letter": a["letter"],
            "relation": a["let_relation"],
            "n": a["let_frequency"],
        },
    ),
    "language:response_language": (("language",), lambda a: {"type": "language", "language": a["language"]}),
    "length_constraints:number_sentences": (
        ("num_sentences", "relation"),
        lambda a: {"type": "sentences", "relation": a["relation"], "n": a["num_sentences"]},
    ),
    "length_constraints:number_paragraphs": (
        ("num_paragraphs",),
        lambda a: {"type": "paragraphs", "n": a["num_paragraphs"], "separator": "***"},
    ),
    "length_constraints:number_words": (
        ("num_words", "relation"),
        lambda a: {"type": "word_count", "relation": a["relation"], "n": a["num_words"]},
    ),
    "length_constraints:nth_paragraph_first_word": (
        ("num_paragraphs", "nth_paragraph", "first_word"),
        lambda a: {
            "type": "paragraph_start",
            "n": a["num_paragraphs"],
            "paragraph": a["nth_paragraph"],
            "word": a["first_word"],
        },
    ),
    "detectable_content:number_placeholders": (
        ("num_placeholders",),
        lambda a: {"type": "placeholders", "n": a["num_placeholders"]},
    ),
    "detectable_content:postscript": (
        ("postscript_marker",),
        lambda a: {"type": "postscript", "mark": a["postscript_marker"]},
    ),
    "detectable_format:number_bullet_lists": (("num_bullets",), lambda a: {"type": "bullets", "n": a["num_bullets"]}),
    "detectable_format:constrained_response": ((), lambda a: {"type": "one_of", "options": ANSWERS}),
    "detectable_format:number_highlighted_sections": (
        ("num_highlights",),
        lambda a: {"type": "highlights", "n": a["num_highlights"]},
    ),
    "detectable_format:multiple_sections": (
        ("section_spliter", "num_sections"),
        lambda a: {"type": "sections", "mark": a["section_spliter"], "n": a["num_sections"]},
    ),
    "detectable_format:json_format": ((), lambda a: {"type": "json"}),
    "detectable_format:title": ((), lambda a: {"type": "title"}),
    "combination:two_responses": ((), lambda a: {"type": "two_responses"}),
    "combination:repeat_prompt": (
        ("prompt_to_repeat",),
        lambda a: {"type": "repeat_prompt", "prompt": a["prompt_to_repeat"]},
    ),
    "startend:end_checker": (("end_phrase",), lambda a: {"type": "end_with", "text": a["end_phrase"]}),
    "startend:quotation": ((), lambda a: {"type": "quotation"}),
    "change_case:capital_word_frequency": (
        ("capital_frequency", "capital_relation"),
        lambda a: {"type": "capital_words", "relation": a["capital_relation"], "n": a["capital_frequency"]},
    ),
    "change_case:english_capital": ((), lambda a: {"type": "all_uppercase", "language": "en"}),
    "change_case:english_lowercase": ((), lambda a: {"type": "all_lowercase", "language": "en"}),
    "punctuation:no_comma": ((), lambda a: {"type": "no_commas"}),
}
IDS = tuple(_TRANSLATED)


def translate(ids: Sequence[str], arguments: Sequence[_Arguments]) -> dict[str, Json]:
    """A gold for a row's instructions and their arguments, in order; an argument that is None counts as absent.

    Example: (["punctuation:no_comma"], [{}]) -> {"constraints": [{"type": "no_commas"}]}
    Raises ValueError for an unknown id, and for a missing or an unknown argument.
    """
    if len(ids) != len(arguments) or not ids:
        raise ValueError(f"{len(ids)} instructions with {len(arguments)} sets of arguments")
    return {"constraints": [_one(name, given) for name, given in zip(ids, arguments, strict=True)]}


def _one(name: str, arguments: _Arguments) -> Mapping[str, Json]:
    if name not in _TRANSLATED:
        raise ValueError(f"unknown instruction {name!r}")
    needed, make = _TRANSLATED[name]
    given = {key: value for key, value in arguments.items() if value is not None}
    if given.keys() != set(needed):
        raise ValueError(
            f"{name} takes {', '.join(needed) or 'no argument'}, and was given {', '.join(given) or 'none'}"
        )
    return make(given)

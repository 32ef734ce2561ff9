"""How each data set of reasoning-gym 0.1.25 is graded, and which are refused. A helper of the verifier, no verifier.

What is in none of these tables has one right answer, and that is compared (`checks.same`): no scorer sees a model's text.
`checks.OWN` are data sets with several right answers, or with a scorer that evaluates what the model wrote (`eval` in
spiral_matrix, binary_matrix, string_insertion and n_queens; `parse_expr` in the integrations, polynomial_multiplication, puzzle24
and countdown): checked by code of ours. `SCORED` have a scorer that simulates moves or reads JSON; it runs in a sandbox, on texts
of the right form alone.
"""

from __future__ import annotations

import re

REFUSED: dict[str, str] = {
    "boxnet": "its scorer fails on answers of the wrong shape, and no answer is known to be right",
    "composite": "a mixture: name the data set that made the row",
    "propositional_logic": "repeating a premise is a valid conclusion and would be paid",
    "rush_hour": "no answer is known to be right, so that its scorer cannot be tried",
}
"""Data set -> why it is not graded."""

UNSTABLE = frozenset(["isomorphic_strings", "knight_swap", "polynomial_multiplication", "ransom_note", "word_ladder"])
"""Their rows depend on the interpreter's hash seed; seed, configuration and index alone do not name one."""

_MOVE = r"[A-Za-z0-9 ,>-]{1,40}+"
_LIST = rf'\[\s*+(?:"{_MOVE}"(?:\s*+,\s*+"{_MOVE}")*+)?+\s*+\]'
_WORDS = r'\[\s*+(?:"[a-z]{1,40}+"(?:\s*+,\s*+"[a-z]{1,40}+")*+)?+\s*+\]'
_LISTS = rf"\[\s*+(?:{_WORDS}(?:\s*+,\s*+{_WORDS})*+)?+\s*+\]"

SCORED: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "graph_color": r'\{\s*+"[0-9]{1,4}+"\s*+:\s*+[0-9]{1,4}+(?:\s*+,\s*+"[0-9]{1,4}+"\s*+:\s*+[0-9]{1,4}+)*+\s*+\}',
        "group_anagrams": _LISTS,
        "jugs": _LIST,
        "kakurasu": r"[01](?:[ \n]++[01])*+",
        "knight_swap": rf"[Nn]o|{_LIST}",
        "palindrome_generation": r"[a-z]{1,200}+",
        "palindrome_partitioning": _LISTS,
        "quantum_lock": r"[A-C](?: ?→ ?[A-C]){0,99}+",
        "rubiks_cube": r"[A-Za-z]{1,3}+['2]?+(?: [A-Za-z]{1,3}+['2]?+){0,199}+",
        "shortest_path": r"infeasible|(?:up|down|left|right)(?: (?:up|down|left|right)){0,999}+",
        "sokoban": r"[UDLR]{1,999}+",
        "tower_of_hanoi": r"Move disk [0-9]{1,2}+ from Peg [0-9]{1,2}+ to Peg [0-9]{1,2}+"
        r"(?:\n++Move disk [0-9]{1,2}+ from Peg [0-9]{1,2}+ to Peg [0-9]{1,2}+){0,1999}+",
        "word_ladder": r"[A-Za-z]{1,20}+(?:, ?[A-Za-z]{1,20}+){0,99}+",
    }.items()
}
"""Data set -> the form of an answer that its scorer is shown; whatever has another form is wrong."""

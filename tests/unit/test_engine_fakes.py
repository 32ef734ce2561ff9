"""The engines `scripted` and `replay`, and the plain strategy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earnest.component import KeyedConfigError, build
from earnest.engines.replay import Replay
from earnest.engines.scripted import Scripted, ScriptedSession
from earnest.errors import DataError
from earnest.models.base import Policy
from earnest.sampling.plain import Plain
from earnest.types import Finish
from policies import request

LINE = {"prompt_ids": [1, 2], "token_ids": [5, 6], "index": 0, "finish": "stop", "logprobs": [-0.5, -0.25]}


def test_a_script_is_cut_as_a_real_engine_would(tiny_policy: Policy) -> None:
    session = Scripted(completions=((5, 9, 6), (7, 7, 7, 7)), aborts=(3,), logprob=-2.0).open(tiny_policy)
    first = list(session.generate([request((1,), n=2, stop_ids=(9,), max_tokens=3)]))
    assert [(c.token_ids, c.finish) for c in first] == [((5, 9), Finish.STOP), ((7, 7, 7), Finish.LENGTH)]
    assert first[0].logprobs == (-2.0, -2.0) and first[0].sampled == (True, True)
    second = list(session.generate([request((1,), tag="x", n=2)]))
    assert [(c.index, c.token_ids, c.finish) for c in second] == [(0, (5, 9, 6), Finish.LENGTH), (1, (), Finish.ABORT)]


def test_a_script_may_be_code_and_may_come_in_reverse(tiny_policy: Policy) -> None:
    config = Scripted(completions=((0,),), reverse=True)
    session = ScriptedSession(tiny_policy, config, script=lambda r, index: (*r.prompt_ids, index))
    completions = list(session.generate([request((3,), n=2), request((4,), tag="b")]))
    assert [c.token_ids for c in completions] == [(4, 0), (3, 1), (3, 0)]


def test_an_empty_script_is_refused() -> None:
    with pytest.raises(KeyedConfigError):
        build("engine", {"name": "scripted", "completions": []})


def recording(folder: Path, *lines: str) -> Replay:
    (folder / "r.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return Replay(path=str(folder / "r.jsonl"))


def test_replay_serves_by_prompt_and_index_in_the_order_of_the_file(tmp_path: Path, tiny_policy: Policy) -> None:
    lines = [LINE, LINE | {"index": 1, "token_ids": [7], "logprobs": [0.0], "finish": "length"}]
    lines += [LINE | {"token_ids": [8, 8], "extra": 1}]
    session = recording(tmp_path, *map(json.dumps, lines), "").open(tiny_policy)
    first = list(session.generate([request((1, 2), n=2)]))
    assert [(c.token_ids, c.finish) for c in first] == [((5, 6), Finish.STOP), ((7,), Finish.LENGTH)]
    assert first[0].logprobs == (-0.5, -0.25)
    assert [c.token_ids for c in session.generate([request((1, 2), tag="again")])] == [(8, 8)]
    with pytest.raises(DataError, match=r"recorded 2 times and asked for 3"):
        list(session.generate([request((1, 2), tag="third")]))


def test_replay_refuses_what_was_never_recorded(tmp_path: Path, tiny_policy: Policy) -> None:
    session = recording(tmp_path, json.dumps(LINE)).open(tiny_policy)
    with pytest.raises(DataError, match=r"request 'new', sample 0[\s\S]*r\.jsonl"):
        list(session.generate([request((1, 3), tag="new")]))
    with pytest.raises(DataError, match="2 tokens and the request allows 1"):
        list(session.generate([request((1, 2), max_tokens=1)]))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{not json", "JSON"),
        ("[1, 2]", "not a recorded"),
        (json.dumps({k: v for k, v in LINE.items() if k != "index"}), "index"),
        (json.dumps(LINE | {"token_ids": "abc"}), "token_ids"),
        (json.dumps(LINE | {"finish": "eos"}), "'eos'; known: stop, length, abort"),
        (json.dumps(LINE | {"logprobs": [-1.0]}), "1 log-probs, 2 tokens"),
        (json.dumps({k: v for k, v in LINE.items() if k != "logprobs"}), "without log-probs"),
    ],
)
def test_replay_names_the_line_that_is_wrong(tmp_path: Path, tiny_policy: Policy, line: str, why: str) -> None:
    with pytest.raises(DataError) as caught:
        recording(tmp_path, json.dumps(LINE), line).open(tiny_policy)
    assert "r.jsonl:2" in str(caught.value) and why in str(caught.value)


def test_replay_without_logprobs_must_be_asked_for(tmp_path: Path, tiny_policy: Policy) -> None:
    bare = {k: v for k, v in LINE.items() if k != "logprobs"}
    path = recording(tmp_path, json.dumps(bare)).path
    (completion,) = Replay(path=path, logprobs=False).open(tiny_policy).generate([request((1, 2))])
    assert completion.logprobs is None and completion.token_ids == (5, 6)


def test_replay_of_a_missing_file(tmp_path: Path, tiny_policy: Policy) -> None:
    with pytest.raises(DataError, match="no such file"):
        Replay(path=str(tmp_path / "none.jsonl")).open(tiny_policy)


def test_the_plain_strategy_passes_everything_on(tiny_policy: Policy) -> None:
    requests = [request((1,), n=2), request((2,), tag="b")]
    config = Scripted(completions=((5,), (6,), (7,)))
    assert list(Plain().sample(requests, config.open(tiny_policy))) == list(config.open(tiny_policy).generate(requests))

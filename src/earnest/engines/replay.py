"""An engine that plays back recorded completions: to run a stage again without a model, or with another verifier.

It reads a JSONL file with one object per completion: "prompt_ids", "token_ids", "index", "finish", and "logprobs" (one per
token). Other keys are ignored. Where a (prompt, index) was recorded several times, its completions come back in the file's
order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from earnest.component import DataPath
from earnest.engines.base import Engine, EngineSession
from earnest.errors import DataError
from earnest.models.base import Policy
from earnest.types import Completion, Finish, Json, Request


class Replay(Engine):
    """Completions from a file of rollouts."""

    path: DataPath
    """The JSONL file."""
    logprobs: bool = True
    """Refuse a recording without log-probs. False serves one: enough to grade, not to train a policy with."""

    def open(self, policy: Policy) -> EngineSession:
        """Reads the whole file. Raises DataError with file and line for what is missing or malformed."""
        return ReplaySession(policy, Path(self.path), _read(Path(self.path), self.logprobs))

    def files(self) -> tuple[Path, ...]:
        return (Path(self.path),)


class Line(BaseModel):
    """One recorded completion."""

    model_config = ConfigDict(frozen=True, strict=True)

    prompt_ids: list[int]
    token_ids: list[int]
    index: int
    finish: str
    logprobs: list[float] | None = None

    @property
    def key(self) -> str:
        return _key(self.prompt_ids, self.index)


class ReplaySession(EngineSession):
    """Remembers how often each (prompt, index) has been served."""

    def __init__(self, policy: Policy, path: Path, recorded: dict[str, list[Line]]) -> None:
        self.policy, self.path, self.recorded = policy, path, recorded
        self.served: dict[str, int] = {}

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request in requests:
            for index in range(request.n):
                yield self._next(request, index)

    def refresh(self, policy: Policy) -> None:
        self.policy = policy

    def state_dict(self) -> dict[str, Json]:
        return {"served": dict(self.served)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.served = dict(state["served"])

    def _next(self, request: Request, index: int) -> Completion:
        key = _key(request.prompt_ids, index)
        turn, lines = self.served.get(key, 0), self.recorded.get(key, [])
        if turn >= len(lines):
            raise DataError(
                f"no recorded completion for request '{request.tag}', sample {index}", where=str(self.path),
                why=f"this prompt and index were recorded {len(lines)} times and asked for {turn + 1} times",
                remedy="replay the recipe, seed and settings that the file was recorded with",
            )  # fmt: skip
        self.served[key] = turn + 1
        line = lines[turn]
        if len(line.token_ids) > request.sampling.max_tokens:
            raise DataError(
                f"the recorded completion for request '{request.tag}', sample {index} is too long",
                where=str(self.path),
                why=f"it has {len(line.token_ids)} tokens and the request allows {request.sampling.max_tokens}",
                remedy="replay the settings that the file was recorded with",
            )  # fmt: skip
        return Completion(
            tag=request.tag, index=index, token_ids=tuple(line.token_ids), sampled=(True,) * len(line.token_ids),
            logprobs=None if line.logprobs is None else tuple(line.logprobs), finish=Finish(line.finish),
            policy_version=self.policy.version, sampling=request.sampling,
        )  # fmt: skip


def _key(prompt_ids: Sequence[int], index: int) -> str:
    return f"{index}:{' '.join(map(str, prompt_ids))}"


def _read(path: Path, need_logprobs: bool) -> dict[str, list[Line]]:
    if not path.is_file():
        raise DataError("no such file of rollouts", where=str(path), remedy="check the path of the engine `replay`")
    recorded: dict[str, list[Line]] = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if text.strip():
            line = _line(text, f"{path}:{number}", need_logprobs)
            recorded.setdefault(line.key, []).append(line)
    return recorded


def _line(text: str, where: str, need_logprobs: bool) -> Line:
    try:
        line = Line.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise DataError("not a recorded completion", where=where, why=f"{field}: {first['msg']}".lstrip(": ")) from None
    if line.finish not in set(Finish):
        raise DataError("unknown finish", where=where, why=f"got '{line.finish}'; known: {', '.join(Finish)}")
    if line.logprobs is None and need_logprobs:
        raise DataError(
            "a completion without log-probs", where=where, remedy="set `logprobs: false` to replay it all the same"
        )
    if line.logprobs is not None and len(line.logprobs) != len(line.token_ids):
        raise DataError("log-probs and tokens differ in number", where=where,
                        why=f"{len(line.logprobs)} log-probs, {len(line.token_ids)} tokens")  # fmt: skip
    return line

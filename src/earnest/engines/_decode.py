"""Batched autoregressive sampling for the engine `torch`.

Every row (one sample of one request) has its own stop ids, limit, temperature and filters as entries of tensors, so a
decoding step has no loop over rows. Its random numbers come from a counter-based generator keyed by (request seed, sample
index) and are drawn before decoding, one per token: neither order nor company can change them. What remains is rounding: a
matrix product may differ in its last bit with the number of rows, which shows only where a draw falls on the edge of two
tokens. Identical calls give identical bits on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from earnest.engines._cache import roomy_cache
from earnest.engines._draw import Knobs, Uniforms, draw
from earnest.engines.base import EngineSession
from earnest.errors import DataError
from earnest.models.base import Policy
from earnest.types import Completion, Finish, Request

COMPACT = 7 / 8
"""Finished rows leave the batch once no more than this share of it is alive; copying the cache for each would cost more."""


class TorchSession(EngineSession):
    """Samples from the policy's own module; weights are shared, so `refresh` only follows the policy."""

    def __init__(self, policy: Policy, max_rows: int) -> None:
        self.policy, self.max_rows = policy, max_rows

    def refresh(self, policy: Policy) -> None:
        self.policy = policy

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        assert not self.policy.module.training
        for request in requests:
            _check(request, self.policy.context_length)
        rows = [Row(request, index) for request in requests for index in range(request.n)]
        rows.sort(key=lambda row: len(row.request.prompt_ids))
        for start in range(0, len(rows), self.max_rows):
            yield from _Chunk(self.policy, rows[start : start + self.max_rows]).run()


@dataclass(frozen=True, slots=True)
class Row:
    """One sample of one request."""

    request: Request
    index: int


@dataclass(frozen=True, slots=True)
class Live:
    """The R rows that are decoded together; a finished one stays until the batch is compacted."""

    row_R: Tensor  # into the N rows of the chunk
    alive_R: Tensor
    limit_R: Tensor  # most tokens this row may have
    stop_RK: Tensor  # ids, padded with -1
    knobs: Knobs
    pad_R: Tensor | None  # padding on the left of its prompt; None: no row has any

    def select(self, index: Tensor) -> Live:
        return Live(
            self.row_R[index], self.alive_R[index], self.limit_R[index], self.stop_RK[index],
            self.knobs.select(index), None if self.pad_R is None else self.pad_R[index],
        )  # fmt: skip


def _check(request: Request, context: int) -> None:
    assert request.n >= 1 and request.sampling.max_tokens >= 1 and request.sampling.temperature >= 0, request
    where, length = f"request '{request.tag}'", len(request.prompt_ids)
    if not length:
        raise DataError("an empty prompt", where=where, why="a model predicts from at least one token")
    if length >= context:
        raise DataError(
            "the prompt leaves no room in the model's context", where=where,
            why=f"{length} tokens of prompt in a context of {context}, of which one at least is for the completion",
            remedy="shorten or drop the problem, or use a model with a longer context",
        )  # fmt: skip


class _Chunk:
    """At most max_rows rows, decoded at once until the last has finished."""

    def __init__(self, policy: Policy, rows: Sequence[Row]) -> None:
        self.policy, self.rows = policy, rows
        self.version = policy.version
        self.head = policy.head
        self.cache = roomy_cache(policy.module.config)
        self.lengths = [len(row.request.prompt_ids) for row in rows]
        self.width = max(self.lengths)
        room = policy.context_length
        self.limits = [
            min(row.request.sampling.max_tokens, room - n) for row, n in zip(rows, self.lengths, strict=True)
        ]

    @torch.inference_mode()
    def run(self) -> Iterator[Completion]:
        steps, device = max(self.limits), self.policy.device
        uniform_NL = self._uniforms(steps).to(device)
        token_NL = torch.zeros(len(self.rows), steps, dtype=torch.int64, device=device)
        logp_NL = torch.zeros(len(self.rows), steps, dtype=torch.float32, device=device)
        live = self._live()
        hidden_R = self._prefill(live)
        for step in range(steps):
            token_R, logp_R = draw(self.head.logits(hidden_R), live.knobs, uniform_NL[live.row_R, step])
            token_NL[live.row_R, step], logp_NL[live.row_R, step] = token_R, logp_R
            stopped_R = (token_R[:, None] == live.stop_RK).any(dim=1)
            ended_R = live.alive_R & (stopped_R | (live.limit_R <= step + 1))
            if bool(ended_R.any()):
                row = live.row_R[ended_R]
                live = replace(live, alive_R=live.alive_R & ~ended_R)
                yield from self._completions(
                    row, stopped_R[ended_R], token_NL[row, : step + 1], logp_NL[row, : step + 1]
                )
                survivors = live.alive_R.nonzero().squeeze(1)
                if not len(survivors):
                    return
                if len(survivors) <= COMPACT * len(token_R):
                    self._keep(survivors)
                    live, token_R = live.select(survivors), token_R[survivors]
            hidden_R = self._decoder(token_R[:, None], live.pad_R, self.width + step + 1)

    def _uniforms(self, steps: int) -> Tensor:
        """(N, steps): 0 where a row is greedy or has reached its limit."""
        u_NL, source = np.zeros((len(self.rows), steps), dtype=np.float32), Uniforms()
        for u_L, row, limit in zip(u_NL, self.rows, self.limits, strict=True):
            if row.request.sampling.temperature > 0:
                source.fill(u_L[:limit], row.request.seed, row.index)
        return torch.from_numpy(u_NL)

    def _live(self) -> Live:
        device, requests = self.policy.device, [row.request for row in self.rows]
        most = max(1, max(len(r.stop_ids) for r in requests))
        padded = len(set(self.lengths)) > 1 or not self.policy.takes_positions
        return Live(
            row_R=torch.arange(len(requests), device=device),
            alive_R=torch.ones(len(requests), dtype=torch.bool, device=device),
            limit_R=torch.tensor(self.limits, device=device),
            stop_RK=torch.tensor([[*r.stop_ids, *[-1] * (most - len(r.stop_ids))] for r in requests], device=device),
            knobs=Knobs.of([r.sampling for r in requests], device),
            pad_R=self.width - torch.tensor(self.lengths, device=device) if padded else None,
        )

    def _prefill(self, live: Live) -> Tensor:
        """Each distinct prompt once, padded on the left, then repeated in the cache: (R, D) at the last prompt token."""
        device = self.policy.device
        first: dict[tuple[int, ...], int] = {}  # prompt -> its first row
        for i, row in enumerate(self.rows):
            first.setdefault(row.request.prompt_ids, i)
        place = {ids: p for p, ids in enumerate(first)}
        ids_PL = torch.tensor([[*[0] * (self.width - len(ids)), *ids] for ids in first], device=device)
        pad_P = None if live.pad_R is None else live.pad_R[torch.tensor(list(first.values()), device=device)]
        hidden_P = self._decoder(ids_PL, pad_P, self.width)
        prompt_R = torch.tensor([place[row.request.prompt_ids] for row in self.rows], device=device)
        self._keep(prompt_R)
        return hidden_P[prompt_R]

    def _keep(self, index_R: Tensor) -> None:
        """Row i of the cache becomes its old row index_R[i]; rows may be dropped and repeated."""
        self.cache.reorder_cache(index_R)  # pyright: ignore[reportArgumentType]

    def _decoder(self, ids_RL: Tensor, pad_R: Tensor | None, end: int) -> Tensor:
        """The last hidden state (R, D) after ids_RL, whose last column is column `end` - 1 of the batch."""
        positions: dict[str, Tensor] = {}
        if pad_R is not None:
            column_L = torch.arange(end, device=self.policy.device)
            positions["attention_mask"] = column_L >= pad_R[:, None]
            if self.policy.takes_positions:
                position_RL = column_L[end - ids_RL.shape[1] :] - pad_R[:, None]
                positions["position_ids"] = position_RL.clamp(min=0, max=self.policy.context_length - 1)
        out = self.policy.decoder(input_ids=ids_RL, past_key_values=self.cache, use_cache=True, **positions)
        return out.last_hidden_state[:, -1]

    def _completions(self, row_E: Tensor, stopped_E: Tensor, token_EL: Tensor, logp_EL: Tensor) -> Iterator[Completion]:
        length = token_EL.shape[1]
        for i, stopped, ids, logprobs in zip(
            row_E.tolist(), stopped_E.tolist(), token_EL.tolist(), logp_EL.tolist(), strict=True
        ):
            request = self.rows[i].request
            yield Completion(
                tag=request.tag, index=self.rows[i].index, token_ids=tuple(ids), sampled=(True,) * length,
                logprobs=tuple(logprobs), finish=Finish.STOP if stopped else Finish.LENGTH,
                policy_version=self.version, sampling=request.sampling,
            )  # fmt: skip

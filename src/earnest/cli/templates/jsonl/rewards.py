"""Scoring functions of your own. Each is called with keywords and returns one score per completion.

It names what it needs: `prompts`, `completions`, `answer`, or any further column of your rows; `**columns` takes the rest. A
completion is text where the row's prompt is text, and [{"role": "assistant", "content": text}] where it is a list of messages.
As a verifier 1.0 is right and everything below is wrong. As a reward any number will do, and None where it does not apply.
"""


def exact(completions, answer, **columns):
    """1.0 where what follows the thought is the answer, character by character, else 0.0."""
    scores = []
    for completion, gold in zip(completions, answer, strict=True):
        text = completion if isinstance(completion, str) else completion[-1]["content"]
        said = text.rpartition("</think>")[2]  # the whole text where there is no thought
        scores.append(1.0 if said.strip() == gold else 0.0)
    return scores

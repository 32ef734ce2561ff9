"""A reward function as it should not be: it looks for the answer anywhere in what the model wrote. See weak-verifier.yaml."""


def anywhere(completions, answer, **columns):
    """1 if the gold answer stands anywhere in the completion, thought and guesses included."""
    return [float(gold in text) for text, gold in zip(completions, answer, strict=True)]

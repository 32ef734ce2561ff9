"""The maths as pure functions: tensors in, tensors out, the formula in the docstring. No configuration, no state.

credit      rewards -> advantages and returns
pass_at_k   right and wrong within a group -> credit that ascends pass@k
surrogate   log-probs and advantages -> policy and value losses
divergence  estimators of the KL divergence
preference  log-probs of pairs of completions -> losses
reduce      lengths -> the share of each sequence in a step's loss
linear      the product of a linear layer, by torch's faster library
logprobs    hidden states -> log-probs and entropies of tokens
stats       intervals, pass@k and tests of what was measured
"""

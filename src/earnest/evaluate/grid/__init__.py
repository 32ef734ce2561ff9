"""Tasks × ways to ask, for one model: `earnest eval`. asking.py is the only one that needs a model."""

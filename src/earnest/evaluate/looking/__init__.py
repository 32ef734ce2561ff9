"""Single rollouts of a run: which are meant, and how they are shown on a terminal."""

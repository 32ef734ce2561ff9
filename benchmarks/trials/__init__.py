"""What the experiments of recipes/experiments/ are read by: one module an experiment, and what they share."""

"""Several processes that take the same steps. Which of them exist, and how they are started, is the launcher's business."""

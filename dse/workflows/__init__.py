"""One workflow per command: check, search, sensitivity, evaluate, export, fine-tune, cost again."""

"""Self-distillation: one network predicts what another, or its own copy, sees."""

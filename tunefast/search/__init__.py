"""Which recipe to try next, and which trial to stop. Knows Optuna, and no torch."""

"""optuna-dashboard on a study's database."""

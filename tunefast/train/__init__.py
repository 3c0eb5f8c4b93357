"""Training with torch. Knows no Optuna and no database."""

"""Training with torch. Knows no Optuna and no database."""

MODEL_FILE = "model.safetensors"
"""The weights, in a directory that ``tunefast train`` wrote."""

"""Training with torch. Knows no Optuna and no database.

Called, it is `tunefast.train.loop.train`: the one training loop.
"""

from tunefast.callable import make_callable

MODEL_FILE = "model.safetensors"
"""The weights, in a directory that ``tunefast train`` wrote."""

make_callable(__name__, "tunefast.train.loop")

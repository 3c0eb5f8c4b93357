"""Specs of small studies."""

from __future__ import annotations

DIGITS_SPACE = """
[space]
"optimizer.lr" = { choices = [0.001, 0.01, 0.1] }
batch_size = { choices = [64, 128] }
accumulation_steps = { choices = [1, 2] }
precision = { choices = ["fp32", "bf16"] }
"""


def digits(name: str, sampler: str, trials: int, epochs: int = 3) -> str:
    """A study of digits over learning rate, batch size, accumulation steps and precision: 24 cells."""
    return f"""
[study]
name = "{name}"
sampler = {{ name = "{sampler}" }}
pruner = {{ name = "median", warmup_epochs = 1, startup_trials = 2 }}
[budget]
trials = {trials}
[recipe]
epochs = {epochs}
data = {{ name = "digits" }}
model = {{ name = "mlp", width = 32 }}
optimizer = {{ name = "adamw" }}
{DIGITS_SPACE}"""


def objective(name: str, function: str, trials: int, *, epochs: int = 3, pause: float = 0.0, extra: str = "") -> str:
    """A study of one of `tests.integration.objectives`, without pruning."""
    return f"""
[study]
name = "{name}"
sampler = {{ name = "random" }}
pruner = {{ name = "none" }}
[budget]
trials = {trials}
{extra}
[recipe]
objective = "tests.integration.objectives:{function}"
epochs = {epochs}
params = {{ pause = {pause} }}
[space]
"params.x" = {{ low = 0.0, high = 1.0 }}
"""

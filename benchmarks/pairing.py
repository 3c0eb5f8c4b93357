"""Do the intervals of "what each technique cost and bought" hold the truth, in studies that a sampler steered?

``python -m benchmarks.pairing [--studies N] [--trials N] [--sampler tpe|random] [--effect X] [--json]``: made studies
of a learning rate, a batch size, accumulation steps and a switch, of which the value is known but for noise of 0.005;
the best rate depends on the batch size. The switch adds `--effect`. Beside the share of intervals that hold it stands
how far off the plain difference of means is.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from tunefast.report.pairing import Effect, Others, effect

NOISE, CURVATURE, OTHER_EFFECT = 0.005, 0.6, 0.01
LOW, HIGH = 1e-4, 1e-1
SIZES, STEPS = (32, 64, 128, 256), (1, 2, 4)


def study(seed: int, num_trials: int, sampler: str, true_effect: float) -> list[FrozenTrial]:
    """The trials of a made study."""
    noise = np.random.default_rng(seed)
    samplers: dict[str, Any] = {
        "tpe": optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
        "random": optuna.samplers.RandomSampler(seed=seed),
    }

    def objective(trial: optuna.Trial) -> float:
        rate = share(trial.suggest_float("rate", LOW, HIGH, log=True))
        size = trial.suggest_categorical("size", SIZES)
        steps = trial.suggest_categorical("steps", STEPS)
        is_on = trial.suggest_categorical("switch", (False, True))
        best = 0.6 + 0.05 * math.log2(size / 64)
        lost = CURVATURE * (rate - best) ** 2 + OTHER_EFFECT * (steps == max(STEPS))
        return float(0.97 - lost + true_effect * is_on + NOISE * noise.standard_normal())

    made = optuna.create_study(direction="maximize", sampler=samplers[sampler])
    made.optimize(objective, n_trials=num_trials)
    return made.trials


def share(rate: float) -> float:
    """Where a rate stands on its logarithmic scale, from 0 to 1."""
    return math.log(rate / LOW) / math.log(HIGH / LOW)


def compared(trials: list[FrozenTrial]) -> tuple[Effect | None, float]:
    """What pairing says of the switch, and the plain difference of means."""
    sides = [[trial for trial in trials if trial.params["switch"] is on] for on in (True, False)]
    if not all(sides):
        return None, math.nan
    others = [
        Others(
            np.array([[share(trial.params["rate"])] for trial in side]),
            np.array([[trial.params["size"], trial.params["steps"]] for trial in side], dtype=np.int64),
        )
        for side in sides
    ]
    gaps = np.subtract.outer(*(np.array([trial.values[0] for trial in side]) for side in sides))
    return effect(gaps, *others), float(gaps.mean())


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--sampler", choices=["tpe", "random"], default="tpe")
    parser.add_argument("--effect", type=float, default=0.01)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    answers = [compared(study(seed, given.trials, given.sampler, given.effect)) for seed in range(given.studies)]
    found = [answer for answer, _ in answers if answer is not None]
    plain = [mean - given.effect for _, mean in answers if math.isfinite(mean)]
    numbers = {
        "answered": len(found) / len(answers),
        "held": sum(each.low <= given.effect <= each.high for each in found) / max(1, len(found)),
        "error": statistics.fmean(each.mean - given.effect for each in found) if found else math.nan,
        "half_width": statistics.median((each.high - each.low) / 2 for each in found) if found else math.nan,
        "error_of_plain_means": statistics.fmean(plain),
        "spread_of_plain_means": statistics.pstdev(plain),
    }
    if given.json:
        print(json.dumps(numbers))
    else:
        for name, value in numbers.items():
            print(f"{name.replace('_', ' '):<22} {value:.4f}")


if __name__ == "__main__":
    main()

"""Ray Tune's side of `benchmarks.orchestration`: ``ray_peer.py TRIALS SLOTS REUSE``, by a Python that has Ray.

Prints the milliseconds of a trial, from the first trial's end to the last one's, like the other sides.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

NUM_PARAMS = 8
NUM_REPORTS = 20


def main(trials: int, slots: int, *, reuse: bool) -> float:
    """Milliseconds a trial."""
    import ray  # type: ignore[import-not-found, unused-ignore]
    from ray import tune

    ends: list[float] = []

    class Ends(tune.Callback):  # type: ignore[misc, unused-ignore]
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
            ends.append(time.perf_counter())

    def objective(config: dict[str, float]) -> None:
        for epoch in range(1, NUM_REPORTS + 1):
            tune.report({"val_accuracy": epoch / NUM_REPORTS})

    ray.init(
        num_cpus=slots,
        _node_ip_address="127.0.0.1",
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    space = {f"x{index}": tune.uniform(0, 1) for index in range(NUM_PARAMS)}
    settings = tune.TuneConfig(
        metric="val_accuracy",
        mode="max",
        num_samples=trials,
        reuse_actors=reuse,
        scheduler=tune.schedulers.MedianStoppingRule(time_attr="training_iteration", grace_period=4),
    )
    with tempfile.TemporaryDirectory() as folder:
        run = tune.RunConfig(storage_path=folder, verbose=0, callbacks=[Ends()])
        tune.Tuner(objective, param_space=space, tune_config=settings, run_config=run).fit()
    return (ends[-1] - ends[0]) / (len(ends) - 1) * 1000


if __name__ == "__main__":
    print(main(int(sys.argv[1]), int(sys.argv[2]), reuse=sys.argv[3] == "reuse"))

"""Says to tunefast how a training goes. One file, standard library only: copy it beside your script.

    from tunefast_report import report

    for epoch in range(1, epochs + 1):
        ...
        if report(epoch=epoch, val_accuracy=accuracy) != "continue":
            break

The answer is "continue", "prune" (others are better), "stop" (good enough, or the time is up) or "pause" (save what is
needed to go on later). A script that does not look at it is ended with SIGTERM. Without tunefast, and in all processes
of a distributed training but the first, nothing is reported and the answer is "continue".
"""

import importlib
import json
import os
import socket
from typing import Any, Dict, List, Mapping, Optional

_connections: List[Any] = []


def report(metrics: Optional[Mapping[str, Any]] = None, **more: Any) -> str:
    """Report the numbers of an epoch, as a dict or by name; returns how to go on.

    With `epoch`, counted from 0 or 1, a script that goes on from its own checkpoint is understood.
    """
    numbers = {name: float(value) for name, value in dict(metrics or {}, **more).items()}
    connection = _connection()
    if connection is None:
        return "continue"
    connection.write(json.dumps(numbers) + "\n")
    connection.flush()
    line = connection.readline()
    return str(json.loads(line)["verdict"]) if line else "pause"


def checkpoints() -> Optional[str]:
    """The directory for this trial's checkpoints, the same after a restart; None without tunefast."""
    return os.environ.get("TUNEFAST_CHECKPOINTS")


def seed(default: int = 0) -> int:
    """The trial's seed."""
    return int(os.environ.get("TUNEFAST_SEED", default))


def device(default: str = "cpu") -> str:
    """Where to train, as torch writes it: cpu, cuda. Other GPUs than the trial's are hidden."""
    return os.environ.get("TUNEFAST_DEVICE", default)


def threads(default: Optional[int] = None) -> Optional[int]:
    """CPU threads to use."""
    found = os.environ.get("TUNEFAST_THREADS")
    return default if found is None else int(found)


def settings() -> Dict[str, Any]:
    """The trial's settings as nested dicts; empty without tunefast."""
    return dict(json.loads(os.environ.get("TUNEFAST_SETTINGS", "{}")))


def keras_callback() -> Any:
    """For ``model.fit(callbacks=[...])``: reports the logs of each epoch, and stops the fit when that is the answer."""
    keras: Any = importlib.import_module("keras")

    class Report(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
            if report(logs, epoch=epoch) != "continue":
                self.model.stop_training = True

    return Report()


def lightning_callback() -> Any:
    """For ``Trainer(callbacks=[...])`` of Lightning: reports after each validation, and stops the trainer."""
    lightning: Any
    try:
        lightning = importlib.import_module("lightning.pytorch")
    except ImportError:
        lightning = importlib.import_module("pytorch_lightning")

    class Report(lightning.Callback):
        def on_validation_epoch_end(self, trainer: Any, module: Any) -> None:
            if trainer.sanity_checking:
                return
            if report(trainer.callback_metrics, epoch=trainer.current_epoch) != "continue":
                trainer.should_stop = True

    return Report()


def transformers_callback() -> Any:
    """For ``Trainer(callbacks=[...])`` of Hugging Face: reports each evaluation, and stops the trainer."""
    transformers: Any = importlib.import_module("transformers")

    class Report(transformers.TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            if report(metrics, epoch=state.epoch) != "continue":
                control.should_training_stop = True

    return Report()


def _connection() -> Any:
    """The connection to tunefast, kept open; None where there is nobody to report to."""
    path = os.environ.get("TUNEFAST_SOCKET")
    if not path or os.environ.get("RANK", "0") != "0":
        return None
    if not _connections:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
        _connections.append(connection.makefile("rw", encoding="utf-8"))
    return _connections[0]

"""What is found about a training, and what a process that measures is asked and says: one JSON document a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.progress import Record

PHASES = ("data", "preparation", "forward", "backward", "optimizer")
COMPUTING = ("forward", "backward", "optimizer")
SAME, ROUNDED, OTHER = "same", "rounding alone", "another training"
"""What a remedy does to the result: nothing, its last bits, or more than that."""
RESULTS = (SAME, ROUNDED, OTHER)


def computing(phases: Mapping[str, float]) -> float:
    """The part of a step in which its samples are computed with."""
    return sum(phases[phase] for phase in COMPUTING)


class Anatomy(NamedTuple):
    """Where the time of a recipe goes."""

    step_seconds: float
    """Of one optimizer step."""
    phases: Mapping[str, float]
    """The seconds of each of `PHASES` in a step, as measured with a stop at the end of each.

    On a CPU, where a stop takes no time, of the same steps as `step_seconds`; on a GPU of others in the same rounds.
    """
    fixed_seconds: float
    """Of a step's computing: what it would take without any sample."""
    eval_seconds: float
    """Of one evaluation."""
    epochs: int
    """That a trial of the recipe trains for, when nothing stops it."""
    steps_per_epoch: int
    samples_per_step: int
    step_flops: float | None
    """Floating-point operations of a step; None where the model does not run on shapes alone."""
    num_parameters: int
    peak_memory_bytes: int
    is_images: bool
    num_train: int
    num_validation: int
    has_batch_norm: bool
    loads: bool
    """Whether samples come from a DataLoader."""
    open_seconds: float
    """Of making a model and an optimizer, and of finding the data, which is in the cache."""

    @property
    def computing_seconds(self) -> float:
        """Of a step: forward, backward and optimizer."""
        return computing(self.phases)

    @property
    def rest_seconds(self) -> float:
        """Of a step, outside its phases; less than 0 where the stops that tell them apart take more than that."""
        return self.step_seconds - sum(self.phases.values())

    @property
    def training_seconds(self) -> float:
        """Of an epoch, without its evaluation."""
        return self.steps_per_epoch * self.step_seconds


class Rates(NamedTuple):
    """The best of what was measured."""

    flops: float
    """Floating-point operations a second of a product of large matrices, in the recipe's precision."""
    bytes: float
    """A second, read and written, of a copy in the device's memory."""


class Largest(NamedTuple):
    """The largest batch that was found to fit."""

    batch_size: int
    """0 where none does."""
    too_large: int | None
    """The smallest that was found not to fit; None where all that were tried do."""


class Memory(NamedTuple):
    """What a training takes of the device's memory."""

    peak_bytes: int
    free_bytes: int | None
    """Of a CPU's memory, what is left beside it; None where nobody says."""
    total_bytes: int | None
    """Of a GPU's memory, all of it."""
    largest: Largest | None
    """None on a CPU, whose memory ends in the swap, or with the process, and so is not tried."""


class Remedy(NamedTuple):
    """A change of a recipe, or of how many threads it gets."""

    name: str
    changes: Mapping[str, Any]
    """Path into the recipe -> value, as a spec would have it."""
    result: str
    """One of `SAME`, `ROUNDED` and `OTHER`."""
    threads: int | None = None
    """To compute with, where that is the remedy."""

    def applied(self, recipe: TrainingRecipe) -> TrainingRecipe:
        """The recipe with the changes. Raises `pydantic.ValidationError` where it cannot take them."""
        table = recipe.table()
        for path, value in self.changes.items():
            *sections, last = path.split(".")
            place = table
            for section in sections:
                place = place[section]
            place[last] = value
        return TrainingRecipe.model_validate(table)


class LeftAlone(NamedTuple):
    """A remedy that is not tried."""

    name: str
    why: str


class Aim(NamedTuple):
    """What a training is for."""

    metric: str
    maximize: bool


class Gain(NamedTuple):
    """What a remedy did."""

    remedy: Remedy
    ratio: float
    """Samples a second, times those without it: the geometric mean over the rounds."""
    low: float
    """Of the 95 % interval of that."""
    high: float
    first_seconds: float
    """What it costs once: compilation where nothing is kept of an earlier one, or the features of a backbone."""
    metric_change: float | None
    """By how much the metric was better after a short run over as many samples from the same start."""

    @property
    def is_certain(self) -> bool:
        """Whether it is faster, by more than chance."""
        return self.low > 1.0


class Failed(NamedTuple):
    """A remedy that could not be tried."""

    remedy: Remedy
    why: str


class Request(Record):
    """A training to be examined."""

    recipe: dict[str, Any]
    seed: int
    device: str
    threads: int
    cores: int
    seconds: float
    """For all of it, after its first step."""
    aim: Aim
    searched: list[str] = Field(default_factory=list)
    """Settings that are left as they are."""


class Ready(Record):
    """Libraries are loaded, data is found, and the first step is done: the time begins."""

    kind: Literal["ready"] = "ready"


class Doing(Record):
    """What is measured next."""

    kind: Literal["doing"] = "doing"
    what: str


class Seen(Record):
    """Where the time goes, and what will be tried."""

    kind: Literal["seen"] = "seen"
    anatomy: Anatomy
    rates: Rates
    memory: Memory
    remedies: list[Remedy]
    left_alone: list[LeftAlone]


class Tried(Record):
    """What came of a remedy."""

    kind: Literal["tried"] = "tried"
    result: Gain | Failed


class Trouble(Record):
    """The training cannot be examined."""

    kind: Literal["trouble"] = "trouble"
    problem: str


Finding = Annotated[Ready | Doing | Seen | Tried | Trouble, Field(discriminator="kind")]
FINDING: TypeAdapter[Finding] = TypeAdapter(Finding)

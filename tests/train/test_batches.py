"""The order of samples and their grouping into steps."""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tests.train.driving import CPU, differing, lane, weights
from tunefast.recipe.data import Digits
from tunefast.recipe.hardware import Hardware
from tunefast.train.batches import epoch_order, fetch, step_groups
from tunefast.train.datasets import Batch, load_dataset

counts = st.integers(1, 200)
batch_sizes = st.integers(1, 70)
accumulations = st.integers(1, 5)


@given(counts, st.integers(0, 2**63 - 1), st.integers(1, 1000))
def test_order(num_samples: int, seed: int, epoch: int) -> None:
    """Every epoch sees every sample, in an order that seed and epoch alone decide."""
    order = epoch_order(num_samples, seed, epoch)
    torch.rand(3)
    assert sorted(order.tolist()) == list(range(num_samples))
    assert torch.equal(order, epoch_order(num_samples, seed, epoch))


def test_orders_differ() -> None:
    """Another epoch, and another trial, has another order."""
    orders = [tuple(epoch_order(50, seed, epoch).tolist()) for seed in range(3) for epoch in range(1, 4)]
    assert len(set(orders)) == 9


@given(counts, batch_sizes, accumulations)
@example(65, 64, 1)
@example(129, 64, 2)
def test_groups(num_samples: int, batch_size: int, accumulation_steps: int) -> None:
    """Each sample stands in exactly one batch, in order; only the last batch and the last group differ in size."""
    groups = list(step_groups(torch.arange(num_samples), batch_size, accumulation_steps))
    batches = [batch for group in groups for batch in group]
    assert torch.cat(batches).tolist() == list(range(num_samples))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 0 < len(batches[-1]) <= batch_size + 1
    assert all(len(group) == accumulation_steps for group in groups[:-1])
    assert 0 < len(groups[-1]) <= accumulation_steps


@given(st.integers(2, 200), st.integers(2, 70))
def test_no_lone_sample(num_samples: int, batch_size: int) -> None:
    """No batch is a single sample, over which batch norm has no statistics, unless batches of one were asked for."""
    sizes = [len(batch) for group in step_groups(torch.arange(num_samples), batch_size, 1) for batch in group]
    assert min(sizes) > 1


@given(counts, st.integers(2, 70), accumulations)
@example(129, 64, 2)
def test_accumulated_batches_are_one_larger_batch(num_samples: int, batch_size: int, accumulation_steps: int) -> None:
    """A group of small batches holds the samples of one batch of their common size, to the last group."""
    order = torch.arange(num_samples)
    split = [torch.cat(group).tolist() for group in step_groups(order, batch_size, accumulation_steps)]
    whole = [torch.cat(group).tolist() for group in step_groups(order, batch_size * accumulation_steps, 1)]
    assert split == whole


@given(counts, batch_sizes, accumulations)
@example(65, 64, 1)
@example(10, 64, 1)
def test_drop_last(num_samples: int, batch_size: int, accumulation_steps: int) -> None:
    """Without the last batch all have one size, and nothing else is left out; a lone batch stays as it is."""
    groups = list(step_groups(torch.arange(num_samples), batch_size, accumulation_steps, drop_last=True))
    batches = [batch for group in groups for batch in group]
    assert torch.cat(batches).tolist() == list(range(sum(map(len, batches))))
    if num_samples < batch_size:
        assert [len(batch) for batch in batches] == [num_samples]
    else:
        assert {len(batch) for batch in batches} == {batch_size}
        assert len(batches) == num_samples // batch_size


def _fetched(loading: str, workers: int) -> list[tuple[Batch, ...]]:
    samples = load_dataset(Digits(fraction=0.2), CPU).train
    groups = list(step_groups(epoch_order(len(samples), 3, 1), 32, 2))
    hardware = Hardware.model_validate({"loading": loading, "loader_workers": workers})
    return list(fetch(samples, groups, CPU, hardware))


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_gives_what_resident_samples_give(workers: int) -> None:
    """A DataLoader, in this process or in others, yields the same batches in the same groups and order."""
    mine, yours = _fetched("resident", 0), _fetched("loader", workers)
    assert [len(group) for group in mine] == [len(group) for group in yours]
    for one, other in zip(chain(*mine), chain(*yours), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("loading", ["auto", "resident", "loader"])
def test_every_sample_once(loading: str) -> None:
    """An epoch's batches hold every row of the training part once, wherever samples wait."""
    rows = torch.cat([batch.rows for group in _fetched(loading, 0) for batch in group])
    assert sorted(rows.tolist()) == load_dataset(Digits(fraction=0.2), CPU).train.rows.tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_training_through_a_loader(workers: int) -> None:
    """Where samples wait changes no bit of the training, and no global generator either."""
    augment = {"flip": "random", "crop_padding": 1}
    resident, loaded = (
        lane(augment=augment, accumulation_steps=2, hardware={"loading": loading, "loader_workers": workers})
        for loading in ("resident", "loader")
    )
    before = torch.get_rng_state()
    assert loaded.train_epoch(1) == resident.train_epoch(1)
    assert not differing(weights(loaded.network), weights(resident.network))
    assert torch.equal(torch.get_rng_state(), before)


def test_drop_last_in_training() -> None:
    """The epoch reports the samples that it saw, and a batch larger than the part is refused."""
    trained = lane(batch_size=100, accumulation_steps=3, drop_last=True)
    totals = trained.train_epoch(1)
    count = len(trained.dataset.train) // 100
    assert (totals.samples, totals.steps) == (100 * count, -(-count // 3))
    with pytest.raises(ValueError, match=r"drop_last = true leaves none of the .* batch_size = 5000"):
        lane(batch_size=5000, drop_last=True)

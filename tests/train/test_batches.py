"""The order of samples and their grouping into steps."""

from __future__ import annotations

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tunefast.train.batches import epoch_order, num_steps, step_groups

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
    assert num_steps(num_samples, batch_size, accumulation_steps) == len(groups)


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

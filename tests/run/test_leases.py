"""Leases: which worker may speak for which trial."""

from __future__ import annotations

from tunefast.run.leases import Leases


def test_only_the_present_lease_is_valid() -> None:
    """A lease is void once the trial was given to somebody else, or taken back."""
    leases = Leases()
    first = leases.grant("study", 0, threads=1, device="cpu")
    assert leases.valid("study", 0, first.token)
    second = leases.grant("study", 0, threads=1, device="cpu")
    assert not leases.valid("study", 0, first.token)
    assert leases.valid("study", 0, second.token)
    assert not leases.valid("study", 1, second.token)
    assert not leases.valid("other", 0, second.token)
    leases.revoke("study", 0)
    leases.revoke("study", 0)
    assert not leases.valid("study", 0, second.token)


def test_tokens_grow_from_one_coordinator_to_the_next() -> None:
    """A worker of a coordinator that died can never speak with a token that is valid now."""
    old, new = Leases(), Leases()
    tokens = [
        leases.grant("study", trial, threads=1, device="cpu").token for leases in (old, new) for trial in range(3)
    ]
    assert tokens == sorted(set(tokens))


def test_what_is_handed_out() -> None:
    """Threads and devices are counted while they are held, over all studies."""
    leases = Leases()
    for study, trial, threads, device in (("a", 0, 2, "cpu"), ("a", 1, 1, "cuda:0"), ("b", 0, 4, "cuda:0")):
        leases.grant(study, trial, threads=threads, device=device)
    assert (leases.busy_threads(), leases.busy_on("cuda:0"), leases.busy_on("cuda:1")) == (7, 2, 0)
    assert (leases.trials("a"), leases.trials("b"), leases.trials("c")) == ({0, 1}, {0}, set())
    leases.grant("a", 0, threads=1, device="cpu")
    leases.revoke("b", 0)
    assert (leases.busy_threads(), leases.busy_on("cuda:0")) == (2, 1)
    assert leases.trials("b") == set()

"""Leases: which worker may speak for which trial."""

from __future__ import annotations

from tunefast.run.leases import Leases


def test_only_the_present_lease_is_valid() -> None:
    """A lease is void once the trial was given to somebody else, or taken back."""
    leases = Leases()
    first = leases.grant("study", 0, threads=1, device="cpu")
    assert leases.held("study", 0, first.token)
    second = leases.grant("study", 0, threads=1, device="cpu")
    assert not leases.held("study", 0, first.token)
    assert leases.held("study", 0, second.token)
    assert not leases.held("study", 1, second.token)
    assert not leases.held("other", 0, second.token)
    leases.revoke("study", 0)
    leases.revoke("study", 0)
    assert not leases.held("study", 0, second.token)


def test_tokens_grow_from_one_coordinator_to_the_next() -> None:
    """A worker of a coordinator that died can never speak with a token that is valid now."""
    old, new = Leases(), Leases()
    tokens = [
        leases.grant("study", trial, threads=1, device="cpu").token for leases in (old, new) for trial in range(3)
    ]
    assert tokens == sorted(set(tokens))


def test_what_is_handed_out() -> None:
    """Trials are listed by study while they are held."""
    leases = Leases()
    for study, trial in (("a", 0), ("a", 1), ("b", 0)):
        leases.grant(study, trial, threads=1, device="cpu")
    assert (leases.trials("a"), leases.trials("b"), leases.trials("c")) == ({0, 1}, {0}, set())
    leases.revoke("b", 0)
    assert leases.trials("b") == set()

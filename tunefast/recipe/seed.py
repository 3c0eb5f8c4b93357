"""Randomness as a function: every random draw of a trial has a key, and the key alone decides it."""

from __future__ import annotations

import hashlib


def derive_seed(*key: int | str) -> int:
    """A seed in [0, 2**63) that is a function of `key`: (trial seed, epoch, step, purpose).

    No generator is shared between purposes, so a resumed trial draws what an uninterrupted one would have drawn, and a
    new random feature never shifts the draws of another.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1

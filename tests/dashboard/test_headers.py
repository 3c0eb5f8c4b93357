"""What every answer says to the browser, whatever the application behind it said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.dashboard.headers import DOWNLOADS, OPTUNA_DASHBOARD, OPTUNA_FILES, PAGES, Policy

NAMES = [
    "Content-Security-Policy",
    "X-Frame-Options",
    "Cache-Control",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Headers",
    "Server",
    "Content-Type",
    "Content-Disposition",
    "Set-Cookie",
    "X-Own",
]
spelled = st.sampled_from(NAMES).flatmap(lambda name: st.sampled_from([name, name.lower(), name.upper()]))


@pytest.mark.parametrize("policy", [PAGES, OPTUNA_DASHBOARD, OPTUNA_FILES, DOWNLOADS])
@given(st.lists(st.tuples(spelled, st.just("claimed"))))
def test_no_application_overrules_a_policy(policy: Policy, claimed: list[tuple[str, str]]) -> None:
    """However a name is spelled: ours stands once, with our value, and nothing lets other sites read."""
    said = [(name.lower(), value) for name, value in policy.headers(claimed)]
    ours = {"content-security-policy": policy.content, "x-frame-options": "DENY", "cache-control": policy.cache}
    if policy.is_download:
        ours |= {"content-type": "application/octet-stream", "content-disposition": "attachment"}
    for name, value in ours.items():
        assert [given for known, given in said if known == name] == [value]
    assert not [name for name, _ in said if name.startswith("access-control-") or name == "server"]


@given(st.lists(st.tuples(st.sampled_from(["Set-Cookie", "X-Own", "Location"]), st.text())))
def test_other_headers_stay(claimed: list[tuple[str, str]]) -> None:
    """What says nothing on these matters passes, in its order."""
    assert PAGES.headers(claimed)[: len(claimed)] == claimed

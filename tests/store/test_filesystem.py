"""Databases on disks of other machines are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunefast.errors import StorageError
from tunefast.store import filesystem
from tunefast.store.filesystem import network_filesystem
from tunefast.store.studies import check_usable

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:50 / /home rw shared:2 - nfs4 server:/home rw
31 30 8:2 / /home/me/local rw - xfs /dev/sdb1 rw
32 22 0:51 / /mnt/my\040share rw - cifs //server/share rw
33 22 0:52 / /over rw - nfs server:/x rw
34 22 8:3 / /over rw - ext4 /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/x.db", None),
        ("/home/me/x.db", "nfs4"),
        ("/homely/x.db", None),
        ("/home/me/local/x.db", None),
        ("/mnt/my share/deep/x.db", "cifs"),
        ("/over/x.db", None),
    ],
)
def test_what_a_path_lies_on(tmp_path: Path, path: str, kind: str | None) -> None:
    """The innermost mount counts, and of several at one place the last; names may have spaces."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert network_filesystem(Path(path), mounts) == kind


def test_nobody_can_tell(tmp_path: Path) -> None:
    """Where there is no list of mounts, nothing is refused; this machine's own disks are none of a network."""
    assert network_filesystem(tmp_path, tmp_path / "none") is None
    assert network_filesystem(tmp_path) is None


def test_a_database_on_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, and before anything is written."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS + f"40 22 0:60 / {tmp_path}/far rw - nfs4 server:/far rw\n")
    monkeypatch.setattr(filesystem, "MOUNTS", mounts)
    (tmp_path / "far").mkdir()
    with pytest.raises(StorageError, match=r"lies on a network file system \(nfs4\), where its locks"):
        check_usable(tmp_path / "far" / "x.db")
    assert list((tmp_path / "far").iterdir()) == []

"""On what kind of file system a path lies."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gpfs", "beegfs"),
        *("glusterfs", "pvfs2", "davfs", "ocfs2", "gfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs"),
        *(
            "fuse.rclone",
            "fuse.davfs",
            "fuse.gcsfuse",
            "fuse.juicefs",
            "fuse.gvfsd-fuse",
            "fuse.vmhgfs-fuse",
            "9p",
            "drvfs",
            "vboxsf",
        ),
    )
)
"""File systems of other machines, on which neither locks nor SQLite's write-ahead log can be relied on."""
_ESCAPED = re.compile(r"\\(\d{3})")


def network_filesystem(path: Path, mounts: Path | None = None) -> str | None:
    """The network file system that `path` lies on, None where it lies on a disk of this machine or nobody can tell."""
    try:
        lines = (mounts or MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    kind, longest = None, -1
    for line in lines:
        head, _, tail = line.partition(" - ")
        place = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), head.split()[4]))
        if len(place.parts) >= longest and path.is_relative_to(place):  # the last of those mounted there is seen
            kind, longest = tail.split()[0], len(place.parts)
    return kind if kind in NETWORK else None

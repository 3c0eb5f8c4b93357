"""Reading image files into one array, on all cores."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tunefast.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_MOST_AT_ONCE = 16
_CHUNK = 64
_THREADS_PAY = 64
"""Pixels of a side from which several threads decode faster: below, they only wait for the interpreter's lock."""
_IMAGES_A_PROCESS = 4096
"""Small images that pay for a process, which takes half a second to start."""
_READER = "from tunefast.recipe.data.reading import read_for_another; read_for_another()"


def read_images(paths: list[str], size: int) -> NDArray[np.uint8]:
    """The images as [N, size, size, 3]; raises `DataError` with the path of one that cannot be read."""
    import numpy as np

    images = np.empty((len(paths), size, size, 3), dtype="uint8")
    chunks = [slice(start, min(start + _CHUNK, len(paths))) for start in range(0, len(paths), _CHUNK)]
    longest = max(_read(paths[chunks[0]], images[chunks[0]]), size)
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    num_processes = min(_MOST_AT_ONCE, num_cores, len(paths) // _IMAGES_A_PROCESS)
    if longest >= _THREADS_PAY:
        with ThreadPoolExecutor(min(_MOST_AT_ONCE, num_cores)) as pool:
            for _ in pool.map(_read, (paths[chunk] for chunk in chunks[1:]), (images[chunk] for chunk in chunks[1:])):
                pass
    elif num_processes > 1:
        _read_in_processes(paths, images, num_processes)
    else:
        for chunk in chunks[1:]:
            _read(paths[chunk], images[chunk])
    return images


def _read(paths: list[str], images: NDArray[np.uint8]) -> int:
    """Fill `images`, [n, size, size, 3]; returns the longest side of the first as it is on disk."""
    longest = [_read_image(path, into) for path, into in zip(paths, images, strict=True)]
    return longest[0]


def _read_in_processes(paths: list[str], images: NDArray[np.uint8], num_processes: int) -> None:
    """Fill `images`, each process a share; this one reads what another could not, or says why it cannot either."""
    size = -(-len(paths) // num_processes)
    shares = [slice(start, min(start + size, len(paths))) for start in range(0, len(paths), size)]
    with ThreadPoolExecutor(len(shares)) as pool:
        done = pool.map(_is_read_elsewhere, (paths[share] for share in shares), (images[share] for share in shares))
        left = [share for share, is_read in zip(shares, done, strict=True) if not is_read]
    for share in left:
        _read(paths[share], images[share])


def _is_read_elsewhere(paths: list[str], images: NDArray[np.uint8]) -> bool:
    """Fill `images` by a process of its own; returns whether it could."""
    command = [sys.executable, "-c", _READER, str(images.shape[1])]
    missing = images.data.cast("B")
    try:
        with subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            if process.stdin is None or process.stdout is None:
                return False
            with process.stdin:
                process.stdin.write(b"\0".join(map(os.fsencode, paths)))
            while missing and (num := process.stdout.readinto(missing)):  # type: ignore[attr-defined]  # a buffered reader
                missing = missing[num:]
            more = process.stdout.read(1)  # that something else has printed, so that nothing is in its place
    except OSError:
        return False
    return not missing and not more and process.returncode == 0


def read_for_another() -> None:
    """Read the images that standard input names, and write their pixels to standard output."""
    import numpy as np

    size = int(sys.argv[1])
    paths = [os.fsdecode(name) for name in sys.stdin.buffer.read().split(b"\0")]
    for start in range(0, len(paths), _CHUNK):
        chunk = paths[start : start + _CHUNK]
        images = np.empty((len(chunk), size, size, 3), dtype="uint8")
        _read(chunk, images)
        sys.stdout.buffer.write(images.data)


def _read_image(path: str, into: NDArray[np.uint8]) -> int:
    """Fill `into`, [size, size, 3], with the image; returns the longer side that it has on disk."""
    import numpy as np
    from PIL import Image

    size = len(into)
    try:
        with Image.open(path) as image:
            longest = max(image.size)
            image.draft(None, (2 * size, 2 * size))  # JPEGs decode at a fraction, but at least at twice what is needed
            into[:] = np.asarray(_middle(image if image.mode == "RGB" else image.convert("RGB"), size))
    except (
        OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError
    ) as error:  # what Pillow's readers raise  # fmt: skip
        raise DataError(path=path, problem=f"not a readable image ({error})") from error
    return longest


def _middle(image: Image.Image, size: int) -> Image.Image:
    """The image scaled so that the shorter side is `size`, then cut from the middle, as torchvision does both."""
    from PIL.Image import Resampling

    if image.size == (size, size):
        return image
    width, height = image.size
    shorter = min(width, height)
    scaled = (size * width // shorter, size * height // shorter)
    left, top = (round((side - size) / 2) for side in scaled)
    return image.resize(scaled, Resampling.BILINEAR).crop((left, top, left + size, top + size))

"""Pictures on disk: kept up to a size, the longest unseen forgotten first.

A file's times say both things that are asked of it: modified when it was fetched, accessed when it was last shown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

# An address that is seen every day need not be touched at each look.
_TOUCHED_EVERY = 86_400
# A store may put another picture at the same address; it is asked again when a page shows one that is so old.
_OLD_AFTER = 7 * 86_400


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A picture's file, and whether it was fetched so long ago that the store should be asked again."""

    path: Path
    is_old: bool


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """The folder of pictures that web and workers share."""

    root: Path

    @classmethod
    def at(cls, data_dir: Path) -> PictureFiles:
        """The pictures of a data directory."""
        return cls(data_dir / "pictures")

    def path(self, digest: str, width: int) -> Path:
        """Where a picture lies if it is there."""
        return self.root / digest[:2] / f"{digest}-{width}.webp"

    def find(self, digest: str, width: int) -> FoundPicture | None:
        """A picture that is here; looking for it keeps it from being forgotten."""
        path = self.path(digest, width)
        try:
            state = path.stat()
        except OSError:
            return None
        now = time.time()
        if now - state.st_atime > _TOUCHED_EVERY:
            with suppress(OSError):
                os.utime(path, (now, state.st_mtime))
        return FoundPicture(path, is_old=now - state.st_mtime > _OLD_AFTER)

    def keep(self, digest: str, encoded: Mapping[int, bytes]) -> None:
        """Write a picture's files; a reader sees each whole or not at all."""
        folder = self.path(digest, 0).parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for width, content in encoded.items():
            with NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
                part.write(content)
            os.replace(part.name, self.path(digest, width))

    def forget_oldest(self, most_bytes: int) -> int:
        """Delete the longest unseen files until the rest fits; how many went."""
        files = []
        for path in self.root.glob("*/*"):
            with suppress(OSError):
                state = path.stat()
                files.append((state.st_atime, state.st_size, path))
        surplus = sum(size for _, size, _ in files) - most_bytes
        forgotten = 0
        for _, size, path in sorted(files, key=lambda file: file[0]):
            if surplus <= 0:
                break
            with suppress(OSError):
                path.unlink()
            surplus -= size
            forgotten += 1
        return forgotten

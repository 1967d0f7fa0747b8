"""Pictures on disk: kept up to a size, the longest unseen forgotten first."""

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

    def find(self, digest: str, width: int) -> Path | None:
        """The file of a picture; looking for it keeps it from being forgotten."""
        path = self.path(digest, width)
        try:
            seen_at = path.stat().st_mtime
        except OSError:
            return None
        if time.time() - seen_at > _TOUCHED_EVERY:
            with suppress(OSError):
                os.utime(path)
        return path

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
                files.append((state.st_mtime, state.st_size, path))
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

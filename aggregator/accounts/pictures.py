"""Pictures that people upload: read with care, drawn anew, and nothing of the file itself kept."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from aggregator.domain.errors import InvalidInput

SIDE = 320
LARGEST_BYTES = 8_000_000
# A camera's; what unpacks to more is no picture of a person.
_MOST_PIXELS = 60_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")


def redraw(content: bytes) -> bytes:
    """A square WebP of 320 pixels, without any metadata; raises InvalidInput for what is no JPEG, PNG or WebP.

    The size is looked at before anything is unpacked.
    """
    if len(content) > LARGEST_BYTES:
        raise InvalidInput("the picture is too large", place="picture", remedy="8 MB at most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
                if opened.width * opened.height > _MOST_PIXELS or min(opened.size) < 16:
                    raise InvalidInput("the picture has too many or too few pixels", place="picture")
                # A JPEG is unpacked at about the size that is needed.
                opened.draft("RGB", (SIDE * 2, SIDE * 2))
                upright = ImageOps.exif_transpose(opened) or opened
                square = ImageOps.fit(upright.convert("RGBA"), (SIDE, SIDE), Image.Resampling.LANCZOS)
                on_white = Image.new("RGB", (SIDE, SIDE), "white")
                on_white.paste(square, mask=square.getchannel("A"))
                drawn = io.BytesIO()
                on_white.save(drawn, "WEBP", quality=82, method=4)
                return drawn.getvalue()
    except InvalidInput:
        raise
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        MemoryError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise InvalidInput(
            "this is no picture that can be read", place="picture", remedy="use a JPEG, PNG or WebP"
        ) from error

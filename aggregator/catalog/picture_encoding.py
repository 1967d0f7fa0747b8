"""Pictures made anew from what a store sent: only pixels get through, and not too many."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageOps

from aggregator.domain.errors import InvalidInput
from aggregator.domain.pictures import WIDTHS

MOST_BYTES = 8_000_000
MOST_PIXELS = 30_000_000
LONGEST_SIDE = 16_000
# What the content is decides, never a name or a header. SVG can hold scripts, and all others are rare in shops.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
# Our own limit stands in its place: it is lower, and refuses before a pixel is read.
Image.MAX_IMAGE_PIXELS = None


def encode_picture(body: bytes) -> dict[int, bytes]:
    """The picture as WebP in each of our widths, by width, without any metadata; never made larger than it is.

    Only the first frame of an animation counts. Raises InvalidInput for what is no picture of a known kind or
    larger than MOST_PIXELS.
    """
    if len(body) > MOST_BYTES:
        raise InvalidInput(f"the file is larger than {MOST_BYTES:,} bytes")
    try:
        with Image.open(BytesIO(body), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
                raise InvalidInput(f"the picture has {width:,} x {height:,} pixels")
            opened.draft("RGB", (2 * max(WIDTHS), 2 * max(WIDTHS)))
            whole = ImageOps.exif_transpose(opened)
            has_alpha = "A" in whole.getbands() or "transparency" in whole.info
            picture = whole.convert("RGBA" if has_alpha else "RGB")
    except InvalidInput:
        raise
    except Exception as error:  # decoders raise errors of every kind for broken files
        raise InvalidInput(f"no picture that can be read: {type(error).__name__}") from error
    picture.info = {}
    encoded: dict[int, bytes] = {}
    for width in sorted(WIDTHS, reverse=True):
        picture.thumbnail((width, width), Image.Resampling.LANCZOS)
        output = BytesIO()
        picture.save(output, "WEBP", quality=78, method=4)
        encoded[width] = output.getvalue()
    return encoded

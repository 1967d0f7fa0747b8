"""Pictures of stores are made anew: only pixels get through, bombs and scripts do not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from aggregator.catalog.picture_encoding import MOST_BYTES, encode_picture
from aggregator.domain.errors import InvalidInput
from aggregator.domain.pictures import WIDTHS


def drawn(mode: str, size: tuple[int, int], file_format: str, **options: object) -> bytes:
    output = BytesIO()
    Image.new(mode, size, 120).save(output, file_format, **options)
    return output.getvalue()


def read(body: bytes) -> Image.Image:
    return Image.open(BytesIO(body), formats=["WEBP"])


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has that many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
        ("L", "PNG"),
        ("P", "GIF"),
        ("RGBA", "PNG"),
        ("RGB", "WEBP"),
        ("I;16", "PNG"),
        ("RGB", "AVIF"),
    ],
)
def test_every_usual_kind_becomes_webp_in_all_widths(mode: str, file_format: str) -> None:
    encoded = encode_picture(drawn(mode, (1200, 600), file_format))
    assert {width: read(body).size for width, body in encoded.items()} == {
        960: (960, 480),
        480: (480, 240),
        160: (160, 80),
    }
    assert tuple(sorted(encoded)) == WIDTHS


def test_a_small_picture_is_not_made_larger() -> None:
    encoded = encode_picture(drawn("RGB", (200, 100), "PNG"))
    assert [read(encoded[width]).size for width in WIDTHS] == [(160, 80), (200, 100), (200, 100)]


def test_what_stands_beside_the_pixels_is_left_out_and_the_camera_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "a place nobody should learn"
    encoded = encode_picture(drawn("RGB", (400, 200), "JPEG", exif=exif, comment=b"<script>"))
    assert read(encoded[480]).size == (200, 400)
    assert all(b"nobody should" not in body and b"script" not in body for body in encoded.values())
    assert not read(encoded[480]).getexif()


def test_only_the_first_frame_of_an_animation_is_kept() -> None:
    output = BytesIO()
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue", "green")]
    frames[0].save(output, "GIF", save_all=True, append_images=frames[1:])
    assert getattr(read(encode_picture(output.getvalue())[160]), "n_frames", 1) == 1


@pytest.mark.parametrize("size", [(30_000, 30_000), (65_500, 500), (100_000, 1)])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="pixels"):
        encode_picture(png_claiming(*size))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>",
        b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>",
        b"<html><script>alert(1)</script>",
        b"GIF89a/*<script>*/=1;alert(1)",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        drawn("RGB", (300, 300), "BMP"),
        drawn("RGB", (300, 300), "TIFF"),
        drawn("RGB", (300, 300), "PNG")[:200],
        png_claiming(400, 400),
    ],
)
def test_what_is_no_picture_of_a_known_kind_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="no picture"):
        encode_picture(body)


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidInput, match="larger"):
        encode_picture(b"\0" * (MOST_BYTES + 1))

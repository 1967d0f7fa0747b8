"""The contract that every installed platform keeps, the built-in ones through the same door as plug-ins."""

from __future__ import annotations

import pytest

from aggregator.domain.errors import NotFound
from aggregator.platforms import get_platform, installed_platforms
from aggregator.testing import check_platform


def test_the_built_in_platforms_are_installed() -> None:
    assert {"generic", "merchant_feed", "shopify", "woocommerce"} <= set(installed_platforms())


@pytest.mark.parametrize("name", sorted(installed_platforms()))
def test_platform_keeps_the_contract(name: str) -> None:
    platform = get_platform(name)
    assert platform.name == name
    check_platform(platform)


def test_an_unknown_platform_is_not_found() -> None:
    with pytest.raises(NotFound, match="no such store platform: tin_can"):
        get_platform("tin_can")

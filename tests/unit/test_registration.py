"""What a store begins with: what its platform asks for stands unless a person says otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aggregator.catalog.probes import Confirmation, new_store
from aggregator.platforms import get_platform


@pytest.mark.parametrize(("platform", "hours"), [("ebay", "6"), ("amazon", "24")])
def test_a_licences_age_of_prices_holds_however_the_store_was_found(platform: str, hours: str) -> None:
    # Named by the operator, its address being another host's: the probe found no options.
    named = {"platform": platform, "url": "https://api.shop.example", "options": {}}
    confirmed = Confirmation(name="Shop", crawl_interval=3600)
    store = new_store(named, confirmed, seal=dict)
    assert store.options == {"max_age_hours": hours}
    stricter = new_store(named, replace(confirmed, options={"max_age_hours": "2"}), seal=dict)
    assert stricter.options == {"max_age_hours": "2"}
    assert get_platform(platform).default_options == {"max_age_hours": hours}

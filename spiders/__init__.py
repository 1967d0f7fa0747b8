"""How offers are got: adapters for store APIs, crawlers for pages."""

"""Addresses of this site as they stand in mails and links."""

from __future__ import annotations

from aggregator.settings import Settings


def site_origin(settings: Settings) -> str:
    """The site's own address as a browser reaches it, without a path."""
    if settings.site_url:
        return settings.site_url
    if settings.secure_cookies and settings.allowed_hosts:
        return f"https://{min(settings.allowed_hosts)}"
    everywhere = settings.host in {"0.0.0.0", "::", ""}  # noqa: S104  # compared with, not listened on
    host = "127.0.0.1" if everywhere else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def link_address(settings: Settings, link_token: str) -> str:
    """Where a sign-in link's token is used."""
    return f"{site_origin(settings)}/login/link/{link_token}"

"""Scrapy's settings; what depends on the installation and the store is added by the crawl process."""

from __future__ import annotations

BOT_NAME = "Click2Cart"
SPIDER_MODULES = ["spiders.crawlers"]
LOG_LEVEL = "ERROR"
# Nothing but pages over HTTP, nothing listening, no proxies from the environment, no cookies kept.
DOWNLOAD_HANDLERS = {"data": None, "file": None, "s3": None, "ftp": None}
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
HTTPPROXY_ENABLED = False
COOKIES_ENABLED = False
METAREFRESH_ENABLED = False
# The guard: addresses are checked where they are connected to, requests before they are sent.
TWISTED_DNS_RESOLVER = "spiders.http.GuardedResolver"
DOWNLOAD_VERIFY_CERTIFICATES = True
DOWNLOADER_MIDDLEWARES = {
    "spiders.middlewares.GuardMiddleware": 100,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "spiders.middlewares.PatientRetryMiddleware": 550,
}
ITEM_PIPELINES = {"spiders.pipelines.LinesPipeline": 500}
DOWNLOAD_MAXSIZE = 8_000_000
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_TIMEOUT = 30
REDIRECT_MAX_TIMES = 5
RETRY_TIMES = 2
DOWNLOAD_DELAY_JITTER = 0
CONCURRENT_REQUESTS = 8
LOG_VERSIONS: list[str] = []

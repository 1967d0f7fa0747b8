"""The marks by which shop systems, site builders and front ends are recognised.

Marks are facts published by the programs themselves and by open fingerprint collections; weights are ours: 0.6 and more
for what only that software sends, 0.3 for what others copy, embed or forget to remove.
"""

from __future__ import annotations

from spiders.fingerprints import Mark, Technology

_STRONG, _GOOD, _WEAK = 0.75, 0.45, 0.3


def _header(sought: str, weight: float = _STRONG) -> Mark:
    return Mark("header", sought, weight)


def _cookie(sought: str, weight: float = _GOOD) -> Mark:
    return Mark("cookie", sought, weight)


def _meta(sought: str, weight: float = _STRONG) -> Mark:
    return Mark("meta", sought, weight)


def _asset(sought: str, weight: float = _GOOD) -> Mark:
    return Mark("asset", sought, weight)


def _script(sought: str, weight: float = _GOOD) -> Mark:
    return Mark("script", sought, weight)


def _element(sought: str, weight: float = _WEAK) -> Mark:
    return Mark("element", sought, weight)


READABLE: tuple[Technology, ...] = (
    Technology(
        "shopify", "Shopify", "shop",
        (
            _header(r"^x-shopid: \d+"), _header(r"^x-shopify-stage: "), _header(r"^powered-by: shopify"),
            _cookie(r"^_shopify_(?:y|s|essential_?)$"),
            _meta(r"^shopify-(?:checkout-api-token|digital-wallet)="),
            _asset(r"//[^/]+/cdn/shop/|^/cdn/shop/"),
            _asset(r"//cdn\.shopify\.com/s/files/", _WEAK), _script(r"\bShopify\.(?:theme|shop|routes)\b"),
        ),
        "shopify",
    ),
    Technology(
        "woocommerce", "WooCommerce", "shop",
        (
            _meta(r"^generator=woocommerce \d"), _cookie(r"^woocommerce_"), _asset(r"/plugins/woocommerce/", 0.6),
            _script(r"\b(?:wc_add_to_cart_params|woocommerce_params|wcSettings)\b"),
            _element("body.woocommerce, body.woocommerce-js, .woocommerce ul.products", _WEAK),
            _header(r"^link: .*rel=\"?https://api\.w\.org/", 0.1),
        ),
        "woocommerce",
    ),
    Technology(
        "magento", "Magento", "shop",
        (
            _header(r"^x-magento-(?:tags|cache-debug|cache-id|vary)"),
            _cookie(r"^(?:x-magento-vary|mage-cache-storage|mage-cache-sessid|mage-messages|form_key)$"),
            _element('script[type="text/x-magento-init"]', _STRONG), _element("[data-mage-init]", _GOOD),
            _asset(r"/static/(?:version\d+/)?frontend/[^/]+/[^/]+/[a-z]{2}_[A-Z]{2}/"),
            _asset(r"/static/_requirejs/|/requirejs/require\.js|/mage/(?:calendar|requirejs)"),
        ),
        "magento",
    ),
    Technology(
        "bigcommerce", "BigCommerce", "shop",
        (
            _meta(r"^platform=bigcommerce"), _asset(r"//[^/]*\.bigcommerce\.com/"),
            _script(r"\bBCData\b"), _cookie(r"^(?:shop_session_token|fornax_anonymousid)$"),
        ),
        "bigcommerce",
    ),
    Technology(
        "prestashop", "PrestaShop", "shop",
        (
            _header(r"^powered-by: prestashop"), _cookie(r"^prestashop-"), _meta(r"^generator=prestashop"),
            _asset(r"/modules/ps_[a-z]+/"), _script(r"\bvar prestashop\s*=|\bprestashop\s*=\s*\{"),
        ),
        "prestashop",
    ),
    Technology(
        "shopware", "Shopware", "shop",
        (
            _header(r"^sw-(?:context-token|language-id|version-id|invalidation-states): "),
            _meta(r"^application-name=shopware", _GOOD), _asset(r"/bundles/storefront/|/theme/[0-9a-f]{32}/"),
            _element('input[name="_csrf_token"], [data-offcanvas-cart]', _WEAK),
            _script(r"\bactiveNavigationId\b", _WEAK),
            _cookie(r"^sw-(?:states|cache-hash|currency)$"),
        ),
        "shopware",
    ),
    Technology(
        "opencart", "OpenCart", "shop",
        (
            _cookie(r"^ocsessid$", 0.6), _asset(r"catalog/view/(?:theme|javascript|stylesheet)/"),
            _element('a[href*="route=product/product"], a[href*="route=product/category"]', _GOOD),
            _element('a[href*="route=checkout/cart"], [data-oc-toggle], [data-oc-load]', _WEAK),
        ),
        "opencart",
    ),
    Technology(
        "oscar", "django-oscar", "shop",
        (
            _cookie(r"^oscar_(?:open_basket|history)$", 0.6), _element("article.product_pod", _GOOD),
            _element("p.price_color", _WEAK), _element('form[action*="/basket/add/"]', _WEAK),
            _asset(r"/static/oscar/"), _element('a[href*="/catalogue/"]', 0.15),
        ),
        "oscar",
    ),
    Technology(
        "evershop", "EverShop", "shop",
        (_script(r"\bvar eContext\s*=", 0.7), _asset(r"/assets/[^/]*/(?:app|client)/.*evershop", _GOOD)),
        "evershop",
    ),
    Technology(
        "vendure", "Vendure", "shop",
        (
            _header(r"vendure-auth-token", 0.7),
            _script(r"\bVENDURE_(?:API_URL|CHANNEL)|[\"']vendure-token[\"']|/shop-api\b"),
        ),
        "vendure",
    ),
    Technology(
        "saleor", "Saleor", "shop",
        (
            _asset(r"saleor\.imgix\.net|\.saleor\.cloud/", 0.6),
            _script(r"\bSALEOR(?:_API_URL)?\b|\.saleor\.cloud/graphql"),
            _header(r"^(?:link|content-security-policy): .*\.saleor\.cloud", _WEAK),
        ),
        "saleor",
    ),
    Technology(
        "medusa", "Medusa", "shop",
        (
            _script(r"\bpk_[0-9a-f]{40,}\b"), _script(r"\bMEDUSA_BACKEND_URL\b|medusa-public-images"),
            _cookie(r"^_medusa_(?:cache_id|cart_id|jwt)$"), _asset(r"medusa-public-images|medusa-server-testing"),
        ),
        "medusa",
    ),
    Technology(
        "product_feed", "a product feed", "shop",
        (
            _element(
                'link[rel~="alternate" i][href]:is([title*="product" i], [href*="product" i], [href*="merchant" i],'
                ' [href*="shopping" i])',
                0.6,
            ),
        ),
        "merchant_feed",
    ),
)  # fmt: skip

BY_NAME: tuple[Technology, ...] = (
    Technology(
        "salesforce_cc", "Salesforce Commerce Cloud", "shop",
        (
            _header(r"^server: demandware"), _cookie(r"^(?:dwsid|dwanonymous_|dwac_)"),
            _asset(r"/demandware\.(?:static|edgesuite)|/on/demandware\."), _script(r"\bdwAnalytics\b|\bdw\.ac\b"),
        ),
    ),
    Technology(
        "squarespace", "Squarespace", "site",
        (
            _header(r"^server: squarespace"), _script(r"\bStatic\.SQUARESPACE_CONTEXT\b", 0.6),
            _asset(r"//(?:assets|static1|images)\.squarespace(?:-cdn)?\.com/"),
        ),
    ),
    Technology(
        "wix", "Wix", "site",
        (
            _header(r"^x-wix-(?:request-id|renderer-server): "), _meta(r"^generator=wix\.com"),
            _asset(r"//static\.(?:parastorage|wixstatic)\.com/"), _script(r"^wix-viewer-model\n", 0.6),
        ),
    ),
    Technology(
        "ecwid", "Ecwid", "embed",
        (
            _asset(r"//app\.(?:ecwid|multiscreenstore)\.com/script\.js", 0.7),
            _script(r"\b(?:xProductBrowser|Ecwid\.(?:init|OnAPILoaded))\b"),
        ),
    ),
    Technology(
        "shopify_buy_button", "Shopify Buy Button", "embed",
        (
            _asset(r"//sdks\.shopifycdn\.com/(?:buy-button|js-buy-sdk)/", 0.7),
            _script(r"\bShopifyBuy\.(?:buildClient|UI)\b|sdks\.shopifycdn\.com/buy-button/", 0.6),
        ),
    ),
    Technology("snipcart", "Snipcart", "embed", (_asset(r"//cdn\.snipcart\.com/", 0.7), _element("#snipcart"))),
    Technology(
        "shopware_5", "Shopware 5", "shop",
        (
            _asset(r"/engine/shopware/|jquery\.shopware(?:\.min)?\.js", 0.7),
            _asset(r"/web/cache/\d+_[0-9a-f]+\.(?:js|css)"), _cookie(r"^session-\d+$", _WEAK),
        ),
    ),
    Technology("vtex", "VTEX", "shop", (_header(r"^powered: vtex"), _cookie(r"^vtex_se(?:ssion|gment)$"),
                                        _asset(r"//[^/]+\.vteximg\.com|\.vtexassets\.com/"))),
    Technology("jtl", "JTL-Shop", "shop", (_cookie(r"^jtlshop$", 0.7), _element("#jtl-io-path", 0.6))),
    Technology("shoptet", "Shoptet", "shop", (_asset(r"//cdn\.myshoptet\.com/", 0.6), _script(r"\bshoptet\.\w+\b"))),
    Technology("nopcommerce", "nopCommerce", "shop", (_cookie(r"^\.?nop\.customer$", 0.7),
                                                      _meta(r"^generator=nopcommerce"))),
    Technology("gambio", "Gambio", "shop", (_asset(r"gm_javascript\.js\.php", 0.7),)),
    Technology("hybris", "SAP Commerce", "shop", (_asset(r"/_ui/(?:responsive|desktop|addons)/"),
                                                _cookie(r"^acceleratorsecureguid$"))),
    Technology(
        "wordpress", "WordPress", "site",
        (
            _meta(r"^generator=wordpress"), _asset(r"/wp-(?:content|includes)/", 0.6),
            _header(r"^link: .*api\.w\.org"), _element('link[rel="https://api.w.org/"]', _STRONG),
        ),
    ),
    Technology("drupal", "Drupal", "site", (_header(r"^x-generator: drupal"), _header(r"^x-drupal-"),
                                            _meta(r"^generator=drupal"), _asset(r"/sites/default/files/"))),
    Technology("joomla", "Joomla", "site", (_meta(r"^generator=joomla"), _asset(r"/media/(?:jui|system)/js/"))),
    Technology("typo3", "TYPO3", "site", (_meta(r"^generator=typo3"), _asset(r"/typo3(?:conf|temp)/"))),
    Technology("ghost", "Ghost", "site", (_meta(r"^generator=ghost \d"),
                                          _asset(r"/ghost/|cdn\.jsdelivr\.net/ghost/", _WEAK))),
    Technology("mediawiki", "MediaWiki", "site", (_meta(r"^generator=mediawiki"), _script(r"\bRLCONF\b"))),
    Technology("webflow", "Webflow", "site", (_meta(r"^generator=webflow"), _asset(r"//[^/]*\.website-files\.com/"))),
    Technology("nextjs", "Next.js", "frontend", (_header(r"^x-powered-by: next\.js"), _element("#__NEXT_DATA__", 0.7),
                                                _asset(r"/_next/static/", 0.6), _element("#__next"))),
    Technology("nuxt", "Nuxt", "frontend", (_element("#__nuxt", 0.6), _asset(r"/_nuxt/", 0.6),
                                           _script(r"\b__NUXT__\b"))),
    Technology("react_app", "an app drawn by scripts", "frontend", (_element("#root:empty, #app:empty", 0.6),)),
)  # fmt: skip

TECHNOLOGIES: tuple[Technology, ...] = READABLE + BY_NAME

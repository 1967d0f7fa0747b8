// Served at the site's root after one line that sets INSTALLED. Only what the server marks is kept of pages; the API is
// never answered from here.

const PAGES = "click2cart-pages-1";
const FILES = "click2cart-files-1";
const MOST_PAGES = 60;
const MOST_FILES = 200;
const under = (part) => INSTALLED.base + part;
const LEADS_IN_OR_OUT = ["/login", "/logout", "/register", "/activate", "/recover", "/account", "/api/v1/auth"].map(under);

self.addEventListener("install", (event) => {
  event.waitUntil(install());
});

async function install() {
  const files = await caches.open(FILES);
  await files.addAll(INSTALLED.files);
  // As nobody in particular: it says the same to everybody.
  await files.put(INSTALLED.offline, await fetch(INSTALLED.offline, { credentials: "omit", cache: "reload" }));
  await self.skipWaiting();
}

self.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith("click2cart-") && ![PAGES, FILES].includes(name)) await caches.delete(name);
  await self.clients.claim();
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method !== "GET") {
    // Whoever comes next is to find nothing of whoever was here.
    if (LEADS_IN_OR_OUT.some((path) => url.pathname.startsWith(path))) event.waitUntil(caches.delete(PAGES));
    if (url.pathname.startsWith(under("/logout"))) event.waitUntil(showNothing());
  } else if (url.pathname.startsWith(under("/static/"))) {
    event.respondWith(file(request, url.searchParams.has("v")));
  } else if (request.mode === "navigate" && !url.pathname.startsWith(under("/api/"))) {
    event.respondWith(page(event));
  }
});

self.addEventListener("message", (event) => {
  const { keep, files, forget } = event.data ?? {};
  if (forget) event.waitUntil(caches.delete(PAGES));
  if (keep && new URL(keep).origin === location.origin) event.waitUntil(keepLater(keep, files ?? []));
});

async function file(request, hasVersion) {
  const cache = await caches.open(FILES);
  const kept = await cache.match(request);
  if (kept && hasVersion) return kept;
  try {
    const answer = await fetch(request);
    if (answer.status === 200) await put(cache, request, answer.clone(), MOST_FILES);
    return answer;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

async function page(event) {
  try {
    const answer = await fetch(event.request);
    if (isKept(answer)) event.waitUntil(keepPage(event.request.url, answer.clone()));
    return answer;
  } catch {
    const kept = await (await caches.open(PAGES)).match(event.request.url, { ignoreVary: true });
    if (!kept) return (await caches.open(FILES)).match(INSTALLED.offline, { ignoreVary: true });
    const text = (await kept.text()).replace("<html ", `<html data-seen-at="${kept.headers.get("Seen-At")}" `);
    return new Response(text, { headers: kept.headers });
  }
}

// The server knows what a worker cannot see: whether an answer sets a cookie.
function isKept(answer) {
  return answer.status === 200 && !answer.redirected && answer.headers.get("Offline-Copy") === "keep";
}

async function keepPage(address, answer) {
  const headers = new Headers(answer.headers);
  headers.set("Seen-At", new Date().toISOString());
  // Of the text as it is unpacked.
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  await put(await caches.open(PAGES), address, new Response(await answer.text(), { headers }), MOST_PAGES);
}

async function keepLater(address, files) {
  const pages = await caches.open(PAGES);
  if (!(await pages.match(address, { ignoreVary: true }))) {
    const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
    if (answer && isKept(answer)) await keepPage(address, answer);
  }
  const cache = await caches.open(FILES);
  for (const name of files) {
    const url = new URL(name);
    if (url.origin !== location.origin || !url.pathname.startsWith(under("/static/")) || (await cache.match(name))) continue;
    const answer = await fetch(name).catch(() => null);
    if (answer?.status === 200) await put(cache, name, answer, MOST_FILES);
  }
}

// The oldest make room.
async function put(cache, key, answer, most) {
  await cache.delete(key, { ignoreVary: true });
  await cache.put(key, answer);
  const keys = await cache.keys();
  for (const old of keys.slice(0, Math.max(0, keys.length - most))) await cache.delete(old, { ignoreVary: true });
}

// A notice of an alert. One of the same alert takes the place of the one before, a repeat its own.
self.addEventListener("push", (event) => {
  const { title, text, url, tag } = event.data?.json() ?? {};
  if (!title) return;
  event.waitUntil(self.registration.showNotification(title, { body: text, tag: tag || undefined, icon: INSTALLED.icon, data: { url } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const home = new URL(INSTALLED.base + "/", location.origin);
  const asked = new URL(event.notification.data?.url ?? home, home);
  // The site may have other names than the one that this browser knows it by; no other site is opened from here.
  const address = new URL(asked.pathname + asked.search, home).href;
  event.waitUntil(show(address));
});

// Whoever uses this browser next is not to see them.
async function showNothing() {
  await (await self.registration.pushManager?.getSubscription())?.unsubscribe();
}

async function show(address) {
  for (const client of await self.clients.matchAll({ type: "window" })) if (client.url === address) return client.focus();
  return self.clients.openWindow(address);
}

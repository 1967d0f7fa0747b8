// Conveniences only: every page works without this file.

document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
  const root = document.documentElement;
  const now = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // The choice then holds for this page.
  }
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-submit-on-change]");
  if (form?.reportValidity()) form.requestSubmit();
});

// The link itself takes the shopper to the store; this only notes that it was opened.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-record]");
  if (!link) return;
  const body = new URLSearchParams({ csrf_token: link.dataset.csrf, quiet: "1" });
  fetch(link.dataset.record, { method: "POST", body, keepalive: true }).then(() => {
    const state = link.closest(".step")?.querySelector(".state");
    if (state && link.closest(".step-waiting")) {
      state.textContent = link.dataset.opened;
      state.className = "state state-info";
    }
  });
});

for (const code of document.querySelectorAll("code[data-copy]")) {
  // One that stands in the page already moves nothing when this comes.
  const standing = code.nextElementSibling?.matches("button.copy") ? code.nextElementSibling : null;
  if (!navigator.clipboard) {
    standing?.remove();
    continue;
  }
  const button = standing ?? document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = code.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = code.dataset.copied;
    setTimeout(() => (button.textContent = code.dataset.copy), 1500);
  });
  if (!standing) code.after(button);
}

// Operators' pages follow what happens, without losing the place or what is being typed or read.
const live = document.querySelector("[data-live]");
if (live) {
  // What is the same link, button or section in the old and the fresh part.
  const same = (element) => {
    if (!element || !live.contains(element)) return null;
    if (element.id) return `#${CSS.escape(element.id)}`;
    const href = element.getAttribute("href");
    return href ? `[href="${CSS.escape(href)}"]` : "";
  };
  setInterval(async () => {
    const active = document.activeElement;
    const place = same(active);
    // A button or a list that somebody is at stays as it is.
    if (document.hidden || place === "") return;
    const source = live.dataset.source ?? location.href;
    const answer = await fetch(source, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || document.activeElement !== active) return;
    if (answer.redirected) {
      if ("follow" in live.dataset) location.replace(answer.url);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = live.dataset.source ? page.body : page.querySelector("[data-live]");
    // What was waited for has come, and is a page of its own.
    if (!fresh && "follow" in live.dataset) location.reload();
    if (!fresh || fresh.innerHTML === live.innerHTML) return;
    const scrolled = live.querySelector(".log")?.scrollTop;
    live.replaceChildren(...fresh.childNodes);
    if (scrolled !== undefined) live.querySelector(".log")?.scrollTo(0, scrolled);
    if (place) live.querySelector(place)?.focus({ preventScroll: true });
  }, (Number(live.dataset.live) || 4) * 1000);
}

// What this browser remembers for its visitor alone: products seen of late, and those to compare.
const kept = {
  read(name) {
    try {
      const list = JSON.parse(localStorage.getItem(name) ?? "[]");
      return Array.isArray(list) ? list : [];
    } catch {
      return [];
    }
  },
  write(name, list) {
    try {
      localStorage.setItem(name, JSON.stringify(list));
    } catch {
      // Storage may be full or forbidden; nothing is remembered then.
    }
  },
};
const MOST_SEEN = 12;
const MOST_COMPARED = 4;

const recent = document.querySelector("[data-recent]");
if (recent) {
  const list = recent.querySelector(".recent-list");
  for (const one of kept.read("seen")) {
    if (typeof one?.path !== "string" || !one.path.startsWith("/products/")) continue;
    const link = document.createElement("a");
    link.href = one.path;
    link.dir = "auto";
    link.textContent = String(one.title);
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  }
  recent.hidden = !list.children.length;
  recent.querySelector("[data-forget]").addEventListener("click", () => {
    kept.write("seen", []);
    recent.hidden = true;
  });
}

const seen = document.querySelector("[data-seen]");
if (seen) {
  const others = kept.read("seen").filter((one) => one?.id !== seen.dataset.seen);
  const own = { id: seen.dataset.seen, title: seen.dataset.title, path: location.pathname };
  kept.write("seen", [own, ...others].slice(0, MOST_SEEN));
}

document.querySelector("[data-share]")?.addEventListener("click", async ({ currentTarget: button }) => {
  const url = button.dataset.share;
  if (navigator.share) {
    await navigator.share({ title: document.title, url }).catch(() => {});
    return;
  }
  const words = button.querySelector("span");
  const before = words.textContent;
  await navigator.clipboard?.writeText(url);
  words.textContent = button.dataset.shared;
  setTimeout(() => (words.textContent = before), 1500);
});

// Without this a press on "Compare" begins a new comparison; with it the last ones are taken along.
const compareLink = document.querySelector("a[data-compare]");
compareLink?.addEventListener("click", () => {
  const own = compareLink.dataset.compare;
  const ids = [...kept.read("compared").filter((id) => /^[0-9a-z]+$/.test(id) && id !== own), own].slice(-MOST_COMPARED);
  compareLink.search = new URLSearchParams({ ids: ids.join(",") });
});
if (location.pathname === "/compare") {
  kept.write("compared", (new URLSearchParams(location.search).get("ids") ?? "").split(",").filter(Boolean));
}

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
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = code.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = code.dataset.copied;
    setTimeout(() => (button.textContent = code.dataset.copy), 1500);
  });
  code.after(button);
}

// Operators' pages follow what happens, without losing the place or what is being typed or read.
const live = document.querySelector("[data-live]");
if (live) {
  setInterval(async () => {
    if (document.hidden || live.contains(document.activeElement)) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return;
    if (answer.redirected) {
      if ("follow" in live.dataset) location.replace(answer.url);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    // What was waited for has come, and is a page of its own.
    if (!fresh && "follow" in live.dataset) location.reload();
    if (fresh && fresh.innerHTML !== live.innerHTML) live.replaceChildren(...fresh.childNodes);
  }, (Number(live.dataset.live) || 4) * 1000);
}

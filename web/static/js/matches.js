// Deciding without a page load: forms work without this file, keys and the quick next pair come with it.

const help = document.querySelector("[data-keys]");
const off = document.querySelector("[data-keys-off]");
let isBusy = false;

try {
  off.checked = localStorage.getItem("console-keys") === "off";
} catch {
  // Without storage the keys are simply on.
}
off.addEventListener("change", () => {
  try {
    localStorage.setItem("console-keys", off.checked ? "off" : "on");
  } catch {
    // The choice then holds for this page.
  }
});

const isTyping = (target) => target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (off.checked || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (isTyping(event.target)) return;
  if (event.key === "?") {
    help.open = !help.open;
    if (help.open) help.querySelector("summary").focus();
    event.preventDefault();
    return;
  }
  const button = document.querySelector(`[data-review] button[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!button || isBusy) return;
  event.preventDefault();
  button.click();
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const region = form.closest("[data-review]");
  if (!region || form.method !== "post") return;
  event.preventDefault();
  if (isBusy) return;
  isBusy = true;
  region.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form, event.submitter) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-review]");
    if (!fresh) {
      location.assign(answer.url);
      return;
    }
    region.replaceChildren(...fresh.childNodes);
    if (answer.redirected) history.replaceState(null, "", answer.url);
    const first = region.querySelector("[data-focus]");
    first?.focus({ preventScroll: true });
    first?.closest("article, section, div")?.scrollIntoView({ block: "nearest" });
  } catch {
    // The network failed: the plain form says so, and says it with the browser's own words.
    const word = document.createElement("input");
    Object.assign(word, { type: "hidden", name: event.submitter?.name ?? "", value: event.submitter?.value ?? "" });
    form.append(word);
    form.submit();
  } finally {
    isBusy = false;
    region.removeAttribute("aria-busy");
  }
});

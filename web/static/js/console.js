// Conveniences of the operators' console: every page works without this file.

const typing = (target) => target.closest("input, select, textarea, [contenteditable]");
const panel = document.querySelector("[data-keys]");
const off = document.querySelector("[data-keys-off]");
const remembered = () => {
  try {
    return localStorage.getItem("console-keys") === "off";
  } catch {
    return false;
  }
};
if (off) {
  off.checked = remembered();
  off.addEventListener("change", () => {
    try {
      localStorage.setItem("console-keys", off.checked ? "off" : "on");
    } catch {
      // The choice then holds for this page.
    }
  });
}

const places = { s: "", r: "/runs", q: "/quarantine", a: "/alarms" };
let goes = false;
document.addEventListener("keydown", (event) => {
  // A page with keys of its own has no panel.
  if (!panel || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || off?.checked) return;
  if (goes) {
    goes = false;
    if (event.key in places) location.assign(`/operations${places[event.key]}`);
    return;
  }
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement);
  if (event.key === "?") {
    panel.open = !panel.open;
    if (panel.open) panel.scrollIntoView({ block: "nearest" });
  } else if (event.key === "/") document.querySelector("[data-filter]")?.focus();
  else if (event.key === "j") rows[Math.min(at + 1, rows.length - 1)]?.focus();
  else if (event.key === "k") rows[Math.max(at - 1, 0)]?.focus();
  else if (event.key === "g") {
    goes = true;
    setTimeout(() => (goes = false), 1200);
    return;
  } else return;
  event.preventDefault();
});

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-all]");
  if (!all) return;
  for (const box of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
});

// The next times of a schedule, as it is edited.
const schedule = document.querySelector("form[data-next-times]");
if (schedule) {
  const shown = document.querySelector("#next-times");
  let waiting;
  let asked = 0;
  schedule.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const number = ++asked;
      const fields = new URLSearchParams(new FormData(schedule));
      fields.delete("csrf_token");
      const answer = await fetch(`${schedule.dataset.nextTimes}?${fields}`).catch(() => null);
      if (answer?.ok && !answer.redirected && number === asked) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        shown.replaceChildren(...page.body.childNodes);
      }
    }, 200);
  });
}

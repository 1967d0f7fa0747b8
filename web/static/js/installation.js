// The site as an application: what was seen can be read again without a network.

import { words } from "./toasts.js";

const seenAt = document.documentElement.dataset.seenAt;
if (seenAt && words.seen) {
  const line = document.createElement("p");
  line.className = "notice notice-warn page-seen";
  line.setAttribute("role", "status");
  const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  line.textContent = words.seen.replace("{when}", when.format(new Date(seenAt)));
  document.querySelector("#content")?.prepend(line);
  addEventListener("online", () => location.reload());
}

async function keepThisPage() {
  await navigator.serviceWorker.register(words.worker);
  const { active } = await navigator.serviceWorker.ready;
  // The first page came before the worker: it is told what to fetch again, and the files that the page took.
  const files = performance.getEntriesByType("resource").map((entry) => entry.name);
  active.postMessage({ keep: location.href.split("#")[0], files });
}

if (navigator.serviceWorker && words.worker && !seenAt) {
  addEventListener("load", () => keepThisPage().catch(() => {}), { once: true });
}

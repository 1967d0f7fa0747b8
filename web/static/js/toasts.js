// Short messages above the page: said by screen readers, gone by themselves unless something is to be done.

const box = document.querySelector("[data-toasts]");
export const words = box?.dataset ?? {};
const SECONDS = 8;
const MOST = 3;

function act(action) {
  if (action.href) {
    const link = document.createElement("a");
    link.href = action.href;
    link.textContent = action.label;
    return link;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link-button";
  button.textContent = action.label;
  button.addEventListener("click", action.press);
  return button;
}

// `name` keeps one message of a kind: a newer one takes its place. One with an action to take, or of a failure, stays.
export function say(text, { tone = "good", action = null, stays = tone === "bad", name = "" } = {}) {
  if (!box || !text) return;
  if (name) hush(name);
  const toast = document.createElement("div");
  toast.className = `toast notice notice-${tone}`;
  toast.setAttribute("role", "status");
  toast.dataset.name = name;
  const sentence = document.createElement("span");
  sentence.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "toast-close";
  close.setAttribute("aria-label", words.close);
  close.textContent = "×";
  close.addEventListener("click", () => toast.remove());
  toast.append(sentence, ...(action ? [act(action)] : []), close);
  box.append(toast);
  while (box.children.length > MOST) box.firstElementChild.remove();
  if (stays) return;
  // Whoever reads it or is about to press keeps it.
  const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : toast.remove());
  setTimeout(leave, SECONDS * 1000);
}

// Take back what is not so any more; whether it stood there.
export function hush(name) {
  const standing = [...(box?.querySelectorAll(`[data-name="${name}"]`) ?? [])];
  for (const toast of standing) toast.remove();
  return standing.length > 0;
}

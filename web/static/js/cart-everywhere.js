// The cart and the wishlist without waiting: what is pressed shows at once, is taken back where it failed, waits where
// there is no network, and other tabs follow. Every form works without this file, too.

import { showWished } from "./hearts.js";
import { deliver, drop, flush, later, waiting } from "./outbox.js";
import { known, learn, listen, tell } from "./tabs.js";
import { hush, say, words } from "./toasts.js";

const base = words.cart?.replace(/\/cart$/, "") ?? "";
const root = `${base}/api/v1`;
const account = words.account ?? "";
const isCopy = "seenAt" in document.documentElement.dataset;
const onCart = location.pathname.replace(/\/$/, "") === words.cart;
const signIn = `${words.signInAt}?next=${encodeURIComponent(location.pathname + location.search)}`;
const reload = { label: words.reload, press: () => location.reload() };
const toWishlist = { label: words.toWishlist, href: words.wishlist };
const toCart = onCart ? null : { label: words.toCart, href: words.cart };

// The number beside "Cart".

function units() {
  return Number(document.querySelector(".nav-cart .count")?.dataset.units ?? 0);
}

function showUnits(number) {
  const link = document.querySelector(".nav-cart");
  let count = link?.querySelector(".count");
  if (!link || number <= 0) return count?.remove();
  if (!count) {
    count = document.createElement("span");
    count.className = "count";
    link.append(" ", count);
  }
  count.dataset.units = number;
  count.textContent = new Intl.NumberFormat(document.documentElement.lang).format(number);
  count.setAttribute("aria-label", number === 1 ? words.piece : words.pieces.replace("2", count.textContent));
}

// What a form asks of the API, what shows at once, and how that is taken back; null where it is not ours.

function asked(form, submitter) {
  // A button without an action of its own says the page's address.
  const action = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  const path = new URL(action, location.href).pathname.slice(base.length);
  const data = new FormData(form);
  const product = data.get("product");
  let found;
  if (path === "/cart/lines" && product) return addition(product, Number(data.get("quantity") ?? 1));
  const list = submitter?.name === "list" ? submitter.value : data.get("list");
  if (path === "/wishlist/items" && product) return wish(product, list);
  if (path === "/wishlist/items/remove" && product) return unlist(product, list);
  if ((found = /^\/cart\/lines\/([0-9a-z]+)$/.exec(path))) {
    return change(form, found[1], submitter?.name === "remove" ? 0 : Number(data.get("quantity")));
  }
  if ((found = /^\/wishlist\/([0-9a-z]+)\/items\/([0-9a-z]+)\/remove$/.exec(path))) return unwish(form, found[1], found[2]);
  return null;
}

function addition(product, quantity) {
  const item = { product_id: product, quantity };
  const before = units();
  showUnits(before + quantity);
  return { method: "POST", path: "/cart/items", body: item, items: [item], done: words.added, action: toCart, event: "cart:changed", undo: () => showUnits(before) };
}

function change(form, line, quantity) {
  const input = form.elements.quantity;
  const row = form.closest("li");
  const [before, had] = [units(), Number(input.defaultValue)];
  input.value = quantity;
  row?.classList.toggle("is-leaving", quantity === 0);
  showUnits(before + quantity - had);
  const undo = () => {
    input.value = had;
    row?.classList.remove("is-leaving");
    showUnits(before);
  };
  const done = quantity === 0 ? words.removed : words.changed;
  // Sent as a quantity, 0 too: the answer then tells how many there are.
  return { method: "PUT", path: `/cart/items/${line}`, body: { quantity }, done, event: "cart:changed", undo };
}

function wish(product, list) {
  const path = list ? `/wishlists/${list}/items` : "/wishlist";
  const wished = { product, list, isWished: true };
  return { method: "POST", path, body: { product_id: product }, done: words.wished, action: toWishlist, event: "wishlist:changed", detail: wished, undo: showWished(product, list, true) };
}

function unlist(product, list) {
  const path = list ? `/wishlists/${list}/items/${product}` : `/wishes/${product}`;
  const wished = { product, list, isWished: false };
  return { method: "DELETE", path, done: words.unwished, event: "wishlist:changed", detail: wished, undo: showWished(product, list, false) };
}

function unwish(form, list, item) {
  const row = form.closest("li");
  if (row) row.hidden = true;
  return { method: "DELETE", path: `/wishlists/${list}/items/${item}`, done: words.unwished, event: "wishlist:changed", undo: () => row && (row.hidden = false) };
}

// Why a change failed, in a sentence of its own for each reason.

function refusal({ status, told }) {
  const name = "refused";
  if (status === 401) return say(words.e401, { tone: "bad", name, action: { label: words.signIn, href: signIn } });
  if (status === 403) return say(words.e403, { tone: "bad", name });
  if (status === 404) return say(words.e404, { tone: "bad", name, action: reload });
  if (status === 409 || status === 412) return say(words.e409, { tone: "bad", name, action: reload });
  if (status === 429) return say(words.e429, { tone: "bad", name });
  if (status >= 500) return say(words.e500, { tone: "bad", name });
  say(told?.detail || words.e400, { tone: "bad", name });
}

function spread({ event, detail }, answer) {
  if (event === "cart:changed" && Number.isInteger(answer.told?.unit_count)) {
    showUnits(answer.told.unit_count);
    learn({ units: answer.told.unit_count });
    tell(event, { units: answer.told.unit_count });
  } else {
    tell(event, detail);
  }
}

// One change after the other, in the order they were pressed; whatever leads away meanwhile waits for them.
let turn = Promise.resolve();
const open = new Set();
let isLeaving = false;

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || !words.cart) return;
  const change = asked(form, submitter);
  if (change) {
    event.preventDefault();
    open.add(change);
    turn = turn.then(() => carryOut(change)).catch(reportError).finally(() => open.delete(change));
  } else if (open.size && form.method === "post") {
    event.preventDefault();
    isLeaving = true;
    turn.then(() => form.requestSubmit(submitter));
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (!open.size || !isPlain || event.defaultPrevented || !link || link.target || link.origin !== location.origin) return;
  event.preventDefault();
  isLeaving = true;
  turn.then(() => location.assign(link.href));
});

// A page that is closed leaves what it has not sent to the next one.
addEventListener("pagehide", () => {
  for (const change of open) {
    if (!change.isOnItsWay) later({ ...wanted(change), account });
    open.delete(change);
  }
});

function wanted({ method, path, body, items }) {
  return { method, path, body, ...(items && { items }) };
}

async function carryOut(change) {
  const { done, action, event, undo } = change;
  hush("refused");
  await sync();
  if (!open.has(change)) return;
  change.isOnItsWay = true;
  const answer = await deliver(root, { ...wanted(change), account });
  if (answer.waits) {
    say(words.waits, { tone: "warn", name: "waits", stays: true });
    return;
  }
  if (!answer.ok) {
    undo();
    refusal(answer);
    return;
  }
  spread(change, answer);
  say(done, { action, name: "done" });
  if (event === "cart:changed" && onCart && open.size <= 1 && !isLeaving) await refresh();
}

// The cart page again with its new plan, in place; whoever is typing elsewhere in it is not disturbed.

async function refresh() {
  const content = document.querySelector("#content");
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || isLeaving) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("#content");
  if (!fresh || page.body.className !== document.body.className) return location.reload();
  const focused = place(document.activeElement);
  for (const details of content.querySelectorAll("details[id][open]")) fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  content.replaceChildren(...fresh.childNodes);
  if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
}

// Where the same thing is on the fresh page: a button of a line by its form.
function place(element) {
  if (element?.id) return `#${CSS.escape(element.id)}`;
  const action = element?.form?.getAttribute("action");
  return action && element.name ? `form[action="${CSS.escape(action)}"] [name="${CSS.escape(element.name)}"]` : null;
}

function isTyping() {
  return document.activeElement?.closest("#content :is(input, select, textarea)") != null;
}

// Sending what waited.

let again;

async function sync() {
  clearTimeout(again);
  if (!waiting().length || !navigator.onLine || isCopy) return;
  const { answers, left, retryAfter } = await flush(root, account);
  if (retryAfter) again = setTimeout(sync, retryAfter * 1000);
  if (!answers.length) return isSent();
  for (const answer of answers) {
    if (answer.ok) spread({ event: answer.path.startsWith("/cart") ? "cart:changed" : "wishlist:changed" }, answer);
    else refusal(answer);
  }
  if (left) return;
  if (answers.every((answer) => answer.ok)) say(words.sent, { action: toCart, name: "done" });
  hush("waits");
  if (onCart && !isTyping()) await refresh();
}

// Another tab may have been quicker.
function isSent() {
  if (!waiting().length && hush("waits")) say(words.sent, { action: toCart, name: "done" });
}

addEventListener("online", sync);
document.addEventListener("visibilitychange", () => document.hidden || sync());

// Other tabs.

function follow(text) {
  say(text, { tone: "info", action: reload, stays: true, name: "elsewhere" });
}

listen({
  "cart:changed": ({ units: number }) => {
    if (Number.isInteger(number)) showUnits(number);
    isSent();
    if (!onCart) return;
    if (isTyping()) follow(words.cartElsewhere);
    else refresh();
  },
  "wishlist:changed": ({ product, list, isWished }) => {
    isSent();
    if (product) showWished(product, list, isWished);
    if (location.pathname.startsWith(`${base}/wishlist`)) follow(words.wishlistElsewhere);
  },
  // What an account's page shows must not stay after its owner has left.
  "auth:login": ({ account: other }) => other === account || (account ? location.reload() : follow(words.signedInElsewhere)),
  "auth:logout": () => account && location.reload(),
});

// Pages say what is so; where that is news (a pasted list, a sign-in), this tab passes it on.
if (!isCopy && words.cart) {
  const [before, now] = [known(), { units: units(), account }];
  learn(now);
  if (before.units !== undefined && before.units !== now.units) tell("cart:changed", { units: now.units });
  if (before.account !== undefined && before.account !== now.account) tell(account ? "auth:login" : "auth:logout", { account });
  if (before.account && before.account !== account) {
    // Signed out, here or from elsewhere, or after its time: nothing of the account stays.
    navigator.serviceWorker?.controller?.postMessage({ forget: true });
    if (await drop((change) => change.account && change.account !== account)) refusal({ status: 401 });
  }
}
addEventListener("pageshow", ({ persisted }) => {
  isLeaving = false;
  if (persisted && Number.isInteger(known().units)) showUnits(known().units);
});

if (waiting().length) {
  if (navigator.onLine && !isCopy) sync();
  else say(words.waits, { tone: "warn", name: "waits", stays: true });
}

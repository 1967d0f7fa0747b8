// Changes on their way to the API. What could not be sent waits in this browser and is sent later, once: each carries
// an Idempotency-Key from its first try on, so that one whose answer was lost changes nothing twice.

const WAITING = "click2cart.waiting";
const PATIENCE = 20_000;
let unstored = [];

export function waiting() {
  try {
    const list = JSON.parse(localStorage.getItem(WAITING) ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return unstored;
  }
}

function store(list) {
  unstored = list;
  try {
    localStorage.setItem(WAITING, JSON.stringify(list));
  } catch {
    // Then it waits as long as this page is open.
  }
}

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// One tab at a time, where the browser can promise it.
function alone(work) {
  return navigator.locks ? navigator.locks.request(WAITING, work) : work();
}

// A change is {method, path, body, account}: `path` below the API's root, `account` whom the page was drawn for, "" a guest.
function send(root, change) {
  return fetch(root + change.path, {
    method: change.method,
    headers: { "Content-Type": "application/json", "Idempotency-Key": change.key, ...(change.account && { "Click2Cart-Account": change.account }) },
    body: change.body === undefined ? undefined : JSON.stringify(change.body),
    signal: AbortSignal.timeout(PATIENCE),
    keepalive: true,
  });
}

async function outcome(response) {
  const text = await response.text();
  let told = null;
  try {
    told = text ? JSON.parse(text) : null;
  } catch {
    // A proxy's page; the status says enough.
  }
  return { status: response.status, ok: response.ok, told, retryAfter: Number(response.headers.get("Retry-After")) || 0 };
}

// Things put into the cart while nothing can be sent become one batch; of two quantities of a line the last one counts.
export function later(change) {
  const list = waiting();
  const { items } = change;
  const last = list.at(-1);
  if (!items || change.key) {
    list.push({ key: newKey(), ...change });
  } else if (last?.items && !last.tried && last.account === change.account) {
    for (const item of items) {
      const same = last.items.find((one) => one.product_id === item.product_id);
      if (same) same.quantity = Math.min(999, same.quantity + item.quantity);
      else last.items.push(item);
    }
    last.body = { items: last.items };
  } else {
    list.push({ ...change, key: newKey(), method: "POST", path: "/cart/merge", body: { items } });
  }
  store(list.filter((one, at) => one.method !== "PUT" || one.tried || !list.slice(at + 1).some((later) => later.path === one.path)));
}

// The API's answer as {status, ok, told}, or {waits: true} where there is no network.
export async function deliver(root, change) {
  if (!navigator.onLine || waiting().length) {
    await alone(async () => later(change));
    return { waits: true };
  }
  const tried = { ...change, key: newKey() };
  try {
    return await outcome(await send(root, tried));
  } catch {
    // It may have arrived: the very same request is sent again.
    await alone(async () => later({ ...tried, tried: true }));
    return { waits: true };
  }
}

// Send what waits, oldest first: {answers, left, retryAfter}. What the API refuses is given up, the caller says so.
export function flush(root, account) {
  return alone(async () => {
    const answers = [];
    for (let list = waiting(); list.length && navigator.onLine; list = waiting()) {
      const [first, ...rest] = list;
      if (first.account && first.account !== account) {
        // It was meant for an account that has been left since.
        answers.push({ status: 401, ok: false, told: null });
        store(rest);
        continue;
      }
      store([{ ...first, tried: true }, ...rest]);
      let answer;
      try {
        answer = await outcome(await send(root, first));
      } catch {
        break;
      }
      if (answer.status === 429 || answer.status >= 500) return { answers, left: list.length, retryAfter: answer.retryAfter || 30 };
      // Whatever came in from another tab meanwhile is kept.
      const after = waiting().filter((one) => one.key !== first.key);
      if (!answer.ok && first.items?.length > 1) {
        // One of them cannot be had: each for itself, then, so that the others can.
        const singles = first.items.map((item) => ({ ...first, tried: false, key: newKey(), items: [item], body: { items: [item] } }));
        store([...singles, ...after]);
        continue;
      }
      answers.push({ ...answer, path: first.path });
      store(after);
    }
    return { answers, left: waiting().length, retryAfter: 0 };
  });
}

// How many were dropped.
export function drop(isUnwanted) {
  return alone(async () => {
    const list = waiting();
    const kept = list.filter((change) => !isUnwanted(change));
    store(kept);
    return list.length - kept.length;
  });
}

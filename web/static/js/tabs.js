// What tabs of this browser tell each other, and what the last of them knew.

const channel = "BroadcastChannel" in window ? new BroadcastChannel("click2cart") : null;
const KNOWN = "click2cart.known";

export function tell(event, detail = {}) {
  channel?.postMessage({ event, ...detail });
}

// `handlers` maps cart:changed, wishlist:changed, auth:login and auth:logout to what is done then.
export function listen(handlers) {
  channel?.addEventListener("message", ({ data }) => {
    if (Object.hasOwn(handlers, data?.event ?? "")) handlers[data.event](data);
  });
}

export function known() {
  try {
    return JSON.parse(localStorage.getItem(KNOWN) ?? "{}") ?? {};
  } catch {
    return {};
  }
}

export function learn(fresh) {
  try {
    localStorage.setItem(KNOWN, JSON.stringify({ ...known(), ...fresh }));
  } catch {
    // Storage may be full or forbidden; other tabs then learn only what is sent.
  }
}

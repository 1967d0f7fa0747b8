// Notices of alerts in this browser: it is asked once, and tells the site where to send them.

const button = document.querySelector("[data-push]");
const said = document.querySelector("[data-push-said]");
const isAble = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
// Under which id the site knows this browser.
const KNOWN = "click2cart.push";

function say(what) {
  said.textContent = said.dataset[what];
  said.hidden = false;
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") return "blocked";
  const { pushManager } = await navigator.serviceWorker.ready;
  // One that another key was given for takes nothing of ours any more.
  await (await pushManager.getSubscription())?.unsubscribe();
  const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: button.dataset.key });
  const answer = await fetch(button.dataset.subscriptions, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(subscription),
  });
  if (!answer.ok) {
    await subscription.unsubscribe();
    return "failed";
  }
  localStorage.setItem(KNOWN, (await answer.json()).id);
  location.reload();
  return null;
}

async function showThisOne() {
  const { pushManager } = await navigator.serviceWorker.ready;
  const subscription = await pushManager.getSubscription();
  const own = [...document.querySelectorAll("[data-browser]")].find((one) => one.dataset.browser === localStorage.getItem(KNOWN));
  if (subscription && own) {
    own.querySelector("[data-this-one]").hidden = false;
    button.hidden = true;
  } else {
    // It was removed here or elsewhere.
    await subscription?.unsubscribe();
  }
}

if (button && !isAble) {
  button.hidden = true;
  say("unable");
} else if (button) {
  showThisOne().catch(() => {});
}
button?.addEventListener("click", async () => {
  button.disabled = true;
  const problem = await subscribe().catch(() => "failed");
  if (problem) say(problem);
  button.disabled = false;
});

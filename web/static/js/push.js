// Notices of alerts in this browser: it is asked once, and tells the site where to send them.

const button = document.querySelector("[data-push]");
const said = document.querySelector("[data-push-said]");
const isAble = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

function say(what) {
  said.textContent = said.dataset[what];
  said.hidden = false;
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") return "blocked";
  const { pushManager } = await navigator.serviceWorker.ready;
  const before = await pushManager.getSubscription();
  // One that another key was given for takes nothing of ours any more.
  await before?.unsubscribe();
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
  location.reload();
  return null;
}

if (button && !isAble) {
  button.hidden = true;
  say("unable");
}
button?.addEventListener("click", async () => {
  button.disabled = true;
  const problem = await subscribe().catch(() => "failed");
  if (problem) say(problem);
  button.disabled = false;
});

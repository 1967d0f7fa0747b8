// Hearts: each holds what it turns into, so that it can say at once how things stand.

const isOn = (heart) => heart.classList.contains("is-wished");

function show(heart, isWished) {
  if (isOn(heart) === isWished) return;
  const words = heart.querySelector("span");
  const [action, label, shown] = [heart.getAttribute("formaction"), heart.getAttribute("aria-label"), words?.textContent];
  heart.setAttribute("formaction", heart.dataset.otherAction);
  heart.setAttribute("aria-label", heart.dataset.otherLabel);
  if (words) words.textContent = heart.dataset.otherWords;
  Object.assign(heart.dataset, { otherAction: action, otherLabel: label, ...(words && { otherWords: shown }) });
  heart.classList.toggle("is-wished", isWished);
}

// Show a product as on or off one list; without a list: on the default one, or off all. Returns what takes it back.
export function showWished(product, list, isWished) {
  const hearts = [...document.querySelectorAll("[data-heart]")].filter((heart) => heart.dataset.heart === product);
  const before = hearts.map(isOn);
  const ofLists = hearts.filter((heart) => heart.name === "list");
  for (const heart of ofLists) {
    if (list ? heart.value === list : !isWished || "default" in heart.dataset) show(heart, isWished);
  }
  const isAnywhere = isWished || ofLists.some(isOn);
  for (const heart of hearts) if (heart.name !== "list") show(heart, isAnywhere);
  return () => hearts.forEach((heart, at) => show(heart, before[at]));
}

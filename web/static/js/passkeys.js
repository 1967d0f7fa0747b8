// Passkeys: the one way in that needs a script, since only a script may ask the browser for them.

const supported = Boolean(window.PublicKeyCredential?.parseCreationOptionsFromJSON);

async function post(address, csrf, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.problem ?? "");
  return said;
}

function tell(words) {
  const place = document.querySelector("[data-passkey-problem]");
  place.textContent = words || place.dataset.refused;
  place.hidden = false;
}

const signIn = document.querySelector("[data-passkey-sign-in]");
if (signIn && !supported) signIn.hidden = true;
signIn?.addEventListener("click", async () => {
  const { options, finish, csrf, next } = signIn.dataset;
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await post(options, csrf, {}));
    const credential = await navigator.credentials.get({ publicKey });
    const said = await post(finish, csrf, { credential: credential.toJSON(), next });
    location.assign(said.next);
  } catch (error) {
    tell(error instanceof DOMException ? "" : error.message);
  }
});

const add = document.querySelector("[data-passkey-add]");
if (add && !supported) add.hidden = true;
add?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { options, finish, csrf } = add.dataset;
  const password = add.querySelector("[name=present_password]")?.value ?? "";
  try {
    const asked = await post(options, csrf, { present_password: password });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(asked);
    const credential = await navigator.credentials.create({ publicKey });
    const said = await post(finish, csrf, { credential: credential.toJSON() });
    location.assign(said.next);
  } catch (error) {
    tell(error instanceof DOMException ? "" : error.message);
  }
});

// Sends what a form of the API's page says, and shows the answer.

const token = document.querySelector("#api-token");

document.querySelector("[data-api-token]")?.addEventListener("submit", (event) => event.preventDefault());

for (const form of document.querySelectorAll("form[data-api-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { address, init } = request(form);
    const box = form.querySelector(".api-answer");
    const [told, text] = [box.querySelector("p"), box.querySelector("pre")];
    box.hidden = false;
    try {
      const answer = await fetch(address, init);
      const body = await answer.text();
      told.textContent = `${init.method} ${address}: ${answer.status} ${answer.statusText}`;
      text.textContent = pretty(body);
    } catch (error) {
      told.textContent = String(error);
      text.textContent = "";
    }
  });
}

function request(form) {
  let path = form.dataset.apiPath;
  const query = new URLSearchParams();
  const init = { method: form.dataset.apiMethod, headers: {} };
  for (const field of form.querySelectorAll("[data-in]")) {
    if (!field.value) continue;
    if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
    else if (field.dataset.in === "query") query.append(field.name, field.value);
    else if (field.dataset.in === "header") init.headers[field.name] = field.value;
    else {
      init.headers["Content-Type"] = "application/json";
      init.body = field.value;
    }
  }
  if (token?.value) init.headers.Authorization = `Bearer ${token.value}`;
  return { address: query.size ? `${path}?${query}` : path, init };
}

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

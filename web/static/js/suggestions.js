// Suggestions under the search field: a list box that the field controls (WAI-ARIA combobox). Without it the form works.

const WAIT_MS = 120;
const SHORTEST = 2;

function attach(form) {
  const input = form.querySelector("input[name=q]");
  if (!input) return;
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = `${input.id}-suggestions`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", form.dataset.suggestions || input.placeholder);
  list.hidden = true;
  form.append(list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) {
    input.setAttribute(name, value);
  }

  let timer = 0;
  let asked = null;
  let chosen = -1;
  const known = new Map();

  const close = () => {
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const choose = (place) => {
    const options = [...list.children];
    chosen = place < -1 ? options.length - 1 : place >= options.length ? -1 : place;
    options.forEach((option, one) => option.setAttribute("aria-selected", String(one === chosen)));
    if (chosen < 0) {
      input.removeAttribute("aria-activedescendant");
    } else {
      input.setAttribute("aria-activedescendant", options[chosen].id);
      options[chosen].scrollIntoView({ block: "nearest" });
    }
  };

  const show = (suggestions) => {
    list.replaceChildren(
      ...suggestions.map((one, place) => {
        const option = document.createElement("li");
        option.className = "suggestion";
        option.id = `${list.id}-${place}`;
        option.dataset.url = one.url;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        for (const part of ["text", "detail"]) {
          const words = document.createElement("span");
          words.className = part === "text" ? "suggestion-words" : "suggestion-detail";
          words.dir = "auto";
          words.textContent = one[part];
          option.append(words);
        }
        return option;
      }),
    );
    const open = suggestions.length > 0 && document.activeElement === input;
    if (!open) return close();
    choose(-1);
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  };

  const ask = async () => {
    const text = input.value.trim();
    asked?.abort();
    if (text.length < SHORTEST) return close();
    if (known.has(text)) return show(known.get(text));
    asked = new AbortController();
    try {
      const answer = await fetch(`/search/suggestions?${new URLSearchParams({ q: text })}`, { signal: asked.signal });
      if (!answer.ok) return close();
      const { suggestions } = await answer.json();
      known.set(text, suggestions);
      if (text === input.value.trim()) show(suggestions);
    } catch {
      // Typed on, or away from the network: the form still searches.
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) ask();
      else choose(event.key === "ArrowDown" ? chosen + 1 : chosen - 1);
    } else if (event.key === "Enter" && chosen >= 0 && !list.hidden) {
      event.preventDefault();
      location.assign(list.children[chosen].dataset.url);
    }
  });
  input.addEventListener("blur", close);
  // Before the field loses its focus, so that the press is not lost with the list.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) location.assign(option.dataset.url);
  });
}

document.querySelectorAll("form.search[role=search]").forEach(attach);

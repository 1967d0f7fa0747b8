// Conveniences only: the browser's own menu prints, and a link can be marked and copied by hand.
for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
for (const field of document.querySelectorAll("[data-select]")) field.addEventListener("focus", () => field.select());

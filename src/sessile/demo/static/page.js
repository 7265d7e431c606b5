// Counts seconds down, and closes messages. Every page works without it.
function reload() {
  const back = document.querySelector("[data-back]"); // where a form was answered, not its address
  if (back) location.replace(back.href);
  else location.reload();
}

function count(place) {
  const end = Date.now() + 1000 * Number(place.textContent);
  const timer = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    place.textContent = Math.max(left, 0);
    if (left > 0) return;
    clearInterval(timer);
    if (place.dataset.countdown === "reload") return reload();
    place.parentElement.hidden = true;
    for (const hint of document.querySelectorAll("[data-expired]")) hint.hidden = false;
  }, 250);
}

document.querySelectorAll("[data-countdown]").forEach(count);

for (const link of document.querySelectorAll("[data-close]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    document.querySelector("[role=status]").replaceChildren();
    link.remove();
  });
}

// Shows how the nodes are, again and again. The page works without it.
const PAUSE = 700;
const place = document.querySelector("[data-nodes]");

async function look() {
  if (document.hidden) return;
  const answer = await fetch("/nodes/status");
  if (answer.ok) place.innerHTML = await answer.text();
}

async function watch() {
  await look().catch(() => {}); // the server that was asked may have been killed just then
  setTimeout(watch, PAUSE);
}

setTimeout(watch, PAUSE);

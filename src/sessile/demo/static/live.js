// Asks now and then who answers and how the servers are. Everything on the page works without it.
const PAUSE = 1500;
const SHOWN = 24;
const ticker = document.querySelector("[data-ticker]");
const ticks = document.querySelector("[data-ticks]");

function tick(name) {
  const tile = document.createElement("span");
  const known = document.querySelector(`[data-server="${CSS.escape(name)}"]`);
  tile.className = `tick ${known ? [...known.classList].find((c) => c.startsWith("tint-")) : ""}`;
  tile.textContent = name;
  ticks.append(tile);
  while (ticks.children.length > SHOWN) ticks.firstElementChild.remove();
}

function show(card, member) {
  card.dataset.phase = member.phase;
  for (const fact of card.querySelectorAll("[data-fact]")) {
    fact.textContent = member[fact.dataset.fact] ?? "none";
  }
  for (const noun of card.querySelectorAll("[data-plural]")) {
    const { plural, one, many } = noun.dataset;
    noun.textContent = member[plural] === 1 ? one : many;
  }
  for (const part of card.querySelectorAll("[data-when]")) {
    const when = part.dataset.when;
    part.hidden = when === "alive" ? member.phase === "down" : when !== member.phase;
  }
}

async function ask() {
  if (document.hidden) return;
  const answer = await fetch("/now", { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const { server, members } = await answer.json();
  tick(server);
  for (const card of document.querySelectorAll("[data-server]")) {
    show(card, members[card.dataset.server]);
  }
}

async function watch() {
  await ask().catch(() => {}); // the server that was asked may have been killed just then
  setTimeout(watch, PAUSE);
}

ticker.hidden = false;
setTimeout(watch, PAUSE);

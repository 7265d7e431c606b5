// Waits for the end of the session: the server closes this socket then. The page works without it.
const ENDED = 4401;
const LOCKED = 1008;
const RETRY = 2000;
const sign = document.querySelector("[data-live]");
let leaving = false;

function tell() {
  const words = document.querySelector("[data-ended]").content.cloneNode(true);
  document.querySelector("[role=status]").append(words);
}

function listen() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/live`);
  socket.addEventListener("open", () => (sign.hidden = false));
  socket.addEventListener("close", ({ code }) => {
    sign.hidden = true;
    if (leaving || code === LOCKED) return;
    if (code === ENDED) tell();
    else setTimeout(listen, RETRY); // its server was killed, as it may be
  });
}

addEventListener("submit", () => (leaving = true)); // the next page tells what this click has done
listen();

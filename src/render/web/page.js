// Keeps the page fresh, says when it no longer is, copies commands, and talks to the gateway.
"use strict";

const live = document.getElementById("live");
const connection = document.getElementById("connection");
const csrf = document.body.dataset.csrf;
// The server is heard at least every 10 s.
const SILENCE = 25000;
let heard = Date.now();
let shown = "";

function dress() {
  for (const button of live.querySelectorAll("button.copy")) {
    button.hidden = !navigator.clipboard;
    button.setAttribute("aria-label", "Copy " + button.dataset.copy);
  }
}

live.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

async function fetchLive() {
  const answer = await fetch("live" + location.search, { cache: "no-store", redirect: "error" });
  if (answer.status === 401) location.reload();
  if (!answer.ok) return;
  hear();
  const text = await answer.text();
  if (text === shown) return;
  shown = text;
  const focused = document.activeElement && document.activeElement.dataset.copy;
  live.innerHTML = text;
  dress();
  if (focused) {
    for (const button of live.querySelectorAll("button.copy")) {
      if (button.dataset.copy === focused) { button.focus(); break; }
    }
  }
}

function hear() {
  heard = Date.now();
  show();
}

function show() {
  const isStale = Date.now() - heard > SILENCE;
  document.body.classList.toggle("stale", isStale);
  const text = isStale ? "Stale: last heard at " + new Date(heard).toLocaleTimeString() : "Live";
  if (connection.textContent !== text) connection.textContent = text;
}

const isTold = document.body.dataset.news === "told";
if (isTold) {
  const events = new EventSource("events");
  events.addEventListener("beat", hear);
  events.addEventListener("changed", () => { hear(); fetchLive().catch(() => {}); });
  events.addEventListener("error", () => { heard = Math.min(heard, Date.now() - SILENCE - 1); show(); });
}
setInterval(show, 1000);
// Spans of time go on even when nothing changes on the host.
setInterval(() => { if (!document.hidden || !isTold) fetchLive().catch(() => {}); }, isTold ? 60000 : 10000);
show();
dress();

const form = document.getElementById("chat");
if (form) {
  const box = document.getElementById("message");
  const transcript = document.getElementById("transcript");
  const said = [];
  form.hidden = false;

  const say = (text, kind) => {
    const line = document.createElement("p");
    line.className = kind;
    line.textContent = text;
    transcript.append(line);
    transcript.scrollTop = transcript.scrollHeight;
    return line;
  };

  const answerTo = async (line) => {
    const answer = await fetch("v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", "x-openclaw-csrf": csrf, "x-openclaw-session-key": "dashboard" },
      body: JSON.stringify({ model: "openclaw", stream: true, messages: said }),
    });
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      throw new Error((told.error && told.error.message) || "the gateway answered " + answer.status);
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const data of lines.filter((each) => each.startsWith("data:")).map((each) => each.slice(5).trim())) {
        if (data === "[DONE]") continue;
        const event = JSON.parse(data);
        if (event.error) throw new Error(event.error.message || "the answer broke off");
        const choice = event.choices && event.choices[0];
        line.textContent += (choice && choice.delta && choice.delta.content) || "";
        transcript.scrollTop = transcript.scrollHeight;
      }
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    say(text, "asked");
    said.push({ role: "user", content: text });
    const line = say("", "answered");
    try {
      await answerTo(line);
      said.push({ role: "assistant", content: line.textContent });
      if (text === "/new" || text === "/reset") said.length = 0;
    } catch (error) {
      line.className = "refused";
      line.textContent += (line.textContent ? "\n" : "") + error.message;
      said.pop();
    }
    fetchLive().catch(() => {});
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

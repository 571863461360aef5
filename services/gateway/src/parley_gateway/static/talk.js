/**
 * The page: joins the button, the transcript, the sound and the connection. The address may say
 * ?agent=, ?token= and ?sample_rate=, or the same after #, which the browser keeps to itself; and
 * ?aec=0, ?ns=0, ?agc=0 turn off the browser's echo cancellation, noise suppression and gain
 * control.
 */

import { openSound } from "./audio.js";
import { Line } from "./line.js";
import { Transcript } from "./transcript.js";

const REPORT_MS = 200;
const STATES = {
  idle: "Press to talk",
  connecting: "Connecting…",
  listening: "Listening",
  thinking: "Thinking…",
  speaking: "Speaking",
  paused: "Listening",
  holding: "One moment, please…",
  reconnecting: "Connection lost, reconnecting…",
};
const ERRORS = {
  unauthorized: "This server asks for a token: add #token=… to the address.",
  token_expired: "The token in the address has run out: get a new one.",
  token_used: "The token in the address was used already: get a new one.",
  wrong_origin: "This page may not call this server.",
  too_many_calls: "All lines are busy. Try again in a moment.",
  quota_used_up: "The time for calls is used up for now.",
  no_capacity: "All lines are busy. Try again in a moment.",
  draining: "The server is about to restart. Call again in a moment.",
  not_resumable: "The connection was lost for too long. Press the button to call again.",
  resumed_elsewhere: "The call goes on in another window.",
};
const LOST = {
  refused: "The server cannot be reached.",
  lost: "The connection was lost. Press the button to call again.",
};
const ENDS = {
  idle: "You said nothing for a while, so the call has ended. Press the button to call again.",
  bot_hang_up: "The bot has ended the call.",
};
const NO_SOUND =
  "The browser gives this page no sound: that needs https, or localhost. You can type.";

const query = new URLSearchParams(`${location.search.slice(1)}&${location.hash.slice(1)}`);
const at = (id) => document.getElementById(id);
const [talk, interrupt, typed, text] = ["talk", "interrupt", "typed", "text"].map(at);
const transcript = new Transcript(at("transcript"));
let call = null;

talk.onclick = () => (call ? hangUp() : begin());
interrupt.onclick = () => {
  call.asked = false;
  call.line.send("interrupt");
};
typed.onsubmit = (event) => {
  event.preventDefault();
  const said = text.value.trim();
  text.value = "";
  if (said) type(said);
};
window.addEventListener("pagehide", () => hangUp());

// --- A call's life

async function begin(firstWords = null) {
  const rate = Number(query.get("sample_rate") ?? 24000);
  const mine = { sound: null, line: null, timer: null, ready: false, asked: false };
  mine.voiced = -1; // the newest turn of which the bot has said something
  mine.firstWords = firstWords;
  call = mine;
  notice("");
  transcript.clear();
  show("connecting");
  await openEars(mine, rate);
  if (call === mine) connect(mine, rate);
  else mine.sound?.close();
}

/** Sound, if there is any to be had: a call goes on in writing without it. */
async function openEars(mine, rate) {
  try {
    mine.sound = await openSound(rate);
    if (mine.sound) await mine.sound.openMicrophone(microphone());
    else notice(NO_SOUND);
  } catch (error) {
    if (call === mine) notice(`${reason(error)} You can type, and hear the answers.`);
  }
}

function connect(mine, rate) {
  const { sound } = mine;
  const line = (mine.line = new Line(address(rate), rate, sound));
  line.onEvent = (event) => on(mine, event);
  line.onAudio = (frame) => sound?.play(frame);
  line.onLost = () => show("reconnecting");
  line.onBack = () => transcript.resumed();
  line.onClose = (how) => finish(mine, how);
  if (!sound) return;
  sound.onFrame = (frame) => line.hear(frame);
  sound.onPlayed = (turn, ms) => line.send("playback", { turn, ms: Math.round(ms) });
  sound.onMicrophoneLost = () => notice("The microphone is gone. You can type.");
}

function hangUp() {
  if (call?.line) call.line.end();
  else if (call) finish(call, "ended");
}

function finish(mine, how) {
  if (call !== mine) return;
  call = null;
  clearInterval(mine.timer);
  mine.sound?.close();
  show("idle");
  if (how in LOST) notice(LOST[how]);
}

function type(said) {
  if (!call?.ready) {
    if (call) call.firstWords = said;
    else begin(said);
    return;
  }
  call.line.send("text", { text: said });
  call.asked = true;
  transcript.typed(said);
  if (state() !== "reconnecting") show("thinking");
}

// --- What the server says

function on(mine, event) {
  switch (event.type) {
    case "ready":
      mine.ready = true;
      rest(mine);
      if (mine.firstWords) type(mine.firstWords);
      mine.firstWords = null;
      break;
    case "holding":
      show("holding");
      break;
    case "back":
      rest(mine);
      break;
    case "speech_started":
      if (state() === "thinking") show("listening");
      break;
    case "transcription":
      transcript.heard(event.turn, event.message, event.is_final);
      mine.asked = event.is_final;
      if (event.is_final && state() === "listening") show("thinking");
      break;
    case "backchannel":
      transcript.backchannel(event.turn, event.message);
      mine.asked = event.turn > mine.voiced;
      if (state() === "thinking") rest(mine);
      break;
    case "reply":
      transcript.reply(event.turn, event.text, event.restart);
      if (event.turn > mine.voiced) mine.asked = false;
      if (state() === "listening") show("thinking");
      break;
    case "speaking":
      mine.asked = false;
      mine.voiced = event.turn;
      mine.sound?.begin(event.turn);
      watchPlayback(mine);
      transcript.speaking(event.turn);
      show("speaking");
      break;
    case "clear":
      mine.sound?.clear();
      break;
    case "paused":
      show("paused");
      break;
    case "resumed":
      mine.sound?.begin(event.turn, event.ms);
      show("speaking");
      break;
    case "spoken":
      clearInterval(mine.timer);
      mine.voiced = event.turn;
      mine.sound?.finish();
      transcript.spoken(event.turn, event.text, event.cut_off);
      rest(mine);
      break;
    case "tool_called":
      transcript.did(event.name);
      break;
    case "transfer":
      transcript.did(`transfer to ${event.destination}: ${event.number}`);
      break;
    case "dtmf":
      transcript.did(`keys ${event.digits}`);
      break;
    case "error":
      mine.asked = false;
      notice(ERRORS[event.code] ?? `Error: ${event.message}`);
      break;
    case "end":
      if (ENDS[event.reason]) notice(ENDS[event.reason]);
      break;
  }
}

function watchPlayback(mine) {
  clearInterval(mine.timer);
  if (mine.sound) mine.timer = setInterval(() => mine.sound.report(), REPORT_MS);
}

// --- What the page shows

function state() {
  return document.body.dataset.state;
}

/** Nobody speaks. */
function rest(mine) {
  show(mine.asked ? "thinking" : "listening");
}

function show(name) {
  const idle = name === "idle";
  document.body.dataset.state = name;
  at("state").textContent = STATES[name];
  talk.setAttribute("aria-pressed", String(!idle));
  talk.setAttribute("aria-label", idle ? "Talk" : "Hang up");
  interrupt.disabled = !["thinking", "speaking", "paused"].includes(name);
}

function notice(message) {
  at("notice").textContent = message;
  at("notice").hidden = !message;
}

function reason(error) {
  if (error.name === "NotAllowedError") return "The microphone was not allowed.";
  if (error.name === "NotFoundError") return "There is no microphone.";
  if (error.name === "NotReadableError") return "The microphone is in use by another program.";
  return `The microphone does not work: ${error.message}.`;
}

// --- What the address asks for

function microphone() {
  const on = (name) => query.get(name) !== "0";
  return { echoCancellation: on("aec"), noiseSuppression: on("ns"), autoGainControl: on("agc") };
}

function address(rate) {
  const url = new URL("conversation", location.href);
  url.protocol = location.protocol.replace("http", "ws");
  url.search = new URLSearchParams({ sample_rate: rate });
  for (const name of ["agent", "token"]) {
    if (query.has(name)) url.searchParams.set(name, query.get(name));
  }
  return url;
}

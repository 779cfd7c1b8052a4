/*
 * What the forwarder tells by itself (server-sent events), and whether it can be heard at all.
 *
 * A page that is not seen closes its stream and asks every half minute instead, so that its title still tells how it is. A stream
 * that falls silent counts as lost, and is opened anew until it is heard again.
 */

import { get } from "./api.js";
import { setNow } from "./ticking.js";

/** After so long without any event it is asked whether anybody is there: a broken connection need not show. */
const SILENCE_MS = 5000;
const ANSWER_MS = 5000;
const RETRY_MS = [500, 1000, 2000, 4000, 5000];
const HIDDEN_MS = 30_000;
const EVENTS = ["overview", "throughput", "studies"];

/** @type {Map<string, Set<(value: any) => void>>} */
const listeners = new Map();
/** @type {Map<string, any>} */
const latest = new Map();
/** @type {EventSource | undefined} */
let source;
let silence = 0;
let retry = 0;
let asking = 0;
let failures = 0;
let running = false;
/** @type {{connected: boolean, since: number}} */
let state = { connected: true, since: Date.now() };

/** Calls it with each event of that name, and at once with the last one; `connection` tells of the connection itself. */
export function on(event, listener) {
  const all = listeners.get(event) ?? new Set();
  listeners.set(event, all);
  all.add(listener);
  if (latest.has(event)) listener(latest.get(event));
}

/** What was last heard of it. */
export function last(event) {
  return latest.get(event);
}

export function start() {
  if (running) return;
  running = true;
  watch();
}

export function stop() {
  running = false;
  watch();
}

document.addEventListener("visibilitychange", watch);

function watch() {
  close();
  clearInterval(asking);
  if (!running) return;
  if (document.hidden) asking = setInterval(ask, HIDDEN_MS);
  else open();
}

function open() {
  close();
  const opened = new EventSource("/api/v1/events");
  source = opened;
  opened.addEventListener("error", () => {
    if (source === opened) lost();
  });
  for (const event of EVENTS) {
    opened.addEventListener(event, ({ data }) => {
      if (source !== opened) return;
      let value;
      try {
        value = JSON.parse(data);
      } catch {
        return lost();
      }
      heard();
      emit(event, value);
    });
  }
  opened.addEventListener("open", () => {
    if (source !== opened) return;
    heard();
    // The stream tells the newest steps alone.
    get("throughput").then((told) => emit("throughput", told), () => {});
  });
  listen();
}

function close() {
  source?.close();
  source = undefined;
  clearTimeout(silence);
  clearTimeout(retry);
}

function listen() {
  clearTimeout(silence);
  silence = setTimeout(async () => {
    const asked = source;
    if (await ask()) {
      if (source === asked) listen();
    } else if (source === asked) lost();
  }, SILENCE_MS);
}

function heard() {
  failures = 0;
  listen();
  if (!state.connected) tell(true);
}

function lost() {
  close();
  if (state.connected) tell(false);
  retry = setTimeout(again, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
}

/** A password may be needed by now, which an event stream cannot tell: asking for something else finds it out. */
async function again() {
  if (await ask() && running && !document.hidden) open();
  else if (running && !document.hidden) lost();
}

async function ask() {
  try {
    const overview = await get("overview", {}, AbortSignal.timeout(ANSWER_MS));
    if (!running) return false;
    emit("overview", overview);
    return true;
  } catch {
    if (state.connected && running) tell(false);
    return false;
  }
}

function tell(connected) {
  state = { connected, since: Date.now() };
  emit("connection", state);
}

function emit(event, value) {
  if (event === "overview") setNow(value.now);
  latest.set(event, value);
  for (const listener of listeners.get(event) ?? []) listener(value);
}

/*
 * Times that go on by themselves: `12 min ago`, `in 34 s`. One timer for all of them, by the clock of the forwarder, which
 * need not be that of who looks. A hidden page's times stand still.
 */

import { ago, clock, duration, exact, until } from "./format.js";
import { h, setAttribute, setText } from "./dom.js";

let ahead = 0;

/** Takes the forwarder's time over. */
export function setNow(now) {
  ahead = now - Date.now();
}

/** The forwarder's time now. */
export function now() {
  return Date.now() + ahead;
}

const WORDS = {
  ago,
  until,
  for: (at, at2) => duration(at2 - at),
  at: (at) => clock(at),
};

/**
 * An element that shows a time: `ago`, `until`, `for` (how long it has been) or `at`; what stands where there is none.
 * @param {"ago" | "until" | "for" | "at"} kind
 * @returns {any}
 */
export function time(kind, none = "–") {
  return h("time", { "data-kind": kind, "data-none": none, text: none });
}

/** Sets which time it shows. */
export function setTime(element, at) {
  if (at === null || at === undefined) {
    setAttribute(element, "datetime", null);
    setAttribute(element, "title", null);
    setText(element, element.dataset.none);
    return;
  }
  const whole = new Date(at);
  setAttribute(element, "datetime", Number.isNaN(whole.getTime()) ? null : whole.toISOString());
  setAttribute(element, "title", exact(at));
  element.at = at;
  setText(element, WORDS[element.dataset.kind](at, now()));
}

/** @type {Set<() => void>} */
const everySecond = new Set();

/** Calls it each second as long as the page is seen. */
export function onTick(listener) {
  everySecond.add(listener);
}

/** Brings every time on the page up to date. */
export function tick() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[datetime][data-kind]")) {
    setTime(element, element.at);
  }
  for (const listener of everySecond) listener();
}

setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);

/*
 * Dialogs and short messages. Dialogs are the browser's own: it keeps the focus in them, closes them with Escape, and gives
 * the focus back.
 */

import { button, h, icon } from "./dom.js";

/**
 * Asks before something that cannot be taken back. The harmless answer has the focus.
 * @param {{title: string, lines: readonly string[], yes: string}} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, lines, yes }) {
  return new Promise((resolve) => {
    let answer = false;
    const close = (value) => {
      answer = value;
      dialog.close();
    };
    const no = button("Cancel", () => close(false));
    const dialog = h(
      "dialog",
      {
        class: "ask",
        "aria-labelledby": "ask-title",
        "aria-describedby": "ask-text",
        role: "alertdialog",
      },
      h("h2", { id: "ask-title" }, icon("misconfigured"), h("span", { text: title })),
      h("div", { id: "ask-text" }, ...lines.map((line) => h("p", { text: line }))),
      h("div", { class: "row end" }, no, button(yes, () => close(true), "danger")),
    );
    open(dialog, () => resolve(answer));
    no.focus();
  });
}

/** Opens a dialog, and takes it off the page again when it is closed. */
export function open(dialog, whenClosed = () => {}) {
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
    whenClosed();
  });
  // A click beside it, on the backdrop, is one on the dialog itself.
  dialog.addEventListener("mousedown", (event) => {
    if (event.target === dialog && !inside(dialog, event)) dialog.close();
  });
  dialog.showModal();
}

function inside(element, { clientX, clientY }) {
  const box = element.getBoundingClientRect();
  return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
}

const WORDS = { ok: "up", warn: "misconfigured", bad: "down" };

/** Says what came of something, for eight seconds; what went wrong stays until it is closed. */
export function say(level, text, lines = []) {
  // What lies under an open dialog can be neither seen nor heard.
  const place = document.querySelector("dialog[open] .messages") ??
    document.getElementById("messages");
  if (place === null) return;
  const message = h(
    "div",
    { class: `message ${level}` },
    icon(WORDS[level]),
    h(
      "div",
      { class: "message-text" },
      h("p", { text }),
      lines.length === 0
        ? null
        : h("ul", {}, ...lines.slice(0, 5).map((line) => h("li", { text: line }))),
    ),
    h(
      "button",
      {
        type: "button",
        class: "button icon-only",
        "aria-label": "Close this message",
        on: { click: () => message.remove() },
      },
      icon("close"),
    ),
  );
  place.append(message);
  while (place.children.length > 3) place.firstElementChild?.remove();
  if (level === "ok") setTimeout(() => message.remove(), 8000);
}

/**
 * Runs what a button does: the button waits meanwhile, and what goes wrong is said.
 * @param {HTMLElement} pressed
 * @param {() => Promise<void>} work
 */
export async function during(pressed, work) {
  if (pressed.getAttribute("aria-busy") === "true") return;
  // Not `disabled`: that would take the focus away.
  pressed.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    if (error.status !== 401) say("bad", error.message);
  } finally {
    pressed.removeAttribute("aria-busy");
  }
}

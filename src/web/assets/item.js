/*
 * One item of the queue in full, in a drawer at the side: who and what it is, why it is here, and what the ledger says of it.
 */

import { act } from "./actions.js";
import { address, get, path } from "./api.js";
import { during, open } from "./dialog.js";
import { button, h, icon } from "./dom.js";
import { bytes, exact, number, personName } from "./format.js";
import { setTime, time } from "./ticking.js";

const WORDS = { queued: "Waiting", failed: "Failed", held: "Held" };

/** Where the stored file is. */
export function fileOf({ id, destination }) {
  return address(path("queue", id, destination, "file"));
}

/** Opens the drawer; `changed` is called after something was done, `closed` at its end. */
export function openItem(name, changed, closed) {
  const body = h("div", { class: "drawer-body" }, h("p", { class: "muted", text: "Looking …" }));
  const dialog = h(
    "dialog",
    { class: "drawer", "aria-labelledby": "item-title" },
    h(
      "div",
      { class: "drawer-head" },
      h("h2", { id: "item-title", text: "Image", tabindex: "-1" }),
      h(
        "button",
        {
          type: "button",
          class: "button icon-only",
          "aria-label": "Close",
          on: { click: () => dialog.close() },
        },
        icon("close"),
      ),
    ),
    h("div", { class: "messages", "aria-live": "polite" }),
    body,
  );
  const load = async () => {
    try {
      draw(await get(path("queue", name.id, name.destination)));
    } catch (error) {
      if (error.status === 401) dialog.close();
      else body.replaceChildren(h("p", { class: "wrap", text: error.message }));
    }
  };
  const draw = (item) => {
    const focused = document.activeElement?.getAttribute("data-action");
    body.replaceChildren(...details(item, async (action, pressed) => {
      await during(pressed, async () => {
        if (!await act(action, { items: [name] }, 1, `for ${name.destination}`)) return;
        changed();
        await load();
      });
    }));
    const again = focused && body.querySelector(`[data-action="${focused}"]`);
    if (again) again.focus();
    else if (focused) dialog.querySelector("h2")?.focus();
  };
  open(dialog, closed);
  load();
}

function details(item, run) {
  const { state, identification: who } = item;
  const next = time("until", "when its destination is tried next");
  setTime(next, item.nextAttempt);
  const received = time("ago");
  setTime(received, item.received);
  const action = (label, verb, kind = "") => {
    const pressed = button(label, () => run(verb, pressed), kind, { "data-action": verb });
    return pressed;
  };
  return [
    h(
      "p",
      { class: "state big", "data-state": state },
      icon(state),
      h("span", { text: `${WORDS[state]} for ${item.destination}` }),
    ),
    item.reason === "" ? null : h("p", { class: "why-box wrap", text: item.reason }),
    item.damaged === null
      ? null
      : h("p", { class: "why-box wrap", text: `The file cannot be read: ${item.damaged}` }),
    h(
      "div",
      { class: "row" },
      state === "held"
        ? action("Release", "release", "primary")
        : action("Retry", "retry", "primary"),
      state === "held" ? null : action("Hold", "hold"),
      h("a", { class: "button", href: fileOf(item), download: "", text: "Download" }),
      action("Remove …", "remove", "danger-quiet"),
    ),
    h("h3", { text: "Who and what" }),
    facts([
      ["Patient", who && personName(who.patientName)],
      ["Patient ID", who?.patientId],
      ["Accession", who?.accessionNumber],
      ["Modality", who?.modality],
      ["From", item.from],
      ["Received", h("span", {}, received, ` (${exact(item.received)})`)],
      ["Size", bytes(item.bytes)],
      ["Tries", number(item.tries)],
      state === "queued" ? ["Next attempt", next] : ["", ""],
    ]),
    h("h3", { text: "Identifiers" }),
    facts([
      ["Study UID", who?.studyInstanceUid, "mono"],
      ["SOP Instance UID", item.sopInstanceUid, "mono"],
      ["SOP Class UID", item.sopClassUid, "mono"],
      ["Transfer syntax", item.transferSyntax, "mono"],
      ["Id here", item.id, "mono"],
    ]),
    h("h3", { text: "What the ledger says" }),
    item.events.length === 0 ? h("p", { class: "muted", text: "Nothing." }) : h(
      "ol",
      { class: "events" },
      ...item.events.map(({ at, text }) =>
        h(
          "li",
          {},
          h("span", { class: "muted small figure", text: moment(at) }),
          h("span", { class: "wrap", text }),
        )
      ),
    ),
  ].filter((part) => part !== null);
}

/** The ledger's times are texts; one that reads as a time is shown as all others are. */
function moment(at) {
  const ms = Date.parse(at);
  return Number.isNaN(ms) ? at : exact(ms);
}

function facts(rows) {
  const shown = rows.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return h(
    "dl",
    { class: "facts one" },
    ...shown.map(([label, value, kind = ""]) =>
      h("div", {}, h("dt", { text: label }), h("dd", { class: `wrap ${kind}` }, value))
    ),
  );
}

/*
 * The settings in force, as they are written in the file, and taking over the file as it is now.
 */

import { get, post } from "./api.js";
import { showResult } from "./destination_card.js";
import { during } from "./dialog.js";
import { button, h, icon, setText, show } from "./dom.js";
import { on } from "./live.js";

export function settingsPage() {
  const result = h("div", { class: "test-result", "aria-live": "polite", hidden: true });
  const reload = button("Reload the file", () =>
    during(reload, async () => {
      const { ok, lines } = await post("reload");
      result.className = `test-result ${ok ? "ok" : "bad"}`;
      result.replaceChildren(
        h(
          "p",
          { class: "state", "data-state": ok ? "up" : "down" },
          icon(ok ? "up" : "down"),
          h("span", {
            text: ok
              ? "The file was read and is in force"
              : "The file was refused; what was in force still is",
          }),
        ),
        h("ul", {}, ...lines.map((text) => h("li", { class: "wrap", text }))),
      );
      show(result, true);
      await load();
    }), "primary");
  const alarms = button("Send a test alarm", () =>
    during(alarms, async () => {
      showResult(result, await post("alarms/test"));
      show(result, true);
    }));
  const why = h("p", { class: "wrap" });
  const notice = h(
    "div",
    { class: "notice", role: "status", hidden: true },
    icon("misconfigured"),
    why,
  );
  on("overview", ({ configuration }) => {
    setText(why, configuration ?? "");
    show(notice, configuration !== null);
  });
  const place = h("div", { class: "settings" });
  const note = h("p", { class: "muted", role: "status" });
  const element = h(
    "div",
    { class: "page" },
    h("h1", { tabindex: "-1", text: "Settings" }),
    h(
      "p",
      { class: "muted" },
      "In force now, every default filled in; secrets are not shown. They are changed in the configuration file, or with ",
      h("code", { text: "dicomforwarder setup" }),
      ".",
    ),
    notice,
    h("div", { class: "row" }, reload, alarms),
    result,
    note,
    place,
  );

  async function load() {
    try {
      const { configuration } = await get("configuration");
      place.replaceChildren(...groups(configuration));
      setText(note, "");
    } catch (error) {
      if (error.status !== 401) setText(note, error.message);
    }
  }
  return { title: "Settings", element, enter: load };
}

/** Plain settings first, then each that has parts under a heading of its own. */
function groups(configuration) {
  const plain = Object.entries(configuration).filter(([, value]) => !hasParts(value));
  const deep = Object.entries(configuration).filter(([, value]) => hasParts(value));
  return [
    table("General", plain),
    ...deep.flatMap(([key, value]) =>
      Array.isArray(value)
        ? value.map((one, index) => table(key, rows(one, ""), one.name ?? String(index + 1)))
        : [table(key, rows(value, ""))]
    ),
  ];
}

function hasParts(value) {
  if (Array.isArray(value)) return value.some((one) => typeof one === "object" && one !== null);
  return typeof value === "object" && value !== null;
}

function rows(value, before) {
  return Object.entries(value).flatMap(([key, one]) =>
    hasParts(one) ? rows(one, `${before}${key}.`) : [[before + key, one]]
  );
}

function table(title, entries, name = "") {
  return h(
    "section",
    { class: "panel" },
    h(
      "h2",
      {},
      h("span", { class: title === "General" ? "" : "mono", text: title }),
      name === "" ? null : h("span", { class: "muted", text: ` ${name}` }),
    ),
    h(
      "table",
      { class: "pairs" },
      h(
        "thead",
        { class: "hidden-text" },
        h(
          "tr",
          {},
          h("th", { scope: "col", text: "Setting" }),
          h("th", { scope: "col", text: "Value" }),
        ),
      ),
      h(
        "tbody",
        {},
        ...entries.map(([key, value]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row", class: "mono" }, ...breakable(key)),
            h("td", { class: "mono wrap" }, said(value)),
          )
        ),
      ),
    ),
  );
}

/** A name that may go on in another line behind each of its words. */
function breakable(name) {
  return name.split(/(?<=[_.])/).flatMap((word) => [word, h("wbr")]);
}

function said(value) {
  const none = (text) => h("span", { class: "muted plain", text });
  if (value === null || value === undefined) return none("not set");
  if (value === "") return none("empty");
  if (Array.isArray(value)) return value.length === 0 ? none("none") : value.map(String).join(", ");
  if (typeof value === "object") return none("none");
  return String(value);
}

/*
 * The last lines of the log. New ones are put to those that are there; who has scrolled back is left where they read.
 */

import { get } from "./api.js";
import { h, icon, keyed, setText, show } from "./dom.js";
import { counted } from "./format.js";
import { newLines } from "./log_lines.js";
import { setTime, time } from "./ticking.js";

const LINES = 1000;
const AGAIN_MS = 2000;
const LEVELS = ["debug", "info", "warning", "error"];
const ICONS = { debug: "about", info: "about", warning: "misconfigured", error: "down" };

export function logPage({ navigate }) {
  const level = h(
    "select",
    { id: "log-level" },
    ...[["debug", "Everything"], ["info", "From info"], ["warning", "Warnings and errors"], [
      "error",
      "Errors",
    ]]
      .map(([value, text]) => h("option", { value, text })),
  );
  level.value = "info";
  const words = h("input", {
    type: "search",
    id: "log-words",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: "100",
  });
  const follow = h("input", { type: "checkbox", id: "log-follow", checked: true });
  const count = h("p", { class: "muted small count", role: "status" });
  const list = h("ol", {
    class: "log",
    tabindex: "0",
    "aria-label": "Lines of the log, the latest last",
  });
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    icon("log"),
    h("p", { text: "No lines" }),
  );
  const element = h(
    "div",
    { class: "page" },
    h("h1", { tabindex: "-1", text: "Log" }),
    h(
      "div",
      { class: "filters" },
      h("div", { class: "field" }, h("label", { for: "log-level", text: "Level" }), level),
      h(
        "div",
        { class: "field grow" },
        h("label", { for: "log-words", text: "Containing" }),
        words,
      ),
      h("label", { class: "check" }, follow, "Follow"),
    ),
    count,
    empty,
    list,
  );
  /** @type {{key: string, at: number, level: string, text: string}[]} */
  let lines = [];
  let numbered = 0;
  let again = 0;

  level.addEventListener("change", () => navigate("log", { level: level.value }, true));
  words.addEventListener("input", draw);
  follow.addEventListener("change", draw);
  list.addEventListener("scroll", () => {
    follow.checked = list.scrollHeight - list.scrollTop - list.clientHeight < 8;
  });

  async function load() {
    clearTimeout(again);
    try {
      const { lines: told } = await get("log", { limit: LINES });
      lines = [...lines, ...newLines(lines, told, () => `${numbered++}`)].slice(-LINES);
      draw();
    } catch (error) {
      if (error.status === 401) return;
      setText(count, error.message);
    }
    again = setTimeout(poll, AGAIN_MS);
  }

  function poll() {
    if (!element.isConnected) return;
    if (document.hidden) again = setTimeout(poll, AGAIN_MS);
    else load();
  }

  function draw() {
    const from = LEVELS.indexOf(level.value);
    const wanted = words.value.trim().toLowerCase();
    const shown = lines.filter((line) =>
      LEVELS.indexOf(line.level) >= from &&
      (wanted === "" || line.text.toLowerCase().includes(wanted))
    );
    const end = follow.checked;
    keyed(list, shown, ({ key }) => key, logLine);
    setText(count, shown.length === 0 ? "" : `The last ${counted(shown.length, "line")}`);
    show(empty, shown.length === 0);
    show(list, shown.length > 0);
    if (end) list.scrollTop = list.scrollHeight;
  }

  return {
    title: "Log",
    element,
    enter({ level: wanted = "" }) {
      if (LEVELS.includes(wanted)) level.value = wanted;
      load();
    },
    leave() {
      clearTimeout(again);
    },
  };
}

function logLine(line) {
  const at = time("at");
  setTime(at, line.at);
  const element = h(
    "li",
    { "data-log": line.level },
    at,
    h(
      "span",
      { class: "state" },
      icon(ICONS[line.level] ?? "about"),
      h("span", { text: line.level }),
    ),
    h("span", { class: "wrap", text: line.text }),
  );
  return { element, update() {} };
}

/*
 * The queue: what waits, what failed, what is held back, a page at a time, and what can be done about it. Rows keep their
 * place, their tick and the focus while the list changes under them.
 */

import { act } from "./actions.js";
import { get } from "./api.js";
import { during } from "./dialog.js";
import { button, h, icon, keyed, setAttribute, setIcon, setText, show } from "./dom.js";
import { counted, number } from "./format.js";
import { fileOf, openItem } from "./item.js";
import { last, on } from "./live.js";
import { setTime, time } from "./ticking.js";

const PAGE = 100;
const AGAIN_MS = 2000;
const WORDS = { queued: "Waiting", failed: "Failed", held: "Held" };

export function queuePage({ navigate }) {
  const parts = makeParts();
  const { element, destination, state, study, body, all } = parts;
  /** Cursors of the pages before this one and of this one. */
  let cursors = [""];
  let next = null;
  let total = 0;
  let items = [];
  const ticked = new Set();
  let asked = 0;
  let loadedAt = 0;
  let seen = "";
  let drawer = "";

  const filter = () => ({
    destination: destination.value,
    state: state.value,
    study: study.dataset.id ?? "",
  });

  function changed() {
    navigate("queue", filter(), true);
  }
  destination.addEventListener("change", changed);
  state.addEventListener("change", changed);
  parts.clearStudy.addEventListener("click", () => {
    study.dataset.id = "";
    changed();
    destination.focus();
  });
  all.addEventListener("change", () => {
    ticked.clear();
    if (all.checked) { for (const item of items) ticked.add(keyOf(item)); }
    draw();
  });
  parts.previous.addEventListener("click", () => turn(() => cursors.pop()));
  parts.next.addEventListener("click", () => turn(() => cursors.push(next)));

  function turn(how) {
    how();
    ticked.clear();
    load().then(() => parts.count.focus());
  }

  async function load() {
    const mine = ++asked;
    loadedAt = Date.now();
    try {
      const page = await get("queue", { ...filter(), after: cursors.at(-1), limit: PAGE });
      if (mine !== asked) return;
      // The last page may have become empty by what was done to it.
      if (page.items.length === 0 && cursors.length > 1) {
        cursors.pop();
        return await load();
      }
      ({ next, total, items } = page);
      const here = new Set(items.map(keyOf));
      for (const key of ticked) if (!here.has(key)) ticked.delete(key);
      draw();
    } catch (error) {
      if (mine !== asked || error.status === 401) return;
      setText(parts.count, error.message);
    }
  }

  function draw() {
    keyed(body, items, keyOf, (item) => row(item));
    const first = (cursors.length - 1) * PAGE;
    setText(
      parts.count,
      total === 0
        ? ""
        : total <= PAGE && cursors.length === 1
        ? counted(total, "image")
        : `${number(first + 1)} to ${number(first + items.length)} of ${counted(total, "image")}`,
    );
    show(parts.table, items.length > 0);
    show(parts.pages, next !== null || cursors.length > 1);
    parts.previous.disabled = cursors.length === 1;
    parts.next.disabled = next === null;
    all.checked = items.length > 0 && ticked.size === items.length;
    all.indeterminate = ticked.size > 0 && ticked.size < items.length;
    drawEmpty();
    drawTools();
  }

  function drawEmpty() {
    show(parts.empty, items.length === 0);
    const [first, second] = parts.empty.querySelectorAll("p");
    const { destination: name, state: kind, study: id } = filter();
    const filtered = name !== "" || kind !== "" || id !== "";
    const done = last("overview")?.received > 0;
    setText(first, filtered ? "Nothing here with this filter" : "Nothing waits");
    setText(
      second,
      filtered
        ? "Choose another destination or state to see more."
        : done
        ? "Everything that was received has been delivered."
        : "Nothing has been received since the start.",
    );
  }

  /** Buttons: for the ticked rows, or, where none is, for all that one filter names. */
  function drawTools() {
    const chosen = items.filter((item) => ticked.has(keyOf(item)));
    const some = chosen.length > 0;
    const whole = some ? undefined : wholeFilter();
    setText(
      parts.scope,
      some
        ? `${counted(chosen.length, "image")} selected`
        : whole !== undefined
        ? `All ${number(whole.count)} ${whole.words}`
        : total > 0
        ? "Select rows, or choose a destination and a state to act on all of them."
        : "",
    );
    const states = new Set(
      some ? chosen.map((item) => item.state) : whole ? [whole.selection.state] : [],
    );
    const can = {
      retry: states.has("failed") || states.has("queued"),
      hold: states.has("failed") || states.has("queued"),
      release: states.has("held"),
      remove: states.size > 0,
    };
    for (const [action, pressed] of Object.entries(parts.buttons)) {
      pressed.disabled = !can[action];
      setText(pressed, (some || whole === undefined ? LABELS : LABELS_ALL)[action]);
    }
    show(parts.tools, items.length > 0);
    setAttribute(parts.tools, "data-idle", states.size === 0);
    const one = chosen.length === 1 ? chosen[0] : undefined;
    setAttribute(parts.download, "href", one === undefined ? null : fileOf(one));
    setAttribute(parts.download, "aria-disabled", one === undefined ? "true" : null);
  }

  function wholeFilter() {
    const { destination: name, state: kind, study: id } = filter();
    if (items.length === 0 || (name !== "" && id !== "")) return undefined;
    if (name === "" && id === "") return undefined;
    // Without a state, what failed is what a person comes for.
    const wanted = kind === "" ? "failed" : kind;
    const count = kind !== ""
      ? total
      : last("overview")?.destinations.find((one) => one.name === name)?.failed ?? 0;
    if (count === 0) return undefined;
    const where = name !== "" ? `for ${name}` : "of this study";
    const words = { queued: "that wait", failed: "that failed", held: "that are held" }[wanted];
    return {
      count,
      where,
      words: `${words} ${where}`,
      selection: name !== "" ? { state: wanted, destination: name } : { state: wanted, study: id },
    };
  }

  for (const [action, pressed] of Object.entries(parts.buttons)) {
    pressed.addEventListener("click", () =>
      during(pressed, async () => {
        const chosen = items.filter((item) => ticked.has(keyOf(item)));
        const whole = wholeFilter();
        const done = chosen.length > 0
          ? await act(
            action,
            { items: chosen.map(({ id, destination }) => ({ id, destination })) },
            chosen.length,
          )
          : whole !== undefined && await act(action, whole.selection, whole.count, whole.where);
        if (!done) return;
        ticked.clear();
        await load();
        parts.count.focus();
      }));
  }

  function row(first) {
    const key = keyOf(first);
    const tick = h("input", {
      type: "checkbox",
      "aria-label": `Select image ${first.id} for ${first.destination}`,
    });
    tick.addEventListener("change", () => {
      if (tick.checked) ticked.add(key);
      else ticked.delete(key);
      draw();
    });
    const mark = icon(first.state);
    const word = h("span");
    const stateText = h("span", { class: "state" }, mark, word);
    const age = time("ago");
    const tries = h("span", { class: "figure" });
    const reason = h("span", { class: "wrap" });
    const when = time("until");
    const whenWords = h("span", { class: "muted" });
    const details = button("Details", () => openDetails(first), "quiet small-button", {
      "aria-label": `Details of image ${first.id} for ${first.destination}`,
    });
    const cell = (label, ...content) => h("td", { role: "cell", "data-label": label }, ...content);
    const reasonCell = cell("Reason", reason);
    const line = h(
      "tr",
      { role: "row" },
      h("td", { role: "cell", class: "tick" }, tick),
      cell("State", stateText),
      cell("Destination", h("span", { class: "wrap", text: first.destination })),
      cell("Received", age),
      cell("Tries", tries),
      reasonCell,
      cell("Next attempt", when, whenWords),
      h("td", { role: "cell", class: "end" }, details),
    );
    line.addEventListener("dblclick", (event) => {
      if (event.target.closest("button, input, a") === null) openDetails(first);
    });
    return {
      element: line,
      update(item) {
        tick.checked = ticked.has(key);
        setAttribute(line, "data-ticked", tick.checked);
        setIcon(mark, item.state);
        setAttribute(stateText, "data-state", item.state);
        setText(word, WORDS[item.state]);
        setTime(age, item.received);
        setText(tries, number(item.tries));
        setText(reason, item.reason === "" ? "–" : item.reason);
        setAttribute(reasonCell, "data-empty", item.reason === "");
        const attempt = nextAttempt(item);
        show(when, typeof attempt === "number");
        setTime(when, typeof attempt === "number" ? attempt : null);
        setText(whenWords, typeof attempt === "string" ? attempt : "");
      },
    };
  }

  function openDetails({ id, destination: name }) {
    navigate("queue", { ...filter(), item: `${id}/${name}` }, true);
  }

  on("overview", (overview) => {
    destinations(destination, overview);
    const now = `${overview.queued} ${overview.failed} ${overview.held}`;
    if (!element.isConnected || document.hidden || Date.now() - loadedAt < AGAIN_MS) return;
    if (now === seen && Date.now() - loadedAt < AGAIN_MS * 5) return;
    seen = now;
    load();
  });

  return {
    title: "Queue",
    element,
    enter(words) {
      const { destination: name = "", state: kind = "", study: id = "", item = "" } = words;
      const known = last("overview");
      if (known !== undefined) destinations(destination, known);
      addChoice(destination, name);
      const before = JSON.stringify(filter());
      destination.value = name;
      state.value = WORDS[kind] === undefined ? "" : kind;
      study.dataset.id = /^[0-9a-f]{8}$/.test(id) ? id : "";
      setText(parts.studyName, study.dataset.id);
      show(study, study.dataset.id !== "");
      if (before !== JSON.stringify(filter()) || loadedAt === 0) {
        cursors = [""];
        ticked.clear();
      }
      if (item !== "" && item !== drawer) {
        drawer = item;
        const [itemId = "", itemDestination = ""] = item.split("/");
        openItem({ id: itemId, destination: itemDestination }, load, () => {
          drawer = "";
          // Who has gone to another page meanwhile stays there.
          if (location.hash.startsWith("#/queue")) navigate("queue", filter(), true);
        });
      }
      load();
    },
    leave() {
      document.querySelector("dialog.drawer")?.close();
    },
  };
}

const LABELS = { retry: "Retry", hold: "Hold", release: "Release", remove: "Remove …" };
const LABELS_ALL = {
  retry: "Retry all",
  hold: "Hold all",
  release: "Release all",
  remove: "Remove all …",
};

function keyOf({ id, destination }) {
  return `${id}/${destination}`;
}

/** When it is tried next: a time, or in words. */
function nextAttempt(item) {
  if (item.state === "failed") return "none until retried";
  if (item.state === "held") return "when released";
  const destination = last("overview")?.destinations.find(({ name }) => name === item.destination);
  if (destination?.state === "paused") return "when resumed";
  return item.nextAttempt ?? destination?.nextAttempt ?? "in its turn";
}

function destinations(select, overview) {
  for (const { name } of overview.destinations) addChoice(select, name);
}

function addChoice(select, name) {
  if (name === "" || [...select.options].some(({ value }) => value === name)) return;
  select.append(h("option", { value: name, text: name }));
}

function makeParts() {
  const destination = h(
    "select",
    { id: "queue-destination" },
    h("option", { value: "", text: "All" }),
  );
  const state = h(
    "select",
    { id: "queue-state" },
    h("option", { value: "", text: "All" }),
    ...Object.entries(WORDS).map(([value, text]) => h("option", { value, text })),
  );
  const studyName = h("span", { class: "mono" });
  const clearStudy = h("button", {
    type: "button",
    class: "button icon-only",
    "aria-label": "Show all studies",
  }, icon("close"));
  const study = h(
    "div",
    { class: "chip study-filter", hidden: true },
    "Study ",
    studyName,
    clearStudy,
  );
  const count = h("p", { class: "muted small count", role: "status", tabindex: "-1" });
  const scope = h("p", { class: "scope small" });
  const buttons = {
    retry: button(LABELS.retry, () => {}, "primary"),
    hold: button(LABELS.hold, () => {}),
    release: button(LABELS.release, () => {}),
    remove: button(LABELS.remove, () => {}, "danger-quiet"),
  };
  const download = h("a", { class: "button", download: "", text: "Download" });
  const all = h("input", { type: "checkbox", "aria-label": "Select all on this page" });
  const tools = h(
    "div",
    { class: "tools", role: "group", "aria-label": "Actions" },
    scope,
    h("div", { class: "row" }, ...Object.values(buttons), download),
  );
  const body = h("tbody", { role: "rowgroup" });
  const heads = ["State", "Destination", "Received", "Tries", "Reason", "Next attempt"];
  const table = h(
    "table",
    { role: "table", class: "list", hidden: true },
    h("caption", { class: "hidden-text", text: "Images in the queue, oldest first" }),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        h("th", { role: "columnheader", scope: "col", class: "tick" }, all),
        ...heads.map((text) => h("th", { role: "columnheader", scope: "col", text })),
        h(
          "th",
          { role: "columnheader", scope: "col" },
          h("span", { class: "hidden-text", text: "Details" }),
        ),
      ),
    ),
    body,
  );
  const previous = button("Previous", () => {});
  const next = button("Next", () => {});
  const pages = h(
    "nav",
    { class: "row end", "aria-label": "Pages of the queue", hidden: true },
    previous,
    next,
  );
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    icon("up"),
    h("p"),
    h("p", { class: "muted" }),
  );
  const element = h(
    "div",
    { class: "page" },
    h("h1", { tabindex: "-1", text: "Queue" }),
    h(
      "div",
      { class: "filters" },
      h(
        "div",
        { class: "field" },
        h("label", { for: "queue-destination", text: "Destination" }),
        destination,
      ),
      h("div", { class: "field" }, h("label", { for: "queue-state", text: "State" }), state),
      study,
      count,
    ),
    tools,
    empty,
    table,
    pages,
  );
  return {
    element,
    tools,
    destination,
    state,
    study,
    studyName,
    clearStudy,
    count,
    scope,
    buttons,
    download,
    all,
    body,
    table,
    previous,
    next,
    pages,
    empty,
  };
}

/*
 * The pages' beginning: who looks, which page is shown, and what stands around every page.
 */

import { aboutPage } from "./about.js";
import { onLoggedOut, post, session } from "./api.js";
import { say } from "./dialog.js";
import { icon, setAttribute, setText, show } from "./dom.js";
import { clock, counted, number } from "./format.js";
import { last, on, start, stop } from "./live.js";
import { logPage } from "./log.js";
import { loginPage } from "./login.js";
import { overviewPage } from "./overview.js";
import { queuePage } from "./queue.js";
import { settingsPage } from "./settings.js";
import { studiesPage } from "./studies.js";
import { now } from "./ticking.js";
import { findings, gist } from "./verdict.js";

const ANNOUNCE_MS = 5000;
const NAME = "DICOM Forwarder";
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const pages = {
  "": overviewPage(),
  studies: studiesPage({ navigate }),
  queue: queuePage({ navigate }),
  log: logPage({ navigate }),
  settings: settingsPage(),
  about: aboutPage(),
};
const login = loginPage(begin);
let shown;
let loggedIn = false;

/** `#/queue?state=failed` to its page and words. */
function route() {
  const [, name = "", query = ""] = /^#\/([a-z]*)(?:\?(.*))?$/.exec(location.hash) ?? [];
  return {
    name: Object.hasOwn(pages, name) ? name : "",
    words: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** Goes to a page; `quietly` where it is the same page with another filter. */
function navigate(name, words, quietly = false) {
  const query = new URLSearchParams(Object.entries(words).filter(([, value]) => value !== ""));
  const text = query.toString();
  const hash = `#/${name}${text === "" ? "" : `?${text}`}`;
  if (location.hash === hash) return;
  // Whoever has gone to another page meanwhile is not called back.
  if (quietly && route().name !== name) return;
  if (quietly) {
    history.replaceState(null, "", hash);
    draw();
  } else location.hash = hash;
}

function draw() {
  if (!loggedIn) return;
  const { name, words } = route();
  const page = pages[name];
  const turned = page !== shown;
  if (turned) put(page);
  for (const link of document.querySelectorAll("nav.main a")) {
    setAttribute(link, "aria-current", link.dataset.page === name ? "page" : null);
  }
  page.enter(words);
  title();
}

function put(page) {
  const first = shown === undefined;
  shown?.leave?.();
  shown = page;
  byId("main").replaceChildren(page.element);
  scrollTo(0, 0);
  // Whoever reads by ear or goes by keyboard begins at the page's heading.
  if (!first) page.element.querySelector("h1")?.focus({ preventScroll: true });
}

function title() {
  const overview = last("overview");
  const connected = last("connection")?.connected ?? true;
  const page = shown?.title ?? "";
  if (!connected) document.title = `? No connection · ${NAME}`;
  else if (overview === undefined || !loggedIn) document.title = `${page} · ${NAME}`;
  else {
    const [first] = findings(overview, now());
    const sign = { ok: "✓", idle: "✓", warn: "!", bad: "✗" }[first.level];
    document.title = `${sign} ${page} · ${NAME}`;
  }
}

function around(overview) {
  title();
  setText(byId("ae-title"), overview.aeTitle);
  const count = overview.failed + overview.queued;
  const badge = byId("queue-count");
  show(badge, count > 0);
  setText(
    badge,
    count < 1000
      ? number(count)
      : count < 10_000
      ? `${(Math.floor(count / 100) / 10).toFixed(1)}k`
      : `${number(Math.floor(count / 1000))}k`,
  );
  setAttribute(badge, "data-level", overview.failed > 0 ? "bad" : null);
  setAttribute(
    badge,
    "title",
    `${counted(overview.queued, "image waits", "images wait")}, ${number(overview.failed)} failed`,
  );
  if (version !== "" && version !== overview.version) {
    say("warn", `The forwarder is now version ${overview.version}: reload this page.`);
  }
  version = overview.version;
}
let version = "";

/** Tells by voice what has changed, but not every figure, and not more often than one can listen. */
let told;
let telling = 0;
function announce(overview) {
  const is = gist(overview);
  if (told === undefined) told = is;
  if (is === told || telling !== 0) return;
  telling = setTimeout(() => {
    telling = 0;
    const latest = last("overview");
    if (latest === undefined || gist(latest) === told) return;
    told = gist(latest);
    setText(
      byId("announce"),
      findings(latest, now()).slice(0, 3).map(({ text }) => text).join(" "),
    );
  }, told === undefined ? 0 : Math.min(ANNOUNCE_MS, 1000));
}

function connection({ connected, since }) {
  document.body.dataset.connection = connected ? "live" : "lost";
  show(byId("lost"), !connected);
  if (!connected) {
    setText(
      byId("lost-text"),
      `No connection to the forwarder since ${
        clock(since)
      }. What is shown is from then. It is tried again by itself.`,
    );
  }
  setText(byId("connection"), connected ? "Live" : "No connection");
  title();
}

function askForPassword() {
  loggedIn = false;
  stop();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  show(byId("main-nav"), false);
  show(byId("live"), false);
  show(byId("logout"), false);
  byId("announce").textContent = "";
  put(login);
  login.enter();
  title();
}

async function begin() {
  let me;
  try {
    me = await session();
  } catch (error) {
    if (error.status !== 0 && error.status !== 401) say("bad", error.message);
    connection({ connected: false, since: Date.now() });
    setTimeout(begin, 2000);
    return;
  }
  connection({ connected: true, since: Date.now() });
  if (!me.authenticated) return askForPassword();
  loggedIn = true;
  show(byId("main-nav"), true);
  show(byId("live"), true);
  show(byId("logout"), me.password);
  start();
  draw();
}

function theme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    // Back to what the system says: then it is followed again.
    if (matchMedia(`(prefers-color-scheme: ${root.dataset.theme})`).matches) {
      localStorage.removeItem("theme");
    } else localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // Storage may be forbidden: it holds for this visit then.
  }
  document.dispatchEvent(new Event("themechange"));
}

for (const place of document.querySelectorAll("[data-icon]")) {
  place.prepend(icon(place.dataset.icon));
}
byId("theme").addEventListener("click", theme);
byId("logout").addEventListener("click", async () => {
  try {
    await post("logout");
  } catch (error) {
    return say("bad", error.message);
  }
  begin();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
addEventListener("hashchange", draw);
onLoggedOut(() => {
  if (loggedIn) begin();
});
on("overview", around);
on("overview", announce);
on("connection", connection);
begin();

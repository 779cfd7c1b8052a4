/*
 * Studies: what comes in and goes out, and the answer to "have you got it, have you sent it?".
 */

import { get } from "./api.js";
import { h, icon, keyed, setAttribute, setText, show } from "./dom.js";
import { bytes, counted, number, part, personName } from "./format.js";
import { last, on } from "./live.js";
import { setTime, time } from "./ticking.js";

const TYPING_MS = 250;
const AGAIN_MS = 3000;
/** A study that had something so lately is still coming in. */
const COMING_MS = 10_000;

export function studiesPage({ navigate }) {
  const title = h("h1", { tabindex: "-1", text: "Studies" });
  const field = h("input", {
    type: "search",
    id: "search",
    maxlength: "64",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "Patient ID, accession number or study UID",
  });
  const active = h("input", { type: "checkbox", id: "active" });
  const form = h(
    "form",
    { class: "filters", role: "search" },
    h("div", { class: "field grow" }, h("label", { for: "search", text: "Search" }), field),
    h("label", { class: "check" }, active, "Only with something still to deliver"),
  );
  const found = h("p", { class: "muted small", role: "status" });
  const list = h("ul", { class: "studies" });
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    icon("studies"),
    h("p"),
    h("p", { class: "muted" }),
  );
  const element = h("div", { class: "page" }, title, form, found, empty, list);

  let typing = 0;
  let again = 0;
  let asked = 0;
  let shown = 0;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(changed, TYPING_MS);
  });
  active.addEventListener("change", changed);

  function changed() {
    navigate("studies", { search: field.value.trim(), active: active.checked ? "true" : "" }, true);
  }

  function isPlain() {
    return field.value.trim() === "" && !active.checked;
  }

  async function load() {
    clearTimeout(again);
    const mine = ++asked;
    try {
      const query = { search: field.value.trim(), active: active.checked, limit: 50 };
      const answer = await get("studies", query);
      if (mine === asked) draw(answer);
    } catch (error) {
      if (mine === asked && error.status !== 401) setText(found, error.message);
    }
    clearTimeout(again);
    if (!isPlain() && element.isConnected) again = setTimeout(poll, AGAIN_MS);
  }

  function poll() {
    if (!element.isConnected) return;
    if (document.hidden) again = setTimeout(poll, AGAIN_MS);
    else load();
  }

  function draw({ studies, complete }) {
    shown++;
    keyed(list, studies, ({ id }) => id, studyRow);
    show(empty, studies.length === 0);
    const [first, second] = empty.querySelectorAll("p");
    if (isPlain()) {
      setText(first, "No study yet");
      setText(second, "Studies turn up here as soon as their first image is received.");
      setText(
        found,
        studies.length === 0 ? "" : `The latest ${counted(studies.length, "study", "studies")}`,
      );
    } else {
      setText(first, "No study matches");
      setText(
        second,
        "What was delivered long ago is no longer listed here. On the machine itself, " +
          "dicomforwarder prove STUDY-UID looks it up in the ledger.",
      );
      setText(
        found,
        studies.length === 0 ? "" : counted(studies.length, "study matches", "studies match") +
          (complete ? "" : "; there may be older ones"),
      );
    }
  }

  on("studies", (list) => {
    if (element.isConnected && isPlain() && shown > 0) draw(list);
  });

  return {
    title: "Studies",
    element,
    enter({ search = "", active: only = "" }) {
      if (field.value.trim() !== search) field.value = search;
      active.checked = only === "true";
      const known = last("studies");
      if (isPlain() && known !== undefined) draw(known);
      load();
    },
    leave() {
      clearTimeout(again);
      clearTimeout(typing);
    },
  };
}

function studyRow(study) {
  const id = `study-${study.id}`;
  const name = h("h2", { id, class: "wrap" });
  const facts = h("dl", { class: "study-facts" });
  const fact = (label, kind = "") => {
    const value = h("dd", { class: `wrap ${kind}` });
    const row = h("div", {}, h("dt", { text: label }), value);
    facts.append(row);
    return (text) => {
      setText(value, text);
      show(row, text !== "");
    };
  };
  const patient = fact("Patient ID");
  const accession = fact("Accession");
  const modality = fact("Modality");
  const from = fact("From");
  const uid = fact("Study UID", "mono");
  const seen = time("ago");
  const coming = h("span", { class: "chip ok" }, "Receiving");
  const received = h("span");
  const link = h("a", { href: `#/queue?study=${study.id}` });
  const linkPart = h("span", {}, " · ", link);
  const bars = h("ul", { class: "bars" });
  const element = h(
    "li",
    { class: "card study" },
    h(
      "article",
      { "aria-labelledby": id },
      h(
        "div",
        { class: "card-head" },
        name,
        h("p", { class: "small muted" }, coming, " ", "Last image ", seen),
      ),
      facts,
      h("p", { class: "small" }, received, linkPart),
      bars,
    ),
  );
  return {
    element,
    update(value) {
      const { identification: who, destinations } = value;
      const shownName = who === null ? "" : personName(who.patientName);
      setText(name, shownName !== "" ? shownName : who?.patientId || `Study ${value.id}`);
      patient(who?.patientId ?? "");
      accession(who?.accessionNumber ?? "");
      modality(who?.modality ?? "");
      uid(who?.studyInstanceUid ?? "");
      from(value.from);
      setTime(seen, value.last);
      const now = last("overview")?.now ?? Date.now();
      show(coming, now - value.last < COMING_MS);
      setText(
        received,
        `${counted(value.received, "image")} received (${bytes(value.receivedBytes)})`,
      );
      const open = destinations.reduce(
        (sum, one) => sum + Math.max(0, one.wanted - one.delivered),
        0,
      );
      setText(link, `${number(open)} in the queue`);
      show(linkPart, open > 0);
      keyed(bars, destinations, (one) => one.name, progressRow);
    },
  };
}

function progressRow({ name }) {
  const fill = h("span");
  const bad = h("span", { class: "bad" });
  const bar = h(
    "div",
    {
      class: "bar",
      role: "progressbar",
      "aria-valuemin": "0",
      "aria-label": `Delivered to ${name}`,
    },
    fill,
    bad,
  );
  const words = h("span", { class: "small figure" });
  const element = h("li", {}, h("span", { class: "small bar-name", text: name }), bar, words);
  return {
    element,
    update({ wanted, delivered, failed }) {
      fill.style.width = `${part(delivered, wanted) * 100}%`;
      bad.style.width = `${part(failed, wanted) * 100}%`;
      setAttribute(bar, "aria-valuemax", wanted);
      setAttribute(bar, "aria-valuenow", Math.min(delivered, wanted));
      const text = delivered >= wanted && wanted > 0
        ? `${number(wanted)} delivered`
        : `${number(delivered)} of ${number(wanted)} delivered`;
      setText(words, failed > 0 ? `${text}, ${number(failed)} failed` : text);
      setAttribute(bar, "aria-valuetext", words.textContent);
      setAttribute(
        element,
        "data-level",
        failed > 0 ? "bad" : delivered >= wanted ? "ok" : null,
      );
    },
  };
}

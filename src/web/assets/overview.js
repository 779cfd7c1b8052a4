/*
 * The first page: one sentence on how it is, then throughput, destinations, and the machine.
 */

import { destinationCard } from "./destination_card.js";
import { h, icon, keyed, setAttribute, setIcon, setText, show } from "./dom.js";
import { bytes, counted, latency, number, part } from "./format.js";
import { last, on } from "./live.js";
import { Plot } from "./plot.js";
import { now, onTick, setTime, time } from "./ticking.js";
import { findings } from "./verdict.js";

/** @returns {{title: string, element: HTMLElement, enter: () => void}} */
export function overviewPage() {
  const verdict = verdictPanel();
  const alarms = alarmsPanel();
  const plot = new Plot();
  const cards = h("div", { class: "cards" });
  const machine = machinePanel();
  const element = h(
    "div",
    { class: "page" },
    verdict.element,
    alarms.element,
    h(
      "section",
      { "aria-labelledby": "destinations-title" },
      h("h2", { id: "destinations-title", text: "Destinations" }),
      cards,
    ),
    plot.element,
    machine.element,
  );

  function update(overview) {
    if (!element.isConnected) return;
    verdict.update(overview);
    alarms.update(overview.alarms);
    keyed(cards, overview.destinations, ({ name }) => name, (destination) => {
      const card = destinationCard(destination);
      return { element: card.element, update: (value) => card.update(value, last("overview")) };
    });
    machine.update(overview);
  }

  on("overview", update);
  on("throughput", (told) => plot.update(told));
  onTick(() => {
    if (element.isConnected && last("overview") !== undefined) verdict.update(last("overview"));
  });
  return {
    title: "Overview",
    element,
    enter() {
      if (last("overview") !== undefined) update(last("overview"));
      // After the rest has been painted.
      requestAnimationFrame(() => setTimeout(() => plot.load().catch(() => {}), 0));
    },
  };
}

function verdictPanel() {
  const mark = icon("untried");
  const title = h("h1", { tabindex: "-1", text: "Looking …" });
  const advice = h("p", { class: "advice" });
  const link = h("a", {});
  const linkPart = h("p", {}, link);
  const rest = h("ul", { class: "more-findings" });
  const element = h(
    "section",
    { class: "verdict", "data-level": "idle", "aria-label": "How it is" },
    mark,
    h("div", {}, title, advice, linkPart, rest),
  );
  return {
    element,
    update(overview) {
      const [first, ...others] = findings(overview, now());
      setAttribute(element, "data-level", first.level);
      setIcon(mark, first.icon);
      setText(title, first.text);
      setText(advice, first.advice ?? "");
      show(advice, (first.advice ?? "") !== "");
      show(linkPart, first.link !== undefined);
      if (first.link !== undefined) {
        setAttribute(link, "href", first.link.href);
        setText(link, first.link.label);
      }
      show(rest, others.length > 0);
      keyed(
        rest,
        others,
        (finding) => `${finding.icon} ${finding.text.slice(0, 12)}`,
        otherFinding,
      );
    },
  };
}

function otherFinding() {
  const mark = icon("down");
  const text = h("span");
  const link = h("a");
  const element = h("li", {}, mark, h("span", {}, text, " ", link));
  return {
    element,
    update(finding) {
      setAttribute(element, "data-level", finding.level);
      setIcon(mark, finding.icon);
      setText(text, finding.text);
      setAttribute(link, "href", finding.link?.href ?? null);
      setText(link, finding.link?.label ?? "");
    },
  };
}

function alarmsPanel() {
  const list = h("ul", { class: "alarms" });
  const element = h(
    "section",
    { class: "panel", "aria-labelledby": "alarms-title", hidden: true },
    h("h2", { id: "alarms-title", text: "Alarms" }),
    list,
  );
  return {
    element,
    update(alarms) {
      show(element, alarms.length > 0);
      keyed(list, alarms, ({ key }) => key, () => {
        const mark = icon("down");
        const severity = h("b");
        const text = h("span", { class: "wrap" });
        const since = time("ago");
        const row = h(
          "li",
          {},
          mark,
          h("span", {}, severity, " ", text, " ", h("span", { class: "muted small" }, since)),
        );
        return {
          element: row,
          update(alarm) {
            const critical = alarm.severity === "critical";
            setAttribute(row, "data-level", critical ? "bad" : "warn");
            setIcon(mark, critical ? "down" : "misconfigured");
            setText(severity, critical ? "Critical:" : "Warning:");
            setText(text, alarm.text);
            setTime(since, alarm.since);
          },
        };
      });
    },
  };
}

function machinePanel() {
  const fill = h("span");
  const mark = h("i");
  const bar = h(
    "div",
    {
      class: "bar disk",
      role: "meter",
      "aria-label": "Free disk above the reserve",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    },
    fill,
    mark,
  );
  const disk = h("p");
  const rows = h("dl", { class: "facts" });
  const facts = {};
  for (
    const label of [
      "Received",
      "Associations",
      "Turned away",
      "Held for their study",
      "Disk sync, last minute",
      "Damaged",
      "Missing",
      "Running",
    ]
  ) {
    const value = h("dd");
    facts[label] = value;
    rows.append(h("div", {}, h("dt", { text: label }), value));
  }
  const up = time("for", "");
  facts.Running.append(up);
  const element = h(
    "section",
    { class: "panel", "aria-labelledby": "machine-title" },
    h("h2", { id: "machine-title", text: "This machine" }),
    h(
      "div",
      { class: "machine" },
      h("div", { class: "disk-part" }, h("h3", { text: "Free on the spool's disk" }), bar, disk),
      rows,
    ),
  );
  return {
    element,
    update(overview) {
      const { free, reserve, refuses, syncMedian, syncP99 } = overview.disk;
      // The bar ends at ten reserves: what matters is how near the reserve is.
      const most = Math.max(reserve * 10, 1);
      const filled = free === null ? 0 : part(free, most);
      fill.style.width = `${filled * 100}%`;
      mark.style.left = `${part(reserve, most) * 100}%`;
      const level = refuses !== null || (free !== null && free < reserve)
        ? "bad"
        : free !== null && free < reserve * 2
        ? "warn"
        : "ok";
      setAttribute(bar, "data-level", level);
      setAttribute(bar, "aria-valuenow", Math.round(filled * 100));
      const word = { ok: "", warn: "Getting short: ", bad: "Too little: " }[level];
      const said = free === null
        ? "How much is free is not known."
        : `${word}${bytes(free)} free; below ${bytes(reserve)} nothing new is accepted.`;
      setText(disk, said);
      setAttribute(bar, "aria-valuetext", said);
      setText(
        facts.Received,
        `${counted(overview.received, "image")} (${bytes(overview.receivedBytes)})`,
      );
      setText(facts.Associations, `${number(overview.associations)} open`);
      setText(
        facts["Turned away"],
        `${counted(overview.refused, "image")}, ${counted(overview.rejected, "association")}`,
      );
      setText(facts["Held for their study"], number(overview.heldForStudy));
      setText(
        facts["Disk sync, last minute"],
        syncMedian === null || syncP99 === null
          ? "none"
          : `median ${latency(syncMedian)}, p99 ${latency(syncP99)}`,
      );
      setText(facts.Damaged, number(overview.corrupt));
      setText(
        facts.Missing,
        overview.missing === null ? "not known yet" : number(overview.missing),
      );
      setTime(up, overview.started);
    },
  };
}

/*
 * What runs here, and where machines look at it.
 */

import { h, setText } from "./dom.js";
import { on } from "./live.js";
import { setTime, time } from "./ticking.js";

const LINKS = [
  [
    "/api/v1/openapi.json",
    "Description of the HTTP API (OpenAPI)",
    "Everything on these pages can be asked for and done by scripts.",
  ],
  ["/metrics", "Metrics for Prometheus", "Counters, gauges and histograms."],
  ["/healthz", "Is it alive?", "200 as long as it runs."],
  [
    "/readyz",
    "Is it ready?",
    "200 while it listens, its spool can be written and its disk has room; else why not.",
  ],
];

export function aboutPage() {
  const version = h("dd");
  const aeTitle = h("dd", { class: "mono" });
  const listening = h("dd", { class: "mono wrap" });
  const started = time("ago");
  const element = h(
    "div",
    { class: "page" },
    h("h1", { tabindex: "-1", text: "About" }),
    h(
      "section",
      { class: "panel" },
      h("h2", { text: "DICOM Forwarder" }),
      h("p", {
        text:
          "Receives images, puts them safely on the disk, and forwards them until they have arrived.",
      }),
      h(
        "dl",
        { class: "facts one" },
        h("div", {}, h("dt", { text: "Version" }), version),
        h("div", {}, h("dt", { text: "AE title" }), aeTitle),
        h("div", {}, h("dt", { text: "Listening on" }), listening),
        h("div", {}, h("dt", { text: "Started" }), h("dd", {}, started)),
      ),
    ),
    h(
      "section",
      { class: "panel" },
      h("h2", { text: "For machines" }),
      h(
        "ul",
        { class: "links" },
        ...LINKS.map(([href, text, more]) =>
          h("li", {}, h("a", { href, text }), h("p", { class: "muted small", text: more }))
        ),
      ),
    ),
  );
  on("overview", (overview) => {
    setText(version, overview.version);
    setText(aeTitle, overview.aeTitle);
    setText(listening, overview.listening.join(", ") || "nothing");
    setTime(started, overview.started);
  });
  return { title: "About", element, enter() {} };
}

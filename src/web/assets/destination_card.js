/*
 * One destination: how it is and why, what waits for it, and what can be done about it.
 */

import { ageBars } from "./age_bars.js";
import { path, post } from "./api.js";
import { during, say } from "./dialog.js";
import { button, h, icon, setAttribute, setIcon, setText, show } from "./dom.js";
import { bytes, counted, latency, number } from "./format.js";
import { setTime, time } from "./ticking.js";
import { advice, stateIcon, stateWord } from "./verdict.js";

/** @returns {{element: HTMLElement, update: (destination: any, overview: any) => void}} */
export function destinationCard({ name }) {
  const id = `destination-${name}`;
  const mark = icon("up");
  const word = h("span");
  const since = time("for", "");
  const sincePart = h("span", {}, "For ", since, ". ");
  const state = h("p", { class: "state" }, mark, word);
  const what = h("p", { class: "muted small wrap" });
  const reason = h("p", { class: "wrap" });
  const next = time("until", "");
  const tries = h("span");
  const nextPart = h("span", {}, "Next attempt ", h("b", {}, next), ". ");
  const lastTry = time("ago", "");
  const lastTryPart = h("span", {}, " Last tried ", lastTry, ".");
  const when = h("p", { class: "small" }, sincePart, nextPart, tries, lastTryPart);
  const hint = h("p", { class: "small muted" });
  const why = h("div", { class: "why" }, reason, hint, when);
  const answer = h("span", { class: "wrap" });
  const answerAt = time("ago", "");
  const answerSince = h("span", {}, " · ", answerAt);
  const answered = h("p", { class: "small muted" }, "Last answer: ", answer, answerSince);
  const figures = {
    queued: figure("Waiting", `#/queue?destination=${encodeURIComponent(name)}&state=queued`),
    oldest: figure("Oldest"),
    failed: figure("Failed", `#/queue?destination=${encodeURIComponent(name)}&state=failed`),
    held: figure("Held", `#/queue?destination=${encodeURIComponent(name)}&state=held`),
  };
  const oldest = time("for");
  figures.oldest.value.replaceChildren(oldest);
  const ages = ageBars();
  const delivered = h("p", { class: "small muted" });
  const result = h("div", { class: "test-result", "aria-live": "polite", hidden: true });

  const test = button(
    "Test",
    () =>
      during(test, async () => {
        show(result, true);
        result.className = "test-result";
        result.replaceChildren(h("p", { text: "Testing the connection …" }));
        try {
          showResult(result, await post(path("destinations", name, "test")));
        } catch (error) {
          show(result, false);
          throw error;
        }
      }),
    "",
    { "aria-label": `Test the connection to ${name}` },
  );
  const pause = button("Pause", () =>
    during(pause, async () => {
      const verb = pause.dataset.verb;
      await post(path("destinations", name, verb));
      say(
        "ok",
        verb === "pause" ? `${name} is paused: nothing is sent to it.` : `${name} is resumed.`,
      );
    }), "");
  const tryNow = button(
    "Try now",
    () =>
      during(tryNow, async () => {
        await post(path("destinations", name, "try"));
        say("ok", `${name} is tried at once.`);
      }),
    "primary",
    { "aria-label": `Try ${name} now` },
  );

  const element = h(
    "article",
    { class: "card", "aria-labelledby": id },
    h(
      "div",
      { class: "card-part" },
      h("div", { class: "card-head" }, h("h3", { id, text: name }), state),
      what,
      why,
    ),
    h(
      "div",
      { class: "card-part" },
      h("dl", { class: "figures" }, ...Object.values(figures).map(({ element }) => element)),
      ages.element,
      answered,
      delivered,
      result,
      h("div", { class: "row card-buttons" }, test, pause, tryNow),
    ),
  );

  function update(destination, overview) {
    const shape = stateIcon(destination);
    setAttribute(element, "data-state", shape);
    setAttribute(state, "data-state", shape);
    setIcon(mark, shape);
    setText(word, stateWord(destination));
    setTime(since, destination.since);
    show(sincePart, destination.since !== null);
    setText(what, destination.description);
    setText(reason, destination.reason);
    setText(hint, destination.state === "paused" ? "" : advice(destination.reason, overview, name));
    show(hint, hint.textContent !== "");
    setTime(next, destination.nextAttempt);
    setText(
      tries,
      destination.attempts > 0 ? `${counted(destination.attempts, "attempt")} failed.` : "",
    );
    show(nextPart, destination.nextAttempt !== null);
    show(why, destination.state !== "up");
    // Its reason says the same already.
    const repeats = destination.state !== "up" && destination.lastAnswer === destination.reason;
    show(answered, !repeats);
    show(lastTryPart, repeats && destination.lastAnswerAt !== null);
    setTime(lastTry, destination.lastAnswerAt);
    setText(answer, destination.lastAnswer || "none since the start");
    setTime(answerAt, destination.lastAnswerAt);
    show(answerSince, destination.lastAnswerAt !== null);
    figures.queued.set(destination.queued);
    figures.failed.set(destination.failed, "bad");
    figures.held.set(destination.held, "warn");
    setTime(oldest, destination.oldest);
    ages.update(destination.ages);
    const open = destination.sessions === 0 ? "" : ` · ${counted(destination.sessions, "session")}`;
    setText(
      delivered,
      `Delivered: ${counted(destination.delivered, "image")} (${
        bytes(destination.deliveredBytes)
      })${open}`,
    );
    const paused = destination.state === "paused";
    pause.dataset.verb = paused ? "resume" : "pause";
    setText(pause, paused ? "Resume" : "Pause");
    setAttribute(pause, "aria-label", `${paused ? "Resume" : "Pause"} ${name}`);
    show(tryNow, destination.state === "down" || destination.state === "misconfigured");
  }

  return { element, update };
}

/** A test's findings. */
export function showResult(place, { ok, lines, duration }) {
  place.className = `test-result ${ok ? "ok" : "bad"}`;
  place.replaceChildren(
    h(
      "p",
      { class: "state", "data-state": ok ? "up" : "down" },
      icon(ok ? "up" : "down"),
      h("span", { text: `${ok ? "The test passed" : "The test failed"} (${latency(duration)})` }),
    ),
    h("ul", {}, ...lines.map((line) => h("li", { class: "wrap", text: line }))),
  );
}

function figure(label, href = "") {
  const value = h(href === "" ? "span" : "a", { class: "figure", ...(href !== "" && { href }) });
  const element = h("div", {}, h("dt", { text: label }), h("dd", {}, value));
  return {
    element,
    value,
    set(count, level = "") {
      setText(value, number(count));
      setAttribute(element, "data-level", count > 0 ? level : null);
      if (href !== "") setAttribute(value, "href", count > 0 ? href : null);
    },
  };
}

/*
 * How long what waits has waited, as bars: a burst that comes through stands on the left, a backlog that nobody attends to
 * grows on the right.
 */

import { h, setText, show } from "./dom.js";
import { number } from "./format.js";

/** The server's classes. */
const LIMITS = ["5 min", "15 min", "1 h", "4 h", "1 day"];

/** @returns {{element: HTMLElement, update: (ages: readonly number[]) => void}} */
export function ageBars() {
  const bars = [...LIMITS, ""].map((limit) => {
    const count = h("span", { class: "age-count" });
    const fill = h("span", { class: "age-fill" });
    const isLast = limit === "";
    const words = isLast ? `longer than ${LIMITS.at(-1)}` : `up to ${limit}`;
    const label = isLast ? `> ${LIMITS.at(-1)}` : `≤ ${limit}`;
    const element = h(
      "li",
      {},
      count,
      h("span", { class: "age-bar", "aria-hidden": "true" }, fill),
      h(
        "span",
        { class: "age-label" },
        h("span", { class: "hidden-text", text: words }),
        h("span", { "aria-hidden": "true", text: label }),
      ),
    );
    return { element, count, fill };
  });
  const element = h(
    "div",
    { class: "ages" },
    h("p", { class: "small muted", text: "Waiting for" }),
    h("ol", {}, ...bars.map(({ element }) => element)),
  );
  return {
    element,
    update(ages) {
      const most = Math.max(...ages);
      show(element, most > 0);
      for (const [n, { count, fill }] of bars.entries()) {
        setText(count, ages[n] > 0 ? number(ages[n]) : "");
        // Whatever there is shows.
        const height = ages[n] === 0 ? 0 : Math.max(8, ages[n] / most * 100);
        fill.style.height = `${height}%`;
      }
    },
  };
}

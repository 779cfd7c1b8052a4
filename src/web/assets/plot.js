/*
 * The plot of what comes in and goes out, of the last ten minutes. The plotting library is fetched when the rest of the page
 * stands. In and out differ by the dash of their line as well as by colour.
 */

import { h, setAttribute, setText } from "./dom.js";
import { bytes, clock, number, rate } from "./format.js";
import { columns, KEPT_MS, latestRates, merge } from "./steps.js";

const HEIGHT = 190;
const LIBRARY = "/assets/uplot.js";

/** What can be plotted: which values, and how a rate is said. */
const MEASURES = {
  instances: {
    label: "Images/s",
    received: "receivedInstances",
    delivered: "deliveredInstances",
    say: (value) => `${rate(value)} /s`,
    axis: (value) => number(value),
    least: 5,
    steps: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
  },
  bytes: {
    label: "MB/s",
    received: "receivedBytes",
    delivered: "deliveredBytes",
    say: (value) => `${bytes(value)}/s`,
    axis: (value) => value === 0 ? "0" : bytes(value),
    least: 1e6,
    steps: [1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9],
  },
};

export class Plot {
  #known = new Map();
  #step = 1000;
  #measure = "instances";
  #library;
  #plot;
  #drawn = [[], [], []];
  #spoken = 0;

  constructor() {
    this.value = {
      received: h("b", { class: "figure", text: "–" }),
      delivered: h("b", { class: "figure", text: "–" }),
    };
    this.at = h("span", { class: "muted", text: "10 s average" });
    this.picture = h("div", {
      class: "plot",
      role: "img",
      "aria-label": "Throughput: nothing known yet",
    });
    const choices = Object.entries(MEASURES).map(([name, { label }]) =>
      h("button", {
        type: "button",
        class: "segment",
        text: label,
        "aria-pressed": String(name === this.#measure),
        "data-measure": name,
        on: { click: () => this.#choose(name) },
      })
    );
    this.choices = h(
      "div",
      { class: "segments", role: "group", "aria-label": "Unit of the plot" },
      ...choices,
    );
    this.element = h(
      "section",
      { class: "panel", "aria-labelledby": "throughput-title" },
      h(
        "div",
        { class: "panel-head" },
        h("h2", { id: "throughput-title", text: "Throughput" }),
        h(
          "p",
          { class: "legend" },
          h("span", { class: "key in" }, h("i"), "In ", this.value.received),
          h("span", { class: "key out" }, h("i"), "Out ", this.value.delivered),
          this.at,
        ),
        this.choices,
      ),
      this.picture,
    );
    new ResizeObserver(() => this.#resize()).observe(this.picture);
    document.addEventListener("themechange", () => this.#make());
  }

  /** Takes what the forwarder tells. */
  update(told) {
    this.#step = told.step;
    merge(this.#known, told);
    this.#draw();
  }

  /** Fetches the library, and draws. */
  async load() {
    if (this.#library !== undefined) return;
    this.#library = (await import(LIBRARY)).default;
    this.#make();
  }

  #choose(name) {
    this.#measure = name;
    for (const choice of this.choices.children) {
      setAttribute(choice, "aria-pressed", String(choice.dataset.measure === name));
    }
    this.#make();
  }

  #draw() {
    if (document.hidden || !this.element.isConnected) return;
    this.#drawn = columns(this.#known, this.#step, this.#measure);
    const [received, delivered] = latestRates(this.#drawn);
    this.#legend(received, delivered);
    const { say } = MEASURES[this.#measure];
    // Read out when asked for; changed seldom, so that nobody is talked over.
    if (Date.now() - this.#spoken > 10_000) {
      this.#spoken = Date.now();
      setAttribute(
        this.picture,
        "aria-label",
        `Throughput of the last ten minutes. Now in ${say(received)}, out ${say(delivered)}.`,
      );
    }
    this.#plot?.setData(this.#drawn, false);
    this.#plot?.setScale("x", this.#range());
  }

  #legend(received, delivered) {
    if (this.#plot?.cursor.idx !== undefined && this.#plot?.cursor.idx !== null) {
      return this.#pointed();
    }
    const { say } = MEASURES[this.#measure];
    setText(this.value.received, say(received));
    setText(this.value.delivered, say(delivered));
    setText(this.at, "10 s average");
  }

  #pointed() {
    const { idx } = this.#plot.cursor;
    if (idx === undefined || idx === null) return this.#legend(...latestRates(this.#drawn));
    const { say } = MEASURES[this.#measure];
    const [times, received, delivered] = this.#plot.data;
    setText(this.value.received, say(received[idx] ?? 0));
    setText(this.value.delivered, say(delivered[idx] ?? 0));
    setText(this.at, `at ${clock((times[idx] ?? 0) * 1000)}`);
  }

  #range() {
    const end = this.#drawn[0].at(-1) ?? Date.now() / 1000;
    return { min: end - KEPT_MS / 1000, max: end };
  }

  #resize() {
    if (this.#plot === undefined) return;
    const width = this.picture.clientWidth;
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #make() {
    if (this.#library === undefined) return;
    this.#plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const { axis, least, steps } = MEASURES[this.#measure];
    this.#drawn = columns(this.#known, this.#step, this.#measure);
    const grid = { stroke: colour("--line"), width: 1 };
    const lines = { font, stroke: colour("--muted"), grid, ticks: { show: false } };
    this.#plot = new this.#library(
      {
        width: this.picture.clientWidth || 300,
        height: HEIGHT,
        padding: [10, 4, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: {
          x: { time: true, auto: false, ...this.#range() },
          y: { range: (_, __, most) => [0, Math.max(least, most * 1.1)] },
        },
        axes: [
          {
            ...lines,
            grid: { show: false },
            size: 28,
            space: 90,
            values: (_, at) => at.map((s) => clock(s * 1000).slice(0, 5)),
          },
          { ...lines, size: 64, space: 36, incrs: steps, values: (_, at) => at.map(axis) },
        ],
        series: [
          {},
          {
            stroke: colour("--in"),
            fill: colour("--in-fill"),
            width: 1.75,
            points: { show: false },
          },
          { stroke: colour("--out"), width: 1.75, dash: [5, 3], points: { show: false } },
        ],
        hooks: { setCursor: [() => this.#pointed()] },
      },
      this.#drawn,
      this.picture,
    );
    this.#draw();
  }
}

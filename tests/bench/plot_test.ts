/* The drawings of the benchmark: what stands where, and that a reader of SVG can read them. */

import assert from "node:assert/strict";
import type { Figure } from "../../bench/figure.ts";
import { linePlot } from "../../bench/line_plot.ts";
import { linearScale, logScale, tickText } from "../../bench/plot_scale.ts";

const FIGURE: Figure = {
  name: "queue",
  title: "Start & listening <by> entries",
  x: { label: "entries", unit: "entries" },
  y: { label: "time", unit: "s" },
  series: [
    { name: "start", points: [[0, 0.3], [1000, 0.4], [100_000, 1], [1_000_000, 9]] },
    { name: "an instance", points: [[0, 0.1], [1000, null], [100_000, 0.1], [1_000_000, 0.1]] },
  ],
};

/** The lines' paths, in the order of the series. */
function paths(svg: string): string[] {
  return [...svg.matchAll(/class="c\d line"[^>]* d="([^"]*)"/g)].map((found) => found[1]!);
}

Deno.test("a logarithmic scale gives each factor of ten the same length", () => {
  const scale = logScale([1, 10, 1000], 0, 300, false);
  assert.deepEqual([1, 10, 100, 1000].map((value) => Math.round(scale.at(value))), [
    ...[0, 100, 200, 300],
  ]);
});

Deno.test("a 0 on a logarithmic scale stands apart from the least value, and is written", () => {
  const scale = logScale([0, 10, 100], 0, 200, false);
  assert.deepEqual([0, 10, 100].map((value) => Math.round(scale.at(value))), [0, 100, 200]);
  assert.equal(scale.ticks[0], 0);
});

Deno.test("values that hardly differ lie nearly flat on a logarithmic axis", () => {
  const scale = logScale([92, 97], 0, 300, true);
  assert.ok(Math.abs(scale.at(97) - scale.at(92)) < 10);
  assert.ok(scale.ticks.length >= 3, scale.ticks.join());
});

Deno.test("a linear scale begins at 0 and ends at a round number above all values", () => {
  const { ticks, at } = linearScale([3, 133], 300, 0);
  assert.deepEqual(ticks, [0, 50, 100, 150]);
  assert.deepEqual([at(0), at(150)], [300, 0]);
});

Deno.test("bytes are written with their unit, large numbers with commas", () => {
  assert.deepEqual(
    [tickText(526_000, "bytes"), tickText(4e9, "bytes"), tickText(1_000_000, "entries")],
    ["526 KB", "4 GB", "1,000,000"],
  );
});

Deno.test("a value that could not be measured is a gap, not a point at 0", () => {
  const [whole, broken] = paths(linePlot(FIGURE));
  assert.equal(whole!.match(/[ML]/g)!.join(""), "MLLL");
  assert.equal(broken!.match(/[ML]/g)!.join(""), "MML");
});

Deno.test("every place of a drawing is a number", () => {
  const figures: Figure[] = [
    FIGURE,
    { ...FIGURE, series: [] },
    { ...FIGURE, linearY: true },
    { ...FIGURE, series: [{ name: "one", points: [[5, 5]] }] },
    { ...FIGURE, series: [{ name: "none", points: [[5, null]] }] },
    { ...FIGURE, series: [{ name: "zero", points: [[1, 0], [2, 0]] }] },
  ];
  for (const figure of figures) {
    assert.doesNotMatch(linePlot(figure), /NaN|Infinity|undefined/, JSON.stringify(figure.series));
  }
});

Deno.test("names with marks of XML are text in a drawing, not marks", () => {
  const svg = linePlot({ ...FIGURE, series: [{ name: 'a<b&"c"', points: [[1, 1]] }] });
  assert.match(svg, /Start &amp; listening &lt;by&gt; entries/);
  assert.match(svg, /a&lt;b&amp;&quot;c&quot;/);
});

Deno.test("a drawing loads nothing from elsewhere and runs no script", () => {
  const svg = linePlot(FIGURE).replace('xmlns="http://www.w3.org/2000/svg"', "");
  assert.doesNotMatch(svg, /https?:|<script|@import|@font-face|href/);
  assert.match(svg, /prefers-color-scheme:dark/);
});

/*
 * A figure as a line plot. Pure.
 *
 * Logarithmic in both directions unless the figure says otherwise: what grows as its cause does is a straight line of one
 * slope there, and what bends upward is seen. A value that could not be measured is a gap in its line. Where not all
 * values are above 0, y is linear.
 */

import type { Figure, Series } from "./figure.ts";
import { axisText, linearScale, logScale, type Scale, tickText } from "./plot_scale.ts";
import { colourClass, px, svgCard, textAt, textWidth } from "./svg.ts";

const WIDTH = 760;
const LEFT = 84;
const RIGHT = 28;
const TOP = 48;
const PLOT_HEIGHT = 300;
const BELOW_AXIS = 48;
const LEGEND_ROW = 22;
const SIZE = 12;
/** So many different x or fewer are written each where they stand. */
const FEW_X = 9;

/** Draws a figure as SVG. */
export function linePlot(figure: Figure): string {
  const bottom = TOP + PLOT_HEIGHT;
  const points = figure.series.flatMap((series) => series.points);
  const ys = points.map(([, y]) => y).filter((y) => y !== null);
  const x = xScale(points.map(([value]) => value));
  const y = figure.linearY === true || ys.some((value) => value <= 0)
    ? linearScale(ys, bottom, TOP)
    : logScale(ys, bottom, TOP, true);
  const legend = legendOf(figure.series, bottom + BELOW_AXIS + LEGEND_ROW);
  return svgCard(WIDTH, bottom + BELOW_AXIS + legend.rows * LEGEND_ROW + 18, figure.title, [
    textAt(20, 28, figure.title, { style: "h" }),
    ...gridY(y, figure),
    ...axisX(x, bottom, figure),
    `<path class="axis" fill="none" d="M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}"/>`,
    ...figure.series.map((series, n) => lineOf(series, n, x, y)),
    ...legend.parts,
  ]);
}

function xScale(values: readonly number[]): Scale {
  const different = [...new Set(values)].sort((a, b) => a - b);
  const scale = different.some((value) => value < 0)
    ? linearScale(different, LEFT + 16, WIDTH - RIGHT - 16)
    : logScale(different, LEFT + 16, WIDTH - RIGHT - 16, false);
  return different.length > 0 && different.length <= FEW_X
    ? { at: scale.at, ticks: different }
    : scale;
}

function gridY(scale: Scale, { y }: Figure): string[] {
  const middle = TOP + PLOT_HEIGHT / 2;
  const name = textAt(0, 0, axisText(y), { anchor: "middle", style: "m" });
  return [
    `<g transform="translate(24 ${middle}) rotate(-90)">${name}</g>`,
    ...scale.ticks.flatMap((tick) => {
      const at = px(scale.at(tick));
      return [
        `<path class="grid" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/>`,
        textAt(LEFT - 8, scale.at(tick) + 4, tickText(tick, y.unit), { anchor: "end" }),
      ];
    }),
  ];
}

function axisX(scale: Scale, bottom: number, { x }: Figure): string[] {
  const parts = [
    textAt((LEFT + WIDTH - RIGHT) / 2, bottom + 42, axisText(x), { anchor: "middle", style: "m" }),
  ];
  let taken = -Infinity;
  for (const tick of scale.ticks) {
    const at = scale.at(tick);
    const text = tickText(tick, x.unit);
    const half = textWidth(text, SIZE) / 2;
    parts.push(`<path class="axis" d="M${px(at)} ${bottom}v5"/>`);
    // A number that would run into the one before it is left out; its stroke stays.
    if (at - half < taken) continue;
    parts.push(textAt(at, bottom + 20, text, { anchor: "middle" }));
    taken = at + half + 6;
  }
  return parts;
}

function lineOf(series: Series, n: number, x: Scale, y: Scale): string {
  let path = "";
  let drawing = false;
  const marks: string[] = [];
  for (const [atX, atY] of series.points) {
    if (atY === null) {
      drawing = false;
      continue;
    }
    const [left, top] = [x.at(atX), y.at(atY)];
    path += `${drawing ? "L" : "M"}${px(left)} ${px(top)}`;
    marks.push(mark(left, top, n));
    drawing = true;
  }
  const colour = colourClass(n);
  return `<g class="${colour}"><path class="${colour} line" stroke-width="2" ` +
    `stroke-linejoin="round" d="${path}"/>${marks.join("")}</g>`;
}

/** Shapes differ as well as colours, for who cannot tell the colours or prints in grey. */
function mark(x: number, y: number, n: number): string {
  const at = (dx: number, dy: number) => `${px(x + dx)} ${px(y + dy)}`;
  switch (n % 4) {
    case 0:
      return `<circle cx="${px(x)}" cy="${px(y)}" r="3.5"/>`;
    case 1:
      return `<path d="M${at(-3.5, -3.5)}h7v7h-7z"/>`;
    case 2:
      return `<path d="M${at(0, -4.5)}L${at(4.5, 3.5)}L${at(-4.5, 3.5)}z"/>`;
    default:
      return `<path d="M${at(0, -5)}L${at(5, 0)}L${at(0, 5)}L${at(-5, 0)}z"/>`;
  }
}

function legendOf(
  series: readonly Series[],
  top: number,
): { readonly parts: string[]; readonly rows: number } {
  const parts: string[] = [];
  let [x, rows] = [LEFT, 1];
  series.forEach(({ name }, n) => {
    const width = 34 + textWidth(name, SIZE) + 18;
    if (x > LEFT && x + width > WIDTH - 10) {
      x = LEFT;
      rows++;
    }
    const y = top + (rows - 1) * LEGEND_ROW;
    parts.push(
      `<g class="${colourClass(n)}"><path stroke-width="2" d="M${px(x)} ${px(y - 4)}h26"/>${
        mark(x + 13, y - 4, n)
      }</g>`,
      textAt(x + 34, y, name),
    );
    x += width;
  });
  return { parts, rows };
}

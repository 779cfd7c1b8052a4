/*
 * A plot with lines: what was measured against what, both axes logarithmic unless the figure says otherwise or a
 * value is not above 0. Pure.
 */

import type { Axis, Figure } from "./figure.ts";
import { dot, drawing, INK, line, OTHERS, OURS, polyline, text } from "./svg.ts";

const WIDTH = 760;
const HEIGHT = 400;
const LEFT = 84;
const RIGHT = 180;
const TOP = 44;
const BOTTOM = 56;

/** From a value to a place on the drawing, and the values that are marked. */
interface Scale {
  readonly place: (value: number) => number;
  readonly marks: readonly number[];
}

/** Draws a figure as SVG. */
export function linePlot(figure: Figure): string {
  const points = figure.series.flatMap((one) => one.points)
    .filter((point): point is readonly [number, number] => point[1] !== null);
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const x = logarithmic(xs, LEFT, WIDTH - RIGHT);
  const y = figure.linearY === true || ys.some((value) => value <= 0)
    ? linear(ys, HEIGHT - BOTTOM, TOP)
    : logarithmic(ys, HEIGHT - BOTTOM, TOP);
  const shapes = [text(LEFT, 22, figure.title, { size: 15, bold: true })];
  for (const mark of x.marks) {
    const at = x.place(mark);
    shapes.push(line([at, TOP], [at, HEIGHT - BOTTOM]));
    shapes.push(text(at, HEIGHT - BOTTOM + 18, told(mark, figure.x), { anchor: "middle" }));
  }
  for (const mark of y.marks) {
    const at = y.place(mark);
    shapes.push(line([LEFT, at], [WIDTH - RIGHT, at]));
    shapes.push(text(LEFT - 8, at + 4, told(mark, figure.y), { anchor: "end" }));
  }
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  shapes.push(text(middle, HEIGHT - 14, named(figure.x), { anchor: "middle" }));
  const half = (TOP + HEIGHT - BOTTOM) / 2;
  shapes.push(text(18, half, named(figure.y), { anchor: "middle", turn: -90 }));
  const colours = [OURS, ...OTHERS];
  figure.series.forEach(({ name, points }, n) => {
    const colour = colours[n % colours.length]!;
    // A point that could not be measured is a gap.
    let run: [number, number][] = [];
    const end = () => {
      if (run.length > 1) shapes.push(polyline(run, colour));
      run = [];
    };
    for (const [at, value] of points) {
      if (value === null) {
        end();
        continue;
      }
      const place: [number, number] = [x.place(at), y.place(value)];
      run.push(place);
      shapes.push(dot(...place, colour));
    }
    end();
    const legend = TOP + 10 + n * 20;
    shapes.push(dot(WIDTH - RIGHT + 18, legend - 4, colour));
    shapes.push(text(WIDTH - RIGHT + 28, legend, name, { fill: INK }));
  });
  return drawing(WIDTH, HEIGHT, figure.title, shapes);
}

function named({ label, unit }: Axis): string {
  return unit === "" ? label : `${label} (${unit === "bytes" ? "B" : unit})`;
}

/** 1, 2 and 5 of each power of ten, or the powers alone where there are many. */
function logarithmic(values: readonly number[], from: number, to: number): Scale {
  const positive = values.filter((value) => value > 0);
  const least = Math.min(...positive);
  const most = Math.max(...positive, least * 1.01);
  // A line that hardly rises must not look as if it did.
  const [low, high] = most / least < 4
    ? [Math.sqrt(least * most) / 3, Math.sqrt(least * most) * 3]
    : [least / 1.15, most * 1.15];
  const span = Math.log(high / low);
  const place = (value: number) => from + (to - from) * Math.log(Math.max(value, low) / low) / span;
  const decades = Math.log10(high / low);
  const steps = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5];
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const step of steps) {
      const mark = step * 10 ** power;
      if (mark >= low && mark <= high) marks.push(mark);
    }
  }
  return { place, marks };
}

function linear(values: readonly number[], from: number, to: number): Scale {
  const most = Math.max(...values, 0) * 1.08 || 1;
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? rough;
  const marks: number[] = [];
  for (let mark = 0; mark <= most; mark += step) marks.push(mark);
  return { place: (value) => from + (to - from) * value / most, marks };
}

/** A value as it stands beside an axis. */
function told(value: number, { unit }: Axis): string {
  const short = (one: number) => String(Number(one.toPrecision(3)));
  const steps = [[1e9, "G"], [1e6, "M"], [1e3, "k"]] as const;
  if (unit === "s" || unit === "ms" || unit === "MB" || unit === "MB/s") return short(value);
  for (const [step, name] of steps) if (value >= step) return `${short(value / step)}${name}`;
  return short(value);
}

/*
 * The product's picture: an arrow on its way through a stack of slices, in two colours and white.
 *
 * It is a function from a point to a colour, sampled as finely as each size needs, so no drawing program has a part in it.
 * Run, it writes the icon and the installer's images beside itself; a test holds the files against it.
 */

import { encodeBmp, encodeIco, type Pixels } from "./image_files.ts";

type Point = readonly [x: number, y: number];

/** What lies at a point, or null for nothing. */
type Picture = (x: number, y: number) => Colour | null;

type Colour = readonly [red: number, green: number, blue: number];

const NAVY: Colour = [0x0e, 0x3a, 0x5c];
const ORANGE: Colour = [0xff, 0xa6, 0x2b];
const WHITE: Colour = [0xff, 0xff, 0xff];

/** Sizes in which Windows shows an icon at its usual scalings, in pixels. */
export const ICON_SIZES = [16, 20, 24, 32, 40, 48, 64, 256];

/** Sizes of the installer's images at 100, 150 and 200 % scaling, in pixels. */
const WIZARD_SIZES: readonly Point[] = [[164, 314], [246, 459], [328, 604]];
const WIZARD_SMALL_SIZES: readonly Point[] = [[55, 55], [83, 80], [110, 106]];

/** The motif's side in its own units. */
const SIDE = 64;

/** Samples along each side of a pixel. */
const FINENESS = 8;

/** The outermost samples of a pixel. */
const EDGES = [0.5 / FINENESS, 1 - 0.5 / FINENESS];

/** Where the motif's edges lie, in its own units. */
interface Shape {
  /** The first slice's left edge. */
  readonly slices: number;
  readonly sliceWidth: number;
  /** From one slice's left edge to the next one's. */
  readonly pitch: number;
  /** How much further up a slice's right edge lies. */
  readonly slant: number;
  readonly top: number;
  readonly bottom: number;
  readonly shaft: { readonly from: number; readonly to: number; readonly halfHeight: number };
  readonly head: { readonly from: number; readonly to: number; readonly halfHeight: number };
  /** Bare ground on both sides of the arrow. */
  readonly halo: number;
}

const ICON: Shape = {
  slices: 10,
  sliceWidth: 7.5,
  pitch: 11,
  slant: 6,
  top: 9,
  bottom: 55,
  shaft: { from: 4, to: 46, halfHeight: 4 },
  head: { from: 44, to: 60, halfHeight: 13 },
  halo: 3,
};

/** Where a pixel is 3 or 4 units wide there is no room for a slant and for more than this between the slices. */
const SMALL_ICON: Shape = { ...ICON, slices: 8, sliceWidth: 7, slant: 3 };

/** The arrow comes in from the left, and the slices have all the room. */
const WIZARD: Shape = {
  ...ICON,
  top: -14,
  bottom: 78,
  shaft: { ...ICON.shaft, from: -SIDE },
};

/** The shape with its edges on the pixels' own, `pixel` units apart: no blurred edge where none is needed. */
function onGrid(shape: Shape, pixel: number): Shape {
  const snap = (at: number) => Math.round(at / pixel) * pixel;
  const atLeastOne = (length: number) => Math.max(pixel, snap(length));
  const { shaft, head } = shape;
  const sliceWidth = atLeastOne(shape.sliceWidth);
  return {
    slices: snap(shape.slices),
    sliceWidth,
    pitch: Math.max(snap(shape.pitch), sliceWidth + pixel),
    slant: shape.slant,
    top: snap(shape.top),
    bottom: snap(shape.bottom),
    shaft: { ...shaft, from: snap(shaft.from), halfHeight: atLeastOne(shaft.halfHeight) },
    head: { ...head, from: snap(head.from), to: snap(head.to) },
    halo: atLeastOne(shape.halo),
  };
}

/** The motif without ground: slices and arrow, in a square of 64 units. */
function motif(shape: Shape): Picture {
  const { sliceWidth, slant, top, bottom, shaft, head, halo } = shape;
  const middle = SIDE / 2;
  const bar = (halfHeight: number): Point[] => [
    [shaft.from, middle - halfHeight],
    [shaft.to, middle - halfHeight],
    [shaft.to, middle + halfHeight],
    [shaft.from, middle + halfHeight],
  ];
  const arrow: Point[][] = [bar(shaft.halfHeight), [
    [head.from, middle - head.halfHeight],
    [head.to, middle],
    [head.from, middle + head.halfHeight],
  ]];
  const bare = bar(shaft.halfHeight + halo);
  const lefts = [0, 1, 2].map((index) => shape.slices + index * shape.pitch);
  const sheets = lefts.map((left): Point[] => [
    [left, top + slant],
    [left + sliceWidth, top],
    [left + sliceWidth, bottom - slant],
    [left, bottom],
  ]);
  return (x, y) => {
    if (arrow.some((part) => inside(part, x, y))) return ORANGE;
    if (inside(bare, x, y)) return null;
    return sheets.some((sheet) => inside(sheet, x, y)) ? WHITE : null;
  };
}

/** The motif on a ground with round corners. */
function icon(size: number): Picture {
  const pixel = SIDE / size;
  const draw = motif(onGrid(size < 32 ? SMALL_ICON : ICON, pixel));
  const radius = 13;
  return (x, y) => {
    const [u, v] = [x * pixel, y * pixel];
    const [dx, dy] = [u, v].map((at) => Math.max(radius - at, at - (SIDE - radius), 0));
    if (Math.hypot(dx!, dy!) > radius) return null;
    return draw(u, v) ?? NAVY;
  };
}

/** The tall image at the left of the first and the last page. */
function wizardImage(width: number, height: number): Picture {
  const draw = motif(WIZARD);
  const scale = width / SIDE;
  const [left, top] = [0, (height - width) / 2];
  return (x, y) => draw((x - left) / scale, (y - top) / scale) ?? NAVY;
}

/** The small image at the top right of the other pages, whose ground is white. */
function wizardSmallImage(width: number, height: number): Picture {
  const size = Math.min(width, height);
  const draw = icon(size);
  return (x, y) => draw(x - (width - size) / 2, y - (height - size) / 2) ?? WHITE;
}

/** Whether a point is in a convex polygon, whose corners go round clockwise (`y` grows downward). */
function inside(corners: readonly Point[], x: number, y: number): boolean {
  let before = corners[corners.length - 1]!;
  for (const corner of corners) {
    const turn = (corner[0] - before[0]) * (y - before[1]) -
      (corner[1] - before[1]) * (x - before[0]);
    if (turn < 0) return false;
    before = corner;
  }
  return true;
}

/** The picture in so many pixels, each the mean of its samples. */
function paint(picture: Picture, width: number, height: number): Pixels {
  const rgba = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = plain(picture, x, y);
      const pixel = colour === undefined ? mean(picture, x, y) : opaque(colour);
      rgba.set(pixel, (y * width + x) * 4);
    }
  }
  return { width, height, rgba };
}

/** The colour of a pixel whose corners and middle agree, nothing being narrower than a pixel; else undefined. */
function plain(picture: Picture, x: number, y: number): Colour | null | undefined {
  const middle = picture(x + 0.5, y + 0.5);
  for (const dy of EDGES) {
    for (const dx of EDGES) if (picture(x + dx, y + dy) !== middle) return undefined;
  }
  return middle;
}

function mean(picture: Picture, x: number, y: number): number[] {
  const sum = [0, 0, 0];
  let seen = 0;
  for (let sample = 0; sample < FINENESS ** 2; sample++) {
    const colour = picture(
      x + (sample % FINENESS + 0.5) / FINENESS,
      y + (Math.floor(sample / FINENESS) + 0.5) / FINENESS,
    );
    if (colour === null) continue;
    seen++;
    for (const channel of [0, 1, 2]) sum[channel]! += colour[channel]!;
  }
  if (seen === 0) return [0, 0, 0, 0];
  return [...sum.map((one) => Math.round(one / seen)), Math.round(seen / FINENESS ** 2 * 255)];
}

function opaque(colour: Colour | null): number[] {
  return colour === null ? [0, 0, 0, 0] : [...colour, 255];
}

/** The icon in one size, in pixels. */
export function iconPixels(size: number): Pixels {
  return paint(icon(size), size, size);
}

/** Every file that this makes, by name. */
export function imageFiles(): Map<string, Uint8Array> {
  const files = new Map([["dicomforwarder.ico", encodeIco(ICON_SIZES.map(iconPixels))]]);
  const add = (name: string, draw: typeof wizardImage, sizes: readonly Point[]) => {
    for (const [width, height] of sizes) {
      const pixels = paint(draw(width, height), width, height);
      files.set(`${name}-${width}x${height}.bmp`, encodeBmp(pixels));
    }
  };
  add("wizard", wizardImage, WIZARD_SIZES);
  add("wizard-small", wizardSmallImage, WIZARD_SMALL_SIZES);
  return files;
}

if (import.meta.main) {
  for (const [name, bytes] of imageFiles()) {
    await Deno.writeFile(new URL(name, import.meta.url), bytes);
  }
}

/*
 * A body that does not exist, to be cut into CT slices: ellipsoids painted over each other, from the shoulders down to
 * the pelvis. Recognisable to a human eye in a viewer, different in every slice, cheap enough for benchmarks.
 *
 * Coordinates: x from -1 at the left of the image (the patient's right) to 1; y from -1 at the front to 1 at the back;
 * z from 0 at the shoulders to 1 at the pelvis. Densities in Hounsfield units.
 */

interface Ellipsoid {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly rx: number;
  readonly ry: number;
  readonly rz: number;
  readonly hu: number;
}

const AIR = -1000;
/** Half length of what runs through the whole body. */
const LONG = 8;

/** In the order of painting: what comes later covers what came before. */
const ORGANS: readonly Ellipsoid[] = [
  organ(0, 0.5, 0.5, 0.7, 0.26, LONG, -100), // table top
  organ(0, 0.45, 0.5, 0.7, 0.26, LONG, AIR), // and the hollow on top of it
  organ(0, 0.03, 0.5, 0.82, 0.6, 2.2, -95), // skin and fat
  organ(0, 0.03, 0.5, 0.75, 0.53, 2.2, 50), // muscle
  organ(0, -0.04, 0.5, 0.64, 0.44, 1.8, -60), // fat around the organs
  organ(-0.34, -0.02, 0.26, 0.27, 0.38, 0.3, -860), // right lung
  organ(0.35, -0.02, 0.27, 0.25, 0.37, 0.3, -860), // left lung
  organ(-0.3, 0.04, 0.3, 0.03, 0.03, 0.16, 60), // vessels of the lungs
  organ(-0.42, -0.1, 0.28, 0.02, 0.02, 0.12, 50),
  organ(-0.24, 0.14, 0.34, 0.022, 0.022, 0.12, 55),
  organ(0.32, 0.06, 0.3, 0.028, 0.028, 0.15, 60),
  organ(0.43, -0.08, 0.26, 0.02, 0.02, 0.12, 50),
  organ(0, -0.12, 0.28, 0.12, 0.26, 0.3, 30), // mediastinum
  organ(0, 0.06, 0.12, 0.045, 0.04, 0.22, AIR), // windpipe
  organ(0.1, -0.16, 0.4, 0.23, 0.2, 0.15, 130), // heart
  organ(0.14, -0.16, 0.41, 0.11, 0.1, 0.09, 260), // its left chamber
  organ(-0.02, -0.2, 0.39, 0.07, 0.08, 0.08, 230), // and its right one
  organ(-0.27, -0.03, 0.61, 0.37, 0.38, 0.18, 105), // liver
  organ(-0.2, 0.02, 0.6, 0.03, 0.1, 0.06, 180), // portal vein
  organ(0.3, -0.16, 0.62, 0.21, 0.19, 0.12, 25), // stomach
  organ(0.28, -0.26, 0.62, 0.13, 0.07, 0.09, -950), // gas in it
  organ(0.5, 0.14, 0.6, 0.12, 0.17, 0.1, 120), // spleen
  organ(-0.3, 0.22, 0.76, 0.11, 0.13, 0.12, 190), // right kidney
  organ(-0.27, 0.22, 0.76, 0.045, 0.05, 0.06, 20),
  organ(0.3, 0.21, 0.74, 0.11, 0.13, 0.12, 190), // left kidney
  organ(0.27, 0.21, 0.74, 0.045, 0.05, 0.06, 20),
  organ(-0.36, -0.16, 0.88, 0.14, 0.12, 0.12, 30), // bowel, with gas
  organ(-0.36, -0.2, 0.88, 0.08, 0.06, 0.08, -900),
  organ(0.02, -0.24, 0.84, 0.12, 0.09, 0.09, 35),
  organ(0.34, -0.12, 0.9, 0.13, 0.13, 0.12, 30),
  organ(0.34, -0.17, 0.9, 0.07, 0.05, 0.08, -880),
  organ(0.08, -0.05, 0.94, 0.13, 0.1, 0.1, 40),
  organ(-0.12, -0.06, 0.8, 0.1, 0.07, 0.08, 35),
  organ(0.07, 0.17, 0.6, 0.05, 0.05, 0.42, 270), // aorta
  organ(-0.08, 0.17, 0.72, 0.05, 0.042, 0.3, 160), // vena cava
  organ(-0.44, 0.14, 1.02, 0.22, 0.09, 0.12, 650), // iliac wings
  organ(-0.44, 0.12, 1.02, 0.18, 0.05, 0.1, 250),
  organ(0.44, 0.14, 1.02, 0.22, 0.09, 0.12, 650),
  organ(0.44, 0.12, 1.02, 0.18, 0.05, 0.1, 250),
  organ(-0.46, 0.2, 0.02, 0.2, 0.06, 0.16, 600), // shoulder blades
  organ(0.46, 0.2, 0.02, 0.2, 0.06, 0.16, 600),
  organ(0, -0.43, 0.22, 0.08, 0.025, 0.22, 450), // breastbone
];

/** Paints one slice, row after row, from above the patient's feet: the front up, the patient's right at the left. */
export function paintSlice(pixels: Int16Array, rows: number, columns: number, z: number): void {
  pixels.fill(AIR);
  for (const shape of ORGANS) paint(pixels, rows, columns, shape, z);
  paintSpine(pixels, rows, columns, z);
  paintRibs(pixels, rows, columns, z);
}

function organ(
  x: number,
  y: number,
  z: number,
  rx: number,
  ry: number,
  rz: number,
  hu: number,
): Ellipsoid {
  return { x, y, z, rx, ry, rz, hu };
}

/** Vertebrae and the discs between them, fourteen over the length of the body. */
function paintSpine(pixels: Int16Array, rows: number, columns: number, z: number): void {
  const isDisc = (z * 14) % 1 > 0.78;
  const long = (x: number, y: number, rx: number, ry: number, hu: number) =>
    paint(pixels, rows, columns, organ(x, y, 0.5, rx, ry, LONG, hu), z);
  long(0, 0.31, 0.125, 0.095, isDisc ? 90 : 620);
  if (!isDisc) long(0, 0.31, 0.1, 0.072, 260);
  if (!isDisc) long(0, 0.44, 0.22, 0.025, 500);
  long(0, 0.43, 0.075, 0.06, 550);
  long(0, 0.42, 0.045, 0.035, 15);
  if (!isDisc) long(0, 0.53, 0.022, 0.07, 520);
}

/** Ribs cross a slice obliquely: from slice to slice they seem to travel along the wall of the chest. */
function paintRibs(pixels: Int16Array, rows: number, columns: number, z: number): void {
  if (z > 0.72) return;
  for (let rib = 0; rib < 6; rib++) {
    const angle = -1.25 + ((rib / 6 + z * 3) % 1) * 2.5;
    const x = 0.69 * Math.cos(angle);
    const y = 0.03 + 0.47 * Math.sin(angle);
    for (const side of [-1, 1]) {
      paint(pixels, rows, columns, organ(side * x, y, z, 0.045, 0.03, 1, 700), z);
      paint(pixels, rows, columns, organ(side * x, y, z, 0.028, 0.016, 1, 300), z);
    }
  }
}

/** Fills the section of an ellipsoid with a slice, span by span: `fill` of a row is as fast as memory. */
function paint(
  pixels: Int16Array,
  rows: number,
  columns: number,
  shape: Ellipsoid,
  z: number,
): void {
  const dz = (z - shape.z) / shape.rz;
  if (Math.abs(dz) >= 1) return;
  const shrink = Math.sqrt(1 - dz * dz);
  const ry = shape.ry * shrink;
  const first = Math.max(0, Math.ceil(toPixel(shape.y - ry, rows)));
  const last = Math.min(rows - 1, Math.floor(toPixel(shape.y + ry, rows)));
  for (let row = first; row <= last; row++) {
    const dy = (toUnit(row, rows) - shape.y) / ry;
    const half = shape.rx * shrink * Math.sqrt(Math.max(0, 1 - dy * dy));
    const from = Math.max(0, Math.ceil(toPixel(shape.x - half, columns)));
    const to = Math.min(columns, Math.floor(toPixel(shape.x + half, columns)) + 1);
    if (to > from) pixels.fill(shape.hu, row * columns + from, row * columns + to);
  }
}

function toUnit(pixel: number, size: number): number {
  return (2 * (pixel + 0.5)) / size - 1;
}

function toPixel(unit: number, size: number): number {
  return ((unit + 1) * size) / 2 - 0.5;
}

/*
 * Pixels to files: PNG for the eye and the large icon, ICO for the executable and the installer, BMP with a palette for
 * the installer's pages, whose compiler takes no PNG.
 *
 * Pure functions, and the same bytes for the same pixels on every machine.
 */

import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";

/** Pixels from the top left, four bytes each: red, green, blue, opacity. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8Array;
}

/** From this size on, in pixels, an icon's picture is kept as PNG; older readers expect smaller ones as bitmaps. */
const PNG_FROM = 256;

/** A PNG file: 8 bits a channel, with opacity. */
export function encodePng({ width, height, rgba }: Pixels): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6], 8);
  const rows = Buffer.alloc((width * 4 + 1) * height);
  for (let y = 0; y < height; y++) {
    rows.set(rgba.subarray(y * width * 4, (y + 1) * width * 4), y * (width * 4 + 1) + 1);
  }
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk("IHDR", header),
    pngChunk("IDAT", deflateSync(rows, { level: 9 })),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

function pngChunk(name: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(name, 4, "latin1");
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, data.length + 8)), data.length + 8);
  return chunk;
}

/** An ICO file with a picture for each size. */
export function encodeIco(pictures: readonly Pixels[]): Uint8Array {
  const bodies = pictures.map((one) => one.width >= PNG_FROM ? encodePng(one) : iconBitmap(one));
  const directory = Buffer.alloc(6 + 16 * pictures.length);
  directory.writeUInt16LE(1, 2);
  directory.writeUInt16LE(pictures.length, 4);
  let offset = directory.length;
  for (const [index, { width, height }] of pictures.entries()) {
    const at = 6 + 16 * index;
    const length = bodies[index]!.length;
    // The field is one byte; 0 stands for 256.
    directory.writeUInt8(width % 256, at);
    directory.writeUInt8(height % 256, at + 1);
    directory.writeUInt16LE(1, at + 4);
    directory.writeUInt16LE(32, at + 6);
    directory.writeUInt32LE(length, at + 8);
    directory.writeUInt32LE(offset, at + 12);
    offset += length;
  }
  return Buffer.concat([directory, ...bodies]);
}

/** The picture as icons hold it: a bitmap without its file header, followed by a mask of one bit a pixel. */
function iconBitmap({ width, height, rgba }: Pixels): Uint8Array {
  const maskRow = Math.ceil(width / 32) * 4;
  const header = bitmapHeader(width, height * 2, 32, 0);
  const colours = Buffer.alloc(width * height * 4);
  const mask = Buffer.alloc(maskRow * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = ((height - 1 - y) * width + x) * 4;
      const [red, green, blue, opacity] = rgba.subarray(from, from + 4) as unknown as Channels;
      colours.set([blue, green, red, opacity], (y * width + x) * 4);
      if (opacity === 0) mask[y * maskRow + (x >> 3)]! |= 0x80 >> (x & 7);
    }
  }
  return Buffer.concat([header, colours, mask]);
}

type Channels = readonly [number, number, number, number];

/** A BMP file with a palette. Opacity is not kept. An error where there are more than 256 colours. */
export function encodeBmp({ width, height, rgba }: Pixels): Uint8Array {
  const palette = new Map<number, number>();
  const row = Math.ceil(width / 4) * 4;
  const indexes = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = ((height - 1 - y) * width + x) * 4;
      const colour = rgba[at]! << 16 | rgba[at + 1]! << 8 | rgba[at + 2]!;
      const index = palette.get(colour) ?? palette.size;
      palette.set(colour, index);
      indexes[y * row + x] = index;
    }
  }
  if (palette.size > 256) {
    throw new Error(`The picture has ${palette.size} colours; a bitmap's palette holds 256.`);
  }
  const table = Buffer.alloc(palette.size * 4);
  for (const [colour, index] of palette) table.writeUInt32LE(colour, index * 4);
  const header = bitmapHeader(width, height, 8, palette.size);
  const start = Buffer.alloc(14);
  const offset = start.length + header.length + table.length;
  start.write("BM", 0, "latin1");
  start.writeUInt32LE(offset + indexes.length, 2);
  start.writeUInt32LE(offset, 10);
  return Buffer.concat([start, header, table, indexes]);
}

/** BITMAPINFOHEADER, uncompressed, from the bottom up. */
function bitmapHeader(width: number, height: number, bits: number, colours: number): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt32LE(40, 0);
  header.writeInt32LE(width, 4);
  header.writeInt32LE(height, 8);
  header.writeUInt16LE(1, 12);
  header.writeUInt16LE(bits, 14);
  header.writeUInt32LE(colours, 32);
  return header;
}

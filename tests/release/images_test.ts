/*
 * The committed pictures are those that the script draws.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { ICON_SIZES, iconPixels, imageFiles } from "../../.ci/release/icon.ts";
import { encodeBmp } from "../../.ci/release/image_files.ts";

const FOLDER = new URL("../../.ci/release/", import.meta.url);

/** The pictures in an icon, by size. Those kept as PNG are unpacked: how well they are packed is no matter. */
function pictures(ico: Uint8Array): Map<number, Buffer> {
  const bytes = Buffer.from(ico);
  const found = new Map<number, Buffer>();
  for (let index = 0; index < bytes.readUInt16LE(4); index++) {
    const at = 6 + 16 * index;
    const from = bytes.readUInt32LE(at + 12);
    const body = bytes.subarray(from, from + bytes.readUInt32LE(at + 8));
    found.set(bytes[at] || 256, body[0] === 0x89 ? pngRows(body) : body);
  }
  return found;
}

function pngRows(png: Buffer): Buffer {
  const start = png.indexOf("IDAT");
  return inflateSync(png.subarray(start + 4, start + 4 + png.readUInt32BE(start - 4)));
}

Deno.test("the icon and the installer's images are what icon.ts draws; run it after a change", async () => {
  for (const [name, drawn] of imageFiles()) {
    const kept = await Deno.readFile(new URL(name, FOLDER));
    if (name.endsWith(".ico")) assert.deepEqual(pictures(kept), pictures(drawn), name);
    else assert.ok(Buffer.from(kept).equals(drawn), name);
  }
  const made = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => /\.(ico|bmp)$/.test(name));
  assert.deepEqual(made.sort(), [...imageFiles().keys()].sort());
});

Deno.test("the icon has every size that Windows shows, with clear corners and a filled middle", async () => {
  const kept = pictures(await Deno.readFile(new URL("dicomforwarder.ico", FOLDER)));
  assert.deepEqual([...kept.keys()], ICON_SIZES);
  for (const size of ICON_SIZES) {
    const { rgba } = iconPixels(size);
    assert.ok(rgba[3]! < 128, `corner at ${size}`);
    assert.equal(rgba[(size * size / 2 + size / 2) * 4 + 3], 255, `middle at ${size}`);
  }
});

Deno.test("a bitmap with more colours than its palette holds is refused", () => {
  const rgba = new Uint8Array(257 * 4);
  for (let x = 0; x < 257; x++) rgba.set([x % 256, x >> 8, 0, 255], x * 4);
  assert.throws(() => encodeBmp({ width: 257, height: 1, rgba }), /257 colours/);
});

/*
 * Text of data sets as people read it, and as found where nobody can tell.
 */

import assert from "node:assert/strict";
import { readText } from "../../src/activity/text.ts";

/** The bytes of a text in an encoding, as a header has them. */
function asFound(...bytes: number[]): string {
  return String.fromCharCode(...bytes);
}

Deno.test("text is read by the character set that the data set names", () => {
  const utf8 = asFound(...new TextEncoder().encode("Müller^Jörg"));
  assert.equal(readText(utf8, "ISO_IR 192"), "Müller^Jörg");
  assert.equal(readText(asFound(0x4d, 0xfc, 0x6c), "ISO_IR 100"), "Mül");
  assert.equal(readText(asFound(0xbb, 0xd8, 0xda), "ISO_IR 144"), "Лик");
  assert.equal(readText(asFound(0xd4, 0xcf, 0xc0, 0xde), "ISO_IR 13"), "ﾔﾏﾀﾞ");
  assert.equal(readText(asFound(0xcd, 0xf5), "GB18030"), "王");
  assert.equal(readText("ASCII", "ISO_IR 192"), "ASCII");
});

Deno.test("an unknown character set, several, and bytes that are none of it are shown all the same", () => {
  assert.equal(readText("M\xfc", ""), "M\xfc");
  assert.equal(readText("M\xfc", "NONSENSE"), "M\xfc");
  assert.equal(readText("M\xfc", "\\ISO 2022 IR 87"), "M\xfc");
  assert.equal(readText("M\xfc", "ISO_IR 192"), "M\ufffd");
});

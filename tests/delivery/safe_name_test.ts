/*
 * One harmless path component, whatever goes in.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { safeName } from "../../src/delivery/safe_name.ts";
import { ATTACKS } from "../helpers/attack_names.ts";

const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;

/** Legal and harmless on ext4, NTFS, APFS and a share. */
function assertHarmless(name: string, from: string): void {
  const shown = JSON.stringify([from.slice(0, 80), name]);
  assert.ok(name.length >= 1 && name.length <= 64, `length: ${shown}`);
  assert.match(name, /^[A-Za-z0-9._ ~-]+$/, `characters: ${shown}`);
  assert.doesNotMatch(name, /^[. -]|[. ]$/, `ends: ${shown}`);
  assert.doesNotMatch(name, DEVICE, `device: ${shown}`);
  assert.doesNotMatch(`${name}.dcm`, DEVICE, `device: ${shown}`);
}

Deno.test("every attack becomes a harmless name, and no two the same", () => {
  const names = new Map<string, string>();
  for (const attack of ATTACKS) {
    const name = safeName(attack, "NONE");
    assertHarmless(name, attack);
    assert.equal(names.get(name), undefined, `${JSON.stringify(attack)} is ${name}, too`);
    names.set(name, attack);
  }
});

Deno.test("what is harmless already stays as it is", () => {
  for (
    const text of [
      "1.2.840.113619.2.55.3",
      "P-0001_2",
      "John Doe",
      "9".repeat(64),
      "a.b",
      "console",
      "COM10",
      "nullify.x",
    ]
  ) assert.equal(safeName(text, "NONE"), text);
});

Deno.test("no text is the name for it", () => {
  assert.equal(safeName("", "NO-PATIENT-ID"), "NO-PATIENT-ID");
});

Deno.test("any text becomes a harmless name; two texts with one name are one text", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 100 }),
    fc.string({ unit: "binary", maxLength: 100 }),
    fc.stringMatching(/^[. ~a-c-]{1,70}$/),
    fc.constantFrom(...ATTACKS),
    fc.tuple(fc.constantFrom("con", "NUL", "Aux", "lpt1"), fc.stringMatching(/^[. a~]{0,4}$/)).map((
      [device, rest],
    ) => device + rest),
  ).filter((text) => text !== "");
  fc.assert(
    fc.property(text, text, (one, other) => {
      const names = [safeName(one, "NONE"), safeName(other, "NONE")] as const;
      assertHarmless(names[0], one);
      assert.equal(names[0], safeName(one, "NONE"), "always the same");
      if (one !== other) assert.notEqual(names[0], names[1]);
    }),
    { numRuns: 5000 },
  );
});

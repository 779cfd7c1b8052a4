/*
 * Every name that the forwarder makes is one that Windows takes, whatever comes from the network or the configuration.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { configFrom } from "../../src/config/load.ts";
import { MAX_DESTINATIONS } from "../../src/config/schema_values.ts";
import { safeName } from "../../src/delivery/safe_name.ts";
import { ledgerFileName } from "../../src/ledger/files.ts";
import { logFileName } from "../../src/log/daily_file.ts";
import { bucketOf, formatBase, formatName, parseName } from "../../src/spool/entry_name.ts";
import { isSlotName } from "../../src/spool/commit_record.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { ATTACKS } from "../helpers/attack_names.ts";
import { ntfsProblem } from "../helpers/ntfs_names.ts";

function assertLegal(name: string): void {
  assert.equal(ntfsProblem(name), undefined, JSON.stringify(name));
}

/** Names that Windows does not take, so that the judge is known to judge. */
const ILLEGAL = [
  "",
  "NUL",
  "nul.dcm",
  "con .txt",
  "COM\u00b9",
  "CONIN$",
  "a.",
  "a ",
  "a:b",
  "a\x1f",
];

for (const name of [...ILLEGAL, "x".repeat(256)]) {
  Deno.test(`${JSON.stringify(name.slice(0, 20))} is no name on NTFS`, () => {
    assert.notEqual(ntfsProblem(name), undefined);
  });
}

const uint32 = fc.nat({ max: 0xffff_ffff });
const base = fc.record({
  // Up to the year 2286.
  receivedMs: fc.nat({ max: 9_999_999_999_999 }),
  sequence: fc.nat({ max: 999_999_999 }),
  studyHash: uint32,
  crc32: uint32,
}).map((identity) => ({ base: formatBase(identity), bucket: bucketOf(identity.studyHash) }));

const waiting = fc.array(
  fc.record({
    destination: fc.stringMatching(/^[a-z0-9-]{1,16}$/),
    tries: fc.nat({ max: 102 }),
  }),
  { minLength: 1, maxLength: MAX_DESTINATIONS },
);

Deno.test("names in the queue are legal with any destinations and tries, and say all destinations", () => {
  fc.assert(fc.property(base, waiting, ({ base, bucket }, waiting) => {
    const name = formatName(base, waiting);
    for (const each of [name, bucket, `${base}.json`, `${base}.99.dcm`]) assertLegal(each);
    const parsed = parseName(name);
    assert.deepEqual(
      parsed?.waiting.map((one) => one.destination),
      waiting.map((one) => one.destination),
    );
    // Tries may be left out where there is no room for them, and are never others.
    for (const [n, one] of parsed!.waiting.entries()) {
      assert.ok(one.tries === waiting[n]!.tries || one.tries === 0);
    }
  }));
});

Deno.test("a name with a dozen of the longest destinations has its limit, and tries as far as there is room", () => {
  const base = "1763900000000-000042-deadbeef-deadbeef";
  const waiting = Array.from({ length: MAX_DESTINATIONS }, (_, n) => ({
    destination: `destination-${1000 + n}`,
    tries: 101,
  }));
  const name = formatName(base, waiting);
  assert.ok(name.length > 250 && name.length <= 255, `${name.length}`);
  const tries = parseName(name)!.waiting.map((one) => one.tries);
  assert.deepEqual(tries.slice(0, 3), [101, 101, 0]);
});

Deno.test("the spool's own folders and files, its slots, and the files of ledger and log have legal names", () => {
  for (const path of Object.values(spoolPaths("spool"))) {
    assertLegal(path.split(/[\\/]/).at(-1)!);
  }
  const slot = "1763900000000-123456.part";
  assert.equal(isSlotName(slot), true);
  for (
    const name of [
      slot,
      "VERSION.part",
      "health.json",
      "health.json.part",
      "alarms.json",
      "alarms.json.part",
      ledgerFileName("20261125", 1),
      ledgerFileName("20261125", 999_999),
      logFileName("20261125"),
    ]
  ) assertLegal(name);
});

Deno.test("names in the archive are legal whatever a data set says, with all that is put behind them", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 100 }),
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom(...ATTACKS, ...ILLEGAL),
    fc.tuple(
      fc.constantFrom("con", "NUL", "Aux", "lpt1", "COM9"),
      fc.stringMatching(/^[. a~]{0,5}$/),
    )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, base, (text, { base }) => {
      const name = safeName(text, "NO-PATIENT-ID");
      assertLegal(name);
      for (const end of [".dcm", "~99.dcm", `~99.dcm.${"x".repeat(16)}-${base}.part`]) {
        assertLegal(name + end);
      }
    }),
    { numRuns: 3000 },
  );
});

for (const name of ["con", "nul", "aux", "prn", "com1", "lpt9", "PACS", "a.", "a b", "a:b", "ä"]) {
  Deno.test(`a destination cannot be called ${name}: its folder would not be one on every system`, () => {
    assert.throws(() => configFrom(withDestinations(name), "/nowhere"), /name/);
  });
}

Deno.test("destinations like a device's name are legal, and none differ in case alone", () => {
  for (const name of ["console", "com10", "nul-1", "-a", "a-"]) {
    configFrom(withDestinations(name), "/nowhere");
    assertLegal(name);
  }
  assert.throws(() => configFrom(withDestinations("pacs", "pacs"), "/nowhere"), /pacs/);
});

function withDestinations(...names: string[]): Record<string, unknown> {
  return {
    destinations: names.map((name) => ({ type: "directory", name, path: `/nowhere/${name}` })),
  };
}

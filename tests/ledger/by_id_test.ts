/* Instances by their ids: found as in a map, whatever the ids are. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ById } from "../../src/ledger/by_id.ts";
import { formatBase } from "../../src/spool/entry_name.ts";

const id = fc.oneof(
  fc.tuple(fc.nat(3), fc.oneof(fc.nat(20), fc.constantFrom(2 ** 32, 2 ** 40 + 5)))
    .map(([receivedMs, sequence]) =>
      formatBase({ receivedMs, sequence, studyHash: 0, crc32: receivedMs })
    ),
  fc.string({ maxLength: 3 }),
);

Deno.test("what is found by its id is what a map would find, the first of two, until it is taken out", () => {
  fc.assert(
    fc.property(fc.array(id), fc.array(fc.tuple(fc.boolean(), id)), (ids, steps) => {
      const all = ids.map((base, n) => ({ base, n }));
      const map = new Map(all.toReversed().map((one) => [one.base, one]));
      const byId = new ById(all);
      for (const [takeOut, id] of [...steps, ...ids.map((id) => [false, id] as const)]) {
        assert.equal(byId.get(id), map.get(id));
        assert.equal(byId.has(id), map.has(id));
        if (!takeOut) continue;
        byId.delete(id);
        map.delete(id);
      }
    }),
    { numRuns: 500 },
  );
});

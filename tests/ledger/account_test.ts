/*
 * What the ledger's lines add up to: open is what was accepted and not closed, however the lines come.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Account } from "../../src/ledger/account.ts";
import type { LedgerEvent } from "../../src/ledger/event.ts";
import { accepted, AT, delivered } from "./events.ts";

function accountOf(...events: LedgerEvent[]): Account {
  const account = new Account();
  for (const event of events) account.take(event);
  return account;
}

function removed(id: string, to: string): LedgerEvent {
  return { event: "removed", id, at: AT, to, by: "person" };
}

function retried(id: string, of: string, to: readonly string[]): LedgerEvent {
  return { event: "retried", id, at: AT, by: "person", of, for: to };
}

Deno.test("an instance is open for each destination until that one has it", () => {
  const account = accountOf(accepted("1", ["a", "b"]), delivered("1", "a"));
  assert.deepEqual([...account.open], [["1", ["b"]]]);
  assert.deepEqual(account.tallies.get("a"), { accepted: 1, delivered: 1, removed: 0, settled: 0 });
  assert.deepEqual(account.tallies.get("b"), { accepted: 1, delivered: 0, removed: 0, settled: 0 });
  account.take(delivered("1", "b"));
  assert.equal(account.open.size, 0);
});

Deno.test("what a person removed or settled is closed, and counted as that", () => {
  const account = accountOf(accepted("1", ["a"]), accepted("2", ["a"]), removed("1", "a"));
  account.take({ event: "settled", id: "2", to: "a" });
  assert.equal(account.open.size, 0);
  assert.deepEqual(account.tallies.get("a"), { accepted: 2, delivered: 0, removed: 1, settled: 1 });
});

Deno.test("a failure closes nothing, nor does putting it back or finding it damaged", () => {
  const account = accountOf(
    accepted("1", ["a"]),
    { event: "failed", id: "1", at: AT, to: "a", kind: "refused", reason: "", tries: 4 },
    retried("1", "a", ["a"]),
    { event: "corrupt", id: "1", at: AT, reason: "" },
  );
  assert.deepEqual([...account.open], [["1", ["a"]]]);
});

Deno.test("what is routed anew is open for its new destinations and no more for the old", () => {
  const account = accountOf(accepted("1", ["unrouted"]), retried("1", "unrouted", ["a", "b"]));
  assert.deepEqual([...account.open], [["1", ["a", "b"]]]);
  assert.equal(account.tallies.get("unrouted")!.accepted, 0);
  assert.equal(account.tallies.get("b")!.accepted, 1);
});

Deno.test("what was routed anew by a clock set back, before it was accepted by its lines, is open where it waits", () => {
  const again = retried("1", "unrouted", ["a", "b"]);
  for (
    const lines of [
      [again, accepted("1", ["unrouted"])],
      [again, delivered("1", "a"), accepted("1", ["unrouted"])],
      [delivered("1", "a"), again, again, accepted("1", ["unrouted"]), again],
    ]
  ) {
    const account = accountOf(...lines);
    const left = lines.length === 2 ? ["a", "b"] : ["b"];
    assert.deepEqual([...account.open], [["1", left]]);
    assert.equal(account.tallies.get("unrouted")!.accepted, 0);
    assert.equal(account.tallies.get("a")!.accepted, 1);
  }
});

Deno.test("a second delivery, and a delivery nobody accepted, change no balance", () => {
  const account = accountOf(
    accepted("1", ["a"]),
    delivered("1", "a"),
    delivered("1", "a"),
    delivered("2", "a"),
  );
  assert.equal(account.open.size, 0);
  assert.deepEqual(account.tallies.get("a"), { accepted: 1, delivered: 1, removed: 0, settled: 0 });
});

/** Instances 0 to 3 for one or two destinations, each delivered to some of them. */
const HISTORY = fc.array(
  fc.record({
    destinations: fc.subarray(["a", "b"], { minLength: 1 }),
    deliveredTo: fc.subarray(["a", "b"]),
  }),
  { minLength: 1, maxLength: 4 },
);

Deno.test("lines in any order, as a clock set back between two days leaves them, give one balance", () => {
  fc.assert(fc.property(HISTORY, fc.infiniteStream(fc.nat(1000)), (history, order) => {
    const lines: LedgerEvent[] = [];
    const open: [string, string[]][] = [];
    for (const [n, { destinations, deliveredTo }] of history.entries()) {
      const id = String(n);
      lines.push(accepted(id, destinations));
      const left = destinations.filter((one) => !deliveredTo.includes(one));
      for (const to of deliveredTo) if (destinations.includes(to)) lines.push(delivered(id, to));
      if (left.length > 0) open.push([id, left]);
    }
    const shuffled = lines.map((line) => ({ line, key: order.next().value as number }))
      .sort((one, other) => one.key - other.key).map(({ line }) => line);
    const account = accountOf(...shuffled);
    assert.deepEqual([...account.open].map(([id, left]) => [id, [...left].sort()]).sort(), open);
    for (const { accepted, delivered } of account.tallies.values()) {
      assert.ok(delivered <= accepted);
    }
  }));
});

Deno.test("a batch that was written a second time leaves the same pairs open", () => {
  fc.assert(fc.property(HISTORY, (history) => {
    const lines: LedgerEvent[] = [];
    for (const [n, { destinations, deliveredTo }] of history.entries()) {
      lines.push(accepted(String(n), destinations));
      for (const to of deliveredTo) {
        if (destinations.includes(to)) lines.push(delivered(String(n), to));
      }
    }
    const once = accountOf(...lines);
    const twice = accountOf(...lines, ...lines);
    assert.deepEqual([...twice.open], [...once.open]);
  }));
});

/*
 * Who may connect: strangers are held back, those who belong are not, whatever the strangers do.
 */

import assert from "node:assert/strict";
import { configFrom } from "../../src/config/load.ts";
import { Door, type Guest } from "../../src/receiver/door.ts";

const CT = { ae_title: "CT1", addresses: ["10.0.0.5", "fd00:1::/64"] };
const LIMITS = { connection_rate: { per_host: 10, all: 30 }, max_associations: 10 };

function door(settings: Record<string, unknown>, now: () => number = () => 0): Door {
  return new Door(configFrom({ pacs_host: "h", ...LIMITS, ...settings }, "/tmp"), now);
}

function entries(at: Door, host: string, tries: number, open: readonly Guest[] = []): number {
  let count = 0;
  for (let n = 0; n < tries; n++) if (at.turnsAway(host, open) === undefined) count++;
  return count;
}

Deno.test("a stranger's flood from many addresses leaves those who are listed what they need", () => {
  const house = door({ senders: [CT] });
  let strangers = 0;
  for (let n = 0; n < 1000; n++) strangers += entries(house, `10.9.${n >> 8}.${n & 255}`, 10);
  assert.equal(strangers, 30);
  assert.equal(entries(house, "10.0.0.5", 100), 100);
  assert.equal(entries(house, "fd00:1::77", 100), 100);
});

Deno.test("whoever has stored lately is known, by its address alone, and for a week", () => {
  let now = 0;
  const house = door({}, () => now);
  assert.equal(entries(house, "10.0.0.7", 50), 10);
  house.stored("::ffff:10.0.0.7");
  assert.equal(house.knows("10.0.0.7"), true);
  assert.equal(entries(house, "10.0.0.7", 50), 50);
  assert.equal(house.knows("10.0.0.8"), false);
  now = 8 * 24 * 3_600_000;
  assert.equal(house.knows("10.0.0.7"), false);
});

Deno.test("one who is known and floods all the same is held back, too, and harms no other known one", () => {
  const house = door({ senders: [CT, { ae_title: "MR1", addresses: ["10.0.0.6"] }] });
  assert.equal(entries(house, "10.0.0.5", 1000), 100);
  assert.equal(entries(house, "10.0.0.6", 100), 100);
});

Deno.test("an IPv6 host is held back by its /64, whatever address of it connects", () => {
  const house = door({});
  let count = 0;
  for (let n = 1; n <= 100; n++) count += entries(house, `2001:db8::${n.toString(16)}`, 1);
  assert.equal(count, 10);
  assert.equal(entries(house, "2001:db8:0:1::1", 1), 1);
});

Deno.test("this machine's own connections are not counted", () => {
  const house = door({});
  assert.equal(entries(house, "127.0.0.1", 1000), 1000);
  assert.equal(entries(house, "::ffff:127.0.0.1", 1000), 1000);
});

Deno.test("connections that ask for nothing fill the strangers' places, and not those of who is known", () => {
  const house = door({ senders: [CT], connection_rate: { per_host: 0, all: 0 } });
  const open = Array.from({ length: 42 }, (_, n) => ({ host: `10.9.0.${n}`, admitted: false }));
  assert.equal(house.turnsAway("10.9.1.1", open), "crowded");
  assert.equal(house.turnsAway("10.0.0.5", open), undefined);
  const idle = Array.from({ length: 20 }, () => ({ host: "10.0.0.5", admitted: false }));
  assert.equal(house.turnsAway("10.0.0.5", idle), "crowded");
});

Deno.test("associations are kept for those known: never more than a fifth, and none where nobody is known", () => {
  const nobody = door({});
  assert.equal(nobody.keptFrom("10.9.0.1", []), 0);
  const house = door({ senders: [CT, { ae_title: "MR1", addresses: ["10.0.0.6"] }, CT] });
  assert.equal(house.keptFrom("10.9.0.1", []), 2);
  assert.equal(house.keptFrom("10.0.0.5", []), 0);
  // One of them is here: it needs no place any more.
  assert.equal(house.keptFrom("10.9.0.1", [{ host: "10.0.0.6", admitted: true }]), 1);
});

Deno.test("other settings hold at once, and what was stored stays known", () => {
  const house = door({});
  house.stored("10.0.0.7");
  const other = configFrom(
    { pacs_host: "h", senders: [CT], connection_rate: { per_host: 2, all: 0 } },
    "/tmp",
  );
  house.configure(other);
  assert.equal(entries(house, "10.9.0.1", 100), 2);
  assert.equal(house.knows("10.0.0.7"), true);
  assert.equal(house.knows("10.0.0.5"), true);
});

Deno.test("a flood of addresses that store is remembered in bounded number", () => {
  const house = door({});
  for (let n = 0; n < 5000; n++) house.stored(`10.${n >> 8}.${n & 255}.1`);
  assert.equal(house.knows("10.0.0.1"), false);
  assert.equal(house.knows(`10.${4999 >> 8}.${4999 & 255}.1`), true);
});

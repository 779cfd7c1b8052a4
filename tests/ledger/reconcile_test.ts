/*
 * The ledger held against a real spool: every instance is where the ledger and the directory say, and what is nowhere is
 * named.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { provenDeliveries, settleAtStart } from "../../src/ledger/at_start.ts";
import type { Untimed } from "../../src/ledger/event.ts";
import { readLedger } from "../../src/ledger/files.ts";
import { historyOf } from "../../src/ledger/history.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { reconcile } from "../../src/ledger/reconcile.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { listItems, retryItem } from "../../src/spool/inspect.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { dataSet, META, SpoolDirectory, store, withSpool } from "../helpers/spools.ts";
import { accepted, delivered } from "./events.ts";

/** A spool and its ledger. */
class Books {
  readonly ledger: Ledger;
  readonly #ledgerDirectory: string;
  readonly directory: SpoolDirectory;
  readonly spool: Spool;

  constructor(directory: SpoolDirectory, spool: Spool) {
    this.directory = directory;
    this.spool = spool;
    this.#ledgerDirectory = spoolPaths(directory.path).ledger;
    this.ledger = Ledger.open({
      files: realFileSystem,
      directory: this.#ledgerDirectory,
      clock: new FakeClock(),
      retentionDays: Infinity,
      report: (message) => directory.reports.push(message),
    });
  }

  /** Receives an instance; its line, too, unless that got lost. */
  async receive(n: number, destinations: readonly string[], recorded = true): Promise<Entry> {
    const sopInstanceUid = `1.2.3.${n}`;
    const bytes = dataSet({ instance: sopInstanceUid });
    const entry = await store(this.spool, destinations, bytes, { sopInstanceUid });
    const line = { ...accepted(entry.base, destinations), sop: sopInstanceUid };
    if (recorded) this.ledger.append(line);
    return entry;
  }

  deliver(entry: Entry, to: string, recorded = true): void {
    if (recorded) this.ledger.append(delivered(entry.base, to));
    this.spool.delivered(entry, to);
  }

  async balance(pause: (ms: number) => Promise<void> = () => Promise.resolve()) {
    await this.ledger.flush();
    await this.spool.settled();
    return await reconcile(realFileSystem, {
      spoolDirectory: this.directory.path,
      ledgerDirectory: this.#ledgerDirectory,
      pause,
    });
  }

  async events(): Promise<Untimed[]> {
    await this.ledger.flush();
    const events: Untimed[] = [];
    await readLedger(realFileSystem, this.#ledgerDirectory, (event) => events.push(event));
    return events;
  }

  history(uid: string) {
    const { ledger } = spoolPaths(this.directory.path);
    const directories = { ledger, spool: this.directory.path };
    return historyOf(realFileSystem, directories, uid, () => Promise.resolve());
  }
}

function withBooks(use: (books: Books) => Promise<void>): Promise<void> {
  return withSpool(async (directory) => {
    const { spool } = await directory.start();
    const books = new Books(directory, spool);
    await use(books);
    await books.ledger.close();
    await spool.close();
  });
}

const REFUSED = {
  kind: "refused",
  reason: "Cannot understand (C001)",
  when: "",
  tries: 4,
} as const;

Deno.test("delivered, queued, failed, put back, damaged and removed add up to accepted, and nothing is missing", () =>
  withBooks(async (books) => {
    const { spool, directory } = books;
    books.deliver(await books.receive(1, ["a", "b"]), "a");
    books.deliver(await books.receive(2, ["a"]), "a");
    await spool.fail(await books.receive(3, ["a", "b"]), "b", REFUSED);
    await spool.fail(await books.receive(4, ["a"]), "a", REFUSED);
    await spool.setAside(await books.receive(5, ["a", "b"]), "damaged");
    const gone = await books.receive(6, ["a"]);
    books.ledger.append({ event: "removed", id: gone.base, to: "a", by: "person" });
    Deno.removeSync(gone.path);
    const [putBack] = [...listItems(realFileSystem, directory.path)].filter((item) =>
      item.state === "failed" && item.destination === "a"
    );
    retryItem(realFileSystem, directory.path, putBack!);
    directory.files.fault = (operation) =>
      operation === "rename" ? systemError("EACCES") : undefined;
    const stuck = await books.receive(7, ["b"]);
    assert.match(stuck.path, /incoming/);
    const { destinations, missing, unreadable } = await books.balance();
    assert.deepEqual(missing, []);
    assert.equal(unreadable, 0);
    assert.deepEqual(destinations.get("a"), {
      accepted: 6,
      delivered: 2,
      queued: 2,
      failed: 0,
      held: 0,
      corrupt: 1,
      removed: 1,
      settled: 0,
      missing: 0,
    });
    assert.deepEqual(destinations.get("b"), {
      accepted: 4,
      delivered: 0,
      queued: 2,
      failed: 1,
      held: 0,
      corrupt: 1,
      removed: 0,
      settled: 0,
      missing: 0,
    });
  }));

Deno.test("a file that vanished is missing for every destination that does not have it, by its name", () =>
  withBooks(async (books) => {
    await books.receive(1, ["a"]);
    const lost = await books.receive(2, ["a", "b"]);
    books.deliver(lost, "a");
    Deno.removeSync(lost.path);
    const { destinations, missing } = await books.balance();
    assert.equal(missing.length, 1);
    assert.equal(missing[0]!.destination, "b");
    assert.equal(missing[0]!.id, lost.base);
    assert.equal(missing[0]!.accepted?.sop, "1.2.3.2");
    assert.equal(destinations.get("b")!.missing, 1);
    assert.equal(destinations.get("a")!.missing, 0);
    books.ledger.append({ event: "settled", id: lost.base, to: "b", by: "person" });
    assert.deepEqual((await books.balance()).missing, [], "a person has seen it");
  }));

Deno.test("a delivered file that was removed before its line was written is not called delivered", () =>
  withBooks(async (books) => {
    books.deliver(await books.receive(1, ["a"]), "a", false);
    assert.equal((await books.balance()).missing.length, 1);
  }));

Deno.test("what moves while the balance is struck is not called missing", () =>
  withBooks(async (books) => {
    const failing = await books.receive(1, ["a"]);
    const delivering = await books.receive(2, ["a"]);
    // As a listing sees it that passes a file's old place before the file has left it, and its new one later: nowhere.
    const hidden = join(books.directory.path, "hidden");
    Deno.mkdirSync(hidden);
    const places = [failing.path, delivering.path];
    for (const [n, path] of places.entries()) Deno.renameSync(path, join(hidden, String(n)));
    let pauses = 0;
    const { missing, destinations } = await books.balance(async () => {
      if (++pauses !== 1) return;
      for (const [n, path] of places.entries()) Deno.renameSync(join(hidden, String(n)), path);
      await books.spool.fail(failing, "a", REFUSED);
      books.deliver(delivering, "a");
      await books.receive(3, ["a"]);
      await books.ledger.flush();
      await books.spool.settled();
    });
    assert.deepEqual(missing, []);
    const { accepted, delivered, failed, queued } = destinations.get("a")!;
    assert.deepEqual({ accepted, delivered, failed, queued }, {
      accepted: 2,
      delivered: 1,
      failed: 1,
      queued: 0,
    });
  }));

Deno.test("an instance whose new route is written down, and whose moves a crash undid, is not missing", () =>
  withBooks(async (books) => {
    const { spool, directory } = books;
    for (const n of [1, 2]) {
      const entry = await books.receive(n, ["unrouted"]);
      await spool.fail(entry, "unrouted", { ...REFUSED, kind: "unrouted" });
      books.ledger.append({
        event: "retried",
        id: entry.base,
        by: "person",
        of: "unrouted",
        for: ["a", "b"],
      });
    }
    const [first] = [...listItems(realFileSystem, directory.path)];
    retryItem(realFileSystem, directory.path, first!);
    const { missing, destinations } = await books.balance();
    assert.deepEqual(missing, []);
    assert.equal(destinations.get("b")!.queued, 1);
    assert.equal(destinations.get("b")!.failed, 1);
    const [history] = await books.history("1.2.3.1");
    assert.deepEqual(history!.standings.map((one) => one.destination), ["a", "b"]);
    assert.ok(history!.standings.every((one) => ["queued", "failed"].includes(one.state)));
  }));

Deno.test("what a crash left between its delivery's line and its removal is known to be delivered", () =>
  withBooks(async (books) => {
    const entry = await books.receive(1, ["a", "b"]);
    books.ledger.append(delivered(entry.base, "a"));
    await books.ledger.flush();
    const { ledger } = spoolPaths(books.directory.path);
    const proven = await provenDeliveries(realFileSystem, ledger);
    assert.deepEqual([...proven], [[entry.base, new Set(["a"])]]);
    assert.deepEqual((await books.balance()).missing, []);
  }));

Deno.test("an instance whose line a crash took gets one from its file, and is accounted for then", () =>
  withBooks(async (books) => {
    const known = await books.receive(1, ["a"]);
    const unknown = await books.receive(2, ["a", "b"], false);
    const failed = await books.receive(3, ["a"], false);
    await books.spool.fail(failed, "a", REFUSED);
    await books.ledger.flush();
    const { ledger } = spoolPaths(books.directory.path);
    const { found } = await settleAtStart({
      files: realFileSystem,
      ledger: books.ledger,
      spoolDirectory: books.directory.path,
      ledgerDirectory: ledger,
      queued: [known, unknown],
      failed: [{ base: failed.base, path: failed.path, waiting: [{ destination: "a" }] }],
      pause: () => Promise.resolve(),
    });
    assert.equal(found, 2);
    const events = await books.events();
    const lines = events.filter((event) => event.event === "accepted");
    assert.deepEqual(lines.map((line) => line.id), [known.base, unknown.base, failed.base]);
    const line = lines[1]!;
    assert.ok(line.event === "accepted");
    assert.equal(line.sop, "1.2.3.2");
    assert.equal(line.study, "1.2.3");
    assert.equal(line.from, META.sourceAeTitle);
    assert.equal(line.received, new Date(unknown.receivedMs).toISOString());
    assert.equal(line.crc32, unknown.base.slice(-8));
    assert.deepEqual(line.for, ["a", "b"]);
    const { destinations, missing } = await books.balance();
    assert.deepEqual(missing, []);
    assert.equal(destinations.get("a")!.accepted, 3);
  }));

Deno.test("an instance without a line that fails before it gets one is written down for where it failed", () =>
  withBooks(async (books) => {
    // One that is missing has the spool looked through again.
    Deno.removeSync((await books.receive(1, ["a"])).path);
    const unknown = await books.receive(2, ["a"], false);
    await books.ledger.flush();
    const { ledger } = spoolPaths(books.directory.path);
    await settleAtStart({
      files: realFileSystem,
      ledger: books.ledger,
      spoolDirectory: books.directory.path,
      ledgerDirectory: ledger,
      queued: [unknown],
      failed: [],
      pause: async () => {
        if (unknown.queued) await books.spool.fail(unknown, "a", REFUSED);
      },
    });
    const line = (await books.events()).find((event) => event.id === unknown.base);
    assert.ok(line?.event === "accepted");
    assert.deepEqual(line.for, ["a"]);
    assert.equal((await books.balance()).destinations.get("a")!.failed, 1);
  }));

Deno.test("an instance that a crash left twice and without a line is accepted once, for all it was meant for", () =>
  withBooks(async (books) => {
    const entry = await books.receive(1, ["a", "b"], false);
    const failed = { base: entry.base, path: "", waiting: [{ destination: "b" }] };
    await books.spool.fail(entry, "b", REFUSED);
    const [there] = [...listItems(realFileSystem, books.directory.path)].filter((item) =>
      item.state === "failed"
    );
    // Both copies are delivered before anybody comes to write the line.
    const { base, path, waiting } = entry;
    const queued = [{ base, path, waiting }];
    books.deliver(entry, "a");
    books.ledger.append(delivered(entry.base, "b"));
    await books.ledger.flush();
    await books.spool.settled();
    const { ledger } = spoolPaths(books.directory.path);
    const { found } = await settleAtStart({
      files: realFileSystem,
      ledger: books.ledger,
      spoolDirectory: books.directory.path,
      ledgerDirectory: ledger,
      queued,
      failed: [{ ...failed, path: there!.path }],
      pause: () => Promise.resolve(),
    });
    assert.equal(found, 1, "from the file that is still there");
    const lines = (await books.events()).filter((event) => event.event === "accepted");
    const acceptedFor = lines.map((line) => line.event === "accepted" && [...line.for].sort());
    assert.deepEqual(acceptedFor, [["a", "b"]]);
    Deno.removeSync(there!.path);
    assert.deepEqual((await books.balance()).missing, []);
  }));

Deno.test("a study's history says of each instance and destination what became of it", () =>
  withBooks(async (books) => {
    const { spool } = books;
    const first = await books.receive(1, ["a", "b"]);
    books.deliver(first, "a");
    const failing = await books.receive(2, ["a", "b"]);
    await spool.fail(failing, "a", REFUSED);
    books.ledger.append({
      event: "failed",
      id: failing.base,
      to: "a",
      kind: "refused",
      reason: REFUSED.reason,
      tries: 4,
    });
    const lost = await books.receive(3, ["a"]);
    Deno.removeSync(lost.path);
    const removed = await books.receive(4, ["a"]);
    books.ledger.append({ event: "removed", id: removed.base, to: "a", by: "person" });
    Deno.removeSync(removed.path);
    await spool.setAside(await books.receive(5, ["b"]), "damaged");
    await books.ledger.flush();
    const histories = await books.history("1.2.3");
    const standings = histories.map(({ accepted, standings }) => [
      accepted.sop,
      ...standings.map(({ destination, state, reason }) =>
        [destination, state, ...(reason === undefined ? [] : [reason])].join(" ")
      ),
    ]);
    assert.deepEqual(standings.sort(), [
      ["1.2.3.1", "a delivered", "b queued"],
      ["1.2.3.2", `a failed ${REFUSED.reason}`, "b queued"],
      ["1.2.3.3", "a missing"],
      ["1.2.3.4", "a removed"],
      ["1.2.3.5", "b corrupt"],
    ]);
    const one = await books.history("1.2.3.1");
    assert.equal(one.length, 1);
    assert.equal(one[0]!.standings[0]!.delivery!.status, "0000");
    assert.deepEqual(await books.history("1.2.9"), []);
  }));

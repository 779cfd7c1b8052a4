/*
 * Messages on the disk: in order, over restarts and crashes, bounded.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { AuditStore, type AuditStoreOptions } from "../../src/audit/store.ts";
import { syslogMessage } from "../../src/audit/syslog.ts";
import { type FileSystem, realFileSystem } from "../../src/spool/file_system.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";

const clock = new FakeClock();

function message(n: number, more = ""): string {
  const sender = { host: "h", application: "a", process: 1 };
  return syslogMessage(`<x n="${n}"/>${more}`, sender, clock.now(), "notice");
}

function numberOf(line: string): number {
  return Number(/n="(\d+)"/.exec(line)![1]);
}

function open(directory: string, more: Partial<AuditStoreOptions> = {}) {
  const told = { changed: 0, dropped: 0, reports: [] as string[] };
  const store = AuditStore.open({
    files: realFileSystem,
    directory,
    clock,
    keepBytes: 100_000_000,
    changed: () => told.changed++,
    report: (text) => told.reports.push(text),
    dropped: (count) => told.dropped += count,
    ...more,
  });
  return { store, told };
}

async function drain(store: AuditStore, most = 100): Promise<number[]> {
  const found: number[] = [];
  for (let batch; (batch = await store.next(most)) !== undefined;) {
    found.push(...batch.messages.map(numberOf));
    store.sent(batch);
  }
  return found;
}

function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, n) => from + n);
}

Deno.test("messages come out in the order in which they went in, and leave nothing behind", async () => {
  await using scratch = await Scratch.make();
  const { store } = open(scratch.path);
  assert.equal(store.oldest, null);
  for (let n = 0; n < 5_000; n++) {
    store.append(message(n, "\u65e5".repeat(200)));
    if (n % 700 === 0) await store.flush();
  }
  await store.flush();
  assert.ok(filesIn(scratch.path).length > 2, "several segments");
  assert.equal(store.oldest, clock.now());
  assert.deepEqual(await drain(store), upTo(5_000));
  assert.equal(store.oldest, null);
  assert.equal(store.waitingBytes, 0);
  await store.close();
  const again = open(scratch.path);
  assert.deepEqual(await drain(again.store), []);
  again.store.append(message(7));
  await again.store.flush();
  assert.deepEqual(await drain(again.store), [7]);
  await again.store.close();
});

Deno.test("a restart goes on where it was, and what is not noted as sent comes again", async () => {
  await using scratch = await Scratch.make();
  const first = open(scratch.path);
  for (let n = 0; n < 50; n++) first.store.append(message(n));
  await first.store.flush();
  first.store.sent((await first.store.next(20))!);
  await first.store.next(20);
  // Killed: nothing is closed.
  const second = open(scratch.path);
  second.store.append(message(50));
  await second.store.flush();
  assert.deepEqual(await drain(second.store, 7), upTo(31, 20));
  await first.store.close();
  await second.store.close();
});

Deno.test("a message that a crash cut short is passed over, wherever it was cut, and the next ones come", async () => {
  await using scratch = await Scratch.make();
  const whole = `${message(0)}\n${message(1)}\n`;
  const bytes = new TextEncoder().encode(whole);
  const first = new TextEncoder().encode(`${message(0)}\n`).length;
  for (let length = 0; length <= bytes.length; length += 3) {
    const folder = scratch.folder(String(length));
    Deno.writeFileSync(join(folder, "0000000001.log"), bytes.subarray(0, length));
    const { store } = open(folder);
    store.append(message(9));
    await store.flush();
    const wanted = length >= bytes.length ? [0, 1, 9] : length >= first ? [0, 9] : [9];
    assert.deepEqual(await drain(store), wanted, `cut at ${length}`);
    await store.close();
  }
});

Deno.test("what is no message (zeros after a power failure, foreign text) is passed over", async () => {
  await using scratch = await Scratch.make();
  const text = `\0\0\0\0\n${message(1)}\nnonsense\n\n${message(2)}\n${"\0".repeat(5000)}`;
  Deno.writeTextFileSync(scratch.at("0000000001.log"), text);
  Deno.writeTextFileSync(scratch.at("readme.txt"), "not ours");
  Deno.writeTextFileSync(scratch.at("sent"), "garbage");
  const { store } = open(scratch.path);
  assert.deepEqual(await drain(store), [1, 2]);
  await store.close();
  assert.equal(Deno.readTextFileSync(scratch.at("readme.txt")), "not ours");
});

Deno.test("beyond the bound the oldest are dropped and counted to the message; the rest stays whole and in order", async () => {
  await using scratch = await Scratch.make();
  const { store, told } = open(scratch.path, { keepBytes: 200_000 });
  for (let n = 0; n < 3_000; n++) {
    store.append(message(n, "x".repeat(900)));
    if (n % 20 === 0) await store.flush();
  }
  await store.flush();
  assert.ok(store.waitingBytes <= 200_000, `${store.waitingBytes} bytes are kept`);
  assert.ok(told.dropped > 2_000);
  assert.equal(store.dropped, told.dropped);
  assert.deepEqual(await drain(store), upTo(3_000 - told.dropped, told.dropped));
  await store.close();
});

Deno.test("a drop in the middle of sending is neither sent twice nor counted as sent", async () => {
  await using scratch = await Scratch.make();
  const { store, told } = open(scratch.path, { keepBytes: 100_000 });
  const fill = async (from: number, count: number) => {
    for (let n = from; n < from + count; n++) store.append(message(n, "x".repeat(900)));
    await store.flush();
  };
  await fill(0, 30);
  const batch = (await store.next(10))!;
  for (let n = 0; n < 10; n++) await fill(30 + n * 30, 30);
  assert.ok(told.dropped > 0);
  store.sent(batch);
  const rest = await drain(store);
  assert.deepEqual(rest, upTo(330 - rest[0]!, rest[0]));
  assert.ok(rest[0]! >= told.dropped);
  await store.close();
});

Deno.test("a disk that does not take them is tried again, and nothing is lost or out of order", async () => {
  await using scratch = await Scratch.make();
  let broken = false;
  const files: FileSystem = {
    ...realFileSystem,
    open(path, mode) {
      const file = realFileSystem.open(path, mode);
      if (mode !== "create") return file;
      return {
        ...file,
        write: (bytes) => {
          if (broken) throw new Deno.errors.WriteZero("the disk is full");
          file.write(bytes);
        },
        syncData: () => file.syncData(),
        close: () => file.close(),
      };
    },
  };
  const { store, told } = open(scratch.path, { files });
  store.append(message(0));
  await store.flush();
  broken = true;
  for (let n = 1; n < 10; n++) store.append(message(n));
  await store.flush();
  assert.equal(told.reports.length, 1);
  await clock.advance(10_000);
  await store.flush();
  assert.equal(told.reports.length, 1, "told once");
  broken = false;
  for (let n = 10; n < 20; n++) store.append(message(n));
  await store.flush();
  assert.deepEqual(await drain(store), upTo(20));
  assert.equal(told.dropped, 0);
  await store.close();
});

Deno.test("while the disk takes nothing memory is bounded, and what is dropped is counted", async () => {
  await using scratch = await Scratch.make();
  const files: FileSystem = {
    ...realFileSystem,
    open() {
      throw new Deno.errors.PermissionDenied("no");
    },
  };
  const { store, told } = open(scratch.path, { files });
  for (let n = 0; n < 25_000; n++) store.append(message(n));
  await store.flush();
  assert.equal(told.dropped, 5_000);
  await store.close();
});

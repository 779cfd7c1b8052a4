/*
 * What people, crashes and full disks leave in a spool, and a spool that copes.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { countCorrupt, listItems, removeItem, retryItem } from "../../src/spool/inspect.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { noise } from "../helpers/hex.ts";
import { commit, store, withSpool } from "../helpers/spools.ts";

const REFUSED = { kind: "refused", reason: "no", when: "2026-01-01T00:00:00Z", tries: 1 } as const;
const nowhere = () => Promise.resolve([]);

Deno.test("files that are not the spool's are left alone, reported where they lie in the way, and stop no start", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    await spool.fail(await store(spool, ["a"]), "a", REFUSED);
    await spool.close();
    Deno.writeTextFileSync(join(directory.path, "failed", ".DS_Store"), "x");
    Deno.writeTextFileSync(join(directory.path, "incoming", "precious.dcm"), "x");
    Deno.mkdirSync(join(directory.path, "incoming", "@eaDir"));
    const { spool: again } = await directory.start();
    assert.equal([...listItems(directory.files, directory.path)].length, 1);
    assert.equal(Deno.readTextFileSync(join(directory.path, "incoming", "precious.dcm")), "x");
    assert.match(directory.reports.join("\n"), /precious\.dcm is not a file of the spool/);
    await again.close();
  }));

Deno.test("a full disk does not stop a start: what waits is there, nothing new is taken until there is room", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const waiting = await store(spool, ["a"]);
    await spool.close();
    directory.files.fault = (operation, path) =>
      (operation === "write" || operation === "open") && path.endsWith(".part")
        ? systemError("ENOSPC", "no space left on device")
        : undefined;
    const { spool: again, entries } = await directory.start();
    assert.deepEqual(entries.map((entry) => entry.base), [waiting.base]);
    assert.match(again.refusesNew()!, /no room/);
    again.delivered(entries[0]!, "a");
    await again.settled();
    directory.files.fault = () => undefined;
    await again.maintain();
    assert.equal(again.refusesNew(), undefined);
    await store(again, ["a"]);
    await again.close();
  }));

Deno.test("one file in retry/ that cannot be read does not lose the others that were put back", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    for (const n of [1, 2, 3]) {
      await spool.fail(await store(spool, ["unrouted"], noise(20, n)), "unrouted", REFUSED);
    }
    const items = [...listItems(directory.files, directory.path)];
    for (const item of items) retryItem(directory.files, directory.path, item);
    const bad = items[1]!.id;
    directory.files.fault = (operation, path) =>
      operation === "open" && path.includes(bad) ? systemError("EIO") : undefined;
    const adopted = await spool.adoptRetries(() => Promise.resolve(["a"]), "unrouted");
    assert.equal(adopted.length, 2);
    assert.ok(directory.reports.some((report) => report.includes(bad)));
    directory.files.fault = () => undefined;
    const rest = await spool.adoptRetries(() => Promise.resolve(["a"]), "unrouted");
    assert.deepEqual(rest.map((entry) => entry.base), [bad]);
    await spool.close();
  }));

Deno.test("a retry of an instance that a crash left under two names is adopted once", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    // The state between the second name in failed/ and the first one's going.
    Deno.mkdirSync(join(directory.path, "failed", "a"), { recursive: true });
    Deno.linkSync(entry.path, join(directory.path, "failed", "a", `${entry.base}.dcm`));
    const [failed] = [...listItems(directory.files, directory.path)].filter((item) =>
      item.state === "failed"
    );
    retryItem(directory.files, directory.path, failed!);
    assert.equal((await spool.adoptRetries(nowhere, "unrouted")).length, 1);
    assert.deepEqual(await spool.adoptRetries(nowhere, "unrouted"), []);
    assert.equal([...listItems(directory.files, directory.path)].length, 1);
    await spool.close();
  }));

Deno.test("a destination taken out of the queue by hand while another is served leaves nothing behind", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const item = [...listItems(directory.files, directory.path)].find((one) =>
      one.destination === "b"
    );
    removeItem(directory.files, item!);
    spool.delivered(entry, "a");
    await spool.settled();
    assert.deepEqual([...listItems(directory.files, directory.path)], []);
    assert.equal(entry.queued, false);
    await spool.close();
  }));

Deno.test("a file system that reads a few bytes at a time costs no committed slot, nor sets anything aside", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const slot = await commit(spool);
    const queued = await store(spool, ["a"]);
    await spool.fail(await store(spool, ["b"]), "b", {
      kind: "not-configured",
      reason: "The configuration has no destination b any more",
      when: "",
      tries: 0,
    });
    await spool.close();
    directory.files.mostAtOnce = 50;
    const { spool: again, entries } = await directory.start();
    assert.deepEqual(entries.map((entry) => entry.base).sort(), [slot.base, queued.base].sort());
    entries.push(...again.restoreConfigured(new Set(["b"])));
    assert.equal(entries.length, 3);
    for (const entry of entries) {
      const instance = again.openEntry(entry, true)!;
      await instance.read(new Uint8Array(instance.length));
      assert.ok(instance.vouch());
      instance.close();
    }
    await again.close();
  }));

Deno.test("of two damaged files of one name neither takes the other's place in corrupt/", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    for (const destination of ["b", "c"]) {
      const damaged = Deno.readFileSync(entry.path).subarray(0, 140);
      damaged[139] = destination.charCodeAt(0);
      const name = `${entry.base}.unrouted.dcm`;
      Deno.writeFileSync(join(directory.path, "retry", name), damaged);
      await spool.adoptRetries(() => Promise.resolve([destination]), "unrouted");
    }
    const corrupt = join(directory.path, "corrupt");
    const kept = [...Deno.readDirSync(corrupt)].map(({ name }) => name).sort();
    assert.deepEqual(kept, [
      `${entry.base}.2.dcm`,
      `${entry.base}.2.json`,
      `${entry.base}.dcm`,
      `${entry.base}.json`,
    ]);
    assert.equal(countCorrupt(directory.files, directory.path), 2);
    assert.equal(Deno.readFileSync(join(corrupt, `${entry.base}.dcm`))[139], 0x62);
    await spool.close();
  }));

Deno.test("where a folder of the queue was taken away, an instance is delivered from where it lies, to every destination", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const committed = await commit(spool);
    Deno.removeSync(join(directory.path, "queue", committed.bucket));
    const entry = spool.enqueue(committed, ["a", "b"]);
    assert.match(directory.reports.join("\n"), /Cannot rename/);
    spool.delivered(entry, "a");
    assert.ok(entry.waitsFor("b"), "the other one still gets it");
    spool.openEntry(entry, true)!.close();
    await spool.close();
    const { spool: again, entries } = await directory.start(["a", "b"]);
    assert.deepEqual(entries.map((one) => one.base), [entry.base]);
    await again.close();
  }));

Deno.test("a slot whose commit record lost a bit on the disk is kept for a person to see, not removed", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const slots = [await commit(spool), await commit(spool)];
    await spool.close();
    for (const { path } of slots) {
      const bytes = Deno.readFileSync(path);
      bytes[50]! ^= 1;
      Deno.writeFileSync(path, bytes);
    }
    const { spool: again, entries } = await directory.start();
    assert.deepEqual(entries, []);
    assert.equal(countCorrupt(directory.files, directory.path), 2);
    assert.match(directory.reports.join("\n"), /has no valid commit record: set aside as/);
    await again.close();
  }));

Deno.test("a reason in failed/ whose instance a crash took elsewhere is removed at the next start, other files are not", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    await spool.fail(entry, "a", REFUSED);
    await spool.close();
    const failed = join(directory.path, "failed", "a");
    const orphan = join(failed, `${entry.base.replace("-000001-", "-000002-")}.json`);
    Deno.copyFileSync(join(failed, `${entry.base}.json`), orphan);
    Deno.writeTextFileSync(join(failed, "notes.json"), "{}");
    const { spool: again } = await directory.start();
    assert.deepEqual(
      [...directory.files.list(failed)].sort(),
      [`${entry.base}.dcm`, `${entry.base}.json`, "notes.json"],
    );
    await again.close();
  }));

/*
 * What people, crashes and full disks leave in a spool, and a spool that copes.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { listItems, removeItem, retryItem } from "../../src/spool/inspect.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { noise } from "../helpers/hex.ts";
import { store, withSpool } from "../helpers/spools.ts";

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

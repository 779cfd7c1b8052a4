/*
 * What a person does to the queue of a running forwarder takes effect at once, also on what is being sent at that moment,
 * and none of it loses an instance: retry, hold, release, remove, a look at one, its file.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { ActionResult, QueueItemView } from "../../src/control/views.ts";
import { reconcile } from "../../src/ledger/reconcile.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf, instanceOfSize } from "../helpers/instances.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until } from "../helpers/until.ts";

/** A port that refuses connections: nobody listens there. */
function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

function instances(count: number, study = "1.2.3") {
  return Array.from(
    { length: count },
    (_, n) => instanceOf({ sopInstanceUid: `${study}.1.${n}`, studyUid: study }),
  );
}

async function items(forwarder: Forwarder, query = {}): Promise<QueueItemView[]> {
  return (await forwarder.queue.queue({ limit: 100, ...query })).items;
}

function heldFiles(scratch: Scratch): string[] {
  return filesIn(scratch.at("spool", "held")).filter((path) => path.endsWith(".dcm"));
}

/** Nothing is missing and nothing is counted twice. */
async function assertBalanced(scratch: Scratch): Promise<void> {
  const { missing } = await reconcile(realFileSystem, {
    spoolDirectory: scratch.at("spool"),
    ledgerDirectory: scratch.at("spool", "ledger"),
    pause: pass,
  });
  assert.deepEqual(missing, []);
}

const BY = "web 127.0.0.1";

Deno.test("what is held stays back over a restart, and is sent when it is let go", async () => {
  await using scratch = await Scratch.make();
  const port = closedPort();
  await using other = new Sink();
  const settings = { destinations: [nodeAt("down", port), nodeAt("up", other.port)] };
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    await sendAll(forwarder.port, instances(5));
    await other.received(5);
    const waiting = await items(forwarder, { destination: "down" });
    assert.equal(waiting.length, 5);
    const named = waiting.slice(0, 2).map(({ id, destination }) => ({ id, destination }));
    const result = await forwarder.queue.act("hold", { items: named }, BY);
    assert.deepEqual(result, { done: 2, failed: [] });
    const all = await forwarder.queue.queue({ limit: 100 });
    assert.equal(all.total, 5);
    assert.deepEqual(all.items.map((one) => one.state), [
      "held",
      "held",
      "queued",
      "queued",
      "queued",
    ]);
    assert.equal(all.items[0]!.reason, `Held back by ${BY}`);
    assert.equal(forwarder.destination("down").waiting, 3, "the scheduler knows at once");
    const again = await forwarder.queue.act("hold", { items: named }, BY);
    assert.deepEqual(again.failed.map((one) => one.reason), [
      "it is held already",
      "it is held already",
    ]);
  }
  await assertBalanced(scratch);
  await using sink = new Sink({ port });
  await using forwarder = await Forwarder.start(scratch.path, settings);
  await sink.received(3);
  await forwarder.balanced;
  assert.equal(heldFiles(scratch).length, 2);
  assert.equal(sink.uids().size, 3);
  const released = await forwarder.queue.act("release", { state: "held", destination: "down" }, BY);
  assert.deepEqual(released, { done: 2, failed: [] });
  await sink.received(5);
  assert.equal(sink.arrivals.length, 5, "each arrives once");
  await forwarder.stop();
  assert.deepEqual(filesIn(scratch.at("spool", "held")), []);
  await assertBalanced(scratch);
});

Deno.test("an instance that is delivered while somebody holds it, or removes it, is said to be delivered", async () => {
  for (const action of ["hold", "remove"] as const) {
    await using scratch = await Scratch.make();
    const gate = Promise.withResolvers<number>();
    const asked = Promise.withResolvers<void>();
    await using sink = new Sink({
      answer: () => {
        asked.resolve();
        return gate.promise;
      },
    });
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", sink.port)],
    });
    await sendAll(forwarder.port, instances(1));
    await asked.promise;
    const [item] = await items(forwarder);
    const named = { id: item!.id, destination: "pacs" };
    const acted = forwarder.queue.act(action, { items: [named] }, BY);
    await pass(100);
    gate.resolve(0);
    const result = await acted;
    assert.deepEqual(result, {
      done: 0,
      failed: [{ ...named, reason: "delivered meanwhile" }],
    }, action);
    await forwarder.delivered("pacs", 1);
    await forwarder.stop();
    assert.deepEqual(heldFiles(scratch), []);
    await assertBalanced(scratch);
  }
});

Deno.test("an instance that is refused while somebody holds it is held, and not attempted again", async () => {
  await using scratch = await Scratch.make();
  const gate = Promise.withResolvers<number>();
  const asked = Promise.withResolvers<void>();
  let attempts = 0;
  await using sink = new Sink({
    answer: () => {
      attempts++;
      asked.resolve();
      return gate.promise;
    },
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  await sendAll(forwarder.port, instances(1));
  await asked.promise;
  const selection = { state: "queued", destination: "pacs" } as const;
  const acted = forwarder.queue.act("hold", selection, BY);
  await pass(50);
  gate.resolve(0xa900);
  assert.deepEqual(await acted, { done: 1, failed: [] });
  await pass(600);
  assert.equal(attempts, 1);
  assert.equal(heldFiles(scratch).length, 1);
  const [item] = await items(forwarder);
  assert.equal(item!.state, "held");
  assert.equal(item!.tries, 1, "its refusals are remembered");
});

Deno.test("holding and letting go while everything is being sent loses nothing and sends nothing twice", async () => {
  await using scratch = await Scratch.make();
  await using one = new Sink();
  await using two = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("one", one.port), nodeAt("two", two.port)],
  });
  const sent = sendAll(forwarder.port, instances(300));
  let over = false;
  void sent.then(() => over = true);
  let done = 0;
  while (!over || forwarder.destination("one").waiting + forwarder.destination("two").waiting > 0) {
    for (const destination of ["one", "two"]) {
      const selection = { state: "queued", destination } as const;
      const held = await forwarder.queue.act("hold", selection, BY);
      const odd = held.failed.filter(({ reason }) => reason !== "delivered meanwhile");
      assert.deepEqual(odd, []);
      done += held.done;
      await forwarder.queue.act("release", { state: "held", destination }, BY);
    }
    await pass(1);
  }
  await sent;
  for (const destination of ["one", "two"]) {
    await forwarder.queue.act("release", { state: "held", destination }, BY);
  }
  await one.received(300);
  await two.received(300);
  await forwarder.stop();
  assert.ok(done > 0, "some were held");
  assert.equal(one.arrivals.length, 300);
  assert.equal(two.arrivals.length, 300);
  assert.deepEqual(heldFiles(scratch), []);
  await assertBalanced(scratch);
});

Deno.test("what failed is put back and arrives, what failed and is removed is gone, and the ledger says who", async () => {
  await using scratch = await Scratch.make();
  let status = 0xa900;
  await using sink = new Sink({ answer: () => status });
  await using forwarder = await Forwarder.start(scratch.path, {
    retry_attempts: 0,
    destinations: [nodeAt("pacs", sink.port)],
  });
  await sendAll(forwarder.port, instances(3));
  await forwarder.failed("pacs", 3);
  const failed = await items(forwarder, { state: "failed" });
  assert.equal(failed.length, 3);
  assert.match(failed[0]!.reason, /A900/i);
  status = 0;
  const [first, ...rest] = failed.map(({ id, destination }) => ({ id, destination }));
  const removed = await forwarder.queue.act("remove", { items: [first!] }, BY);
  assert.deepEqual(removed, { done: 1, failed: [] });
  const retried = await forwarder.queue.act("retry", { state: "failed", destination: "pacs" }, BY);
  assert.deepEqual(retried, { done: 2, failed: [] });
  await forwarder.delivered("pacs", 2);
  await until(async () => (await items(forwarder)).length === 0, 5000, "an empty queue");
  const unknown = await forwarder.queue.act("retry", { items: rest }, BY);
  assert.equal(unknown.done, 0);
  assert.match(unknown.failed[0]!.reason, /there is none/);
  await forwarder.stop();
  const lines = filesIn(scratch.at("spool", "ledger")).filter((path) => path.endsWith(".jsonl"))
    .flatMap((path) => Deno.readTextFileSync(path).trim().split("\n"))
    .map((line) => JSON.parse(line));
  const told = lines.filter(({ event }) => event === "retried" || event === "removed");
  assert.deepEqual(
    told.map(({ event, id, who }) => [event, id, who]).sort(),
    [
      ["removed", first!.id, BY],
      ...rest.map(({ id }) => ["retried", id, BY]),
    ].sort(),
  );
  await assertBalanced(scratch);
});

Deno.test("what waits for its study to be quiet can be held, removed and sent at once", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    forward_immediately: false,
    study_quiet_seconds: 3600,
    destinations: [nodeAt("pacs", sink.port)],
  });
  await sendAll(forwarder.port, instances(3));
  const named = (await items(forwarder)).map(({ id }) => ({ id, destination: "pacs" }));
  assert.equal(named.length, 3);
  const act = (action: "hold" | "remove" | "retry", n: number): Promise<ActionResult> =>
    forwarder.queue.act(action, { items: [named[n]!] }, BY);
  assert.equal((await act("hold", 0)).done, 1);
  assert.equal((await act("remove", 1)).done, 1);
  assert.equal((await act("retry", 2)).done, 1);
  await sink.received(1);
  await until(
    async () => (await items(forwarder)).length === 1,
    5000,
    "the one that is held alone",
  );
  assert.deepEqual((await items(forwarder)).map(({ state }) => state), ["held"]);
  await forwarder.stop();
  assert.equal(sink.arrivals.length, 1);
  await assertBalanced(scratch);
});

Deno.test("a retry of what waits for a destination that is down tries it at once", async () => {
  await using scratch = await Scratch.make();
  const port = closedPort();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", port)],
  }, { backOff: { firstMs: 600_000, mostMs: 600_000 } });
  await sendAll(forwarder.port, instances(1));
  await until(() => forwarder.destination("pacs").health.state === "down", 5000, "it to be down");
  await using sink = new Sink({ port });
  const [item] = await items(forwarder);
  const result = await forwarder.queue.act("retry", {
    items: [{ id: item!.id, destination: "pacs" }],
  }, BY);
  assert.deepEqual(result, { done: 1, failed: [] });
  await sink.received(1, 10_000);
});

Deno.test("an instance is shown in full, with what the ledger says of it, and its file is what was received", async () => {
  await using scratch = await Scratch.make();
  const port = closedPort();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", port)],
  });
  const large = instanceOfSize("1.2.3.9", 700_000);
  await sendAll(forwarder.port, [large]);
  const [item] = await items(forwarder);
  const name = { id: item!.id, destination: "pacs" };
  await forwarder.queue.act("hold", { items: [name] }, BY);
  const details = await forwarder.queue.item(name);
  assert.equal(details!.sopInstanceUid, "1.2.3.9");
  assert.equal(details!.from, "MODALITY");
  assert.equal(details!.identification!.patientId, "PATIENT");
  assert.equal(details!.damaged, null);
  assert.deepEqual(details!.events.map(({ text }) => text.replace(/\d+ bytes/, "n bytes")), [
    "Received from MODALITY, n bytes of data set, for pacs",
    `Held back from pacs by a person (${BY})`,
  ]);
  const { size, body } = (await forwarder.queue.download(name))!;
  assert.equal(size, details!.bytes);
  const reader = body.getReader();
  const first = await reader.read();
  // It goes on its way while it is read, and others come: their bytes must not be among these.
  await forwarder.queue.act("release", { items: [name] }, BY);
  await using sink = new Sink({ port });
  await sink.received(1);
  await sendAll(
    forwarder.port,
    Array.from({ length: 70 }, (_, n) => instanceOfSize(`1.9.${n}`, 700_000)),
  );
  await sink.received(71);
  const pieces = [first.value!];
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    pieces.push(next.value);
  }
  const whole = new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  assert.equal(whole.length, size);
  assert.deepEqual(whole.subarray(-large.dataSet.length), large.dataSet);
  assert.equal(
    await forwarder.queue.item({ id: "../../etc/passwd", destination: ".." }),
    undefined,
  );
  assert.equal(await forwarder.queue.download({ id: item!.id, destination: "../x" }), undefined);
});

Deno.test("a file that is read while it waits, and is then held and let go, is never written over by another", async () => {
  await using scratch = await Scratch.make();
  const port = closedPort();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", port)],
  });
  const large = instanceOfSize("1.2.3.9", 700_000);
  const others = (from: number) =>
    Array.from({ length: 60 }, (_, n) => instanceOfSize(`1.9.${from + n}`, 700_000));
  await sendAll(forwarder.port, [large, ...others(0)]);
  const [item] = await items(forwarder);
  const name = { id: item!.id, destination: "pacs" };
  const { body } = (await forwarder.queue.download(name))!;
  const reader = body.getReader();
  const pieces = [(await reader.read()).value!];
  // Let go, it is the last one to be delivered, and so the first one to be used again.
  assert.equal((await forwarder.queue.act("hold", { items: [name] }, BY)).done, 1);
  assert.equal((await forwarder.queue.act("release", { items: [name] }, BY)).done, 1);
  await using sink = new Sink({ port });
  forwarder.daemon.tryNow("pacs", BY);
  await sink.received(61);
  await sendAll(forwarder.port, others(100));
  await sink.received(121);
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    pieces.push(next.value);
  }
  const whole = new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  assert.deepEqual(whole.subarray(-large.dataSet.length), large.dataSet);
});

Deno.test("a damaged file is shown as damaged, and its download fails rather than give what was not received", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", closedPort())],
  });
  await sendAll(forwarder.port, [instanceOfSize("1.2.3.9", 1000)]);
  const [item] = await items(forwarder);
  const name = { id: item!.id, destination: "pacs" };
  await forwarder.queue.act("hold", { items: [name] }, BY);
  const path = join(scratch.at("spool", "held", "pacs"), `${item!.id}.dcm`);
  const file = await Deno.open(path, { write: true });
  await file.seek(-5, Deno.SeekMode.End);
  await file.write(Uint8Array.of(1, 2, 3));
  file.close();
  const { body } = (await forwarder.queue.download(name))!;
  await assert.rejects(new Response(body).bytes(), /does not match its checksum/);
  await Deno.truncate(path, 200);
  const details = await forwarder.queue.item(name);
  assert.match(details!.damaged!, /bytes long/);
  assert.equal(await forwarder.queue.download(name), undefined);
});

Deno.test("a page goes on where the last one ended while items come and go", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("a", closedPort()), nodeAt("b", closedPort())],
  });
  await sendAll(forwarder.port, [...instances(10, "1.5"), ...instances(10, "1.6")]);
  const seen: string[] = [];
  let after: string | undefined;
  for (let n = 0;; n++) {
    const page = await forwarder.queue.queue({
      limit: 7,
      ...(after === undefined ? {} : { after }),
    });
    seen.push(...page.items.map(({ id, destination }) => `${id} ${destination}`));
    if (page.next === null) break;
    after = page.next;
    // One seen is removed and one held: neither moves another to a page that it is not on.
    const [first] = page.items;
    await forwarder.queue.act(n % 2 === 0 ? "remove" : "hold", { items: [first!] }, BY);
  }
  assert.equal(seen.length, 40);
  assert.equal(new Set(seen).size, 40);
  const { items: some } = await forwarder.queue.queue({ limit: 1 });
  const study = some[0]!.id.slice(-17, -9);
  const ofStudy = await forwarder.queue.queue({ limit: 100, study });
  assert.ok(ofStudy.total >= 10 && ofStudy.total <= 20);
  assert.equal(ofStudy.items.length, ofStudy.total);
  const nowhere = await forwarder.queue.queue({ limit: 10, after: "nonsense" });
  assert.deepEqual(nowhere.items, []);
});

/*
 * The figures of a running forwarder: what it counts is what happened, and what it exports reads as Prometheus reads it.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../helpers/child.ts";
import { readExposition, type ReadFamily, valueOf } from "../helpers/exposition.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf, type TestInstance } from "../helpers/instances.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll, Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

function instance(n: number, study = 1): TestInstance {
  return instanceOf({
    sopInstanceUid: `1.2.${study}.${n}`,
    studyUid: `1.2.${study}`,
    patientId: `PATIENT-${study}`,
  });
}

function instances(count: number, study = 1): TestInstance[] {
  return Array.from({ length: count }, (_, n) => instance(n, study));
}

const ALL = { search: "", active: false, limit: 100 };

function scrape(forwarder: Forwarder): Map<string, ReadFamily> {
  return readExposition(forwarder.daemon.figures.metrics());
}

Deno.test("what was received, delivered and refused is counted, timed and told apart", async () => {
  await using scratch = await Scratch.make();
  await using pacs = new Sink();
  await using picky = new Sink({
    answer: ({ sopInstanceUid }) => sopInstanceUid === "1.2.1.3" ? 0xc000 : 0,
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [
      nodeAt("pacs", pacs.port),
      nodeAt("picky", picky.port, { retry_attempts: 1 }),
      { type: "directory", name: "archive", path: scratch.at("archive") },
    ],
  });
  const sent = instances(10);
  await sendAll(forwarder.port, sent, { calling: "CT1" });
  await forwarder.delivered("pacs", 10);
  await forwarder.delivered("archive", 10);
  await forwarder.delivered("picky", 9);
  await forwarder.failed("picky", 1);
  const bytes = sent.reduce((sum, { dataSet }) => sum + dataSet.length, 0);

  const overview = forwarder.daemon.figures.overview();
  assert.equal(overview.received, 10);
  assert.equal(overview.receivedBytes, bytes);
  assert.equal(overview.refused, 0);
  assert.equal(overview.queued, 0);
  assert.equal(overview.failed, 1);
  assert.equal(overview.corrupt, 0);
  assert.equal(overview.disk.refuses, null);
  assert.equal(overview.disk.reserve, 64_000_000);
  assert.ok(overview.disk.free! > 64_000_000);
  assert.ok(overview.disk.syncMedian! > 0 && overview.disk.syncP99! >= overview.disk.syncMedian!);
  assert.deepEqual(
    overview.destinations.map((one) => [one.name, one.type, one.state, one.delivered, one.failed]),
    [
      ["pacs", "dicom", "up", 10, 0],
      ["picky", "dicom", "up", 9, 1],
      ["archive", "directory", "up", 10, 0],
    ],
  );
  assert.equal(overview.destinations[0]!.deliveredBytes, bytes);
  assert.equal(overview.destinations[2]!.deliveredBytes, bytes);
  assert.equal(overview.destinations[0]!.lastAnswer, "Success (0000)");
  // Where it lies in the archive names the patient, and that is told of studies alone.
  assert.equal(overview.destinations[2]!.lastAnswer, "stored");
  assert.doesNotMatch(JSON.stringify(overview), /PATIENT-1|1\.2\.1/);

  const read = scrape(forwarder);
  const value = (name: string, labels = {}) => valueOf(read, `dicomforwarder_${name}`, labels);
  const from = { calling_ae_title: "CT1" };
  assert.equal(value("received_instances_total", from), 10);
  assert.equal(value("received_bytes_total", from), bytes);
  assert.equal(value("associations_accepted_total"), 1);
  assert.equal(value("receive_duration_seconds_count"), 10);
  assert.equal(value("sync_duration_seconds_count"), 10);
  const stored = { destination: "pacs", status_class: "stored" };
  assert.equal(value("attempts_total", stored), 10);
  assert.equal(value("delivered_instances_total", stored), 10);
  assert.equal(value("delivered_bytes_total", { destination: "pacs" }), bytes);
  assert.equal(value("delivery_duration_seconds_count", { destination: "pacs" }), 10);
  assert.equal(value("age_at_delivery_seconds_count", { destination: "archive" }), 10);
  const refused = { destination: "picky", status_class: "refused" };
  assert.equal(value("attempts_total", refused), 2, "the first and one more");
  assert.equal(value("failed_instances_total", refused), 1);
  assert.equal(value("failed_instances", { destination: "picky" }), 1);
  assert.equal(value("failed_instances_all"), 1);
  assert.equal(value("queued_instances", { destination: "pacs" }), 0);
  assert.equal(value("destination_state", { destination: "pacs", state: "up" }), 1);
  assert.equal(value("destination_state", { destination: "pacs", state: "down" }), 0);
  assert.equal(value("oldest_queued_age_seconds", { destination: "pacs" }), 0);
  assert.equal(value("spool_refuses"), 0);
  for (const name of ["receive_duration_seconds_sum", "sync_duration_seconds_sum"]) {
    assert.ok(value(name)! > 0 && value(name)! < 60, `${name} ${value(name)}`);
  }

  const { studies } = await forwarder.daemon.figures.studies(ALL);
  assert.equal(studies.length, 1);
  assert.equal(studies[0]!.identification!.patientId, "PATIENT-1");
  assert.equal(studies[0]!.from, "CT1");
  assert.equal(studies[0]!.receivedBytes, bytes);
  assert.deepEqual(studies[0]!.destinations, [
    { name: "pacs", wanted: 10, delivered: 10, failed: 0 },
    { name: "picky", wanted: 10, delivered: 9, failed: 1 },
    { name: "archive", wanted: 10, delivered: 10, failed: 0 },
  ]);

  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  // The second in which it happened has to be over.
  await until(
    () => sum(forwarder.daemon.figures.throughput().deliveredInstances) === 29,
    5_000,
    () => `29 in the throughput: ${sum(forwarder.daemon.figures.throughput().deliveredInstances)}`,
  );
  const { receivedInstances, receivedBytes } = forwarder.daemon.figures.throughput();
  assert.equal(sum(receivedInstances), 10);
  assert.equal(sum(receivedBytes), bytes);
});

Deno.test("an instance put back from failed/ counts as waiting again, then as delivered", async () => {
  await using scratch = await Scratch.make();
  let answer = 0xc000;
  await using pacs = new Sink({ answer: () => answer });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", pacs.port, { retry_attempts: 0 })],
  });
  await sendAll(forwarder.port, instances(2));
  await forwarder.failed("pacs", 2);
  const progress = async () =>
    (await forwarder.daemon.figures.studies(ALL)).studies[0]!.destinations;
  assert.equal(forwarder.daemon.figures.overview().destinations[0]!.failed, 2);
  assert.deepEqual(await progress(), [{ name: "pacs", wanted: 2, delivered: 0, failed: 2 }]);
  answer = 0;
  const failed = scratch.at("spool", "failed", "pacs");
  for (const { name } of Deno.readDirSync(failed)) {
    if (!name.endsWith(".dcm")) continue;
    const back = name.replace(/(\.pacs)?\.dcm$/, ".pacs.dcm");
    Deno.renameSync(join(failed, name), scratch.at("spool", "retry", back));
  }
  await forwarder.delivered("pacs", 2);
  assert.equal(forwarder.daemon.figures.overview().failed, 0);
  assert.deepEqual(await progress(), [{ name: "pacs", wanted: 2, delivered: 2, failed: 0 }]);
});

Deno.test("what a person puts back, holds and removes shows in the study and the counts", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort()), nodeAt("picky", freePort())],
    routes: [{ modalities: ["CT"], destinations: ["pacs", "picky"] }],
  });
  const { figures, queue } = forwarder.daemon;
  await sendAll(forwarder.port, instances(3));
  const progress = async () =>
    Object.fromEntries(
      (await figures.studies(ALL)).studies[0]!.destinations.map((one) => [one.name, one.wanted]),
    );
  assert.deepEqual(await progress(), { pacs: 3, picky: 3 });
  const { items } = await queue.queue({ destination: "pacs", limit: 10 });
  const [first, second] = items as [typeof items[0], typeof items[0]];
  assert.equal((await queue.act("remove", { items: [first!] }, "test")).done, 1);
  assert.equal((await queue.act("hold", { items: [second!] }, "test")).done, 1);
  assert.equal(
    (await queue.act("retry", { state: "queued", destination: "picky" }, "test")).done,
    3,
  );
  assert.deepEqual(await progress(), { pacs: 2, picky: 3 });
  const pacs = () => figures.overview().destinations[0]!;
  await until(() => pacs().queued === 1, 5_000, () => JSON.stringify(pacs()));
  assert.equal(pacs().held, 1);
  assert.equal(figures.overview().held, 1);
  assert.equal(pacs().oldest, items[2]!.received);
  const read = scrape(forwarder);
  assert.equal(valueOf(read, "dicomforwarder_held_instances", { destination: "pacs" }), 1);
  const age = valueOf(read, "dicomforwarder_oldest_queued_age_seconds", { destination: "pacs" })!;
  assert.ok(age > 0 && age <= (Date.now() - pacs().oldest!) / 1000, `${age} s`);
});

Deno.test("an instance without a route is failed until it is routed and put back, then it is another's", async () => {
  await using scratch = await Scratch.make();
  await using pacs = new Sink();
  const settings = {
    destinations: [nodeAt("pacs", pacs.port)],
    routes: [{ modalities: ["MR"], destinations: ["pacs"] }],
  };
  await using forwarder = await Forwarder.start(scratch.path, settings);
  const { figures, queue } = forwarder.daemon;
  await sendAll(forwarder.port, instances(2));
  const failed = () => figures.overview().failed;
  await until(() => failed() === 2, 5_000, () => `${failed()} failed`);
  const progress = async () => (await figures.studies(ALL)).studies[0]!.destinations;
  assert.deepEqual(await progress(), [{ name: "unrouted", wanted: 2, delivered: 0, failed: 2 }]);
  await forwarder.reload({
    ...settings,
    routes: [{ modalities: ["CT", "MR"], destinations: ["pacs"] }],
  });
  await queue.act("retry", { state: "failed", destination: "unrouted" }, "test");
  await forwarder.delivered("pacs", 2);
  assert.equal(failed(), 0);
  assert.deepEqual(await progress(), [{ name: "pacs", wanted: 2, delivered: 2, failed: 0 }]);
});

Deno.test("a stored instance that was damaged counts as corrupt, and nobody waits for it", async () => {
  await using scratch = await Scratch.make();
  await using pacs = new Sink();
  const port = freePort();
  const both = [nodeAt("pacs", port), nodeAt("other", freePort())];
  {
    await using forwarder = await Forwarder.start(scratch.path, { destinations: both });
    await sendAll(forwarder.port, instances(3));
  }
  const [file] = filesIn(scratch.at("spool", "queue"));
  const bytes = Deno.readFileSync(file!);
  bytes[bytes.length - 1]! ^= 1;
  Deno.writeFileSync(file!, bytes);
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", pacs.port), both[1]!],
  });
  const { figures } = forwarder.daemon;
  await forwarder.delivered("pacs", 2);
  await until(() => figures.overview().corrupt === 1, 10_000, "the damaged one in corrupt/");
  assert.deepEqual((await figures.studies(ALL)).studies[0]!.destinations, [
    { name: "pacs", wanted: 2, delivered: 2, failed: 0 },
    { name: "other", wanted: 2, delivered: 0, failed: 0 },
  ]);
  const read = scrape(forwarder);
  assert.equal(valueOf(read, "dicomforwarder_corrupt_instances"), 1);
  const damaged = { destination: "pacs", status_class: "corrupt" };
  assert.equal(valueOf(read, "dicomforwarder_attempts_total", damaged), 1);
});

Deno.test("rejected associations and refused instances are counted by what was answered", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    require_called_ae_title: true,
    destinations: [nodeAt("pacs", freePort())],
  });
  await assert.rejects(Sender.open(forwarder.port, { called: "SOMEBODY" }));
  {
    await using sender = await Sender.open(forwarder.port);
    const wrong = { ...instance(1), sopInstanceUid: "1.2.9.9" };
    assert.equal(await sender.send(wrong), 0xa900);
    assert.equal(forwarder.daemon.figures.overview().associations, 1);
  }
  const { received, refused, rejected } = forwarder.daemon.figures.overview();
  assert.deepEqual({ received, refused, rejected }, { received: 0, refused: 1, rejected: 1 });
  const read = scrape(forwarder);
  assert.equal(
    valueOf(read, "dicomforwarder_associations_rejected_total", {
      result: "1",
      source: "1",
      reason: "7",
    }),
    1,
  );
  const classes = { status_class: "refused" };
  assert.equal(valueOf(read, "dicomforwarder_refused_instances_total", classes), 1);
});

Deno.test("a destination that is down shows its reason, its next attempt and what waits, within 2 s", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
  });
  await sendAll(forwarder.port, instances(3));
  const pacs = () => forwarder.daemon.figures.overview().destinations[0]!;
  await until(() => pacs().state === "down", 2_000, () => JSON.stringify(pacs()));
  assert.match(pacs().reason, /refused the connection/);
  assert.ok(pacs().nextAttempt! > Date.now() - 2_000 && pacs().attempts >= 1);
  assert.equal(pacs().queued, 3);
  assert.ok(pacs().oldest! <= Date.now() && pacs().oldest! > Date.now() - 60_000);
  assert.ok(pacs().since! <= Date.now());
  assert.match(pacs().lastAnswer, /refused/);
  assert.ok(pacs().lastAnswerAt! <= Date.now());
  const read = scrape(forwarder);
  const down = { destination: "pacs", state: "down" };
  assert.equal(valueOf(read, "dicomforwarder_destination_state", down), 1);
  assert.equal(valueOf(read, "dicomforwarder_queued_instances", { destination: "pacs" }), 3);
  const said = forwarder.daemon.figures.log(500).map(({ text }) => text);
  assert.deepEqual(said, [], "nothing is logged where logging is not configured");
});

Deno.test("what waited at a start is found by patient ID, accession number and study, and counts", async () => {
  await using scratch = await Scratch.make();
  const settings = { destinations: [nodeAt("pacs", freePort())] };
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    for (const study of [1, 2, 3]) {
      await sendAll(forwarder.port, instances(4, study), { calling: "MR7" });
    }
  }
  await using forwarder = await Forwarder.start(scratch.path, settings);
  const search = async (text: string) =>
    (await forwarder.daemon.figures.studies({ ...ALL, search: text })).studies;
  const [found, ...more] = await search("patient-2");
  assert.equal(more.length, 0);
  assert.equal(found!.identification!.studyInstanceUid, "1.2.2");
  assert.equal(found!.from, "MR7");
  assert.deepEqual(found!.destinations, [{ name: "pacs", wanted: 4, delivered: 0, failed: 0 }]);
  assert.equal((await search("1.2.3")).length, 1);
  assert.equal((await forwarder.daemon.figures.studies(ALL)).complete, true);
  assert.equal(forwarder.daemon.figures.overview().queued, 12);
});

Deno.test("AE titles from the network break no exposition and take bounded room", async () => {
  await using scratch = await Scratch.make();
  await using pacs = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", pacs.port)],
  });
  const hostile = ['A"} 1', "B{x=,}", "C #HELP", "D'`$(id)", "E<script>"];
  const many = Array.from({ length: 205 }, (_, n) => `AE${n}`);
  const titles = [...hostile, ...many];
  for (const [n, calling] of titles.entries()) {
    await sendAll(forwarder.port, [instance(n)], { calling });
  }
  await forwarder.delivered("pacs", titles.length);
  const read = scrape(forwarder);
  const { samples } = read.get("dicomforwarder_received_instances_total")!;
  assert.equal(samples.length, 201);
  assert.equal(samples.reduce((sum, { value }) => sum + value, 0), titles.length);
  for (const title of hostile) {
    const labels = { calling_ae_title: title };
    assert.equal(valueOf(read, "dicomforwarder_received_instances_total", labels), 1, title);
  }
  const others = { calling_ae_title: "other" };
  assert.equal(valueOf(read, "dicomforwarder_received_instances_total", others), 10);
});

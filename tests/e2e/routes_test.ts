/* What goes where, and when: routes, the local archive, studies held until they are quiet. */

import assert from "node:assert/strict";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { factsOf, sha256 } from "../helpers/hashes.ts";
import { instanceOf, type TestInstance } from "../helpers/instances.ts";
import { contentsOf, filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll, Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { freePort } from "../helpers/child.ts";
import { pass, until } from "../helpers/until.ts";

function ofModality(modality: string, number: number): TestInstance {
  return instanceOf({ modality, sopInstanceUid: `1.2.3.4.${number}` });
}

Deno.test("each modality goes to the destinations of its route", async () => {
  await using scratch = await Scratch.make();
  await using forCt = new Sink();
  await using forMr = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("ct", forCt.port), nodeAt("mr", forMr.port)],
    routes: [
      { modalities: ["CT"], destinations: ["ct"] },
      { modalities: ["MR"], destinations: ["mr"] },
      { modalities: ["PT"], destinations: ["ct", "mr"] },
    ],
  });
  await sendAll(forwarder.port, [
    ofModality("CT", 1),
    ofModality("MR", 2),
    ofModality("PT", 3),
    ofModality("CT", 4),
  ]);
  await forCt.received(3);
  await forMr.received(2);
  assert.deepEqual(forCt.uids(), new Set(["1.2.3.4.1", "1.2.3.4.3", "1.2.3.4.4"]));
  assert.deepEqual(forMr.uids(), new Set(["1.2.3.4.2", "1.2.3.4.3"]));
});

Deno.test("an instance that no route matches is answered Success and kept in failed/unrouted with the reason", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("ct", freePort())],
    routes: [{ modalities: ["CT"], destinations: ["ct"] }],
  });
  const instance = ofModality("XA", 5);
  await sendAll(forwarder.port, [instance]);
  const folder = scratch.at("spool", "failed", "unrouted");
  const kept = () => {
    try {
      return filesIn(folder).sort();
    } catch {
      return [];
    }
  };
  await until(() => kept().length === 2, 10_000, `an instance and its reason in ${folder}`);
  const [file, reason] = kept() as [string, string];
  assert.equal(factsOf(file).hash, sha256(instance.dataSet));
  const told = JSON.parse(Deno.readTextFileSync(reason));
  assert.equal(told.kind, "unrouted");
  assert.match(told.reason, /No route of the configuration matches/);
});

Deno.test("the local archive gets hard links by patient, study, series and instance, while others wait", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
    store_locally: true,
    storage_dir: "archive",
  });
  const instance = instanceOf({
    patientId: "PAT-1",
    studyUid: "1.2.840.1",
    seriesUid: "1.2.840.1.1",
    sopInstanceUid: "1.2.840.1.1.7",
  });
  await sendAll(forwarder.port, [instance]);
  await forwarder.delivered("archive", 1);
  assert.deepEqual(contentsOf(scratch.at("archive")).filter((name) => !name.endsWith("/")), [
    "PAT-1/1.2.840.1/1.2.840.1.1/1.2.840.1.1.7.dcm",
  ]);
  const [archived] = filesIn(scratch.at("archive")) as [string];
  assert.equal(factsOf(archived).hash, sha256(instance.dataSet));
  const queue = scratch.at("spool", "queue");
  await until(
    () => filesIn(queue).every((path) => /\.pacs(~\d+)?\.dcm$/.test(path)),
    5_000,
    "the name to say that only the PACS is wanting",
  );
  const [waiting] = filesIn(queue) as [string];
  assert.equal(Deno.statSync(archived).ino, Deno.statSync(waiting).ino);
});

Deno.test("with forward_immediately false a study leaves when it has been quiet, and not before", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  const quietMs = 1000;
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
    forward_immediately: false,
    study_quiet_seconds: quietMs / 1000,
  });
  let lastSent = 0;
  {
    await using sender = await Sender.open(forwarder.port);
    for (let number = 1; number <= 4; number++) {
      await pass(quietMs / 2);
      assert.equal(await sender.send(ofModality("CT", number)), 0);
      lastSent = performance.now();
    }
  }
  await sink.received(4, 10_000);
  const first = Math.min(...sink.arrivals.map((one) => one.at));
  const waited = Math.round(first - lastSent);
  assert.ok(waited >= quietMs * 0.95, `the first instance left ${waited} ms after the last came`);
});

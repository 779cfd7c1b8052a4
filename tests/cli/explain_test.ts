/*
 * `explain`: which way a file would go, from outside and from its first bytes.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { generateStudy, part10File } from "../../src/cli/demo_study.ts";
import { explanationOf, factsOf, inWords } from "../../src/cli/explain.ts";
import { configFrom } from "../../src/config/load.ts";
import { Part10Error } from "../../src/dicom/part10.ts";
import { IMPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { Forwarder } from "../helpers/forwarder.ts";
import { dataSetOf } from "../helpers/instances.ts";
import { runWell } from "../helpers/child.ts";
import { DCMTK, peerTest } from "../helpers/required_peers.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { until } from "../helpers/until.ts";
import { inFolder, runCli } from "./run_cli.ts";

const SETTINGS = {
  local_ae_title: "FWD",
  store_locally: true,
  forward_immediately: false,
  study_quiet_seconds: 30,
  destinations: [
    { name: "pacs", host: "10.0.0.5", port: 104, ae_title: "PACS" },
    { name: "raw", host: "10.0.0.6", port: 104, ae_title: "RAW", transcode: false },
  ],
  routes: [
    { modalities: ["MG"], destinations: ["raw"] },
    { calling_ae_titles: ["CT1"], modalities: ["CT"], destinations: ["pacs", "archive"] },
    { destinations: ["raw"] },
  ],
};

Deno.test("explain names the route that decides, the conditions that fail, and what becomes of it", async () => {
  await inFolder(SETTINGS, async (folder) => {
    const [instance] = [...generateStudy({ instances: 1, rows: 16, columns: 16 })];
    await Deno.writeFile(join(folder, "ct.dcm"), part10File(instance!));
    const { code, stdout, stderr } = await runCli(["explain", "ct.dcm", "--from", "CT1"], folder);
    assert.equal(code, 0, stderr);
    for (
      const wanted of [
        /Calling AE title +CT1, from --from/,
        /Called AE title +FWD, from local_ae_title/,
        /SOP class +CT \(1\.2\.840\.10008\.5\.1\.4\.1\.1\.2\)/,
        /Route 1: does not match\n +NO +modality out of MG: it is CT/,
        /Route 2: MATCHES: to pacs, archive\n +yes +calling AE title/,
        /Route 3: not asked: route 2 has decided/,
        /pacs: PACS at 10\.0\.0\.5 port 104\n +as it came/,
        /waits until its study has been quiet for 30 s/,
      ]
    ) assert.match(stdout, wanted);
    const path = join(folder, "storage", "DEMO-1", instance!.studyUid, instance!.seriesUid);
    assert.ok(stdout.includes(join(path, `${instance!.sopInstanceUid}.dcm`)), stdout);

    const json = await runCli(["explain", "ct.dcm", "--json"], folder);
    const [told] = JSON.parse(json.stdout);
    assert.equal(told.route.decides, 2, "nobody called CT1 sent it now");
    assert.deepEqual(told.route.destinations, ["raw"]);
  });
});

Deno.test("explain ends with 1 for a file that goes nowhere, is none, or is not there", async () => {
  await inFolder({ ...SETTINGS, routes: [SETTINGS.routes[0]] }, async (folder) => {
    const [instance] = [...generateStudy({ instances: 1, rows: 16, columns: 16 })];
    await Deno.writeFile(join(folder, "ct.dcm"), part10File(instance!));
    await Deno.writeTextFile(join(folder, "text"), "no image ".repeat(100));
    const { code, stdout, stderr } = await runCli(["explain", "ct.dcm", "text", "lost"], folder);
    assert.equal(code, 1);
    assert.match(stdout, /failed\/unrouted/);
    assert.match(stderr, /text: No DICOM file/);
    assert.match(stderr, /lost: .*(No such file|cannot find)/i);
  });
});

Deno.test("where a folder keeps it is where it is kept, hostile names and all", async () => {
  await using scratch = await Scratch.make();
  const settings = { store_locally: true };
  const fields = { patientId: "../../CON", studyUid: "1.2/3", sopInstanceUid: "1.2.3.4" };
  const config = configFrom(settings, scratch.path);
  const found = explanationOf(config, factsOf(dataSetOf(fields)), {
    from: undefined,
    called: undefined,
  });
  const forwarder = await Forwarder.start(scratch.path, settings);
  try {
    await sendAll(forwarder.port, [{
      sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
      sopInstanceUid: "1.2.3.4",
      transferSyntaxUid: "1.2.840.10008.1.2.1",
      dataSet: dataSetOf(fields),
    }]);
    await until(() => forwarder.destination("archive").delivered === 1, 10_000, "it to be kept");
  } finally {
    await forwarder.stop();
  }
  assert.deepEqual(filesIn(scratch.at("storage")), [found.deliveries[0]!.to]);
});

Deno.test("a data set without file meta is read in the encoding that it has", () => {
  const facts = factsOf(dataSetOf({ modality: "MR" }));
  assert.equal(facts.part10, false);
  assert.equal(facts.identification.modality, "MR");
  assert.throws(() => factsOf(new Uint8Array(1000)), Part10Error);
  assert.throws(() => factsOf(new Uint8Array(0)), Part10Error);
});

peerTest("implicit and big endian data sets without file meta are read, too", [DCMTK], async () => {
  await using scratch = await Scratch.make();
  const [instance] = [...generateStudy({ instances: 1, rows: 16, columns: 16 })];
  await Deno.writeFile(scratch.at("ct.dcm"), part10File(instance!));
  for (const option of ["+ti", "+tb", "+te"]) {
    await runWell("dcmconv", ["-F", option, scratch.at("ct.dcm"), scratch.at("bare")]);
    const facts = factsOf(await Deno.readFile(scratch.at("bare")));
    assert.equal(facts.part10, false);
    assert.equal(facts.identification.sopInstanceUid, instance!.sopInstanceUid, option);
    assert.equal(facts.transferSyntaxUid === IMPLICIT_VR_LE, option === "+ti");
  }
});

Deno.test("text of a hostile file is escaped", () => {
  const config = configFrom(SETTINGS, "/");
  const facts = factsOf(dataSetOf({ modality: "\x1b[2J", sopClassUid: "1.2.3" }));
  const found = explanationOf(config, facts, { from: undefined, called: undefined });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(inWords(config, found).join("\n"), /\x1b/);
});

Deno.test("explain says whether the sender is let in, as far as its title decides that", () => {
  const [instance] = [...generateStudy({ instances: 1, rows: 16, columns: 16 })];
  const facts = factsOf(part10File(instance!));
  const told = (more: Record<string, unknown>) => {
    const config = configFrom({ ...SETTINGS, ...more }, "/");
    const options = { from: "CT1", called: undefined, json: false };
    return inWords(config, explanationOf(config, facts, options))
      .find((line) => line.startsWith("Sender"));
  };
  assert.equal(told({}), undefined);
  assert.match(told({ senders: [{ ae_title: "MR1" }] })!, /REJECTED: .* not in senders/);
  assert.match(
    told({ senders: [{ ae_title: "CT1", addresses: ["10.0.0.7"] }] })!,
    /let in from 10\.0\.0\.7/,
  );
  assert.match(
    told({ allowed_calling_ae_titles: ["MR1"] })!,
    /REJECTED: .* not in allowed_calling_ae_titles/,
  );
});

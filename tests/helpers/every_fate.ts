/*
 * A forwarder, as a process with its own permissions, that everything happens to: images are delivered, delivered with a
 * remark, refused with a remark, held, damaged, archived and not archived; modalities are refused; destinations are paused;
 * alarms are raised. For tests of what it leaves behind and of what it says meanwhile.
 *
 * Everything that leads to the patient is marked with texts of its own, those that destinations answer included.
 */

import { encodeDataSet } from "../../src/dicom/encode.ts";
import { EXPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { countCorrupt, listItems } from "../../src/spool/inspect.ts";
import { type ControlClient, controlClient } from "../../src/web/client.ts";
import { runCli } from "../cli/run_cli.ts";
import { freePort } from "./child.ts";
import { DaemonProcess, type DaemonSurroundings } from "./daemon_process.ts";
import { nodeAt } from "./forwarder.ts";
import { CT_IMAGE_STORAGE, type TestInstance } from "./instances.ts";
import { associateAccept, commandPdu } from "./pdus.ts";
import type { Scratch } from "./scratch.ts";
import { acceptAll, type NodeAssociation, ScriptedNode } from "./scripted_node.ts";
import { Sender } from "./sender.ts";
import { Sink } from "./sink.ts";
import { until } from "./until.ts";
import { WebhookServer } from "./webhook_server.ts";

/** Texts that are nowhere but in the data sets and in what destinations say of them. */
export const CANARIES = {
  patientName: "ZAUNKOENIG^KANARI",
  patientId: "KANARIID4711",
  accession: "KANARIACC0815",
  studyDescription: "KANARISTUDY",
  seriesDescription: "KANARISERIES",
  patientComments: "KANARICOMMENT",
  institution: "KANARIHOUSE",
  otherIds: "KANARIOTHER",
} as const;

export const CANARY_STUDY = "1.2.826.0.1.3680043.10.777.1";

function canary(number: number, more: { readonly sopInData?: string } = {}): TestInstance {
  const sopInstanceUid = `${CANARY_STUDY}.9.${number}`;
  const { patientName, patientId, accession, studyDescription, seriesDescription } = CANARIES;
  return {
    sopClassUid: CT_IMAGE_STORAGE,
    sopInstanceUid,
    transferSyntaxUid: EXPLICIT_VR_LE,
    dataSet: encodeDataSet([
      [0x00080016, "UI", CT_IMAGE_STORAGE],
      [0x00080018, "UI", more.sopInData ?? sopInstanceUid],
      [0x00080050, "SH", accession],
      [0x00080060, "CS", "CT"],
      [0x00080080, "LO", CANARIES.institution],
      [0x00081030, "LO", studyDescription],
      [0x0008103e, "LO", seriesDescription],
      [0x00100010, "PN", patientName],
      [0x00100020, "LO", patientId],
      [0x00101000, "LO", CANARIES.otherIds],
      [0x00104000, "LT", CANARIES.patientComments],
      [0x0020000d, "UI", CANARY_STUDY],
      [0x0020000e, "UI", `${CANARY_STUDY}.8`],
      [0x00280010, "US", 2],
      [0x00280011, "US", 2],
      [0x7fe00010, "OW", Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
    ]),
  };
}

/** Answers every instance with a status and a comment that names the patient, as some PACS do (PS3.7 Annex C). */
function remarking(status: number): Promise<ScriptedNode> {
  return ScriptedNode.listen(async (association: NodeAssociation) => {
    const request = await association.request();
    await association.peer.send(associateAccept(acceptAll(request.contexts), 131_072));
    for (let store = await association.receiveStore(); store;) {
      await association.peer.send(commandPdu(store.contextId, {
        commandField: 0x8001,
        affectedSopClassUid: store.sopClassUid,
        messageIdBeingRespondedTo: store.messageId,
        commandDataSetType: 0x0101,
        status,
        errorComment: `${CANARIES.patientName} ${CANARIES.patientId}`,
        affectedSopInstanceUid: store.sopInstanceUid,
      }));
      store = await association.receiveStore();
    }
  });
}

/** What it said, by who was asked: a command, an address of the API, a channel of the alarms. */
export interface Heard {
  readonly said: ReadonlyMap<string, string>;
}

/** Commands that show nobody's data unless they are asked for an image's details. */
const VERBS: readonly (readonly string[])[] = [
  ["status"],
  ["status", "--json"],
  ["queue", "list"],
  ["queue", "list", "--json"],
  ["queue", "list", "--failed"],
  ["queue", "list", "--failed", "--json"],
  ["verify"],
  ["verify", "--files"],
  ["prove", CANARY_STUDY],
  ["check"],
  ["check", "--json"],
  ["doctor"],
];

/** Those that answer otherwise where the forwarder does not run. */
const WITHOUT_IT = VERBS.filter(([verb, kind]) => verb === "status" || kind === "list");

/** Said once commands can ask it: the page comes after the port for images, and nothing waits for it. */
const PAGE_SERVED = /Status page at/;

/** Addresses of the API of which the same is true. */
const ADDRESSES = ["overview", "throughput", "queue?limit=100", "log?limit=1000"];

/**
 * Lets everything happen, in a folder, until it is stopped.
 *
 * @param look called several times while it runs
 * @param asking whether commands are asked, too, which takes a while
 */
export async function everyFate(
  scratch: Scratch,
  settings: Record<string, unknown>,
  around: DaemonSurroundings,
  look: () => void = () => {},
  asking = false,
): Promise<Heard> {
  const heard = new Map<string, string>();
  await using up = new Sink();
  await using refusing = await remarking(0xa900);
  await using remarks = await remarking(0xb007);
  await using hook = new WebhookServer();
  const downPort = freePort();
  // The folder that the archive wants to make for the patient is a file here.
  Deno.writeTextFileSync(`${scratch.folder("blocked")}/${CANARIES.patientId}`, "");
  const all = {
    retry_attempts: 0,
    store_locally: true,
    log_level: "debug",
    web: { port: 0 },
    alarms: {
      destination_down_minutes: 0,
      oldest_age_minutes: 0.01,
      webhook: { url: hook.url() },
    },
    destinations: [
      nodeAt("up", up.port),
      nodeAt("refusing", refusing.port),
      nodeAt("remarks", remarks.port),
      nodeAt("down", downPort),
      { type: "directory", name: "blocked", path: scratch.at("blocked") },
    ],
    ...settings,
  };
  const ask = async (round: string, client: ControlClient) => {
    const { url, token } = JSON.parse(Deno.readTextFileSync(scratch.at("spool", "control.json")));
    for (const address of ADDRESSES) {
      const answer = await fetch(`${url}api/v1/${address}`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      if (answer.status !== 200) throw new Error(`${address}: ${answer.status}`);
      heard.set(`${round}: ${address}`, await answer.text());
    }
    heard.set(`${round}: metrics`, await (await fetch(`${url}metrics`)).text());
    look();
    await client.switch("down", "pause");
    look();
  };
  const askVerbs = async (round: string, verbs: typeof VERBS) => {
    for (const verb of asking ? verbs : []) {
      const { stdout, stderr } = await runCli(verb, scratch.path);
      heard.set(`${round}: ${verb.join(" ")}`, stdout + stderr);
    }
  };

  {
    await using daemon = await DaemonProcess.start(scratch.path, all, around);
    await daemon.says(PAGE_SERVED);
    await sendOddly(daemon.port);
    await up.received(3);
    const client = (await controlClient(scratch.at("spool")))!;
    const itemsOf = async (state: "failed" | "held") =>
      (await client.queue({ state, limit: 100 })).items.length;
    await until(async () => await itemsOf("failed") >= 6, 30_000, "six to be given up");
    const [first] = (await client.queue({ destination: "down", limit: 1 })).items;
    await client.act("hold", { items: [{ id: first!.id, destination: "down" }] });
    look();
    await hook.received(2, 30_000);
    await ask("running", client);
    await client.act("retry", { destination: "blocked", state: "failed" });
    await until(async () => await itemsOf("failed") >= 6, 30_000, "them to be given up again");
    look();
    await client.switch("down", "resume");
    daemon.signal("SIGTERM");
    await daemon.exit();
    heard.set("first run", daemon.said);
  }
  look();
  const spool = scratch.at("spool");
  const [waiting] = [...listItems(realFileSystem, spool)].filter((item) => item.state === "queued");
  const bytes = Deno.readFileSync(waiting!.path);
  bytes[bytes.length - 20]! ^= 0x10;
  Deno.writeFileSync(waiting!.path, bytes);
  {
    await using _down = new Sink({ port: downPort });
    await using daemon = await DaemonProcess.start(scratch.path, all, around);
    await daemon.says(PAGE_SERVED);
    await until(() => countCorrupt(realFileSystem, spool) === 1, 30_000, "it to be set aside");
    await ask("again", (await controlClient(spool))!);
    await askVerbs("running", VERBS);
    daemon.signal("SIGTERM");
    await daemon.exit();
    heard.set("second run", daemon.said);
  }
  await askVerbs("stopped", WITHOUT_IT);
  heard.set("alarms", JSON.stringify(hook.posted.map(({ body }) => body)));
  look();
  return { said: heard };
}

/** Three images that are taken, three that are not, and associations that are refused. */
async function sendOddly(port: number): Promise<void> {
  await using sender = await Sender.open(port);
  for (const number of [1, 2, 3]) await expectStatus(sender, canary(number), 0);
  await expectStatus(sender, canary(4, { sopInData: `${CANARY_STUDY}.9.5` }), 0xa900);
  const cut = canary(6);
  await expectStatus(sender, { ...cut, dataSet: cut.dataSet.subarray(0, 190) }, 0xc000);
  for (const options of [{ called: "SOMEBODYELSE" }, { calling: "STRANGER" }]) {
    await using _other = await Sender.open(port, options).catch(() => undefined);
  }
}

async function expectStatus(sender: Sender, instance: TestInstance, wanted: number) {
  const status = await sender.send(instance);
  if (status !== wanted) {
    throw new Error(`${instance.sopInstanceUid} was answered ${status.toString(16)}`);
  }
}

/*
 * Texts that forge log lines, drive terminals or are merely enormous, in everything that peers on both sides can say: one
 * record stays one line, of bounded length, and no text leads anywhere.
 */

import assert from "node:assert/strict";
import { APPLICATION_CONTEXT } from "../../src/dicom/uid.ts";
import { CommandField, decodeCommand } from "../../src/dimse/command.ts";
import { PduType, type UserInformation } from "../../src/ul/pdu.ts";
import { ATTACKS } from "../helpers/attack_names.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { CT_IMAGE_STORAGE, type InstanceFields, instanceOf } from "../helpers/instances.ts";
import { captureLog } from "../helpers/log_file.ts";
import {
  acceptAssociation,
  associateRequest,
  commandPdu,
  pdvsOf,
  RELEASE_RP,
  userInformation,
} from "../helpers/pdus.ts";
import { Peer, PeerListener } from "../helpers/peer.ts";
import { contentsOf, filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll, Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { runCli } from "../cli/run_cli.ts";

const EXPLICIT = "1.2.840.10008.1.2.1";
/** The longest a text element of a 16-bit length can be. */
const ENORMOUS = "A".repeat(65_534);

/** A text as its UTF-8, a character for each byte: that is how texts travel. */
function asBytes(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => String.fromCharCode(byte)).join("");
}

const INJECTIONS: readonly string[] = [
  "ok\r\n2026-01-01 00:00:00.000 ERROR daemon    forged",
  "\x1b[2J\x1b[1;31mgone\x07\x9b31m",
  asBytes("\u202egpj.exe \u2066x\u2069 \u2028 \u2029 \ufeff"),
  "<script>alert(1)</script><img src=x onerror=alert(1)>",
  '","level":"error","message":"forged',
  "\\x1b \\ {reason} {{destination}} %s %n",
  "a\0b",
];

/** Longest line, in characters: a sentence and its values, each cut at its own limit and escaped. */
const LONGEST_LINE = 16_384;

function assertLines(lines: readonly string[], json: boolean): void {
  for (const line of lines) {
    assert.ok(line.length <= LONGEST_LINE, `a line of ${line.length} characters`);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/);
    if (json) {
      const { time, level, category, message } = JSON.parse(line);
      assert.ok(!Number.isNaN(Date.parse(time)));
      assert.match(level, /^(debug|info|warning|error)$/);
      assert.equal(typeof category, "string");
      assert.doesNotMatch(message, /^forged/);
    } else {
      assert.match(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO |WARN |ERROR) \w/);
      assert.doesNotMatch(line, /^.{24}ERROR daemon +forged/);
    }
  }
}

/** Runs with the log captured, and looks at every line of it. */
async function logged(
  json: boolean,
  test: (scratch: Scratch) => Promise<void>,
): Promise<string[]> {
  await using scratch = await Scratch.make();
  const log = await captureLog(scratch.at("logs"), json);
  let lines: string[] = [];
  try {
    await test(scratch);
  } finally {
    lines = await log();
  }
  assertLines(lines, json);
  return lines;
}

const FIELDS: readonly (keyof InstanceFields)[] = [
  "patientId",
  "studyUid",
  "seriesUid",
  "modality",
];

for (const json of [false, true]) {
  const form = json ? "JSON" : "text";

  Deno.test(`what senders put into their fields stays within one line of the ${form} log, of bounded length`, async () => {
    let sent = 0;
    const lines = await logged(json, async (scratch) => {
      await using sink = new Sink();
      await using forwarder = await Forwarder.start(scratch.path, {
        require_called_ae_title: false,
        destinations: [nodeAt("pacs", sink.port)],
      });
      for (const text of [...INJECTIONS, ENORMOUS]) {
        const titles = { calling: text.slice(0, 16), called: text.slice(0, 16) };
        const instances = FIELDS.map((field) =>
          instanceOf({ sopInstanceUid: `1.2.3.${++sent}`, [field]: text })
        );
        await sendAll(forwarder.port, instances, titles);
        await using sender = await Sender.open(forwarder.port, titles);
        // A command set is 64 KiB at most.
        const other = instanceOf({ sopInstanceUid: text.slice(0, 60_000) });
        assert.equal(await sender.send(other), 0x0117);
        assert.equal(await sender.send({ ...other, sopInstanceUid: "1.2.3" }), 0xa900);
      }
      await forwarder.delivered("pacs", sent);
    });
    assert.equal(lines.filter((line) => line.includes("Instance received")).length, sent);
  });

  Deno.test(`what destinations answer stays within one line of the ${form} log, is kept as the reason, and drives no terminal`, async () => {
    const comments = [...INJECTIONS, ENORMOUS.slice(0, 60_000)];
    const lines = await logged(json, async (scratch) => {
      await using pacs = await Commentator.listen(comments);
      await using forwarder = await Forwarder.start(scratch.path, {
        destinations: [nodeAt("pacs", pacs.port, { associations: 1, retry_attempts: 0 })],
      });
      const instances = comments.map((_, n) => instanceOf({ sopInstanceUid: `1.2.3.${n + 1}` }));
      await sendAll(forwarder.port, instances);
      await forwarder.failed("pacs", comments.length);
      const reasons = filesIn(scratch.at("spool", "failed", "pacs"))
        .filter((path) => path.endsWith(".json"))
        .map((path) => JSON.parse(Deno.readTextFileSync(path)).reason as string);
      assert.equal(reasons.length, comments.length);
      // Kept without the padding that text elements have (PS3.5 §6.2).
      for (const comment of comments) {
        assert.ok(
          reasons.some((reason) => reason.includes(comment.trimEnd())),
          comment.slice(0, 80),
        );
      }
      await forwarder.stop();
      const config = scratch.at("config.json");
      const settings = { destinations: [nodeAt("pacs", pacs.port)] };
      Deno.writeTextFileSync(config, JSON.stringify(settings));
      const listed = await runCli(["queue", "list", "--failed", "--config", config], scratch.path);
      assert.equal(listed.code, 0, listed.stderr);
      const listing = listed.stdout;
      assert.equal(listing.match(/ pacs /g)?.length, comments.length, listing);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(listing, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
      assert.doesNotMatch(listing, /^2026-01-01/m);
    });
    const given = lines.filter((line) => line.includes("Instance given up"));
    assert.equal(given.length, comments.length);
  });
}

/** Names of files in a spool: numbers, hashes, and destinations of the configuration. */
const SPOOL_NAMES: readonly RegExp[] = [
  /^(LOCK|VERSION|(health|alarms|control|paused)\.json)$/,
  /^(queue|incoming|failed|held|retry|corrupt)\/$/,
  /^failed\/(pacs|unrouted)\/$/,
  /^queue\/[0-9a-f]{2}\/$/,
  /^incoming\/\d+-\d+\.part$/,
  /^ledger\/(RESERVE|\d{8}\.jsonl)?$/,
  /^(queue\/[0-9a-f]{2}|failed\/pacs)\/\d+-\d+-[0-9a-f]{8}-[0-9a-f]{8}(\.pacs(~\d+)?)?\.(dcm|json)$/,
];

Deno.test("no text from the wire is part of any name in the spool, waiting or failed", async () => {
  await using scratch = await Scratch.make();
  const texts = [...ATTACKS.map(asBytes), ...INJECTIONS].filter((text) => text.trim() !== "");
  let sent = 0;
  await using pacs = await Commentator.listen(Array(texts.length).fill("refused"));
  await using forwarder = await Forwarder.start(scratch.path, {
    require_called_ae_title: false,
    destinations: [nodeAt("pacs", pacs.port, { associations: 1, retry_attempts: 0 })],
  });
  for (const text of texts) {
    const titles = { calling: text.slice(0, 16), called: text.slice(0, 16) };
    const ids = { patientId: text, studyUid: text, seriesUid: text, modality: text };
    const sopInstanceUid = `1.2.3.${++sent}`;
    await sendAll(forwarder.port, [instanceOf({ ...ids, sopInstanceUid })], titles);
  }
  await forwarder.failed("pacs", sent);
  const names = contentsOf(scratch.at("spool"));
  for (const name of names) assert.ok(SPOOL_NAMES.some((known) => known.test(name)), name);
  assert.equal(names.filter((name) => name.endsWith(".dcm")).length, sent);
});

/** Fields of an association request that name something, each filled with the text. */
const REQUESTS: readonly [string, (text: string) => Uint8Array][] = [
  ["implementation version name", (text) => asking({ implementationVersionName: text })],
  ["implementation class UID", (text) => asking({ implementationClassUid: text })],
  [
    "SOP class of a role selection",
    (text) => asking({ roleSelections: [{ sopClassUid: text, scu: true, scp: true }] }),
  ],
  [
    "SOP class of an extended negotiation",
    (text) => asking({ sopClassExtended: [{ sopClassUid: text, information: Uint8Array.of(1) }] }),
  ],
  [
    "user name",
    (text) =>
      asking({
        userIdentity: {
          type: 2,
          positiveResponseRequested: true,
          // Both are in one item, which is 64 KiB at most.
          primary: bytesOf(text.slice(0, 30_000)),
          secondary: bytesOf(text.slice(0, 30_000)),
        },
      }),
  ],
  [
    "sub-item of a type unknown",
    (text) => asking({ unknown: [{ type: 0x61, data: bytesOf(text) }] }),
  ],
  ["abstract syntax", (text) => asking({}, { abstractSyntax: text })],
  ["transfer syntax", (text) => asking({}, { transferSyntaxes: [text, EXPLICIT] })],
  ["only transfer syntax", (text) => asking({}, { transferSyntaxes: [text] })],
  ["application context", (text) => asking({}, {}, text)],
];

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function asking(
  information: Partial<UserInformation>,
  context: { abstractSyntax?: string; transferSyntaxes?: string[] } = {},
  applicationContext = APPLICATION_CONTEXT,
): Uint8Array {
  return associateRequest(
    [{ id: 1, abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [EXPLICIT], ...context }],
    16384,
    {
      calledAeTitle: FORWARDER_AE,
      applicationContext,
      userInformation: { ...userInformation(16384), ...information },
    },
  );
}

Deno.test("hostile texts in an association request make no file and no second line, and the next one is served", async (context) => {
  const texts = [...ATTACKS.map(asBytes), ...INJECTIONS, "9".repeat(60_000)];
  const lines = await logged(false, async (scratch) => {
    const home = scratch.folder("deep", "home");
    await using forwarder = await Forwarder.start(home, {
      store_locally: true,
      storage_dir: "archive",
    });
    const outside = () =>
      contentsOf(scratch.path).filter((path) =>
        !/^(logs|deep\/home\/(spool|archive))(\/|$)/.test(path)
      );
    const before = outside();
    for (const [number, [name, request]] of REQUESTS.entries()) {
      await context.step(name, async () => {
        for (const text of texts) {
          const peer = await Peer.connect(forwarder.port);
          await peer.send(request(text));
          const { type } = await peer.receivePdu();
          const answers: readonly number[] = [
            PduType.AssociateAccept,
            PduType.AssociateReject,
            PduType.Abort,
          ];
          assert.ok(answers.includes(type), JSON.stringify(text.slice(0, 80)));
          peer.reset();
        }
        await sendAll(forwarder.port, [instanceOf({ sopInstanceUid: `1.2.3.${number}` })]);
      });
    }
    await forwarder.delivered("archive", REQUESTS.length);
    assert.deepEqual(outside(), before);
  });
  assert.ok(lines.length > REQUESTS.length * texts.length / 2, `${lines.length} lines`);
});

/** A destination that refuses each instance with its own comment, as long as comments are not supposed to be. */
class Commentator implements AsyncDisposable {
  readonly #listener: PeerListener;
  readonly #comments: string[];

  private constructor(listener: PeerListener, comments: readonly string[]) {
    this.#listener = listener;
    this.#comments = [...comments];
  }

  static async listen(comments: readonly string[]): Promise<Commentator> {
    const commentator = new Commentator(await PeerListener.listen(), comments);
    void commentator.#serve();
    return commentator;
  }

  get port(): number {
    return this.#listener.port;
  }

  async #serve(): Promise<void> {
    const peer = await this.#listener.accept();
    await acceptAssociation(peer);
    for (;;) {
      const { type, body } = await peer.receivePdu();
      if (type === PduType.ReleaseRequest) break;
      for (const { command, last, contextId, fragment } of pdvsOf(body)) {
        if (!command || !last) continue;
        const { messageId = 0 } = decodeCommand(fragment);
        await this.#takeDataSet(peer);
        await peer.send(commandPdu(contextId, {
          commandField: CommandField.StoreResponse,
          messageIdBeingRespondedTo: messageId,
          commandDataSetType: 0x0101,
          status: 0xc123,
          errorComment: this.#comments.shift() ?? "",
        }));
      }
    }
    await peer.send(RELEASE_RP);
    peer.close();
  }

  async #takeDataSet(peer: Peer): Promise<void> {
    while (
      !pdvsOf(await peer.expectPdu(PduType.Data)).some(({ command, last }) => !command && last)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close();
  }
}

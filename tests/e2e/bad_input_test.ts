/*
 * What is not DICOM, or lies: it gets its refusal and a line in the log, keeps nothing, and the next one is served.
 */

import assert from "node:assert/strict";
import { CommandField, decodeCommand } from "../../src/dimse/command.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { Forwarder } from "../helpers/forwarder.ts";
import { CT_IMAGE_STORAGE, dataSetOf, instanceOf } from "../helpers/instances.ts";
import { captureLog } from "../helpers/log_file.ts";
import {
  associateRequest,
  commandPdu,
  dataPdu,
  pdv,
  pdvsOf,
  rawPdu,
  RELEASE_RQ,
} from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { contentsOf, filesIn, Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { until } from "../helpers/until.ts";

const CONTEXT = {
  id: 1,
  abstractSyntax: CT_IMAGE_STORAGE,
  transferSyntaxes: ["1.2.840.10008.1.2.1"],
};
const ASSOCIATE = associateRequest([CONTEXT], 16384, { calledAeTitle: FORWARDER_AE });
const UID = "1.2.3.4.5.6";
const WHOLE = dataSetOf({ sopInstanceUid: UID });

/** Refused at once: a connection that makes no sense is closed within this, in ms. */
const AT_ONCE_MS = 1500;

function storeCommand(sopInstanceUid = UID): Uint8Array {
  return commandPdu(1, {
    commandField: CommandField.StoreRequest,
    affectedSopClassUid: CT_IMAGE_STORAGE,
    affectedSopInstanceUid: sopInstanceUid,
    messageId: 1,
    priority: 0,
    commandDataSetType: 1,
  });
}

/** What is said before the connection has to be closed, and what the log says then. */
interface Nonsense {
  readonly name: string;
  readonly bytes: readonly Uint8Array[];
  readonly log: RegExp;
  /** True where an association is established first. */
  readonly associated?: boolean;
}

const ascii = (text: string) => new TextEncoder().encode(text);

/** ClientHello record of TLS 1.2 with nothing useful in it. */
const TLS_HELLO = Uint8Array.of(0x16, 3, 1, 0, 0x30, 1, 0, 0, 0x2c, 3, 3, ...Array(42).fill(7));

/** Header of a PDU whose length is a lie. */
function lyingPdu(type: number, claimed: number, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  return rawPdu(type, body, claimed);
}

/** Bytes that are no DICOM, the same each time; the first one is no PDU type. */
function noise(length: number): Uint8Array {
  let state = 0x2545f491;
  return Uint8Array.from({ length }, (_, index) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return index === 0 ? 0xe7 : state >>> 24;
  });
}

const NONSENSE: readonly Nonsense[] = [
  {
    name: "an HTTP request",
    bytes: [ascii("GET / HTTP/1.1\r\nHost: pacs\r\n\r\n")],
    log: /No association: .*PDU type/,
  },
  { name: "a TLS client hello", bytes: [TLS_HELLO], log: /No association: .*PDU type/ },
  { name: "64 KiB of noise", bytes: [noise(65_536)], log: /No association: .*PDU type/ },
  {
    name: "a request that claims 4 GiB",
    bytes: [lyingPdu(1, 0xffffffff)],
    log: /No association: .*4294967295/,
  },
  {
    name: "a request that claims less than it needs",
    bytes: [lyingPdu(1, 10, ASSOCIATE.subarray(6))],
    log: /No association/,
  },
  {
    name: "a request whose items end behind its end",
    bytes: [lyingPdu(1, 100, ASSOCIATE.subarray(6, 106))],
    log: /No association/,
  },
  {
    name: "data before any association",
    bytes: [storeCommand()],
    log: /No association: .*(PDU|Sta2)/,
  },
  {
    name: "a data PDU that claims 4 GiB",
    bytes: [lyingPdu(4, 0xffffffff)],
    log: /Association ended: .*4294967295/,
    associated: true,
  },
  {
    name: "a fragment longer than its PDU",
    bytes: [rawPdu(4, Uint8Array.of(0, 0, 0xff, 0xff, 1, 3, 0, 0))],
    log: /Association ended: .*65535/,
    associated: true,
  },
  {
    name: "a fragment of no length",
    bytes: [rawPdu(4, Uint8Array.of(0, 0, 0, 0, 1, 3))],
    log: /Association ended/,
    associated: true,
  },
  {
    name: "a data set without a command set",
    bytes: [dataPdu(pdv(1, "data", true, WHOLE))],
    log: /Association ended: .*data set fragment where a command set is due/,
    associated: true,
  },
  {
    name: "a command set of noise",
    bytes: [dataPdu(pdv(1, "command", true, noise(64)))],
    log: /Association ended/,
    associated: true,
  },
  {
    name: "a context nobody has proposed",
    bytes: [dataPdu(pdv(99, "command", true, storeCommand().subarray(12)))],
    log: /Association ended: .*presentation context 99 was not accepted/,
    associated: true,
  },
  {
    name: "a release in the middle of a data set",
    bytes: [storeCommand(), dataPdu(pdv(1, "data", false, WHOLE.subarray(0, 40))), RELEASE_RQ],
    log: /Association ended: .*A-RELEASE-RQ inside a message/,
    associated: true,
  },
];

/** A forwarder to an archive, with a look at what it has kept. */
async function withArchive(
  test: (forwarder: Forwarder, scratch: Scratch, log: () => Promise<string[]>) => Promise<void>,
  settings: Record<string, unknown> = {},
): Promise<void> {
  await using scratch = await Scratch.make();
  const log = await captureLog(scratch.at("logs"));
  try {
    await using forwarder = await Forwarder.start(scratch.path, {
      store_locally: true,
      storage_dir: "archive",
      ...settings,
    });
    await test(forwarder, scratch, log);
  } finally {
    await log();
  }
}

/** The next good association works, and nothing but its instance is kept. */
async function assertServes(forwarder: Forwarder, scratch: Scratch): Promise<void> {
  const number = forwarder.destination("archive").delivered + 1;
  await using sender = await Sender.open(forwarder.port);
  const sopInstanceUid = `1.2.99.${number}`;
  assert.equal(await sender.echo(), 0);
  assert.equal(await sender.send(instanceOf({ sopInstanceUid })), 0);
  await forwarder.delivered("archive", number);
  assert.equal(filesIn(scratch.at("archive")).length, number);
  // A delivered file leaves when the ledger has it.
  await until(
    () => filesIn(scratch.at("spool", "queue")).length === 0,
    5_000,
    "the queue to be empty",
  );
}

Deno.test("nonsense on the port is cut off at once and logged, and the next association works", async (context) => {
  await withArchive(async (forwarder, scratch, log) => {
    for (const { name, bytes, associated } of NONSENSE) {
      await context.step(name, async () => {
        const peer = await Peer.connect(forwarder.port);
        if (associated) {
          await peer.send(ASSOCIATE);
          await peer.expectPdu(PduType.AssociateAccept);
        }
        await peer.send(...bytes);
        const said = await peer.receiveRest(AT_ONCE_MS);
        // Nothing at all, or an A-ABORT: never an answer that could be taken for consent.
        if (said.length > 0) assert.equal(said[0], PduType.Abort);
        peer.close();
        await assertServes(forwarder, scratch);
      });
    }
    await forwarder.stop();
    const lines = await log();
    for (const { name, log: pattern } of NONSENSE) {
      assert.ok(lines.some((line) => pattern.test(line)), `${name}: no line matches ${pattern}`);
    }
  });
});

Deno.test("a connection that says nothing is closed when its time is over", async () => {
  await withArchive(async (forwarder, scratch, log) => {
    const silent = await Peer.connect(forwarder.port);
    await silent.receiveRest(5000);
    silent.close();
    await assertServes(forwarder, scratch);
    await forwarder.stop();
    assert.ok((await log()).some((line) => /No association/.test(line)));
  }, { timeouts: { association_request: 0.3 } });
});

Deno.test("a connection cut in the middle of a data set leaves nothing behind", async () => {
  await withArchive(async (forwarder, scratch, log) => {
    for (const cut of ["reset", "finish"] as const) {
      const peer = await Peer.connect(forwarder.port);
      await peer.send(ASSOCIATE);
      await peer.expectPdu(PduType.AssociateAccept);
      await peer.send(storeCommand(), dataPdu(pdv(1, "data", false, WHOLE.subarray(0, 100))));
      if (cut === "reset") peer.reset();
      else await peer.finish();
      await peer.receiveRest();
      peer.close();
    }
    await assertServes(forwarder, scratch);
    await forwarder.stop();
    const left = filesIn(scratch.at("spool")).filter((path) => /\.dcm$/.test(path));
    assert.deepEqual(left, []);
    for (const path of filesIn(scratch.at("spool", "incoming"))) {
      assert.equal(Deno.statSync(path).size, 0, `${path} holds something`);
    }
    const ended = (await log()).filter((line) => /Association ended/.test(line));
    assert.equal(ended.length, 2);
  });
});

/** Data sets that do not hold what the command says; each with its status and its line. */
const REFUSED: readonly {
  name: string;
  sopInstanceUid?: string;
  dataSet: Uint8Array;
  status: number;
  log: RegExp;
}[] = [
  {
    name: "another SOP instance than the command's",
    dataSet: dataSetOf({ sopInstanceUid: "1.2.3.99" }),
    status: 0xa900,
    log: /Instance refused: SOP Instance UID 1\.2\.3\.99 in the data set is not the command's/,
  },
  {
    name: "another SOP class than the command's",
    dataSet: dataSetOf({ sopInstanceUid: UID, sopClassUid: "1.2.840.10008.5.1.4.1.1.4" }),
    status: 0xa900,
    log: /Instance refused: SOP Class UID 1\.2\.840\.10008\.5\.1\.4\.1\.1\.4 in the data set/,
  },
  {
    name: "an empty data set",
    dataSet: new Uint8Array(0),
    status: 0xc000,
    log: /Instance refused: Data set is empty/,
  },
  {
    name: "a data set that ends inside an element",
    dataSet: WHOLE.subarray(0, 60),
    status: 0xc000,
    log: /Instance refused: Data set is cut short/,
  },
  {
    name: "a SOP instance UID that is none",
    sopInstanceUid: "not-a-uid",
    dataSet: dataSetOf({ sopInstanceUid: "not-a-uid" }),
    status: 0x0117,
    log: /Instance refused: Affected SOP Instance UID "not-a-uid" is not a UID/,
  },
];

Deno.test("a data set that is not what the command says is refused with its status, on an association that goes on", async (context) => {
  await withArchive(async (forwarder, scratch, log) => {
    const peer = await Peer.connect(forwarder.port);
    await peer.send(ASSOCIATE);
    await peer.expectPdu(PduType.AssociateAccept);
    const store = async (sopInstanceUid: string, dataSet: Uint8Array) => {
      await peer.send(storeCommand(sopInstanceUid), dataPdu(pdv(1, "data", true, dataSet)));
      const [answer] = pdvsOf(await peer.expectPdu(PduType.Data));
      return decodeCommand(answer!.fragment);
    };
    for (const { name, sopInstanceUid = UID, dataSet, status } of REFUSED) {
      await context.step(name, async () => {
        const answer = await store(sopInstanceUid, dataSet);
        assert.equal(answer.status?.toString(16), status.toString(16));
        assert.ok((answer.errorComment ?? "") !== "");
      });
    }
    assert.equal((await store(UID, WHOLE)).status, 0);
    await peer.send(RELEASE_RQ);
    await peer.expectPdu(PduType.ReleaseResponse);
    peer.close();
    await forwarder.delivered("archive", 1);
    const kept = contentsOf(scratch.at("archive")).filter((name) => name.endsWith(".dcm"));
    assert.deepEqual(kept, [`PATIENT/1.2.3/1.2.3.1/${UID}.dcm`]);
    await forwarder.stop();
    const lines = await log();
    for (const { name, log: pattern } of REFUSED) {
      assert.ok(lines.some((line) => pattern.test(line)), `${name}: no line matches ${pattern}`);
    }
  });
});

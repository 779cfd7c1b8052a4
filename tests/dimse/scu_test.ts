/*
 * The user's side: what it puts on the wire, against a scripted peer that looks at every byte, and against our own
 * provider over a socket.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { VERIFICATION } from "../../src/dicom/uid.ts";
import { type Command, decodeCommand, encodeCommand } from "../../src/dimse/command.ts";
import { serve } from "../../src/dimse/scp.ts";
import { type OutgoingDataSet, ServiceUser } from "../../src/dimse/scu.ts";
import { Association } from "../../src/ul/association.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { connectTcp, Transport } from "../../src/ul/transport.ts";
import { cut, hex, noise } from "../helpers/hex.ts";
import type { Peer } from "../helpers/peer.ts";
import {
  acceptAssociation,
  commandPdu,
  CONTEXTS,
  CT,
  dataPdu,
  pdv,
  pdvsOf,
  RELEASE_RQ,
} from "../helpers/pdus.ts";
import { endsAs, OPTIONS, withRequesting } from "../helpers/served.ts";

/** A data set of these bytes that reads at once or later, and vouches or not. */
function source(
  bytes: Uint8Array,
  later = false,
  vouches = true,
): OutgoingDataSet & { at: number } {
  return {
    length: bytes.length,
    at: 0,
    read(into) {
      assert.ok(this.at + into.length <= bytes.length, "asked for more than is left");
      into.set(bytes.subarray(this.at, this.at + into.length));
      this.at += into.length;
      return later ? Promise.resolve() : undefined;
    },
    vouch() {
      assert.equal(this.at, bytes.length, "asked before all was read");
      return vouches;
    },
  };
}

interface Message {
  readonly contextId: number;
  readonly command: Command;
  readonly dataSet: Uint8Array | undefined;
  /** Lengths of the variable fields of all its PDUs. */
  readonly pdus: readonly number[];
}

/** Receives one message, holding the sender to the strict form: one PDV a PDU, even fragments, last where it ends. */
async function receiveMessage(peer: Peer): Promise<Message> {
  const pdus: number[] = [];
  const part = async (wantCommand: boolean) => {
    const pieces: Uint8Array[] = [];
    let contextId = 0;
    for (;;) {
      const body = await peer.expectPdu(PduType.Data);
      pdus.push(body.length);
      const [one, more] = pdvsOf(body);
      assert.equal(more, undefined, "one PDV in each PDU");
      assert.equal(one!.command, wantCommand);
      assert.ok(one!.fragment.length > 0);
      if (!one!.last) assert.equal(one!.fragment.length % 2, 0, "even fragments");
      pieces.push(one!.fragment);
      contextId = one!.contextId;
      if (one!.last) return { contextId, bytes: concat(pieces) };
    }
  };
  const { contextId, bytes } = await part(true);
  const command = decodeCommand(bytes);
  if (command.commandDataSetType === 0x0101) {
    return { contextId, command, dataSet: undefined, pdus };
  }
  const data = await part(false);
  assert.equal(data.contextId, contextId);
  return { contextId, command, dataSet: data.bytes, pdus };
}

function storeResponse(to: Command, status: number, more: Partial<Command> = {}): Command {
  return {
    commandField: 0x8001,
    messageIdBeingRespondedTo: to.messageId!,
    commandDataSetType: 0x0101,
    status,
    ...more,
  };
}

/** An association with a scripted peer that accepted everything. */
function using(
  script: (peer: Peer, user: ServiceUser) => Promise<void>,
  maxPduLength = 16384,
  responseMs = 5000,
): Promise<void> {
  return withRequesting(async (peer, requested) => {
    await acceptAssociation(peer, maxPduLength);
    await script(peer, new ServiceUser(await requested, responseMs));
  });
}

for (const maximum of [8, 12, 128, 4096, 16384, 131072, 0, 0xffffffff]) {
  for (const later of [false, true]) {
    const name = later ? "from the disk" : "from memory";
    Deno.test(`a data set ${name} reaches a peer that takes ${maximum} bytes a PDU, in strict form`, () =>
      using(async (peer, user) => {
        const limit = maximum === 0 ? 131072 : Math.min(maximum, 131072);
        for (const length of [1, 2, limit - 6, limit - 5, limit * 3 + 1]) {
          const data = noise(length, length);
          const answered = user.store(3, CT, "1.2.3.4.5", source(data, later));
          const message = await receiveMessage(peer);
          assert.equal(message.contextId, 3);
          assert.ok(message.pdus.every((pdu) => pdu <= limit), `${Math.max(...message.pdus)}`);
          assert.equal(hex(message.dataSet!), hex(data));
          assert.equal(message.command.commandField, 1);
          assert.equal(message.command.affectedSopClassUid, CT);
          assert.equal(message.command.affectedSopInstanceUid, "1.2.3.4.5");
          assert.equal(message.command.priority, 0);
          await peer.send(commandPdu(3, storeResponse(message.command, 0)));
          assert.deepEqual(await answered, { status: 0, comment: "" });
        }
      }, maximum));
  }
}

Deno.test("message ids go from 1 to 65535 and begin at 1 again", async () => {
  const ids: number[] = [];
  // Echoes against an association that answers by itself: 65,537 of them over a socket would take a minute.
  const association = {
    fragmentLength: 16378,
    acceptedContexts: new Map([[1, { id: 1 }]]),
    expectWithin() {},
    send(pdu: Uint8Array) {
      ids.push(decodeCommand(pdu.subarray(12)).messageId!);
      return Promise.resolve();
    },
    next: () =>
      Promise.resolve({
        type: PduType.Data,
        contextId: 1,
        command: true,
        last: true,
        bytes: encodeCommand({
          commandField: 0x8030,
          messageIdBeingRespondedTo: ids.at(-1)!,
          commandDataSetType: 0x0101,
          status: 0,
        }),
      }),
  };
  const user = new ServiceUser(association as unknown as Association, 1000);
  for (let n = 0; n < 65537; n++) await user.echo(1, VERIFICATION);
  assert.deepEqual(ids.slice(0, 3), [1, 2, 3]);
  assert.deepEqual(ids.slice(65533), [65534, 65535, 1, 2]);
});

Deno.test("a status, a comment and the lack of both reach the caller as they came", () =>
  using(async (peer, user) => {
    for (
      const [response, wanted] of [
        [{ status: 0xa700, errorComment: "full" }, { status: 0xa700, comment: "full" }],
        [{ status: 0xb007 }, { status: 0xb007, comment: "" }],
        [{ status: 0xffff }, { status: 0xffff, comment: "" }],
      ] as const
    ) {
      const answered = user.store(3, CT, "1.2", source(noise(10)));
      const { command } = await receiveMessage(peer);
      await peer.send(commandPdu(3, { ...storeResponse(command, 0), ...response }));
      assert.deepEqual(await answered, wanted);
    }
    const answered = user.store(3, CT, "1.2", source(noise(10)));
    const { command } = await receiveMessage(peer);
    const { status: _, ...without } = storeResponse(command, 0);
    await peer.send(commandPdu(3, without));
    assert.deepEqual(await answered, { status: undefined, comment: "" });
  }));

Deno.test("an answer in 1-byte fragments of several PDUs is read", () =>
  using(async (peer, user) => {
    const answered = user.store(3, CT, "1.2", source(noise(10)));
    const { command } = await receiveMessage(peer);
    const response = encodeCommand(storeResponse(command, 0));
    const pieces = [...cut(response, [1])];
    await peer.send(
      dataPdu(pdv(3, "command", false, new Uint8Array(0))),
      ...pieces.map((piece) => dataPdu(pdv(3, "command", false, piece))),
      dataPdu(pdv(3, "command", true, new Uint8Array(0))),
    );
    assert.equal((await answered)!.status, 0);
  }));

const WRONG: readonly [string, (command: Command) => Uint8Array, number][] = [
  [
    "to another message",
    (command) => commandPdu(3, storeResponse({ ...command, messageId: 4711 }, 0)),
    5,
  ],
  [
    "without a message id",
    () => commandPdu(3, { commandField: 0x8001, commandDataSetType: 0x0101, status: 0 }),
    5,
  ],
  [
    "of another kind",
    (command) => commandPdu(3, { ...storeResponse(command, 0), commandField: 0x8030 }),
    5,
  ],
  ["that is a request", (command) => commandPdu(3, command), 5],
  ["that is a data set", () => dataPdu(pdv(3, "data", true, noise(20))), 6],
  ["that cannot be read", () => dataPdu(pdv(3, "command", true, noise(20))), 6],
  ["that is a release", () => RELEASE_RQ, 2],
];

for (const [name, response, reason] of WRONG) {
  Deno.test(`an answer ${name} is aborted and never taken for a success`, () =>
    using(async (peer, user) => {
      const answered = user.store(3, CT, "1.2", source(noise(10)));
      const { command } = await receiveMessage(peer);
      await peer.send(response(command));
      await assert.rejects(answered, endsAs("protocol"));
      assert.equal(
        hex(await peer.expectPdu(PduType.Abort)),
        hex(Uint8Array.of(0, 0, 2, reason)),
      );
      await peer.finish();
      await assert.rejects(user.echo(1, VERIFICATION), endsAs("protocol"));
    }));
}

Deno.test("an answer of more than 64 KiB is aborted", () =>
  using(async (peer, user) => {
    const answered = user.echo(1, VERIFICATION);
    await receiveMessage(peer);
    void (async () => {
      for (let n = 0; n < 7; n++) await peer.send(dataPdu(pdv(1, "command", false, noise(10_000))));
    })().catch(() => {});
    await assert.rejects(answered, endsAs("protocol", /command set of over 65536 bytes/));
    await peer.expectPdu(PduType.Abort);
    await peer.finish();
  }));

Deno.test("no answer, an abort and an end instead of one are told apart, and end the association", async () => {
  await using(
    async (peer, user) => {
      const answered = user.store(3, CT, "1.2", source(noise(10)));
      await receiveMessage(peer);
      await assert.rejects(answered, endsAs("timeout", /no answer to the request/));
      assert.equal(user.association.established, false);
    },
    16384,
    80,
  );
  await using(async (peer, user) => {
    const answered = user.store(3, CT, "1.2", source(noise(10)));
    await receiveMessage(peer);
    await peer.send(Uint8Array.of(7, 0, 0, 0, 0, 4, 0, 0, 0, 0));
    await assert.rejects(answered, endsAs("aborted"));
  });
  await using(async (peer, user) => {
    const answered = user.store(3, CT, "1.2", source(noise(10)));
    await receiveMessage(peer);
    await peer.finish();
    await assert.rejects(answered, endsAs("closed"));
    assert.equal(user.association.established, false);
  });
});

Deno.test("a source that does not vouch makes an A-ABORT of the last fragment: the peer never has it whole", () =>
  using(async (peer, user) => {
    const answered = user.store(3, CT, "1.2", source(noise(700_000), true, false));
    let fragments = 0;
    for (;;) {
      const pdu = await peer.receivePdu();
      if (pdu.type === PduType.Abort) break;
      assert.equal(pdu.type, PduType.Data);
      for (const one of pdvsOf(pdu.body)) {
        if (one.command) continue;
        fragments++;
        assert.equal(one.last, false, "the last fragment was sent");
      }
    }
    assert.ok(fragments > 10);
    assert.equal(await answered, undefined);
    assert.equal(user.association.established, false);
  }));

Deno.test("a small data set that is not vouched for is not sent at all", () =>
  using(async (peer, user) => {
    assert.equal(await user.store(3, CT, "1.2", source(noise(500), false, false)), undefined);
    await peer.expectPdu(PduType.Abort);
  }));

Deno.test("a source that fails leaves the connection to its caller and sends no more", () =>
  using(async (_, user) => {
    const failing = source(noise(500));
    failing.read = () => Promise.reject(new Error("cannot read"));
    await assert.rejects(user.store(3, CT, "1.2", failing), /cannot read/);
  }));

Deno.test("user and provider carry data sets of many lengths over a socket byte for byte", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stored: string[] = [];
  const serving = (async () => {
    const connection = await listener.accept();
    const transport = new Transport(connection, "127.0.0.1", 1);
    const { association, request } = await Association.receive(transport, OPTIONS);
    await association.accept(request, () => true);
    await serve(association, {
      async store({ sopInstanceUid }, dataSet) {
        const pieces: Uint8Array[] = [];
        for (let piece = await dataSet.read(); piece; piece = await dataSet.read()) {
          pieces.push(piece.slice());
        }
        stored.push(`${sopInstanceUid} ${hex(concat(pieces))}`);
        return { status: 0xb000, comment: "kept" };
      },
    });
  })();
  const transport = await connectTcp(
    "127.0.0.1",
    listener.addr.port,
    5000,
    new AbortController().signal,
  );
  const association = await Association.request(transport, "A", "B", CONTEXTS, OPTIONS);
  const user = new ServiceUser(association, 5000);
  const lengths = [1, 2, 3, 16377, 16378, 16379, 100_001, 262_144, 600_000];
  for (const length of lengths) {
    const answer = await user.store(3, CT, `1.${length}`, source(noise(length), length % 2 === 0));
    assert.deepEqual(answer, { status: 0xb000, comment: "kept" });
  }
  assert.deepEqual(await user.echo(1, VERIFICATION), { status: 0, comment: "" });
  await association.release();
  await serving;
  listener.close();
  assert.deepEqual(stored, lengths.map((length) => `1.${length} ${hex(noise(length))}`));
});

/*
 * The provider's side against a scripted peer: every legal shape of a message is understood, everything else is answered
 * or aborted as PS3.7 and PS3.8 say.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/dicom/bytes.ts";
import { VERIFICATION } from "../../src/dicom/uid.ts";
import { decodeCommand, encodeCommand } from "../../src/dimse/command.ts";
import { serve } from "../../src/dimse/scp.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { cut, hex, noise } from "../helpers/hex.ts";
import {
  associateRequest,
  commandPdu,
  CONTEXTS,
  CT,
  dataPdu,
  EXPLICIT,
  pdv,
  pdvsOf,
} from "../helpers/pdus.ts";
import { answer, ECHO, expectAbort, release, served, storeRequest } from "../helpers/provider.ts";
import { endsAs, withReceived } from "../helpers/served.ts";

Deno.test("a C-STORE is handed on and answered with its ids; a C-ECHO is answered; a release ends it", async () => {
  let echoes = 0;
  const { stored, error } = await served(async (peer) => {
    await peer.send(commandPdu(3, storeRequest(77)), dataPdu(pdv(3, "data", true, noise(100))));
    assert.deepEqual(await answer(peer), {
      contextId: 3,
      commandField: 0x8001,
      messageIdBeingRespondedTo: 77,
      commandDataSetType: 0x0101,
      status: 0,
      affectedSopClassUid: CT,
      affectedSopInstanceUid: "1.2.3.4",
    });
    await peer.send(commandPdu(1, ECHO));
    assert.deepEqual(await answer(peer), {
      contextId: 1,
      commandField: 0x8030,
      messageIdBeingRespondedTo: 9,
      commandDataSetType: 0x0101,
      status: 0,
      affectedSopClassUid: VERIFICATION,
    });
    await release(peer);
  }, { echoed: () => echoes++ });
  assert.equal(error, undefined);
  assert.equal(echoes, 1);
  assert.equal(stored.length, 1);
  assert.equal(hex(stored[0]!.bytes), hex(noise(100)));
  const { began, ...request } = stored[0]!.request;
  assert.ok(began > 0 && began <= performance.now());
  assert.deepEqual(request, {
    context: { id: 3, abstractSyntax: CT, transferSyntax: EXPLICIT },
    messageId: 77,
    sopClassUid: CT,
    sopInstanceUid: "1.2.3.4",
  });
});

/** The same message in shapes that PS3.8 Annex E allows, and some that vendors send. */
const command = encodeCommand(storeRequest());
const data = noise(501); // odd, as some devices send
const SHAPES: readonly [string, Uint8Array[]][] = [
  ["command and data set in one PDU", [
    dataPdu(pdv(3, "command", true, command), pdv(3, "data", true, data)),
  ]],
  ...[1, 2, 3].map((length): [string, Uint8Array[]] => [
    `the command set in ${length}-byte fragments`,
    [
      ...[...cut(command, [length])].map((piece, n) =>
        dataPdu(pdv(3, "command", n === Math.ceil(command.length / length) - 1, piece))
      ),
      dataPdu(pdv(3, "data", true, data)),
    ],
  ]),
  [
    "everything in 1-byte PDVs of one PDU",
    [dataPdu(
      ...[...cut(command, [1])].map((piece, n) =>
        pdv(3, "command", n === command.length - 1, piece)
      ),
      ...[...cut(data, [1])].map((piece, n) => pdv(3, "data", n === data.length - 1, piece)),
    )],
  ],
  ["empty fragments first, in the middle and last", [
    dataPdu(pdv(3, "command", false, new Uint8Array(0))),
    dataPdu(pdv(3, "command", false, command.subarray(0, 11))),
    dataPdu(pdv(3, "command", false, new Uint8Array(0))),
    dataPdu(pdv(3, "command", false, command.subarray(11))),
    dataPdu(pdv(3, "command", true, new Uint8Array(0))),
    dataPdu(pdv(3, "data", false, new Uint8Array(0)), pdv(3, "data", false, data.subarray(0, 5))),
    dataPdu(pdv(3, "data", false, new Uint8Array(0))),
    dataPdu(pdv(3, "data", false, data.subarray(5)), pdv(3, "data", true, new Uint8Array(0))),
  ]],
  ["odd fragments", [
    commandPdu(3, storeRequest()),
    ...[...cut(data, [3, 1, 77])].map((piece) => dataPdu(pdv(3, "data", false, piece))),
    dataPdu(pdv(3, "data", true, new Uint8Array(0))),
  ]],
];

for (const [name, pdus] of SHAPES) {
  Deno.test(`a C-STORE with ${name} arrives byte for byte, twice in a row`, async () => {
    const { stored, error } = await served(async (peer) => {
      await peer.send(...pdus, ...pdus);
      assert.equal((await answer(peer)).status, 0);
      assert.equal((await answer(peer)).status, 0);
      await release(peer);
    });
    assert.equal(error, undefined);
    assert.deepEqual(stored.map((each) => hex(each.bytes)), [hex(data), hex(data)]);
  });
}

Deno.test("two messages in one PDU are two messages", async () => {
  const { stored } = await served(async (peer) => {
    await peer.send(dataPdu(
      pdv(3, "command", true, encodeCommand(storeRequest(1))),
      pdv(3, "data", true, noise(10, 1)),
      pdv(3, "command", true, encodeCommand(storeRequest(2))),
      pdv(3, "data", true, noise(20, 2)),
      pdv(1, "command", true, encodeCommand(ECHO)),
    ));
    assert.equal((await answer(peer)).messageIdBeingRespondedTo, 1);
    assert.equal((await answer(peer)).messageIdBeingRespondedTo, 2);
    assert.equal((await answer(peer)).commandField, 0x8030);
    await release(peer);
  });
  assert.deepEqual(stored.map((each) => each.bytes.length), [10, 20]);
});

Deno.test("a data set arrives the same however it is cut into PDVs, PDUs and packets", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(300), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
      async (fragments, packets) => {
        const whole = noise(2000);
        const pieces = [...cut(whole, fragments)];
        const wire = concat([
          commandPdu(3, storeRequest()),
          ...pieces.map((piece, n) => dataPdu(pdv(3, "data", n === pieces.length - 1, piece))),
        ]);
        const { stored } = await served(async (peer) => {
          for (const packet of cut(wire, packets)) await peer.send(packet);
          await answer(peer);
          await release(peer);
        });
        assert.equal(hex(stored[0]!.bytes), hex(whole));
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("what the handler answers is what the peer hears, a comment cut at 64 characters", async () => {
  let answered = false;
  await served(async (peer) => {
    await peer.send(commandPdu(3, storeRequest()), dataPdu(pdv(3, "data", true, data)));
    const { status, errorComment } = await answer(peer);
    assert.equal(status, 0xa700);
    assert.equal(errorComment, "x".repeat(64));
    assert.equal(answered, true);
    await release(peer);
  }, {
    store: () =>
      Promise.resolve({
        status: 0xa700,
        comment: "x".repeat(65),
        afterAnswer: () => answered = true,
      }),
  });
});

Deno.test("what the handler leaves unread is drained, so that the next message is found", async () => {
  let calls = 0;
  const { error } = await served(async (peer) => {
    for (let n = 1; n <= 3; n++) {
      await peer.send(
        commandPdu(3, storeRequest(n)),
        ...[...cut(noise(40_000, n), [9000])].map((piece) => dataPdu(pdv(3, "data", false, piece))),
        dataPdu(pdv(3, "data", true, noise(3))),
      );
      assert.equal((await answer(peer)).messageIdBeingRespondedTo, n);
    }
    await release(peer);
  }, {
    async store(_, dataSet) {
      for (let n = 0; n < calls; n++) await dataSet.read();
      calls++;
      return { status: 0 };
    },
  });
  assert.equal(error, undefined);
  assert.equal(calls, 3);
});

Deno.test("a handler that throws is answered 0110 after the data set is drained, and its error ends the serving", async () => {
  const { error } = await served(
    async (peer) => {
      await peer.send(
        commandPdu(3, storeRequest()),
        dataPdu(pdv(3, "data", false, noise(5000))),
        dataPdu(pdv(3, "data", true, noise(5000))),
      );
      assert.equal((await answer(peer)).status, 0x0110);
    },
    { store: () => Promise.reject(new Error("the disk is on fire")) },
    {
      idleMs: 200,
      associationMs: 100,
    },
  ).catch((error) => ({ error }));
  assert.match(String(error), /disk is on fire/);
});

for (
  const [name, field, response] of [
    ["C-FIND", 0x0020, 0x8020],
    ["C-MOVE", 0x0021, 0x8021],
    ["C-GET", 0x0010, 0x8010],
    ["N-EVENT-REPORT", 0x0100, 0x8100],
    ["N-ACTION", 0x0130, 0x8130],
    ["N-CREATE", 0x0140, 0x8140],
    ["N-DELETE", 0x0150, 0x8150],
  ] as const
) {
  Deno.test(`${name} is answered 0211, with and without a data set, and the association lives`, async () => {
    const { error } = await served(async (peer) => {
      const request = { commandField: field, messageId: 4, affectedSopClassUid: CT };
      await peer.send(commandPdu(3, { ...request, commandDataSetType: 0x0101 }));
      const first = await answer(peer);
      assert.deepEqual([first.commandField, first.status], [response, 0x0211]);
      assert.equal(first.messageIdBeingRespondedTo, 4);
      await peer.send(
        commandPdu(3, { ...request, commandDataSetType: 1 }),
        dataPdu(pdv(3, "data", true, noise(100))),
      );
      assert.equal((await answer(peer)).status, 0x0211);
      await peer.send(commandPdu(1, ECHO));
      assert.equal((await answer(peer)).status, 0);
      await release(peer);
    });
    assert.equal(error, undefined);
  });
}

Deno.test("a C-CANCEL has no answer and changes nothing", async () => {
  const { error } = await served(async (peer) => {
    await peer.send(
      commandPdu(3, {
        commandField: 0x0fff,
        messageIdBeingRespondedTo: 3,
        commandDataSetType: 0x0101,
      }),
      commandPdu(1, ECHO),
    );
    assert.equal((await answer(peer)).commandField, 0x8030);
    await release(peer);
  });
  assert.equal(error, undefined);
});

Deno.test("a C-STORE without a data set is answered C000", async () => {
  const { stored } = await served(async (peer) => {
    await peer.send(commandPdu(3, storeRequest(1, { commandDataSetType: 0x0101 })));
    assert.equal((await answer(peer)).status, 0xc000);
    await release(peer);
  });
  assert.equal(stored.length, 0);
});

const ILLEGAL: readonly [string, readonly Uint8Array[], RegExp][] = [
  [
    "a C-STORE-RSP to a provider",
    [commandPdu(3, {
      commandField: 0x8001,
      messageIdBeingRespondedTo: 1,
      commandDataSetType: 0x101,
    })],
    /response 0x8001/,
  ],
  ["a data set without a command", [dataPdu(pdv(3, "data", true, data))], /command set is due/],
  [
    "a message in a context that was not accepted",
    [dataPdu(pdv(99, "command", true, command))],
    /context 99 was not accepted/,
  ],
  [
    "a command set that changes its context",
    [dataPdu(pdv(3, "command", false, command.subarray(0, 9)), pdv(1, "command", true, command))],
    /changes inside a command set/,
  ],
  [
    "a data set in another context than its command",
    [commandPdu(3, storeRequest()), dataPdu(pdv(1, "data", true, data))],
    /changes inside a data set/,
  ],
  [
    "a command fragment inside a data set",
    [
      commandPdu(3, storeRequest()),
      dataPdu(pdv(3, "data", false, data), pdv(3, "command", true, command)),
    ],
    /command set fragment inside a data set/,
  ],
  [
    "a data fragment inside a command set",
    [dataPdu(pdv(3, "command", false, command.subarray(0, 9)), pdv(3, "data", true, data))],
    /command set is due/,
  ],
  [
    "a command set cut short",
    [dataPdu(pdv(3, "command", true, command.subarray(0, -1)))],
    /claims/,
  ],
  ["an empty command set", [dataPdu(pdv(3, "command", true, new Uint8Array(0)))], /no Command/],
];

for (const [name, pdus, message] of ILLEGAL) {
  Deno.test(`${name} is aborted`, async () => {
    const { error, stored } = await served(async (peer) => {
      await peer.send(...pdus);
      await expectAbort(peer, 6);
    });
    endsAs("protocol", message)(error);
    assert.equal(stored.length, 0);
  });
}

Deno.test("a command set that does not end is aborted at 64 KiB, one just below is read", async () => {
  const padding = (length: number) =>
    concat([
      Uint8Array.of(0, 0, 0, 2, length & 255, length >> 8 & 255, length >> 16, 0),
      new Uint8Array(length),
    ]);
  const echo = encodeCommand(ECHO);
  const just = concat([echo, padding(65536 - echo.length - 8)]);
  assert.equal(just.length, 65536);
  const pdus = (of: Uint8Array, ends: boolean) => {
    const pieces = [...cut(of, [10_000])];
    return pieces.map((piece, n) =>
      dataPdu(pdv(1, "command", ends && n === pieces.length - 1, piece))
    );
  };
  await served(async (peer) => {
    await peer.send(...pdus(just, true));
    assert.equal((await answer(peer)).status, 0);
    await release(peer);
  });
  const { error } = await served(async (peer) => {
    await peer.send(...pdus(concat([just, noise(1)]), false));
    await expectAbort(peer, 6);
  });
  endsAs("protocol", /over 65536 bytes/)(error);
});

Deno.test("a connection that ends inside a data set is told to the handler, and nothing is stored", async () => {
  for (const how of ["finish", "reset", "abort"] as const) {
    const { error, stored } = await served(async (peer) => {
      await peer.send(commandPdu(3, storeRequest()), dataPdu(pdv(3, "data", false, data)));
      if (how === "finish") await peer.finish();
      else if (how === "reset") peer.reset();
      else await peer.send(Uint8Array.of(7, 0, 0, 0, 0, 4, 0, 0, 0, 0));
    });
    endsAs(how === "abort" ? "aborted" : "closed")(error);
    assert.equal(stored.length, 0, how);
  }
});

Deno.test("answers respect a peer that takes 12 bytes a PDU", async () => {
  await withReceived(associateRequest(CONTEXTS, 12), async (peer, association, request) => {
    await association.accept(request, () => true);
    await peer.expectPdu(PduType.AssociateAccept);
    const serving = serve(association, { store: () => Promise.resolve({ status: 0 }) });
    await peer.send(commandPdu(1, ECHO));
    const pieces: Uint8Array[] = [];
    for (let last = false; !last;) {
      const body = await peer.expectPdu(PduType.Data);
      assert.ok(body.length <= 12);
      const [one] = pdvsOf(body);
      pieces.push(one!.fragment);
      last = one!.last;
    }
    assert.equal(decodeCommand(concat(pieces)).status, 0);
    await release(peer);
    peer.close();
    await serving;
  });
});

Deno.test("a handler that does not read stalls the sender: no more than the buffers of one connection are taken", async () => {
  const go = Promise.withResolvers<void>();
  let read = 0;
  const total = 64 * 1024 * 1024;
  const fragment = new Uint8Array(16384 - 6);
  // Made once: the memory that grows must not be the sender's.
  const pdu = dataPdu(pdv(3, "data", false, fragment));
  let sent = 0;
  await served(async (peer) => {
    const before = Deno.memoryUsage().rss;
    await peer.send(commandPdu(3, storeRequest()));
    const sending = (async () => {
      while (sent + fragment.length < total) {
        await peer.send(pdu);
        sent += fragment.length;
      }
      await peer.send(dataPdu(pdv(3, "data", true, new Uint8Array(0))));
    })();
    // Done when nothing more has been taken for a while.
    for (let last = -1; last !== sent;) {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    const stalledAt = sent;
    assert.ok(stalledAt < 16 * 1024 * 1024, `${stalledAt} bytes were taken without being read`);
    go.resolve();
    await sending;
    assert.equal((await answer(peer)).status, 0);
    assert.equal(read, sent);
    const grown = Deno.memoryUsage().rss - before;
    assert.ok(grown < 48 * 1024 * 1024, `memory grew by ${grown} bytes for ${sent} bytes`);
    await release(peer);
  }, {
    async store(_, dataSet) {
      await go.promise;
      for (let piece = await dataSet.read(); piece; piece = await dataSet.read()) {
        read += piece.length;
      }
      return { status: 0 };
    },
  });
});

/*
 * PDUs from a stream of bytes: the same however the stream is cut, and lengths refused before anything is made of them.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/dicom/bytes.ts";
import { AbortReason, PduType } from "../../src/ul/pdu.ts";
import { MalformedPdu } from "../../src/ul/pdu_decode.ts";
import { type DataPiece, PduReader } from "../../src/ul/pdu_reader.ts";
import { TransportError } from "../../src/ul/transport.ts";
import { Feed, transportOf } from "../helpers/feed.ts";
import { bytes, cut, hex, noise } from "../helpers/hex.ts";
import { associateRequest, dataPdu, pdv, rawPdu, RELEASE_RQ } from "../helpers/pdus.ts";

/** What a reader gives, joined so that the cutting does not show: one line a PDU, command set or data set. */
async function transcript(
  chunks: Iterable<Uint8Array>,
  options: { max?: number; buffer?: number } = {},
): Promise<string[]> {
  const reader = new PduReader(
    transportOf(new Feed(chunks)),
    options.max ?? 0,
    options.buffer ?? 4096,
  );
  const lines: string[] = [];
  let open: { head: string; content: Uint8Array[] } | undefined;
  for (;;) {
    const pdu = await reader.next(open !== undefined);
    if (pdu.type !== PduType.Data) {
      if (open !== undefined) lines.push(`${open.head} unfinished ${hex(concat(open.content))}`);
      lines.push(
        JSON.stringify(pdu, (_, value) => value instanceof Uint8Array ? hex(value) : value),
      );
      if (pdu.type === "closed") return lines;
      continue;
    }
    const head = `${pdu.contextId} ${pdu.command ? "command" : "data"}`;
    if (open === undefined) open = { head, content: [] };
    assert.equal(head, open.head);
    open.content.push(pdu.bytes.slice());
    if (pdu.last) {
      lines.push(`${head} ${hex(concat(open.content))}`);
      open = undefined;
    }
  }
}

const SESSION: readonly Uint8Array[] = [
  associateRequest(),
  dataPdu(pdv(1, "command", true, noise(60))),
  dataPdu(pdv(3, "command", true, noise(31, 2)), pdv(3, "data", false, noise(7, 3))),
  dataPdu(pdv(3, "data", false, new Uint8Array(0))),
  dataPdu(pdv(3, "data", false, noise(1, 4)), pdv(3, "data", false, noise(700, 5))),
  dataPdu(pdv(3, "data", true, new Uint8Array(0))),
  ...[...cut(noise(9, 6), [1])].map((piece, n) => dataPdu(pdv(5, "command", n === 8, piece))),
  dataPdu(
    pdv(5, "data", false, new Uint8Array(0)),
    pdv(5, "data", false, noise(3, 7)),
    pdv(5, "data", false, new Uint8Array(0)),
    pdv(5, "data", true, noise(5, 8)),
  ),
  RELEASE_RQ,
];

const WANTED = [
  `1 command ${hex(noise(60))}`,
  `3 command ${hex(noise(31, 2))}`,
  `3 data ${hex(concat([noise(7, 3), noise(1, 4), noise(700, 5)]))}`,
  `5 command ${hex(noise(9, 6))}`,
  `5 data ${hex(concat([noise(3, 7), noise(5, 8)]))}`,
  `{"type":5}`,
  `{"type":"closed","midway":false}`,
];

Deno.test("a session gives the same whole, PDU by PDU and byte by byte", async () => {
  const whole = concat(SESSION);
  for (
    const [name, chunks] of [
      ["whole", [whole]],
      ["PDU by PDU", SESSION],
      ["byte by byte", cut(whole, [1])],
      ["in sevens", cut(whole, [7])],
    ] as const
  ) {
    const [request, ...rest] = await transcript(chunks);
    assert.match(request!, /^\{"type":1,/, name);
    assert.deepEqual(rest, WANTED, name);
  }
});

Deno.test("a session gives the same however it is cut and however small the buffer is", async () => {
  const whole = concat(SESSION);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 12, max: 300 }),
      async (lengths, buffer) => {
        const [, ...rest] = await transcript(cut(whole, lengths), { buffer });
        assert.deepEqual(rest, WANTED);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("a thousand PDVs in one PDU come out in order", async () => {
  const pieces = [...cut(noise(3000, 9), [3])];
  const pdu = dataPdu(...pieces.map((piece, n) => pdv(3, "data", n === 999, piece)));
  const [line] = await transcript(cut(pdu, [100]));
  assert.equal(line, `3 data ${hex(noise(3000, 9))}`);
});

Deno.test("the last flag shows on the final piece of its fragment and on no other", async () => {
  const reader = new PduReader(
    transportOf(new Feed(cut(dataPdu(pdv(3, "data", true, noise(50))), [13]))),
    0,
    4096,
  );
  const flags: boolean[] = [];
  let left = 50;
  while (left > 0) {
    const piece = await reader.next(true) as DataPiece;
    left -= piece.bytes.length;
    flags.push(piece.last);
    assert.equal(piece.last, left === 0);
  }
  assert.ok(flags.length > 1, "the fragment came in pieces");
});

Deno.test("an A-ASSOCIATE-RQ of 128 contexts with 65 transfer syntaxes each passes, slowly or at once", async () => {
  const contexts = Array.from({ length: 128 }, (_, n) => ({
    id: n * 2 + 1,
    abstractSyntax: `1.2.840.10008.5.1.4.1.1.${n}`,
    transferSyntaxes: Array.from({ length: 65 }, (_, m) => `1.2.840.10008.1.2.4.${m}`),
  }));
  const request = associateRequest(contexts);
  assert.ok(request.length > 200_000, `${request.length} bytes`);
  for (const lengths of [[1 << 20], [1000, 3]]) {
    const reader = new PduReader(transportOf(new Feed(cut(request, lengths))), 16384, 16384);
    const pdu = await reader.next(false);
    assert.ok(pdu.type === PduType.AssociateRequest);
    assert.deepEqual(pdu.contexts, contexts);
  }
});

/** Reads on until something is thrown, which has to be a MalformedPdu. */
async function malformed(
  stream: Uint8Array,
  max = 0,
): Promise<{ error: MalformedPdu; feed: Feed }> {
  const feed = new Feed(cut(stream, [1]));
  const reader = new PduReader(transportOf(feed), max, 4096);
  for (let n = 0; n < 100_000; n++) {
    try {
      const pdu = await reader.next(false);
      if (pdu.type === "closed") break;
    } catch (error) {
      assert.ok(error instanceof MalformedPdu, String(error));
      return { error, feed };
    }
  }
  throw new assert.AssertionError({ message: "nothing was refused" });
}

Deno.test("a P-DATA-TF over the announced maximum is refused from its six bytes of header", async () => {
  for (const claimed of [16385, 0x7fffffff, 0xffffffff]) {
    const { error, feed } = await malformed(rawPdu(PduType.Data, noise(100), claimed), 16384);
    assert.equal(feed.given, 6, `${claimed}: nothing behind the header was wanted`);
    assert.equal(error.reason, AbortReason.InvalidParameter);
    assert.match(error.message, new RegExp(`${claimed} bytes, 16384 was announced`));
  }
});

Deno.test("a P-DATA-TF of exactly the announced maximum is taken", async () => {
  const pdu = dataPdu(pdv(3, "data", true, noise(16384 - 6)));
  const lines = await transcript([pdu], { max: 16384 });
  assert.equal(lines[0], `3 data ${hex(noise(16384 - 6))}`);
});

Deno.test("without an announced maximum a claim of 4 GiB costs no memory before its bytes are there", async () => {
  const feed = new Feed([rawPdu(PduType.Data, pdv(3, "data", false, noise(10)), 0xffffffff)]);
  const reader = new PduReader(transportOf(feed), 0, 4096);
  const piece = await reader.next(false) as DataPiece;
  assert.equal(piece.bytes.length, 10);
  assert.deepEqual(await reader.next(true), { type: "closed", midway: true });
  assert.ok(feed.largestOffer <= 4096);
});

Deno.test("a control PDU that claims over 1 MiB is refused from its header, one that lies below is not allocated", async () => {
  const { feed } = await malformed(rawPdu(PduType.AssociateRequest, noise(10), 1024 * 1024 + 1));
  assert.equal(feed.given, 6);
  const liar = new Feed([rawPdu(PduType.AssociateRequest, noise(10), 1024 * 1024)]);
  const reader = new PduReader(transportOf(liar), 0, 4096);
  assert.deepEqual(await reader.next(false), { type: "closed", midway: true });
  assert.ok(liar.largestOffer <= 4096, `${liar.largestOffer} bytes were held ready`);
});

const LYING_PDVS: readonly [string, Uint8Array][] = [
  ["a P-DATA-TF of no bytes", rawPdu(PduType.Data, bytes(""))],
  ["a P-DATA-TF of 5 bytes", rawPdu(PduType.Data, bytes("00000001 03"))],
  ["a PDV of length 0", rawPdu(PduType.Data, bytes("00000000 03 02"))],
  ["a PDV of length 1", rawPdu(PduType.Data, bytes("00000001 03 02"))],
  ["a PDV one byte longer than its PDU", rawPdu(PduType.Data, bytes("00000005 03 02 0102"))],
  ["a PDV that claims 4 GiB", rawPdu(PduType.Data, bytes("ffffffff 03 02 0102"))],
  ["a stray byte behind the last PDV", rawPdu(PduType.Data, bytes("00000004 03 02 0102 00"))],
  ["5 stray bytes behind the last PDV", rawPdu(PduType.Data, bytes("00000002 03 02 0000000203"))],
  [
    "a second PDV longer than what is left",
    dataPdu(pdv(3, "data", false, noise(4)), bytes("00000009 03 02 01020304")),
  ],
];

for (const [name, pdu] of LYING_PDVS) {
  Deno.test(`${name} is a malformed PDU`, async () => {
    const { error } = await malformed(pdu);
    assert.equal(error.reason, AbortReason.InvalidParameter);
  });
}

Deno.test("a first byte that is no PDU type is refused with reason 1, whatever it begins", async () => {
  for (const start of ["47455420 2f20", "160301 020001", "5353482d 322e", "00000000 0000"]) {
    const { error } = await malformed(bytes(start));
    assert.equal(error.reason, AbortReason.UnrecognizedPdu);
  }
});

Deno.test("an end between PDUs is an end, anywhere inside one it is midway", async () => {
  const whole = concat([dataPdu(pdv(3, "command", true, noise(20))), RELEASE_RQ]);
  const boundaries = [0, 32, 42];
  for (let length = 0; length <= whole.length; length++) {
    const lines = await transcript([whole.subarray(0, length)]);
    const midway = !boundaries.includes(length);
    assert.equal(lines.at(-1), `{"type":"closed","midway":${midway}}`, `after ${length} bytes`);
  }
});

Deno.test("an end between the PDUs of one message is midway, too", async () => {
  const reader = new PduReader(
    transportOf(new Feed([dataPdu(pdv(3, "data", false, noise(4)))])),
    0,
    4096,
  );
  await reader.next(false);
  assert.deepEqual(await reader.next(true), { type: "closed", midway: true });
});

Deno.test("random bytes end in an end or a MalformedPdu, never in another throw", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.tuple(fc.integer({ min: 0, max: 8 }), fc.uint8Array({ maxLength: 60 })).map((
            [type, body],
          ) => rawPdu(type, body)),
          fc.uint8Array({ maxLength: 30 }).map((fragment) =>
            dataPdu(pdv(1, "data", true, fragment))
          ),
        ),
        { maxLength: 5 },
      ),
      async (pieces) => {
        const reader = new PduReader(transportOf(new Feed(pieces)), 16384, 64);
        try {
          while ((await reader.next(false)).type !== "closed");
        } catch (error) {
          assert.ok(error instanceof MalformedPdu, String(error));
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("what the connection fails of reaches the caller as it is", async () => {
  const feed = new Feed([]);
  feed.read = () => Promise.reject(new Deno.errors.ConnectionReset("reset (os error 104)"));
  const reader = new PduReader(transportOf(feed), 0, 4096);
  await assert.rejects(reader.next(false), (error: unknown) => {
    assert.ok(error instanceof TransportError);
    assert.equal(error.kind, "closed");
    assert.doesNotMatch(error.message, /os error/);
    return true;
  });
});

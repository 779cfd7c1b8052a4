/*
 * Sessions to spoil: what our own service class user really sends over a connection, recorded byte for byte, and what a
 * receiver has to make of such bytes.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { IMPLICIT_VR_LE, VERIFICATION } from "../../src/dicom/uid.ts";
import { type Command, CommandField, decodeCommand, NO_DATA_SET } from "../../src/dimse/command.ts";
import { inMemory, ServiceUser } from "../../src/dimse/scu.ts";
import { Association } from "../../src/ul/association.ts";
import { PduType, type ProposedContext } from "../../src/ul/pdu.ts";
import { type Connection, Transport } from "../../src/ul/transport.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { CT_IMAGE_STORAGE, instanceOf } from "../helpers/instances.ts";
import { ascii } from "../helpers/hex.ts";
import { associateRequest, EXPLICIT, type FoundPdv, MR, userInformation } from "../helpers/pdus.ts";
import { OPTIONS } from "../helpers/served.ts";

/** Ten digits in every recorded SOP Instance UID; each session played has its own in their place. */
const PLACEHOLDER = "7777777777";

const CONTEXTS: readonly ProposedContext[] = [
  { id: 1, abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_VR_LE] },
  { id: 3, abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [EXPLICIT, IMPLICIT_VR_LE] },
  { id: 5, abstractSyntax: MR, transferSyntaxes: [EXPLICIT] },
];

/** Records what is sent to a receiver at this port. */
export async function record(port: number): Promise<Uint8Array[]> {
  const echo = await recordOne(port, async (user) => {
    await user.echo(1, VERIFICATION);
  });
  const store = await recordOne(port, (user) => storeOne(user, CT_IMAGE_STORAGE, 3, 1));
  const several = await recordOne(port, async (user) => {
    await storeOne(user, CT_IMAGE_STORAGE, 3, 1);
    await user.echo(1, VERIFICATION);
    await storeOne(user, MR, 5, 2);
    await storeOne(user, CT_IMAGE_STORAGE, 3, 3);
  });
  const recorded = [echo, store, several];
  // The same with a request that says all a request can say.
  const rich = associateRequest(CONTEXTS, 32_768, {
    calledAeTitle: FORWARDER_AE,
    userInformation: {
      ...userInformation(32_768),
      asynchronousOperations: { invoked: 5, performed: 5 },
      roleSelections: [{ sopClassUid: CT_IMAGE_STORAGE, scu: true, scp: true }],
      sopClassExtended: [{ sopClassUid: CT_IMAGE_STORAGE, information: Uint8Array.of(1, 2) }],
      sopClassCommonExtended: [{
        sopClassUid: CT_IMAGE_STORAGE,
        serviceClassUid: "1.2.840.10008.4.2",
        relatedSopClassUids: [MR],
      }],
      userIdentity: {
        type: 2,
        positiveResponseRequested: true,
        primary: Uint8Array.of(0x61),
        secondary: Uint8Array.of(0x62),
      },
    },
  });
  return [...recorded, concat([rich, several.subarray(6 + pduLength(several))])];
}

async function recordOne(
  port: number,
  script: (user: ServiceUser) => Promise<unknown>,
): Promise<Uint8Array> {
  const sent: Uint8Array[] = [];
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
  const tapped: Connection = {
    read: (into) => tcp.read(into),
    async write(bytes) {
      const taken = await tcp.write(bytes);
      sent.push(bytes.slice(0, taken));
      return taken;
    },
    close: () => tcp.close(),
  };
  const transport = new Transport(tapped, "127.0.0.1", port);
  const association = await Association.request(
    transport,
    "FUZZER",
    FORWARDER_AE,
    CONTEXTS,
    OPTIONS,
  );
  await script(new ServiceUser(association, 30_000));
  await association.release();
  return concat(sent);
}

async function storeOne(
  user: ServiceUser,
  sopClassUid: string,
  contextId: number,
  n: number,
): Promise<void> {
  const instance = instanceOf({ sopClassUid, sopInstanceUid: `2.25.${PLACEHOLDER}.${n}` });
  const data = inMemory(instance.dataSet);
  await user.store(contextId, sopClassUid, instance.sopInstanceUid, data);
}

/** A recording with instances of its own. */
export function renumbered(recording: Uint8Array, session: number): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(recording);
  const digits = ascii(String(1_000_000_000 + session));
  const placeholder = ascii(PLACEHOLDER);
  const seven = placeholder[0]!;
  for (let at = bytes.indexOf(seven); at >= 0; at = bytes.indexOf(seven, at + 1)) {
    if (placeholder.every((byte, n) => bytes[at + n] === byte)) bytes.set(digits, at);
  }
  return bytes;
}

/** A message as a receiver has to understand it. */
export interface Message {
  readonly contextId: number;
  readonly command: Command;
  /** Undefined where the command says that none follows. */
  readonly dataSet: Uint8Array | undefined;
}

/** The whole messages at the beginning of a stream of PDUs, up to where it ends or stops making sense. */
export function messagesIn(stream: Uint8Array): Message[] {
  const messages: Message[] = [];
  let command: Uint8Array[] = [];
  let dataSet: Uint8Array[] = [];
  let waiting: { contextId: number; command: Command } | undefined;
  for (const pdv of fragmentsIn(stream)) {
    if (waiting === undefined) {
      if (!pdv.command) break;
      command.push(pdv.fragment);
      if (!pdv.last) continue;
      const decoded = commandOf(concat(command));
      if (decoded === undefined) break;
      waiting = { contextId: pdv.contextId, command: decoded };
      command = [];
      dataSet = [];
      // A C-CANCEL never has one, whatever it says (PS3.7 §9.3.2.3).
      const none = decoded.commandDataSetType === NO_DATA_SET ||
        decoded.commandField === CommandField.CancelRequest;
      if (!none) continue;
      messages.push({ ...waiting, dataSet: undefined });
    } else {
      if (pdv.command || pdv.contextId !== waiting.contextId) break;
      dataSet.push(pdv.fragment);
      if (!pdv.last) continue;
      messages.push({ ...waiting, dataSet: concat(dataSet) });
    }
    waiting = undefined;
  }
  return messages;
}

/** The bytes of the first command set of a stream, where it is whole. */
export function firstCommandIn(stream: Uint8Array): Uint8Array | undefined {
  const fragments: Uint8Array[] = [];
  for (const pdv of fragmentsIn(stream)) {
    if (!pdv.command) return undefined;
    fragments.push(pdv.fragment);
    if (pdv.last) return concat(fragments);
  }
  return undefined;
}

/** A command set, or undefined where it is none. */
function commandOf(bytes: Uint8Array): Command | undefined {
  try {
    return decodeCommand(bytes);
  } catch {
    return undefined;
  }
}

/** The whole fragments of a stream; of the last P-DATA-TF also those before it is cut short. */
function* fragmentsIn(stream: Uint8Array): Generator<FoundPdv> {
  for (const { type, body } of pdusIn(stream, true)) {
    if (type !== PduType.Data) continue;
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    for (let at = 0; at + 6 <= body.length;) {
      const end = at + 4 + view.getUint32(at);
      if (end > body.length || end < at + 6) return;
      const control = body[at + 5]!;
      yield {
        contextId: body[at + 4]!,
        command: (control & 1) === 1,
        last: (control & 2) === 2,
        fragment: body.subarray(at + 6, end),
      };
      at = end;
    }
  }
}

/** The PDUs of a stream; one that is cut short at its end only where wanted. */
export function pdusIn(stream: Uint8Array, cut = false): { type: number; body: Uint8Array }[] {
  const pdus: { type: number; body: Uint8Array }[] = [];
  for (let at = 0; at + 6 <= stream.length;) {
    const end = at + 6 + pduLength(stream.subarray(at));
    if (end > stream.length && !cut) break;
    pdus.push({ type: stream[at]!, body: stream.subarray(at + 6, end) });
    at = end;
  }
  return pdus;
}

function pduLength(pdu: Uint8Array): number {
  return new DataView(pdu.buffer, pdu.byteOffset).getUint32(2);
}

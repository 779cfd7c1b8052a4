/*
 * Sta13, "awaiting transport connection close" (PS3.8 Table 9-5): what still comes after the last word was sent.
 *
 * Owns the reading there: the peer's A-ABORT or its end is the end (AA-2, AR-5), a request to associate and what is no PDU
 * get an A-ABORT (AA-7), anything else is ignored (AA-6). It has no clock: ARTIM is the association's, which closes the
 * connection under it.
 */

import { AbortReason, PduType } from "./pdu.ts";
import { MalformedPdu } from "./pdu_decode.ts";
import { encodeControlPdu } from "./pdu_encode.ts";
import type { PduReader } from "./pdu_reader.ts";
import type { Transport } from "./transport.ts";

/**
 * Resolves when the peer has closed or aborted.
 *
 * @param legible false where the bytes that come next are no PDUs any more: they are taken and not looked at
 * @param stallMs how long the peer may take none of an A-ABORT
 * @throws {TransportError} where the connection ends in another way
 */
export async function awaitPeerClose(
  reader: PduReader,
  transport: Transport,
  legible: boolean,
  stallMs: number,
): Promise<void> {
  // A connection that ARTIM closes is closed without a word.
  transport.lastWords = undefined;
  while (legible) {
    let reason: number = AbortReason.UnexpectedPdu;
    try {
      const pdu = await reader.next(false);
      if (pdu.type === "closed" || pdu.type === PduType.Abort) return;
      if (pdu.type !== PduType.AssociateRequest) continue;
    } catch (error) {
      if (!(error instanceof MalformedPdu)) throw error;
      reason = error.reason;
      legible = false;
    }
    await transport.write(encodeControlPdu({ type: PduType.Abort, source: 2, reason }), stallMs);
  }
  const sink = new Uint8Array(4096);
  while (await transport.read(sink, reader.readMs, "peer does not close"));
}

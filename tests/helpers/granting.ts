/*
 * A provider that grants asynchronous operations (PS3.7 §D.3.3.3), made of our own that does not: the item is put into its
 * A-ASSOCIATE-AC on the way out. It goes on reading one message after another and answers each before the next, as a
 * provider may; how many are outstanding is the requestor's affair then.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { ItemType, PduType } from "../../src/ul/pdu.ts";
import type { Connection } from "../../src/ul/transport.ts";

/** @param operations how many the requestor may invoke; 0 for no limit */
export function granting(connection: Connection, operations: number): Connection {
  return {
    read: (into) => connection.read(into),
    async write(bytes) {
      if (bytes[0] !== PduType.AssociateAccept) return await connection.write(bytes);
      const more = withItem(bytes, operations);
      for (let at = 0; at < more.length;) at += await connection.write(more.subarray(at));
      return bytes.length;
    },
    close: () => connection.close(),
  };
}

/** PS3.8 Table 9-17: items from byte 75, the user information item last; PS3.7 Table D.3-8. */
function withItem(accept: Uint8Array, operations: number): Uint8Array {
  const longer = concat([
    accept,
    Uint8Array.of(
      ItemType.AsynchronousOperations,
      0,
      0,
      4,
      operations >>> 8,
      operations & 0xff,
      0,
      1,
    ),
  ]);
  const view = new DataView(longer.buffer);
  view.setUint32(2, view.getUint32(2) + 8);
  let at = 74;
  while (longer[at] !== ItemType.UserInformation) at += 4 + view.getUint16(at + 2);
  view.setUint16(at + 2, view.getUint16(at + 2) + 8);
  return longer;
}

/*
 * A stored instance as a stream: the Part 10 file as it lies in the spool, vouched for by its checksum before the last piece
 * leaves. Owns the open file until the stream is at its end or cancelled.
 */

import { CorruptError, type StoredInstance } from "../spool/stored_instance.ts";

/** Read at a time, in bytes. */
const PIECE = 256 * 1024;

/** The file, and how long it is in bytes. The stream fails where the data set does not match its checksum. */
export function streamOf(
  instance: StoredInstance,
): { size: number; body: ReadableStream<Uint8Array> } {
  let isOpen = true;
  const close = () => {
    if (isOpen) instance.close();
    isOpen = false;
  };
  let left = instance.length;
  let begun = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        if (!begun) {
          begun = true;
          controller.enqueue(instance.readHead());
          if (left > 0) return;
        } else {
          const piece = new Uint8Array(Math.min(PIECE, left));
          await instance.read(piece);
          left -= piece.length;
          if (left === 0 && !instance.vouch()) {
            throw new CorruptError(`${instance.path} does not match its checksum`);
          }
          controller.enqueue(piece);
          if (left > 0) return;
        }
        close();
        controller.close();
      } catch (error) {
        close();
        throw error;
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
  return { size: instance.fileLength, body };
}

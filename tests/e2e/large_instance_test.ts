/* Memory does not depend on the size of an instance. */

import { streamThrough } from "../limits/memory.ts";

const FRAMES = 2048;
const FRAME_BYTES = 512 * 512 * 2;

Deno.test({
  name: "a 1 GB multi-frame instance passes with a peak of less than 200 MB of memory",
  // The peak is read from /proc.
  ignore: Deno.build.os !== "linux",
  async fn() {
    await streamThrough({
      senders: 1,
      pixelBytes: FRAMES * FRAME_BYTES,
      out: 1,
      mostMiB: 190,
      patienceMs: 90_000,
    });
  },
});

/* Memory stays flat, however much comes in at a time or one after another. Its figures are read from /proc. */

import { openAndClose, streamThrough } from "./memory.ts";

Deno.test({
  name: "20 stores in and 4 associations out at a time take less than 350 MiB",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await streamThrough({
      senders: 20,
      pixelBytes: 16_000_000,
      out: 4,
      mostMiB: 350,
      patienceMs: 60_000,
    });
  },
});

Deno.test({
  name: "5000 associations opened and released leave less than 20 MiB and no file open",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await openAndClose({ associations: 5000, mostMiB: 20 });
  },
});

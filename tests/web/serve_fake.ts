/*
 * Serves the status pages with a forwarder that is none, for whoever works on them:
 *
 *     deno run -A tests/web/serve_fake.ts [--port 8105] [--password TEXT] [--quiet] [--items 1234]
 *
 * A second goes by for it each second. Ctrl-C ends it.
 */

import { parseArgs } from "node:util";
import { hashPassword } from "../../src/access/password.ts";
import { FakeControl } from "./fake_control.ts";
import { WebHouse } from "./web_house.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    port: { type: "string", default: "8105" },
    password: { type: "string" },
    quiet: { type: "boolean", default: false },
    items: { type: "string", default: "1234" },
  },
});
const control = new FakeControl({ quiet: values.quiet, items: Number(values.items) });
const web = {
  port: Number(values.port),
  ...(values.password === undefined ? {} : { password_hash: await hashPassword(values.password) }),
};
const house = await WebHouse.start(control, { web });
setInterval(() => control.step(), 1000);
await Deno.stdout.write(new TextEncoder().encode(`${house.url}/\n`));

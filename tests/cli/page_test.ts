/*
 * `page`: the address that a browser on this machine takes.
 */

import assert from "node:assert/strict";
import { writeControlFile } from "../../src/web/control_file.ts";
import { Scratch } from "../helpers/scratch.ts";
import { runCli } from "./run_cli.ts";

Deno.test("page prints the running forwarder's address, or the one that is configured, or why there is none", async () => {
  await using scratch = await Scratch.make();
  const page = async (web: unknown) => {
    Deno.writeTextFileSync(scratch.at("config.json"), JSON.stringify({ pacs_host: "h", web }));
    const { code, stdout, stderr } = await runCli(["page"], scratch.path);
    return [code, (stdout + stderr).trim()];
  };
  const password_hash = `$scrypt$ln=15,r=8,p=3$${"s".repeat(22)}$${"h".repeat(43)}`;
  assert.deepEqual(await page({}), [0, "http://127.0.0.1:8104/"]);
  const tls = { certificate: "c.pem", key: "k.pem" };
  assert.deepEqual(await page({ host: "0.0.0.0", port: 9000, password_hash, tls }), [
    0,
    "https://127.0.0.1:9000/",
  ]);
  assert.deepEqual(await page({ host: "::1" }), [0, "http://[::1]:8104/"]);
  const [off, why] = await page({ enabled: false });
  assert.equal(off, 1);
  assert.match(String(why), /web\.enabled is false/);
  assert.match(String((await page({ port: 0 }))[1]), /any free port/);
  const url = "http://127.0.0.1:54321/";
  await writeControlFile(scratch.folder("spool"), { url, token: "t".repeat(43), pid: 1 });
  assert.deepEqual(await page({ port: 0 }), [0, url]);
});

import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { jsonSchemaText } from "../../src/config/json_schema.ts";

const ROOT = new URL("../../", import.meta.url);

async function validator() {
  const schema = JSON.parse(await Deno.readTextFile(new URL("config.schema.json", ROOT)));
  return new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);
}

Deno.test("config.schema.json is what the program's own schema generates", async () => {
  const onDisk = await Deno.readTextFile(new URL("config.schema.json", ROOT));
  assert.equal(onDisk, jsonSchemaText(), "run `deno task schema`");
});

Deno.test("an editor with config.schema.json accepts the configuration that comes with the program", async () => {
  const validate = await validator();
  const config = JSON.parse(await Deno.readTextFile(new URL("config.json", ROOT)));
  assert(validate(config), JSON.stringify(validate.errors));
});

Deno.test("an editor with config.schema.json accepts what the program accepts", async () => {
  const validate = await validator();
  const node = { host: "10.0.0.1", port: 104, ae_title: "A" };
  const good = [
    {},
    { $schema: "./config.schema.json", tls: null },
    { destinations: [{ ...node, name: "a" }, { ...node, name: "b", type: "dicom" }] },
    { destinations: [{ type: "directory", name: "c", path: "D:\\copy" }], max_pdu_length: 0 },
    { minimum_free_space: "2GB", max_instance_size: 5, timeouts: { idle: 0.5 } },
    { routes: [{ modalities: ["CT"], destinations: ["pacs"] }], allowed_hosts: ["::1/64"] },
    { alarms: { webhook: { url: "https://h/x", headers: { "X-Key": "1" } }, repeat_hours: 0 } },
    { alarms: { email: { host: "mail", from: "a@b", to: ["c@d"] }, name: "Haus \u00dc" } },
    { alarms: { silent: [{ ae_title: "CT1", hours: 4, days: ["mon"], to: "24:00" }] } },
  ];
  for (const config of good) {
    assert(validate(config), JSON.stringify([config, validate.errors]));
  }
});

Deno.test("an editor with config.schema.json refuses wrong types, values and unknown keys", async () => {
  const validate = await validator();
  const bad = [
    { pacs_port: "104" },
    { pacs_port: 70_000 },
    { pacs_prot: 104 },
    { local_ae_title: "SEVENTEEN LETTERS" },
    { local_ae_title: "A\\B" },
    { store_locally: "yes" },
    { log_level: "warn" },
    { max_pdu_length: 5 },
    { minimum_free_space: "much" },
    { timeouts: { hurry: 1 } },
    { tls: {} },
    { destinations: [{ name: "a" }] },
    { destinations: [{ type: "directory", name: "a", path: "x", host: "h" }] },
    { destinations: [{ type: "directory", name: "UPPER", path: "x" }] },
    { routes: [{ destinations: [] }] },
    { alarms: { webhook: { url: "ftp://h" } } },
    { alarms: { webhook: { url: "https://h", headers: { "a b": "1" } } } },
    { alarms: { email: { host: "mail", from: "a@b", to: [] } } },
    { alarms: { silent: [{ ae_title: "CT1", hours: 4, from: "7:00" }] } },
    { alarms: { mail: {} } },
    [],
  ];
  for (const config of bad) assert(!validate(config), JSON.stringify(config));
});

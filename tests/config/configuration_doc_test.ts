import assert from "node:assert/strict";
import { configFrom, parseConfig } from "../../src/config/load.ts";
import { jsonSchemaText } from "../../src/config/json_schema.ts";

interface Node {
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly oneOf?: readonly Node[];
  readonly anyOf?: readonly Node[];
}

/** Every key below `node` as the documentation writes it (`destinations[].timeouts.idle`), with its default. */
function* keysOf(node: Node, path = ""): Generator<[string, unknown]> {
  for (const part of [...node.oneOf ?? [], ...node.anyOf ?? []]) yield* keysOf(part, path);
  if (node.items !== undefined) yield* keysOf(node.items, `${path}[]`);
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const inner = path === "" ? key : `${path}.${key}`;
    yield [inner, child.default];
    yield* keysOf(child, inner);
  }
}

const TEXT = await Deno.readTextFile(new URL("../../docs/configuration.md", import.meta.url));
const ROWS = new Map(
  Array.from(TEXT.matchAll(/^\| `([^`]+)` +\| (.*) \|$/gm), (row) => [row[1]!, row[2]!]),
);
const KEYS = new Map(keysOf(JSON.parse(jsonSchemaText())));

Deno.test("docs/configuration.md has a row for every key, and for none that does not exist", () => {
  assert.deepEqual([...ROWS.keys()].sort(), [...KEYS.keys()].sort());
});

Deno.test("docs/configuration.md tells the default that the program uses", () => {
  for (const [key, usual] of KEYS) {
    if (usual === undefined || JSON.stringify(usual) === "{}") continue;
    const column = ROWS.get(key)?.split("|")[1]?.trim();
    assert.equal(column, `\`${JSON.stringify(usual)}\``, key);
  }
});

Deno.test("the examples of docs/configuration.md are configurations the program takes", () => {
  const examples = Array.from(TEXT.matchAll(/^```json\n(.*?)^```$/gms), (match) => match[1]!);
  assert.equal(examples.length, 5);
  const destinations = examples.map((example) =>
    parseConfig(example, "config.json").destinations.map((each) => each.name)
  );
  assert.deepEqual(destinations, [["pacs"], ["pacs", "mammo"], ["archive"], ["pacs"], ["pacs"]]);
});

Deno.test("the example values in the table of docs/configuration.md are accepted", () => {
  const node = { name: "x", host: "h", port: 1, ae_title: "X" };
  const folder = { type: "directory", name: "y", path: "y" };
  const route = { destinations: ["x"] };
  for (const [key, row] of ROWS) {
    const example = JSON.parse(/`(.*)`/.exec(row.split("|").at(-1)!)![1]!);
    const [last, parent] = key.split(".").reverse();
    if (key.startsWith("alarms.")) {
      configFrom({ pacs_host: "h", alarms: alarmsWith(parent!, last!, example) }, Deno.cwd());
      continue;
    }
    if (/^(?:senders|connection_rate|user_identity)/.test(key)) {
      configFrom({ pacs_host: "h", ...accessWith(parent, last!, example) }, Deno.cwd());
      continue;
    }
    if (key.startsWith("web.tls.")) {
      const tls = { certificate: "c", key: "k", [last!]: example };
      configFrom({ pacs_host: "h", web: { tls } }, Deno.cwd());
      continue;
    }
    if (parent === "user_identity") {
      const identity = { username: "u", [last!]: example };
      configFrom({ destinations: [{ ...node, user_identity: identity }] }, Deno.cwd());
      continue;
    }
    if (key.startsWith("audit.")) {
      const certificate = { certificate_file: "c.pem", key_file: "k.pem" };
      const files = last === "certificate_file" || last === "key_file" ? certificate : {};
      configFrom({ pacs_host: "h", audit: { host: "h", ...files, [last!]: example } }, Deno.cwd());
      continue;
    }
    const inner = parent === "timeouts" || parent === "web" || parent === "tls";
    const place = key.split(".")[0];
    const files = { certificate: "c", key: "k", ...place === "tls" ? { ca: "a" } : {} };
    const beside = parent === "tls" ? files : {};
    const part = inner ? { [parent]: { ...beside, [last!]: example } } : { [last!]: example };
    const ofFolder = key.endsWith("].path") || example === "directory";
    const destinations = place !== "destinations[]"
      ? [node, folder, { ...node, name: "pacs" }]
      : ofFolder
      ? [node, { ...folder, ...part }]
      : [{ ...node, ...part }];
    const routes = place === "routes[]" ? [{ ...route, ...part }] : [];
    const content = { destinations, routes };
    const short = key === "destinations" ? {} : key === "pacs_host" ? { destinations: [node] } : {};
    configFrom(place?.endsWith("[]") ? content : { ...content, ...part, ...short }, Deno.cwd());
  }
});

/** Settings of alarms in which one has this value and what it needs beside it is there. */
function alarmsWith(parent: string, key: string, value: unknown): Record<string, unknown> {
  const login = key === "user" || key === "password" ? { user: "u", password: "p" } : {};
  const needed: Readonly<Record<string, Record<string, unknown>>> = {
    "silent[]": { ae_title: "X", hours: 1 },
    webhook: { url: "https://h" },
    email: { host: "h", from: "a@b", to: ["c@d"], ...login },
  };
  if (parent === "alarms") return { [key]: value };
  const part = { ...needed[parent], [key]: value };
  return parent === "silent[]" ? { silent: [part] } : { [parent]: part };
}

/** Settings of who may send in which one has this value and what it needs beside it is there. */
function accessWith(parent: string | undefined, key: string, value: unknown) {
  const users = [{ name: "ct1" }];
  switch (parent) {
    case undefined:
      return { [key]: value };
    case "senders[]":
      return { senders: [{ ae_title: "CT1", [key]: value }], user_identity: { users } };
    case "users[]":
      return { user_identity: { users: [{ name: "ct1", [key]: value }] } };
    default:
      return { [parent]: { ...(parent === "user_identity" ? { users } : {}), [key]: value } };
  }
}

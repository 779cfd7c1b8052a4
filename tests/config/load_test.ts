import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import {
  type Config,
  ConfigError,
  configFrom,
  loadConfig,
  parseConfig,
} from "../../src/config/load.ts";

const HOME = resolve("/srv/forwarder");

function faultsOf(content: unknown): ConfigError {
  try {
    configFrom(content, HOME);
  } catch (error) {
    assert(error instanceof ConfigError);
    return error;
  }
  throw new assert.AssertionError({ message: "the configuration was accepted" });
}

/** The faults as "path: wanted", of which each expected one must begin or contain the text given. */
function assertFaults(content: unknown, expected: Record<string, RegExp>): void {
  const { faults } = faultsOf(content);
  assert.deepEqual(faults.map((fault) => fault.path).sort(), Object.keys(expected).sort());
  for (const fault of faults) assert.match(fault.wanted, expected[fault.path]!, fault.path);
}

function accepted(content: Record<string, unknown>): Config {
  return configFrom({ pacs_host: "pacs.example", ...content }, HOME);
}

async function withFile(
  content: string | Uint8Array,
  run: (file: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    const file = join(dir, "config.json");
    await Deno.writeFile(
      file,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    await run(file);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("the configuration file that comes with the program loads, every default filled in", async () => {
  const file = resolve(import.meta.dirname!, "../../config.json");
  assert.deepEqual(await loadConfig(file), {
    file,
    localAeTitle: "DICOMFORWARDER",
    localHost: "0.0.0.0",
    localPort: 11112,
    spoolDir: join(dirname(file), "spool"),
    logDir: join(dirname(file), "logs"),
    destinations: [
      {
        type: "dicom",
        name: "pacs",
        host: "127.0.0.1",
        port: 104,
        tls: null,
        aeTitle: "PACS",
        callingAeTitle: "DICOMFORWARDER",
        associations: 4,
        timeouts: {
          connectMs: 15_000,
          associationMs: 30_000,
          responseMs: 60_000,
          releaseMs: 10_000,
          writeStallMs: 60_000,
          idleReleaseMs: 5_000,
        },
        maxPduLength: 131_072,
        userIdentity: null,
        transcode: true,
        retryAttempts: 3,
      },
      {
        type: "directory",
        name: "archive",
        path: join(dirname(file), "storage"),
        retryAttempts: 3,
      },
    ],
    routes: [],
    allowedCallingAeTitles: [],
    allowedHosts: [],
    requireCalledAeTitle: true,
    senders: [],
    connectionRate: { perHost: 240, all: 1200 },
    userIdentity: { required: false, users: [] },
    maxAssociations: 50,
    maxAssociationsPerHost: 20,
    maxPduLength: 131_072,
    maxInstanceSize: 8 * 1024 ** 3,
    timeouts: {
      associationRequestMs: 30_000,
      idleMs: 60_000,
      readMs: 60_000,
      writeStallMs: 60_000,
      stopMs: 20_000,
    },
    minimumFreeSpace: 1_000_000_000,
    allowUnsafeSpoolVolume: false,
    forwardImmediately: true,
    studyQuietMs: 60_000,
    logLevel: "info",
    logRetentionDays: 30,
    ledgerRetentionDays: 400,
    logPatientInfo: true,
    web: {
      enabled: true,
      host: "127.0.0.1",
      port: 8104,
      passwordHash: null,
      allowedNames: [],
      sessionHours: 12,
      metricsPublic: false,
      tls: null,
    },
    watchConfig: false,
    tls: null,
    audit: null,
    alarms: {
      repeatMs: 86_400_000,
      destinationDownMs: 300_000,
      oldestAgeMs: 3_600_000,
      failed: true,
      silent: [],
      webhook: null,
      email: null,
      name: null,
      patientData: false,
    },
  });
});

Deno.test("relative paths start from the file's folder, absolute ones stay", async () => {
  const absolute = resolve("/var/spool/dicom");
  const text = JSON.stringify({
    pacs_host: "a",
    log_dir: "../logs",
    spool_dir: absolute,
    destinations: [{ type: "directory", name: "copy", path: "copies" }],
  });
  await withFile(text, async (file) => {
    const config = await loadConfig(file);
    assert.equal(config.logDir, resolve(dirname(file), "../logs"));
    assert.equal(config.spoolDir, absolute);
    const copy = config.destinations[1]!;
    assert(copy.type === "directory");
    assert.equal(copy.path, join(dirname(file), "copies"));
  });
});

Deno.test("destinations are pacs, the listed ones in their order, archive", () => {
  const config = accepted({
    store_locally: true,
    destinations: [
      { name: "second", host: "h", port: 104, ae_title: "B" },
      { type: "directory", name: "first", path: "x", retry_attempts: 7 },
    ],
    retry_attempts: 5,
  });
  const listed = config.destinations.map(({ name, retryAttempts }) => [name, retryAttempts]);
  assert.deepEqual(listed, [["pacs", 5], ["second", 5], ["first", 7], ["archive", 5]]);
});

Deno.test("a file without store_locally has no archive, and one without pacs_host no pacs", () => {
  assert.deepEqual(accepted({}).destinations.map((each) => each.name), ["pacs"]);
  const archive = configFrom({ store_locally: true }, HOME);
  assert.deepEqual(archive.destinations.map((each) => each.name), ["archive"]);
});

Deno.test("a destination presents our AE title unless it has its own, and * is kept", () => {
  const node = { host: "h", port: 104, ae_title: " X " };
  const { destinations } = configFrom({
    local_ae_title: " ME ",
    destinations: [
      { ...node, name: "a" },
      { ...node, name: "b", calling_ae_title: "OTHER" },
      { ...node, name: "c", calling_ae_title: "*" },
    ],
  }, HOME);
  const titles = destinations.map((each) => each.type === "dicom" ? each.callingAeTitle : null);
  assert.deepEqual(titles, ["ME", "OTHER", "*"]);
  assert(destinations[0]?.type === "dicom");
  assert.equal(destinations[0].aeTitle, "X");
});

Deno.test("time-outs are seconds in the file and milliseconds afterwards, each with its own default", () => {
  const config = configFrom({
    timeouts: { idle: 0.25 },
    destinations: [
      { name: "a", host: "h", port: 1, ae_title: "A", timeouts: { response: 1.5 } },
    ],
  }, HOME);
  assert.equal(config.timeouts.idleMs, 250);
  assert.equal(config.timeouts.stopMs, 20_000);
  assert(config.destinations[0]?.type === "dicom");
  assert.equal(config.destinations[0].timeouts.responseMs, 1500);
  assert.equal(config.destinations[0].timeouts.connectMs, 15_000);
});

Deno.test("sizes are bytes, or numbers with decimal or binary units", () => {
  const sizes: [string | number, number][] = [
    [0, 0],
    [123, 123],
    ["7B", 7],
    ["10kB", 10_000],
    ["500MB", 500_000_000],
    ["2GB", 2_000_000_000],
    ["1.5 GB", 1_500_000_000],
    ["1TB", 1e12],
    ["4KiB", 4096],
    ["1GiB", 2 ** 30],
    ["2TiB", 2 ** 41],
  ];
  for (const [written, bytes] of sizes) {
    assert.equal(accepted({ minimum_free_space: written }).minimumFreeSpace, bytes, `${written}`);
  }
  for (const wrong of [-1, 1.5, "", "GB", "1", "1 XB", "-1GB", "1e3MB", null, true]) {
    assertFaults({ pacs_host: "a", minimum_free_space: wrong }, { minimum_free_space: /"500MB"/ });
  }
});

Deno.test("every wrong key is told at once, a line each, with its value and what is wanted", () => {
  const error = faultsOf({
    local_ae_title: "SEVENTEEN LETTERS",
    local_port: 65_536,
    pacs_host: "no such host!",
    pacs_port: "104",
    store_locally: "yes",
    storage_dir: "D:\new",
    retry_attempts: 101,
    allowed_hosts: ["10.0.0.0/8", "10.0.0.0/33", "fe80::/129", "box"],
    max_associations: 0,
    max_pdu_length: 4095,
    timeouts: { read: 0, hurry: 1 },
    log_level: "warn",
  });
  const expected: [string, string, RegExp][] = [
    ["local_ae_title", '"SEVENTEEN LETTERS"', /1 to 16/],
    ["local_port", "65536", /0 to 65535/],
    ["pacs_host", '"no such host!"', /host name or IP address/],
    ["pacs_port", '"104"', /whole number from 1 to 65535/],
    ["store_locally", '"yes"', /true or false/],
    ["storage_dir", '"D:\\new"', /backslashes are written twice/],
    ["retry_attempts", "101", /0 to 100/],
    ["allowed_hosts[1]", '"10.0.0.0/33"', /IP address or a range/],
    ["allowed_hosts[2]", '"fe80::/129"', /IP address or a range/],
    ["allowed_hosts[3]", '"box"', /IP address or a range/],
    ["max_associations", "0", /1 to 1000/],
    ["max_pdu_length", "4095", /4096 to 16777216/],
    ["timeouts.read", "0", /0.01 to 86400/],
    ["timeouts.hurry", "1", /no such key/],
    ["log_level", '"warn"', /"debug", "info", "warning" or "error"/],
  ];
  const lines = error.message.split("\n").slice(1);
  assert.equal(lines.length, expected.length, error.message);
  for (const [path, value, wanted] of expected) {
    const line = lines.find((each) => each.startsWith(`  ${path}: ${value}: `));
    assert(line !== undefined, `${path} in ${error.message}`);
    assert.match(line, wanted);
  }
});

Deno.test("an unknown key is named, with the key it was probably meant to be", () => {
  assertFaults({ pacs_host: "a", pacs_prot: 104, colour: "red" }, {
    pacs_prot: /did you mean "pacs_port"\?/,
    colour: /no such key: see docs/,
  });
  assertFaults({ destinations: [{ name: "a", host: "h", port: 1, aetitle: "A" }] }, {
    "destinations[0].aetitle": /did you mean "ae_title"\?/,
    "destinations[0].ae_title": /AE title/,
  });
  assertFaults({ pacs_host: "a", routes: [{ modality: ["CT"], destinations: ["pacs"] }] }, {
    "routes[0].modality": /did you mean "modalities"\?/,
  });
  assertFaults({ pacs_host: "a", __proto__x: 1, constructor: 2 }, {
    __proto__x: /no such key/,
    constructor: /no such key/,
  });
});

Deno.test("AE titles are 1 to 16 printable ASCII characters, no backslash, not only spaces", () => {
  for (const good of ["A", "ABCDEFGHIJKLMNOP", "CT ROOM-1_a.b", "~!", " A"]) {
    assert.equal(accepted({ local_ae_title: good }).localAeTitle, good.trim());
  }
  for (const bad of ["", " ", "ABCDEFGHIJKLMNOPQ", "A\\B", "A\tB", "\u00c4", 7, null]) {
    assertFaults({ pacs_host: "a", local_ae_title: bad }, { local_ae_title: /AE title/ });
  }
});

Deno.test("hosts and ranges of IPv4 and IPv6 are accepted", () => {
  const ranges = ["192.168.1.20", "10.0.0.0/8", "0.0.0.0/0", "::1", "fe80::/10", "2001:db8::1/128"];
  assert.deepEqual(accepted({ allowed_hosts: ranges }).allowedHosts, ranges);
  for (const host of ["pacs", "pacs-1.hospital.example", "10.1.2.3", "::1", "fe80::1%eth0"]) {
    assert.equal(accepted({ local_host: host }).localHost, host);
  }
});

Deno.test("names of destinations that are double, reserved or no folder name are refused", () => {
  const node = { host: "h", port: 104, ae_title: "X" };
  assertFaults({
    pacs_host: "a",
    store_locally: true,
    destinations: ["b", "b", "pacs", "archive", "unrouted", "nul", "Up", "", "x".repeat(17), "a.b"]
      .map((name) => ({ ...node, name })),
  }, {
    "destinations[1].name": /of its own: destinations\[0\] has this one/,
    "destinations[2].name": /pacs_host makes/,
    "destinations[3].name": /store_locally makes/,
    "destinations[4].name": /without a route/,
    "destinations[5].name": /device/,
    "destinations[6].name": /1 to 16 characters/,
    "destinations[7].name": /1 to 16 characters/,
    "destinations[8].name": /1 to 16 characters/,
    "destinations[9].name": /1 to 16 characters/,
  });
  const free = configFrom({
    destinations: ["pacs", "archive"].map((name) => ({ ...node, name })),
  }, HOME);
  assert.deepEqual(free.destinations.map((each) => each.name), ["pacs", "archive"]);
});

Deno.test("twelve destinations are accepted and a thirteenth is not, pacs and archive counted", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ type: "directory", name: `d${i}`, path: `d${i}` }));
  assert.equal(accepted({ store_locally: true, destinations: many(10) }).destinations.length, 12);
  assertFaults({ pacs_host: "a", store_locally: true, destinations: many(11) }, {
    destinations: /at most 12/,
  });
});

Deno.test("a configuration that sends nowhere is refused", () => {
  assertFaults({}, { pacs_host: /somewhere to send to/ });
  assertFaults({ store_locally: false, destinations: [] }, { pacs_host: /somewhere to send to/ });
});

Deno.test("a destination of an unknown type, or with keys of the other type, is refused", () => {
  assertFaults({ destinations: [{ type: "ftp", name: "x" }] }, {
    "destinations[0].type": /"dicom" or "directory"/,
  });
  assertFaults({ destinations: [{ type: "directory", name: "x", path: "y", host: "h" }, 5] }, {
    "destinations[0].host": /no such key/,
    "destinations[1]": /an object/,
  });
});

Deno.test("routes are resolved, and one to an unknown destination or without any is refused", () => {
  const { routes } = accepted({
    routes: [{
      calling_ae_titles: [" CT1 "],
      modalities: ["CT"],
      destinations: ["pacs", "pacs"],
    }],
  });
  assert.deepEqual(routes, [{
    callingAeTitles: ["CT1"],
    calledAeTitles: null,
    modalities: ["CT"],
    sopClasses: null,
    destinations: ["pacs"],
  }]);
  assertFaults({
    pacs_host: "a",
    routes: [
      { destinations: ["pacs", "archive"] },
      { destinations: [] },
      { modalities: [], destinations: ["pacs"] },
      { modalities: ["ct"], sop_classes: ["CT Image Storage"], destinations: ["pacs"] },
    ],
  }, {
    "routes[0].destinations[1]": /the name of a destination \("pacs"\)/,
    "routes[1].destinations": /at least one/,
    "routes[2].modalities": /at least one; leave the key out/,
    "routes[3].modalities[0]": /capital letters/,
    "routes[3].sop_classes[0]": /UID/,
  });
});

Deno.test("a folder inside the spool is refused for the archive, a destination and the log", () => {
  assertFaults({
    store_locally: true,
    spool_dir: "data",
    storage_dir: "data/archive",
    log_dir: "data",
    destinations: [{ type: "directory", name: "copy", path: "./x/../data/queue" }],
  }, {
    storage_dir: /outside spool_dir/,
    log_dir: /outside spool_dir/,
    "destinations[0].path": /outside spool_dir/,
  });
  assert.equal(accepted({ spool_dir: "data", log_dir: "data2" }).logDir, join(HOME, "data2"));
});

Deno.test("a destination that is the forwarder itself is refused", () => {
  assertFaults({ pacs_host: "localhost", pacs_port: 11112 }, { pacs_port: /our own local_port/ });
  const self = { name: "a", host: "10.0.0.5", port: 104, ae_title: "A" };
  assertFaults({ local_host: "10.0.0.5", local_port: 104, destinations: [self] }, {
    "destinations[0].port": /our own local_port/,
  });
  // The same port at another address of this machine is another node.
  configFrom({ local_host: "10.0.0.5", local_port: 104, pacs_host: "127.0.0.1" }, HOME);
});

Deno.test("tls is null, or complete, and its passphrase is not shown", () => {
  assert.deepEqual(accepted({ tls: null, web: null }), accepted({}));
  const { tls } = accepted({ tls: { certificate: "c.pem", key: "c.key", ca: "ca.pem" } });
  assert.deepEqual(tls, {
    host: "0.0.0.0",
    port: 2762,
    certificate: join(HOME, "c.pem"),
    key: join(HOME, "c.key"),
    keyPassphrase: null,
    ca: [join(HOME, "ca.pem")],
    clientCertificate: "required",
    minVersion: "1.2",
    only: false,
  });
  const error = faultsOf({ pacs_host: "a", tls: { key_passphrase: "hunter2\n", key: "k" } });
  assert.deepEqual(error.faults.map((fault) => fault.path).sort(), [
    "tls.ca",
    "tls.certificate",
    "tls.key_passphrase",
  ]);
  assert.doesNotMatch(error.message, /hunter2/);
});

Deno.test("settings of TLS that do not go together are told", () => {
  const files = { certificate: "c", key: "k" };
  assertFaults({ pacs_host: "a", tls: files }, { "tls.ca": /client_certificate "none"/ });
  accepted({ tls: { ...files, client_certificate: "none" } });
  assertFaults({ pacs_host: "a", tls: { ...files, ca: "a", client_certificate: "none" } }, {
    "tls.client_certificate": /of no use/,
  });
  assertFaults({ pacs_host: "a", tls: { ...files, ca: "a", port: 11112 } }, {
    "tls.port": /local_port is this one/,
  });
  accepted({ tls: { ...files, ca: "a", port: 11112, only: true } });
  const node = { name: "a", host: "10.0.0.5", port: 104, ae_title: "A" };
  assertFaults({ destinations: [{ ...node, tls: { certificate: "c" } }] }, {
    "destinations[0].tls.key": /of no use without it/,
  });
  assertFaults(
    { pacs_host: "localhost", pacs_port: 2762, tls: { ...files, ca: "a" } },
    { pacs_port: /our own tls.port/ },
  );
});

Deno.test("a destination's tls is true, false, or settings with paths beside the file", () => {
  const node = { name: "a", host: "10.0.0.5", port: 104, ae_title: "A" };
  const tlsOf = (tls: unknown) => {
    const [destination] = accepted({ destinations: [{ ...node, tls }] }).destinations.slice(-1);
    return destination?.type === "dicom" ? destination.tls : undefined;
  };
  const usual = {
    ca: [],
    certificate: null,
    key: null,
    keyPassphrase: null,
    serverName: null,
    verifyName: true,
    minVersion: "1.2",
  };
  assert.equal(tlsOf(false), null);
  assert.deepEqual(tlsOf(true), usual);
  assert.deepEqual(tlsOf({ ca: ["x/ca.pem"] }), { ...usual, ca: [join(HOME, "x", "ca.pem")] });
});

const HASH = `$scrypt$ln=15,r=8,p=3$${"s".repeat(22)}$${"h".repeat(43)}`;

Deno.test("the status page is served on loopback alone, without a password, where nothing is said", () => {
  const { web } = accepted({});
  assert.deepEqual(web, {
    enabled: true,
    host: "127.0.0.1",
    port: 8104,
    passwordHash: null,
    allowedNames: [],
    sessionHours: 12,
    metricsPublic: false,
    tls: null,
  });
});

Deno.test("a status page that is reached from elsewhere needs a password, and the message says how to set one", () => {
  const open = [
    { host: "0.0.0.0" },
    { host: "::" },
    { host: "192.168.1.5" },
    { host: "forwarder.lan" },
    { host: "127.evil.example" },
    { allowed_names: ["forwarder.lan"] },
  ];
  for (const web of open) {
    const error = faultsOf({ pacs_host: "a", web });
    assert.deepEqual(error.faults.map((fault) => fault.path), ["web.password_hash"]);
    assert.match(error.message, /dicomforwarder web-password/);
    assert.equal(accepted({ web: { ...web, password_hash: HASH } }).web.passwordHash, HASH);
    // What is not served is reached by nobody.
    accepted({ web: { ...web, enabled: false } });
  }
  for (const host of ["localhost", "127.0.0.1", "127.0.0.53", "::1"]) accepted({ web: { host } });
});

Deno.test("the status page and DICOM cannot share a port", () => {
  assertFaults({ pacs_host: "a", web: { port: 11_112 } }, { "web.port": /local_port/ });
  assertFaults({ pacs_host: "a", local_port: 104, web: { port: 104 } }, {
    "web.port": /local_port/,
  });
  accepted({ local_port: 0, web: { port: 0 } });
});

Deno.test("a password in the place of its hash is refused and not shown", () => {
  for (const password_hash of ["hunter2hunter2", HASH.replace("ln=15", "ln=30"), "$2b$10$x"]) {
    const { message } = faultsOf({ pacs_host: "a", web: { password_hash } });
    assert.match(message, /web.password_hash: \(not shown\): wanted what .*web-password. writes/);
    assert.ok(!message.includes(password_hash));
  }
});

Deno.test("values in the message are one line, short and without secrets", () => {
  const { message } = faultsOf({
    pacs_host: "a\u001b[2J\u2028\u202e" + "x".repeat(500),
    password: "hunter2",
    "odd\nkey": 1,
  });
  for (const hidden of ["hunter2", "\u001b", "\u2028", "\u202e"]) assert(!message.includes(hidden));
  assert.equal(message.split("\n").length, 4);
  assert(message.split("\n").every((line) => line.length < 250), message);
});

Deno.test("a byte order mark, as Notepad writes it, is no fault", async () => {
  await withFile('\ufeff{"pacs_host": "a"}', async (file) => {
    assert.equal((await loadConfig(file)).destinations.length, 1);
  });
});

Deno.test("text that is not JSON is told with line and column", () => {
  const text = '{\n  "pacs_host": "a",\n  "log_dir": "D:\\logs"\n}';
  assert.throws(() => parseConfig(text, "config.json"), (error) => {
    assert(error instanceof ConfigError);
    assert.match(error.message, /config\.json, line 3, column 17: not JSON: .*every backslash/);
    assert.deepEqual(error.faults, []);
    return true;
  });
});

Deno.test("a file that is missing, empty, a folder or not UTF-8 is told in plain words", async () => {
  await withFile("", async (file) => {
    const missing = join(dirname(file), "none.json");
    await assert.rejects(loadConfig(missing), { name: "ConfigError", message: /There is no/ });
    await assert.rejects(loadConfig(file), { name: "ConfigError", message: /is empty/ });
    await assert.rejects(loadConfig(dirname(file)), { name: "ConfigError" });
    await Deno.writeFile(file, new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]));
    await assert.rejects(loadConfig(file), { name: "ConfigError", message: /UTF-16.*UTF-8/ });
  });
});

Deno.test("JSON that is not an object is refused", () => {
  for (const text of ["[]", "null", '"x"', "5"]) {
    assert.throws(() => parseConfig(text, "c.json"), { name: "ConfigError", message: /an object/ });
  }
});

Deno.test("settings in memory resolve without a file", () => {
  const config = configFrom({ pacs_host: "a", $schema: "./config.schema.json" }, HOME);
  assert.equal(config.file, null);
  assert.equal(config.spoolDir, join(HOME, "spool"));
});

Deno.test("who may send is told wrong where nobody could ever be let in by it", () => {
  const cases: readonly [Record<string, unknown>, RegExp][] = [
    [
      { senders: [{ ae_title: "CT1", user: "ct1" }] },
      /senders\[0\]\.user: "ct1": .*name of a user/,
    ],
    [
      { senders: [{ ae_title: "CT1", called_ae_titles: ["OTHER"] }] },
      /senders\[0\]\.called_ae_titles: .*local_ae_title \(DICOMFORWARDER\) among them/,
    ],
    [{ senders: [{ ae_title: "CT1", addresses: ["10.0.0.0/33"] }] }, /addresses\[0\].*IP address/],
    [{ senders: [{ ae_title: "CT1", addresses: ["ct1.lan"] }] }, /addresses\[0\].*IP address/],
    [{ senders: [{ addresses: ["10.0.0.1"] }] }, /senders\[0\]\.ae_title: missing/],
    [
      { user_identity: { required: true } },
      /user_identity\.users: missing: wanted at least one user/,
    ],
    [
      { user_identity: { users: [{ name: "a" }, { name: "a" }] } },
      /users\[1\]\.name: "a": wanted a name of its own/,
    ],
    [
      { user_identity: { users: [{ name: "a", password_hash: "secret" }] } },
      /password_hash: \(not shown\): wanted what .*user-password/,
    ],
    [{ connection_rate: { per_host: -1 } }, /connection_rate\.per_host: -1: wanted a whole number/],
  ];
  for (const [settings, wanted] of cases) {
    assert.throws(() => configFrom({ pacs_host: "a", ...settings }, "/"), wanted);
  }
});

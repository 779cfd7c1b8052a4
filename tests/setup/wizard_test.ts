/*
 * The wizard, driven as a person does: keys into a terminal, words on its screen, the file on the disk.
 */

import assert from "node:assert/strict";
import { fileURLToPath as fromFileUrl } from "node:url";
import { PasswordCheck } from "../../src/access/password.ts";
import { startArguments } from "../cli/run_cli.ts";
import { freePort } from "../helpers/child.ts";
import { Forwarder } from "../helpers/forwarder.ts";
import { peerTest, TMUX } from "../helpers/required_peers.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Terminal } from "../helpers/terminal.ts";

const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** What the wizard may read of the environment outside Windows: how the terminal is, and nothing else. */
const ENVIRONMENT = ["NO_COLOR", "TERM", "NODE_DISABLE_COLORS"];

/** The wizard under the permissions it needs, with variables of the environment set. */
async function wizard(
  scratch: Scratch,
  options: readonly string[] = [],
  environment: readonly string[] = ["NO_COLOR=1"],
): Promise<Terminal> {
  const words = startArguments().map((word) =>
    word.startsWith("--allow-env=") ? `--allow-env=${ENVIRONMENT.join(",")}` : word
  );
  const program = [Deno.execPath(), ...words, "setup", "--config", scratch.at("config.json")];
  return await Terminal.start(scratch.path, ["env", ...environment, ...program, ...options]);
}

/** A node that answers to PEER. */
function peer(scratch: Scratch): Promise<Forwarder> {
  return Forwarder.start(scratch.folder("peer"), { local_ae_title: "PEER", store_locally: true });
}

/** Enter at every question up to the advanced settings; `test` is the key before it where the connection may be tested. */
async function asItIs(terminal: Terminal, test: "Left" | "Right"): Promise<void> {
  await terminal.answer(/AE title of this forwarder/, "Enter");
  await terminal.answer(/Port that senders connect to/, "Enter");
  await terminal.answer(/PACS: host name/, "Enter");
  await terminal.answer(/DICOM port of the PACS/, "Enter");
  await terminal.answer(/AE title of the PACS/, "Enter");
  await terminal.answer(/Test the connection/, test, "Enter");
  await terminal.answer(/Keep a copy/, "Enter");
  await terminal.answer(/Use other folders/, "Enter");
}

function textOf(scratch: Scratch): string {
  return Deno.readTextFileSync(scratch.at("config.json"));
}

function write(scratch: Scratch, content: unknown): string {
  const text = typeof content === "string" ? content : JSON.stringify(content, null, 2) + "\n";
  Deno.writeTextFileSync(scratch.at("config.json"), text);
  return text;
}

peerTest("from nothing to a file, with a connection that fails at first", [TMUX], async () => {
  await using scratch = await Scratch.make();
  await using node = await peer(scratch);
  const port = freePort();
  await using terminal = await wizard(scratch);
  await terminal.shows(/config\.json is new/);
  // One more than an AE title may have; then what it was.
  await terminal.asks(/AE title of this forwarder/);
  await terminal.press("C-u", "text:SEVENTEEN_LETTERS", "Enter");
  await terminal.shows(/Wanted: an AE title: 1 to 16 ASCII characters/);
  await terminal.press("C-u", "text:GATEWAY", "Enter");
  await terminal.fill(/Port that senders connect to/, `${port}`);
  await terminal.shows(new RegExp(`Port ${port} is free`));
  await terminal.fill(/PACS: host name/, "127.0.0.1");
  await terminal.fill(/DICOM port of the PACS/, `${node.port}`);
  await terminal.fill(/AE title of the PACS/, "NOBODY");
  await terminal.answer(/Test the connection/, "Enter");
  await terminal.shows(/FAILED {2}DICOM: The node does not answer to the AE title NOBODY/);
  await terminal.choose(/What now/, /Change the PACS settings/);
  await terminal.answer(/PACS: host name/, "Enter");
  await terminal.answer(/DICOM port of the PACS/, "Enter");
  await terminal.fill(/AE title of the PACS/, "PEER");
  await terminal.answer(/Test the connection/, "Enter");
  await terminal.shows(/The connection works/);
  await terminal.answer(/Keep a copy/, "Left", "Enter");
  await terminal.answer(/Folder of the copies/, "Enter");
  await terminal.shows(/GB free/);
  await terminal.answer(/Use other folders/, "Enter");
  await terminal.answer(/advanced settings/, "Enter");
  await terminal.shows(/PEER at 127\.0\.0\.1 port/);
  await terminal.choose(/What now/, /Save/);
  assert.equal(await terminal.exit(), 0);
  assert.deepEqual(JSON.parse(textOf(scratch)), {
    local_ae_title: "GATEWAY",
    local_port: port,
    local_host: "0.0.0.0",
    pacs_host: "127.0.0.1",
    pacs_port: node.port,
    pacs_ae_title: "PEER",
    store_locally: true,
    storage_dir: "./storage",
    log_dir: "./logs",
    forward_immediately: true,
    retry_attempts: 3,
  });
});

peerTest(
  "the status page is opened to the network only with a password, which nobody sees",
  [TMUX],
  async () => {
    await using scratch = await Scratch.make();
    write(scratch, { pacs_host: "10.0.0.5", local_port: freePort() });
    await using terminal = await wizard(scratch);
    await asItIs(terminal, "Left");
    await terminal.answer(/advanced settings/, "Left", "Enter");
    await terminal.choose(/Advanced settings/, /Status page: this machine only/);
    await terminal.choose(/Who may open the status page/, /Who reaches this machine/);
    await terminal.answer(/Password of the status page/, "text:short", "Enter");
    await terminal.shows(/Wanted: 10 to 1024 characters, not 5/);
    await terminal.press("C-u", "text:correct horse", "Enter");
    await terminal.answer(/The same again/, "text:correct hearse", "Enter");
    await terminal.shows(/The two are not the same/);
    await terminal.answer(/Password of the status page/, "text:correct horse", "Enter");
    await terminal.answer(/The same again/, "text:correct horse", "Enter");
    await terminal.answer(/Address of this machine/, "Enter");
    await terminal.answer(/Names people call this machine by/, "text:a b, forwarder.lan", "Enter");
    await terminal.shows(/Wanted: a host name without port/);
    await terminal.press("C-u", "text:forwarder.lan, 10.0.0.9", "Enter");
    await terminal.answer(/File of a certificate/, "text:tls/page.pem", "Enter");
    await terminal.answer(/File of its key/, "text:tls/page.key", "Enter");
    await terminal.shows(/page\.pem: there is no such file. Until it can be used/);
    await terminal.shows(/Status page: the network, with a password and TLS/);
    await terminal.choose(/Advanced settings/, /Done/);
    await terminal.shows(/https, 0\.0\.0\.0, port 8104, with a password/);
    await terminal.choose(/What now/, /Save/);
    assert.equal(await terminal.exit(), 0);
    const { password_hash: hash, ...web } = JSON.parse(textOf(scratch)).web;
    assert.deepEqual(web, {
      host: "0.0.0.0",
      allowed_names: ["forwarder.lan", "10.0.0.9"],
      tls: { certificate: "tls/page.pem", key: "tls/page.key" },
    });
    assert.equal(await new PasswordCheck(hash).matches("correct horse"), true);
  },
);

peerTest("a status page that is wrong is put right without losing its password", [
  TMUX,
], async () => {
  await using scratch = await Scratch.make();
  const hash = `$scrypt$ln=15,r=8,p=3$c2FsdHNhbHRzYWx0c2FsdA$${"A".repeat(43)}`;
  const text = `{
  "store_locally": true, "local_port": ${freePort()},
  "web": { "port": 70000, "password_hash": "${hash}",
           "host": "no host",
           "tls": {"certificate":"a.pem",  "key": "a.key", "key_passphrase": "hidden words" },
           "allowed_names": [ "forwarder.lan" ] }
}
`;
  write(scratch, text);
  await using terminal = await wizard(scratch);
  await terminal.choose(/What now/, /Go on/);
  for (
    const question of [
      /AE title of this forwarder/,
      /Port that senders/,
      /PACS: host name/,
    ] as const
  ) await terminal.answer(question, "Enter");
  await terminal.answer(/No PACS: only keep/, "Enter");
  await terminal.answer(/Keep a copy/, "Enter");
  await terminal.answer(/Folder of the copies/, "Enter");
  await terminal.answer(/Use other folders/, "Enter");
  await terminal.answer(/advanced settings/, "Enter");
  await terminal.choose(/What now/, /Take "web\.port" out/);
  await terminal.choose(/What now/, /Change: Advanced/);
  await terminal.choose(/Advanced settings/, /Status page/);
  await terminal.answer(/Who may open the status page/, "Enter");
  await terminal.answer(/The password/, "Enter");
  await terminal.fill(/Address of this machine/, "10.0.0.9");
  await terminal.answer(/Names people call/, "Enter");
  await terminal.answer(/File of a certificate/, "Enter");
  await terminal.answer(/File of its key/, "Enter");
  await terminal.choose(/Advanced settings/, /Done/);
  await terminal.choose(/What now/, /Save/);
  assert.equal(await terminal.exit(), 0);
  assert.equal(textOf(scratch), text.replace('"port": 70000, ', "").replace("no host", "10.0.0.9"));
  assert.doesNotMatch(await terminal.history(), /scrypt|hidden words/);
});

peerTest("a file written by hand keeps every byte that was not asked about", [TMUX], async () => {
  await using scratch = await Scratch.make();
  const port = freePort();
  const before = write(
    scratch,
    `{
  "$schema": "./config.schema.json",
  "local_ae_title":"HAND",   "local_port": ${port},
  "allowed_hosts": [ "10.0.0.0/8",
                     "127.0.0.1" ],

  "destinations": [
    { "name": "ct", "host": "127.0.0.1", "port": 10104, "ae_title": "CT", "timeouts": {"connect": 2.50} },
    {"type":"directory", "name":"disk", "path":"./disk"},
    { "name": "old", "host": "old.example", "port": 104, "ae_title": "OLD" }
  ],
  "routes": [
    { "modalities": ["CT","MR"], "destinations": ["ct", "old"] },
    { "destinations": ["disk"] }
  ],
  "log_level": "warning"
}
`,
  );
  Deno.chmodSync(scratch.at("config.json"), 0o640);
  await using terminal = await wizard(scratch);
  await terminal.answer(/AE title of this forwarder/, "Enter");
  await terminal.answer(/Port that senders/, "Enter");
  await terminal.answer(/Add a PACS/, "Enter");
  await terminal.answer(/Keep a copy/, "Enter");
  await terminal.answer(/Use other folders/, "Enter");
  await terminal.answer(/advanced settings/, "Left", "Enter");
  await terminal.choose(/Advanced settings/, /More destinations/);
  await terminal.choose(/Destinations besides/, /old: OLD at old\.example/);
  await terminal.choose(/old: OLD/, /Remove/);
  await terminal.answer(/Remove "old"/, "Left", "Enter");
  await terminal.shows(/A route sends to "old"[^]*route 1: modality CT or MR/);
  await terminal.choose(/What shall become of it/, /Take "old" out/);
  await terminal.choose(/Destinations besides/, /ct: CT at/);
  await terminal.choose(/ct: CT at/, /Change it/);
  await terminal.fill(/Name for it/, "scanner");
  await terminal.answer(/Host name/, "Enter");
  await terminal.answer(/DICOM port/, "Enter");
  await terminal.fill(/AE title \(upper/, "CT2");
  await terminal.answer(/AE title we call it with/, "Enter");
  await terminal.answer(/Test the connection/, "Right", "Enter");
  await terminal.choose(/Destinations besides/, /Done/);
  await terminal.choose(/Advanced settings/, /Done/);
  await terminal.choose(/What now/, /Save/);
  assert.equal(await terminal.exit(), 0);

  const after = before
    .replace('"name": "ct"', '"name": "scanner"')
    .replace('"ae_title": "CT"', '"ae_title": "CT2"')
    .replace(/,\n {4}\{ "name": "old".*/, "")
    .replace('"destinations": ["ct", "old"]', '"destinations": ["scanner"]');
  assert.equal(textOf(scratch), after);
  assert.equal(Deno.readTextFileSync(scratch.at("config.json.bak")), before);
  assert.equal(Deno.statSync(scratch.at("config.json")).mode! & 0o777, 0o640);
});

peerTest("leaving at any question leaves the file byte for byte as it was", [TMUX], async () => {
  await using scratch = await Scratch.make();
  const text = write(scratch, { local_port: freePort(), pacs_host: "127.0.0.1", pacs_port: 9 });
  const steps: readonly (readonly [RegExp, ...string[]])[] = [
    [/AE title of this forwarder/, "C-u", "text:OTHER", "Enter"],
    [/Port that senders/, "Enter"],
    [/PACS: host name/, "Enter"],
    [/DICOM port of the PACS/, "Enter"],
    [/AE title of the PACS/, "Enter"],
    [/Test the connection/, "Right", "Enter"],
    [/Keep a copy/, "Enter"],
    [/Use other folders/, "Enter"],
    [/advanced settings/, "Left", "Enter"],
    [/Advanced settings/, "Enter"],
    [/What now/],
  ];
  for (
    const [leaveAt, key] of [[0, "C-c"], [2, "C-c"], [6, "Escape"], [9, "C-d"], [
      10,
      "C-c",
    ]] as const
  ) {
    await using terminal = await wizard(scratch);
    for (const [question, ...keys] of steps.slice(0, leaveAt)) {
      await terminal.answer(question, ...keys);
    }
    await terminal.asks(steps[leaveAt]![0]);
    await terminal.press(key);
    await terminal.shows(/Left without saving: \S+config\.json is as it was/);
    assert.equal(await terminal.exit(), 1, `${key} at question ${leaveAt + 1}`);
    assert.equal(textOf(scratch), text);
  }
  const files = [...Deno.readDirSync(scratch.path)].map(({ name }) => name);
  assert.deepEqual(files.filter((name) => !name.startsWith("tmux")), ["config.json"]);
});

peerTest("Ctrl-C ends a connection test that waits for an answer", [TMUX], async () => {
  await using scratch = await Scratch.make();
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const text = write(scratch, {
    local_port: freePort(),
    pacs_host: "127.0.0.1",
    pacs_port: silent.addr.port,
  });
  await using terminal = await wizard(scratch);
  await terminal.answer(/AE title of this forwarder/, "Enter");
  await terminal.answer(/Port that senders/, "Enter");
  await terminal.answer(/PACS: host name/, "Enter");
  await terminal.answer(/DICOM port of the PACS/, "Enter");
  await terminal.answer(/AE title of the PACS/, "Enter");
  await terminal.answer(/Test the connection/, "Enter");
  using _connection = await silent.accept();
  await terminal.shows(/ok {6}Network/);
  await terminal.press("C-c");
  await terminal.shows(/Left without saving/);
  assert.equal(await terminal.exit(), 1);
  assert.doesNotMatch(await terminal.history(), /FAILED/);
  assert.equal(textOf(scratch), text);
});

peerTest(
  "a port another program has is told from one the forwarder has itself",
  [TMUX],
  async () => {
    await using scratch = await Scratch.make();
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const settings = { local_host: "127.0.0.1", local_port: freePort(), store_locally: true };
    write(scratch, settings);
    await using _running = await Forwarder.start(scratch.path, settings);
    await using terminal = await wizard(scratch, ["--port", `${other.addr.port}`]);
    await terminal.answer(/AE title of this forwarder/, "Enter");
    await terminal.answer(/Port that senders/, "Enter");
    await terminal.shows(new RegExp(`Port ${other.addr.port} is in use by another program`));
    await terminal.choose(/What now/, /Enter another port/);
    await terminal.fill(/Port that senders/, `${settings.local_port}`);
    await terminal.shows(/in use by the forwarder itself/);
    await terminal.asks(/PACS: host name/);
    await terminal.press("C-c");
    assert.equal(await terminal.exit(), 1);
  },
);

peerTest("a file that is no JSON is explained, and kept when it is replaced", [TMUX], async () => {
  await using scratch = await Scratch.make();
  const text = write(scratch, '{\n  "local_port": 11112,\n  pacs_host: "10.0.0.1"\n}\n');
  await using terminal = await wizard(scratch, [
    "--port",
    `${freePort()}`,
    "--pacs-host",
    "127.0.0.1",
  ]);
  await terminal.shows(/line 3, column 3: not JSON: wanted a key in double\s+│?\s*quotes/);
  await terminal.choose(/What now/, /Start from the defaults/);
  await asItIs(terminal, "Right");
  await terminal.answer(/advanced settings/, "Enter");
  await terminal.choose(/What now/, /Save/);
  assert.equal(await terminal.exit(), 0);
  assert.equal(Deno.readTextFileSync(scratch.at("config.json.bak")), text);
  assert.equal(JSON.parse(textOf(scratch)).pacs_host, "127.0.0.1");
});

peerTest("unknown keys are named, wrong values bring back to their section", [TMUX], async () => {
  await using scratch = await Scratch.make();
  write(scratch, {
    local_port: freePort(),
    pacs_hots: "10.0.0.1",
    pacs_host: "127.0.0.1",
    pacs_port: "104",
    log_level: "loud",
  });
  await using terminal = await wizard(scratch);
  await terminal.shows(
    /keys the program does not know[^]*pacs_hots: did you mean "pacs_host"/,
  );
  await terminal.choose(/What now/, /Leave them out when saving/);
  await terminal.shows(/does not start with this file/);
  await terminal.choose(/What now/, /Go on/);
  await terminal.answer(/AE title of this forwarder/, "Enter");
  await terminal.answer(/Port that senders/, "Enter");
  await terminal.answer(/PACS: host name/, "Enter");
  await terminal.answer(/DICOM port of the PACS/, "Enter");
  await terminal.answer(/AE title of the PACS/, "Enter");
  await terminal.answer(/Test the connection/, "Right", "Enter");
  await terminal.answer(/Keep a copy/, "Enter");
  await terminal.answer(/Use other folders/, "Enter");
  await terminal.answer(/advanced settings/, "Enter");
  await terminal.shows(/cannot be saved yet[^]*log_level: wanted "debug"/);
  await terminal.choose(/What now/, /Take "log_level" out/);
  await terminal.shows(/pacs_hots: left out/);
  await terminal.choose(/What now/, /Save/);
  assert.equal(await terminal.exit(), 0);
  const saved = JSON.parse(textOf(scratch));
  assert.deepEqual([saved.pacs_port, "pacs_hots" in saved, "log_level" in saved], [
    104,
    false,
    false,
  ]);
});

peerTest("more destinations are added and tested, and routes mended when the PACS goes", [
  TMUX,
], async () => {
  await using scratch = await Scratch.make();
  await using node = await peer(scratch);
  write(scratch, {
    local_port: freePort(),
    pacs_host: "127.0.0.1",
    pacs_port: 9,
    routes: [{ modalities: ["CT"], destinations: ["pacs"] }, { destinations: ["pacs", "archive"] }],
    store_locally: true,
  });
  await using terminal = await wizard(scratch);
  await terminal.answer(/AE title of this forwarder/, "Enter");
  await terminal.answer(/Port that senders/, "Enter");
  await terminal.answer(/PACS: host name/, "Enter");
  await terminal.answer(/DICOM port of the PACS/, "Enter");
  await terminal.answer(/AE title of the PACS/, "Enter");
  await terminal.answer(/Test the connection/, "Right", "Enter");
  await terminal.answer(/Keep a copy/, "Enter");
  await terminal.answer(/Folder of the copies/, "Enter");
  await terminal.answer(/Use other folders/, "Enter");
  await terminal.answer(/advanced settings/, "Left", "Enter");
  await terminal.choose(/Advanced settings/, /When images are sent: at once/);
  await terminal.choose(/When shall images/, /When the study is complete/);
  await terminal.fill(/Seconds without/, "90");
  await terminal.choose(/Advanced settings/, /Tries for a refused image: 3/);
  await terminal.fill(/How often/, "5");
  await terminal.choose(/Advanced settings/, /More destinations: none/);
  await terminal.choose(/Destinations besides/, /Add a DICOM node/);
  await terminal.asks(/Name for it/);
  await terminal.press("text:pacs", "Enter");
  await terminal.shows(/Wanted: another name: "pacs" is the destination that pacs_host makes/);
  await terminal.press("C-u", "text:second", "Enter");
  await terminal.fill(/Host name/, "127.0.0.1");
  await terminal.fill(/DICOM port/, `${node.port}`);
  await terminal.fill(/AE title \(upper/, "PEER");
  await terminal.answer(/AE title we call it with/, "Enter");
  await terminal.shows(/No route names "second" yet/);
  await terminal.answer(/Test the connection/, "Enter");
  await terminal.shows(/The connection works/);
  await terminal.choose(/Destinations besides/, /Add a folder/);
  await terminal.fill(/Name for it/, "disk");
  await terminal.fill(/Folder/, "./spool/inside");
  await terminal.shows(/Wanted: a folder outside spool_dir/);
  await terminal.press("C-u", "text:./disk", "Enter");
  await terminal.choose(/Destinations besides/, /Done/);
  await terminal.choose(/Advanced settings/, /Done/);
  await terminal.choose(/What now/, /Change: PACS/);
  await terminal.fill(/PACS: host name/, "");
  await terminal.answer(/No PACS/, "Left", "Enter");
  await terminal.shows(/2 routes send to "pacs"/);
  await terminal.choose(/What shall become of them/, /Send to another/);
  await terminal.choose(/To which one/, /second/);
  await terminal.shows(/pacs_host: "127\.0\.0\.1" \(removed\)/);
  await terminal.choose(/What now/, /Save/);
  assert.equal(await terminal.exit(), 0);
  const saved = JSON.parse(textOf(scratch));
  delete saved.local_port;
  assert.deepEqual(saved, {
    routes: [{ modalities: ["CT"], destinations: ["second"] }, {
      destinations: ["second", "archive"],
    }],
    store_locally: true,
    forward_immediately: false,
    study_quiet_seconds: 90,
    retry_attempts: 5,
    destinations: [
      { name: "second", type: "dicom", host: "127.0.0.1", port: node.port, ae_title: "PEER" },
      { name: "disk", type: "directory", path: "./disk" },
    ],
  });
});

peerTest("an installed service follows the new settings and is started again", [TMUX], async () => {
  for (const state of ["running", "stopped", "broken"]) {
    await using scratch = await Scratch.make();
    write(scratch, { local_port: freePort(), store_locally: true });
    const program = fromFileUrl(new URL("./wizard_with_service.ts", import.meta.url));
    await using terminal = await Terminal.start(scratch.path, [
      ...[Deno.execPath(), "run", "-A", "--frozen", "--config", CONFIG],
      ...[program, scratch.at("config.json"), state],
    ]);
    await terminal.fill(/AE title of this forwarder/, "SERVED");
    await terminal.answer(/Port that senders/, "Enter");
    await terminal.answer(/PACS: host name/, "Enter");
    await terminal.answer(/No PACS: only keep/, "Enter");
    await terminal.answer(/Keep a copy/, "Enter");
    await terminal.answer(/Folder of the copies/, "Enter");
    await terminal.answer(/Use other folders/, "Enter");
    await terminal.answer(/advanced settings/, "Enter");
    await terminal.choose(/What now/, /Save/);
    await terminal.answer(
      state === "stopped" ? /service is stopped. Start it now/ : /Restart the service now/,
      "Enter",
    );
    await terminal.shows(/The archive stays as it is/);
    await terminal.shows(
      state === "broken" ? /does not run with them yet/ : /running with the new settings/,
    );
    assert.equal(await terminal.exit(), 0);
    assert.equal(
      Deno.readTextFileSync(scratch.at("service.log")),
      "apply SERVED\nrestart\n",
    );
  }
});

peerTest("the wizard starts with colours, and with ASCII alone where there is no more", [
  TMUX,
], async () => {
  const terminals = [["-u", "NO_COLOR"], ["CI=true", "COLORTERM=truecolor"], ["FORCE_COLOR=1"]];
  for (const environment of [...terminals, ["TERM=linux", "NO_COLOR=1"]]) {
    await using scratch = await Scratch.make();
    await using terminal = await wizard(scratch, [], environment);
    await terminal.shows(/[◆*] {2}AE title of this forwarder/);
    await terminal.press("C-c");
    assert.equal(await terminal.exit(), 1, environment.join(" "));
    // The dash is what clack ends a list with where it has nothing better; every console has it.
    const ascii = /^[ -~\n\u2014]*$/.test(await terminal.history());
    assert.equal(ascii, environment.includes("TERM=linux"));
  }
});

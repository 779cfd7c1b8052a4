/* A configuration with secrets in it that everybody on the machine can read is refused, and one that nobody else can is not. */

import assert from "node:assert/strict";
import { keyFilesIn, readableSecrets, secretsIn } from "../../src/config/secrets.ts";
import { ConfigError, loadConfig } from "../../src/config/load.ts";
import { startDaemon } from "../../src/daemon.ts";
import { ExitCode } from "../../src/cli/exit_code.ts";
import { runCli } from "../cli/run_cli.ts";
import { TEST_SETTINGS } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";

const MAIL = {
  host: "mail.example",
  user: "forwarder",
  password: "swordfish",
  from: "a@b.example",
  to: ["c@d.example"],
};
const WITH_SECRET = JSON.stringify({
  store_locally: true,
  allow_unsafe_spool_volume: true,
  alarms: { email: MAIL },
});
const WITHOUT = JSON.stringify({ store_locally: true, allow_unsafe_spool_volume: true });

const ON_UNIX = Deno.build.os !== "windows";

Deno.test("passwords, their hashes, headers and addresses with a key count as secrets, and are named without their values", () => {
  assert.deepEqual(
    secretsIn({
      web: { password_hash: "$scrypt$x", port: 8104 },
      alarms: {
        email: MAIL,
        webhook: { url: "https://hooks.example/T0/key", headers: { Authorization: "Bearer 1" } },
      },
      destinations: [{ name: "a" }, { name: "b", user_identity: { user: "x", passcode: "y" } }],
    }),
    [
      "web.password_hash",
      "alarms.email.password",
      "alarms.webhook.url",
      "alarms.webhook.headers",
      "destinations[1].user_identity.passcode",
    ],
  );
});

Deno.test("what is empty, a flag, the name of a file or an address without a key is no secret", () => {
  const settings = {
    alarms: { webhook: { url: "https://hooks.example/", headers: {} }, email: { password: "" } },
    tls: { private_key_file: "/etc/key.pem" },
    passcode_required: true,
    pacs_host: "10.0.0.5",
  };
  assert.deepEqual(secretsIn(settings), []);
  for (const odd of [null, "password", 1, [], undefined]) assert.deepEqual(secretsIn(odd), []);
});

Deno.test({
  name:
    "only secrets that everybody can read are refused: by the file's mode and that of every folder above it",
  ignore: !ON_UNIX,
  fn: async () => {
    await using scratch = await Scratch.make();
    const file = scratch.at("open", "config.json");
    const load = async (content: string, mode: number, above: number) => {
      Deno.mkdirSync(scratch.at("open"), { recursive: true });
      Deno.writeTextFileSync(file, content);
      Deno.chmodSync(file, mode);
      Deno.chmodSync(scratch.path, above);
      await loadConfig(file);
    };
    await load(WITH_SECRET, 0o600, 0o755);
    await load(WITH_SECRET, 0o640, 0o755);
    await load(WITH_SECRET, 0o644, 0o700);
    await load(WITHOUT, 0o644, 0o755);
    const refusal = (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /Everybody on this machine may read .*alarms\.email\.password/);
      assert.ok(error.message.includes(`chmod o-rwx ${file}`), error.message);
      assert.ok(!error.message.includes("swordfish"));
      return true;
    };
    await assert.rejects(load(WITH_SECRET, 0o644, 0o755), refusal);
    await assert.rejects(load(WITH_SECRET, 0o604, 0o711), refusal);
    // By a link from a folder that is closed: the file it points to is what counts.
    Deno.mkdirSync(scratch.at("closed"), { mode: 0o700 });
    Deno.symlinkSync(file, scratch.at("closed", "config.json"));
    await assert.rejects(loadConfig(scratch.at("closed", "config.json")), ConfigError);
    await loadConfig(file, { secretsMayShow: true });
  },
});

Deno.test({
  name: "private keys that the settings name are looked at, too; what is not there, others tell of",
  ignore: !ON_UNIX,
  fn: async () => {
    await using scratch = await Scratch.make();
    Deno.chmodSync(scratch.path, 0o755);
    const settings = {
      tls: { certificate: "open.pem", key: "open.key" },
      destinations: [{ tls: true }, { tls: { key: "closed.key", key_passphrase: "x" } }],
      audit: { key_file: "missing.key" },
    };
    assert.deepEqual(keyFilesIn(settings).map((one) => one.setting), [
      "tls.key",
      "destinations[1].tls.key",
      "audit.key_file",
    ]);
    for (const [name, mode] of [["open.pem", 0o644], ["open.key", 0o644], ["closed.key", 0o600]]) {
      Deno.writeTextFileSync(scratch.at(String(name)), "");
      Deno.chmodSync(scratch.at(String(name)), Number(mode));
    }
    const file = scratch.at("config.json");
    Deno.writeTextFileSync(file, JSON.stringify(settings));
    Deno.chmodSync(file, 0o640);
    const faults = await readableSecrets(settings, file);
    assert.equal(faults.length, 1, faults.join("\n"));
    assert.match(faults[0]!, /open\.key, which holds a private key \(tls\.key\)/);
    Deno.chmodSync(file, 0o644);
    assert.match(
      (await readableSecrets(settings, file))[0]!,
      /\(destinations\[1\]\.tls\.key_passphrase\)/,
    );
  },
});

Deno.test({
  name: "check and start end with 2 where everybody can read a secret, and say what to do",
  ignore: !ON_UNIX,
  fn: async () => {
    await using scratch = await Scratch.make();
    const file = scratch.at("config.json");
    Deno.writeTextFileSync(file, WITH_SECRET);
    Deno.chmodSync(file, 0o644);
    Deno.chmodSync(scratch.path, 0o755);
    for (const words of [["check"], ["check", "--json"], []]) {
      const { code, stdout, stderr } = await runCli([...words, "--config", file], scratch.path);
      assert.equal(code, ExitCode.Usage, stdout + stderr);
      assert.match(stdout + stderr, /chmod o-rwx/);
      assert.ok(!(stdout + stderr).includes("swordfish"));
    }
    assert.deepEqual([...Deno.readDirSync(scratch.path)].map((one) => one.name), ["config.json"]);
    Deno.chmodSync(file, 0o600);
    const { code, stdout, stderr } = await runCli(["check", "--config", file], scratch.path);
    assert.equal(code, ExitCode.Ok, stdout + stderr);
  },
});

Deno.test({
  name:
    "a forwarder that runs goes on as it is where everybody can read the secrets of what it is to reload",
  ignore: !ON_UNIX,
  fn: async () => {
    await using scratch = await Scratch.make();
    Deno.chmodSync(scratch.path, 0o755);
    const file = scratch.at("config.json");
    const settings = { ...TEST_SETTINGS, store_locally: true, alarms: { email: MAIL } };
    Deno.writeTextFileSync(file, JSON.stringify(settings), { mode: 0o600 });
    const daemon = await startDaemon(await loadConfig(file));
    try {
      Deno.chmodSync(file, 0o644);
      const { ok, lines } = await daemon.reloadFile("test");
      assert.equal(ok, false);
      assert.match(lines.join("\n"), /chmod o-rwx/);
      Deno.chmodSync(file, 0o600);
      assert.equal((await daemon.reloadFile("test")).ok, true);
    } finally {
      await daemon.stop();
    }
  },
});

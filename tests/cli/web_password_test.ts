/*
 * `web-password`: the password is asked for, never shown and never kept, and the rest of the file stays as it was.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { type Typed, userPasswordCommand, webPasswordCommand } from "../../src/cli/web_password.ts";
import { PasswordCheck } from "../../src/access/password.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Terminal } from "../helpers/terminal.ts";
import { inFolder, runCli, startArguments } from "./run_cli.ts";

const PASSWORD = "gar nicht so geheim";

/** A person at a terminal. */
function typing(...lines: (string | undefined)[]): Typed {
  return { isTerminal: true, line: () => Promise.resolve(lines.shift()) };
}

Deno.test("a password by the standard input is kept as its hash, and the rest byte for byte", async () => {
  const text = '{"pacs_host":"a",   "web": { "host":"0.0.0.0" }, "log_level":"debug"}\n';
  await inFolder(undefined, async (folder) => {
    const file = join(folder, "config.json");
    await Deno.writeTextFile(file, text);
    const child = new Deno.Command(Deno.execPath(), {
      args: [...startArguments(), "web-password", "--config", file],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${PASSWORD}\r\nnot this line\n`));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 0, said);
    assert.ok(!said.includes(PASSWORD));
    const changed = await Deno.readTextFile(file);
    assert.match(
      changed,
      /^\{"pacs_host":"a", {3}"web": \{ "host":"0\.0\.0\.0", "password_hash": "[^"]+" \}, "log_level":"debug"\}\n$/,
    );
    const hash = (await loadConfig(file)).web.passwordHash!;
    assert.equal(await new PasswordCheck(hash).matches(PASSWORD), true);
    assert.equal(await Deno.readTextFile(`${file}.bak`), text);
    // Neither form of `check` shows it.
    for (const words of [["check"], ["check", "--json"]]) {
      const check = await runCli([...words, "--config", file], folder);
      assert.equal(check.code, 0, check.stderr);
      assert.doesNotMatch(check.stdout, /\$scrypt/);
      assert.match(check.stdout, /with a password|not shown/);
    }
  });
});

Deno.test("a password that is too short, typed differently the second time, or none changes nothing", async () => {
  await inFolder({ pacs_host: "a" }, async (folder) => {
    const file = join(folder, "config.json");
    const before = await Deno.readTextFile(file);
    const tries = [
      typing("short"),
      typing("123456789", "123456789"),
      typing(PASSWORD, `${PASSWORD}!`),
      typing(PASSWORD, undefined),
      typing(undefined),
      typing("x".repeat(1025), "x".repeat(1025)),
    ];
    for (const typed of tries) assert.equal(await webPasswordCommand(file, typed), 2);
    assert.equal(await Deno.readTextFile(file), before);
    assert.equal(await webPasswordCommand(file, typing("1234567890", "1234567890")), 0);
    assert.match((await loadConfig(file)).web.passwordHash!, /^\$scrypt\$/);
  });
});

Deno.test("a user's passcode is set for one who is there and one who is new, and nothing else changes", async () => {
  await inFolder(undefined, async (folder) => {
    const file = join(folder, "config.json");
    const text =
      '{ "pacs_host": "a",  "user_identity": { "users": [{"name":"ct1"}, {"name":"x"}] } }';
    await Deno.writeTextFile(file, text);
    for (const name of ["ct1", "mr1"]) {
      assert.equal(await userPasswordCommand(file, name, typing(PASSWORD, PASSWORD)), 0);
    }
    const { userIdentity } = await loadConfig(file);
    const [ct1, x, mr1] = userIdentity.users;
    assert.deepEqual(userIdentity.users.map(({ name }) => name), ["ct1", "x", "mr1"]);
    assert.equal(x?.passwordHash, null);
    for (const user of [ct1, mr1]) {
      assert.equal(await new PasswordCheck(user!.passwordHash!).matches(PASSWORD), true);
    }
    assert.notEqual(ct1?.passwordHash, mr1?.passwordHash);
    assert.ok((await Deno.readTextFile(file)).startsWith('{ "pacs_host": "a",  "user_identity"'));
    const check = await runCli(["check", "--json", "--config", file], folder);
    assert.equal(check.code, 0, check.stderr);
    assert.doesNotMatch(check.stdout, /\$scrypt/);
  });
});

Deno.test("where there is no configuration, or it is no JSON, nothing is made of it", async () => {
  await inFolder(undefined, async (folder) => {
    const file = join(folder, "config.json");
    assert.equal(await webPasswordCommand(file, typing(PASSWORD, PASSWORD)), 2);
    await Deno.writeTextFile(file, "{ not JSON");
    assert.equal(await webPasswordCommand(file, typing(PASSWORD, PASSWORD)), 2);
    assert.equal(await Deno.readTextFile(file), "{ not JSON");
  });
});

Deno.test({
  name: "at a terminal it is asked for twice and never on the screen, and Ctrl-C changes nothing",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using scratch = await Scratch.make();
    const file = scratch.at("config.json");
    await Deno.writeTextFile(file, '{"pacs_host":"a"}');
    const words = ["env", "NO_COLOR=1", Deno.execPath(), ...startArguments(), "web-password"];
    {
      await using terminal = await Terminal.start(scratch.path, words);
      await terminal.shows(/New password of the status page:/);
      await terminal.press(..."hidden", "C-c");
      await terminal.shows(/ENDED 2/);
      assert.equal(await Deno.readTextFile(file), '{"pacs_host":"a"}');
    }
    await using terminal = await Terminal.start(scratch.path, words);
    await terminal.shows(/New password of the status page:/);
    await terminal.press(..."hidden-horsX", "BSpace", "e", "Enter");
    await terminal.shows(/The same again:/);
    await terminal.press(..."hidden-horse", "Enter");
    await terminal.shows(/ENDED 0/);
    const seen = await terminal.history();
    assert.match(seen, /The password is set/);
    assert.doesNotMatch(seen, /hors/);
    const hash = (await loadConfig(file)).web.passwordHash!;
    assert.equal(await new PasswordCheck(hash).matches("hidden-horse"), true);
  },
});

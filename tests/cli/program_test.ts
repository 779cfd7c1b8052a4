/*
 * The command line from outside: verbs, exit codes, what is printed.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { generateStudy, part10File, writeStudy } from "../../src/cli/demo_study.ts";
import { configFrom } from "../../src/config/load.ts";
import { type Daemon, startDaemon } from "../../src/daemon.ts";
import { inFolder, runCli } from "./run_cli.ts";

const ARCHIVE_ONLY = {
  local_ae_title: "FWD",
  local_host: "127.0.0.1",
  local_port: 0,
  store_locally: true,
  require_called_ae_title: false,
};

/** A port on which nothing listens. */
function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

async function withDaemon(
  folder: string,
  config: Record<string, unknown>,
  test: (daemon: Daemon) => Promise<void>,
): Promise<void> {
  const daemon = await startDaemon(configFrom(config, folder));
  try {
    await test(daemon);
  } finally {
    await daemon.stop();
  }
}

Deno.test("help, version and every verb's help end with 0 and name the exit codes", async () => {
  await inFolder(undefined, async (folder) => {
    const help = await runCli(["--help"], folder);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /Exit codes:/);
    assert.match((await runCli(["--version"], folder)).stdout, /^\d+\.\d+\.\d+ /);
    for (
      const verb of [
        "setup",
        "check",
        "echo",
        "send",
        "status",
        "doctor",
        "explain",
        "queue",
        "demo",
      ]
    ) {
      const { code, stdout } = await runCli([verb, "--help"], folder);
      assert.equal(code, 0, verb);
      assert.match(stdout, new RegExp(`Usage: dicomforwarder ${verb}`));
    }
  });
});

Deno.test("a wrong option ends with 2 and says where help is", async () => {
  await inFolder(undefined, async (folder) => {
    const { code, stderr } = await runCli(["status", "--wrong"], folder);
    assert.equal(code, 2);
    assert.match(stderr, /--wrong/);
    assert.match(stderr, /--help/);
  });
});

Deno.test("a wrong configuration ends every verb with 2 and names every fault", async () => {
  const wrong = { local_port: 70_000, pacs_hots: "x", pacs_host: "127.0.0.1" };
  await inFolder(wrong, async (folder) => {
    for (const args of [["--config", "config.json"], ["check"], ["status"], ["queue", "list"]]) {
      const { code, stderr } = await runCli(args, folder);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, /local_port: 70000/);
      assert.match(stderr, /pacs_hots.*did you mean "pacs_host"/);
    }
    const json = await runCli(["check", "--json"], folder);
    assert.equal(json.code, 2);
    assert.equal(JSON.parse(json.stdout).faults.length, 2);
  });
});

Deno.test("no form of check shows a secret, not even one under a mistyped name", async () => {
  const alarms = {
    webhook: { url: "http://u:SESAME1@h/SESAME2?SESAME3", headers: { "X-Key": "SESAME4" } },
    email: { host: "h", from: "a@b.c", to: ["a@b.c"], user: "u", password: "SESAME5" },
  };
  await inFolder({ ...ARCHIVE_ONLY, alarms }, async (folder) => {
    for (const args of [["check"], ["check", "--json"]]) {
      const { code, stdout, stderr } = await runCli(args, folder);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout + stderr, /SESAME/);
    }
  });
  const mistyped = { alarms: { pasword: "SESAME6" }, web: { hash: { a: "SESAME7" } } };
  await inFolder({ ...ARCHIVE_ONLY, ...mistyped }, async (folder) => {
    for (const args of [["check"], ["check", "--json"]]) {
      const { code, stdout, stderr } = await runCli(args, folder);
      assert.equal(code, 2);
      assert.match(stdout + stderr, /alarms\.pasword/);
      assert.doesNotMatch(stdout + stderr, /SESAME/);
    }
  });
});

Deno.test("without a configuration file, 2 and the name of what was looked for", async () => {
  await inFolder(undefined, async (folder) => {
    const { code, stderr } = await runCli(["check"], folder);
    assert.equal(code, 2);
    assert.match(stderr, /config\.json/);
  });
});

Deno.test("check says what the configuration comes to", async () => {
  await inFolder(ARCHIVE_ONLY, async (folder) => {
    const { code, stdout } = await runCli(["check"], folder);
    assert.equal(code, 0);
    assert.match(stdout, /Receives as +FWD/);
    assert.ok(stdout.includes(join(folder, "storage")));
  });
});

Deno.test("echo tells a refused connection, a wrong AE title and success apart", async () => {
  await inFolder(undefined, async (folder) => {
    const strict = { ...ARCHIVE_ONLY, require_called_ae_title: true };
    await withDaemon(folder, strict, async ({ port }) => {
      const node = { host: "127.0.0.1", port };
      await Deno.writeTextFile(
        join(folder, "config.json"),
        JSON.stringify({
          destinations: [
            { ...node, name: "right", ae_title: "FWD" },
            { ...node, name: "misnamed", ae_title: "OTHER" },
            { ...node, name: "closed", ae_title: "X", port: closedPort() },
          ],
        }),
      );
      const right = await runCli(["echo", "right"], folder);
      assert.equal(right.code, 0, right.stdout);
      assert.match(right.stdout, /ok +echo: answered Success \(0000\)/);
      const misnamed = await runCli(["echo", "misnamed"], folder);
      assert.equal(misnamed.code, 1);
      assert.match(misnamed.stdout, /does not answer to the AE title OTHER/);
      const closed = await runCli(["echo", "closed"], folder);
      assert.equal(closed.code, 1);
      assert.match(closed.stdout, /nothing listens there/);
      const all = await runCli(["echo", "--json"], folder);
      assert.equal(all.code, 1);
      assert.deepEqual(
        JSON.parse(all.stdout).map((one: { ok: boolean }) => one.ok),
        [true, false, false],
      );
      const unknown = await runCli(["echo", "nobody"], folder);
      assert.equal(unknown.code, 2);
      assert.match(unknown.stdout, /right, misnamed, closed/);
    });
  });
});

Deno.test("send delivers a folder, leaves out what is no DICOM file, and says so", async () => {
  await inFolder(undefined, async (folder) => {
    await withDaemon(folder, ARCHIVE_ONLY, async ({ port }) => {
      await writeStudy(join(folder, "cd"), { instances: 5, rows: 16, columns: 16 });
      await Deno.writeTextFile(join(folder, "cd", "README.TXT"), "not an image");
      const args = ["send", "cd", "--host", "127.0.0.1", "--port", String(port), "--aet", "FWD"];
      const { code, stdout, stderr } = await runCli(args, folder);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /5 of 5 sent/);
      assert.match(stderr, /left out .*README\.TXT/);
    });
  });
});

Deno.test("send names a refused file, sends the rest, and ends with 1", async () => {
  await inFolder(undefined, async (folder) => {
    await withDaemon(folder, ARCHIVE_ONLY, async ({ port }) => {
      const [good, bad] = [...generateStudy({ instances: 2, rows: 16, columns: 16 })];
      await Deno.writeFile(join(folder, "good.dcm"), part10File(good!));
      // Another SOP class in the file meta than in the data set cannot be made by `send`; an abstract syntax that is not
      // storage can.
      const echo = part10File({
        ...bad!,
        dataSet: withSopClass(bad!.dataSet, "1.2.840.10008.1.1"),
      });
      await Deno.writeFile(join(folder, "bad.dcm"), echo);
      const args = ["send", "bad.dcm", "good.dcm", "--host", "127.0.0.1", "--port", String(port)];
      const { code, stdout, stderr } = await runCli(args, folder);
      assert.equal(code, 1);
      assert.match(stdout, /1 of 2 sent/);
      assert.match(stderr, /FAILED .*bad\.dcm/);
    });
  });
});

/** Overwrites the SOP Class UID in place, padded with NULs to the old length. */
function withSopClass(dataSet: Uint8Array, uid: string): Uint8Array {
  const copy = dataSet.slice();
  const ct = new TextEncoder().encode("1.2.840.10008.5.1.4.1.1.2");
  const at = copy.findIndex((_, start) => ct.every((byte, n) => copy[start + n] === byte));
  assert.ok(at > 0, "the data set names its SOP class");
  copy.fill(0, at, at + ct.length);
  copy.set(new TextEncoder().encode(uid), at);
  return copy;
}

Deno.test("status and queue work on the spool of a stopped forwarder and of a running one", async () => {
  await inFolder(undefined, async (folder) => {
    const config = {
      ...ARCHIVE_ONLY,
      store_locally: false,
      pacs_host: "127.0.0.1",
      pacs_port: closedPort(),
    };
    await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
    await writeStudy(join(folder, "study"), { instances: 3, rows: 16, columns: 16 });
    await withDaemon(folder, config, async ({ port }) => {
      const args = ["send", "study", "--host", "127.0.0.1", "--port", String(port)];
      assert.equal((await runCli(args, folder)).code, 0);
      const running = await runCli(["status", "--json"], folder);
      assert.equal(running.code, 0);
      const status = JSON.parse(running.stdout);
      assert.equal(status.running, true);
      assert.equal(status.destinations[0].queued, 3);
      assert.match((await runCli(["status"], folder)).stdout, /Forwarder +running/);
    });
    const stopped = await runCli(["status"], folder);
    assert.equal(stopped.code, 1);
    assert.match(stopped.stdout, /NOT RUNNING/);
    assert.match(stopped.stdout, /pacs +3 /);

    const list = JSON.parse(
      (await runCli(["queue", "list", "--json", "--details"], folder)).stdout,
    );
    assert.equal(list.total, 3);
    assert.match(list.items[0].patientId, /^DEMO-/);
    const id = list.items[0].id;

    assert.equal((await runCli(["queue", "remove"], folder)).code, 2, "nothing named");
    assert.equal((await runCli(["queue", "remove", id], folder)).code, 2, "nobody to ask");
    assert.equal((await runCli(["queue", "remove", "no-such-id", "--yes"], folder)).code, 1);
    assert.match((await runCli(["queue", "remove", id, "--yes"], folder)).stdout, /1 removed/);
    const left = JSON.parse((await runCli(["queue", "list", "--json"], folder)).stdout);
    assert.equal(left.total, 2);
    assert.ok(left.items.every((item: { id: string }) => item.id !== id));
  });
});

Deno.test("demo --once shows the study arriving and ends with 0", async () => {
  await inFolder(undefined, async (folder) => {
    const { code, stdout } = await runCli(["demo", "--once", "--instances", "12"], folder);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /12 of 12 arrived, data sets identical byte for byte/);
  });
});

/*
 * `doctor` and `status --watch` from outside, under the permissions of the program.
 */

import assert from "node:assert/strict";
import { writeStudy } from "../../src/cli/demo_study.ts";
import { Child, freePort, freePorts } from "../helpers/child.ts";
import { Forwarder, nodeAt, TEST_SETTINGS } from "../helpers/forwarder.ts";
import { peerTest, TMUX } from "../helpers/required_peers.ts";
import { contentsOf, Scratch } from "../helpers/scratch.ts";
import { Terminal } from "../helpers/terminal.ts";
import { until } from "../helpers/until.ts";
import { runCli, startArguments } from "./run_cli.ts";

interface Told {
  readonly ok: boolean;
  readonly change: readonly string[];
  readonly sections: readonly {
    readonly name: string;
    readonly takes?: Record<string, string[]>;
    readonly findings: readonly { probe: string; level: string; text: string }[];
  }[];
}

async function write(scratch: Scratch, settings: Record<string, unknown>): Promise<void> {
  const all = { ...TEST_SETTINGS, ...settings };
  await Deno.writeTextFile(scratch.at("config.json"), JSON.stringify(all));
}

function levelOf({ sections }: Told, section: string, probe: string): string | undefined {
  return sections.find(({ name }) => name === section)?.findings
    .find((finding) => finding.probe === probe)?.level;
}

Deno.test("doctor on a running forwarder: all well here, what is wrong there, and what to change", async () => {
  await using scratch = await Scratch.make();
  await using peer = await Forwarder.start(scratch.folder("peer"), {
    local_ae_title: "PEER",
    store_locally: true,
  });
  const [port, closed] = freePorts(2);
  const settings = {
    local_ae_title: "FWD",
    local_port: port,
    store_locally: true,
    destinations: [
      nodeAt("good", peer.port, { ae_title: "PEER" }),
      nodeAt("misnamed", peer.port, { ae_title: "OTHER" }),
      nodeAt("closed", closed!, { ae_title: "X" }),
    ],
  };
  await write(scratch, settings);
  await using _running = await Forwarder.start(scratch.path, settings);
  const before = contentsOf(scratch.at("spool"));
  const { code, stdout, stderr } = await runCli(["doctor", "--json"], scratch.path);
  assert.equal(code, 1, stderr);
  const told: Told = JSON.parse(stdout);
  assert.equal(told.ok, false);
  for (const probe of ["configuration", "folder", "port", "self", "clock"]) {
    assert.equal(levelOf(told, "here", probe), "ok", `${probe}: ${stdout}`);
  }
  assert.equal(levelOf(told, "good", "echo"), "ok");
  assert.equal(levelOf(told, "good", "storage"), "ok");
  assert.equal(levelOf(told, "misnamed", "association"), "problem");
  assert.equal(levelOf(told, "closed", "connection"), "problem");
  assert.equal(levelOf(told, "archive", "folder"), "ok");
  const [first = "", second = ""] = told.change;
  assert.match(first, /^closed: Start the PACS/);
  assert.match(second, /^misnamed: Ask the administrator of the PACS for its AE title/);
  assert.deepEqual(contentsOf(scratch.at("spool")), before, "it leaves nothing behind");

  const good = await runCli(["doctor", "good", "--send-test"], scratch.path);
  assert.equal(good.code, 0, good.stdout);
  assert.match(good.stdout, /good: PEER at 127\.0\.0\.1/);
  assert.match(good.stdout, /ok +test image: answered Success/);
  assert.match(good.stdout, /TEST\^DICOM FORWARDER.*study 2\.25\./);
  assert.match(good.stdout, /impl +expl/);
  assert.doesNotMatch(good.stdout, /This machine/);
  await peer.delivered("archive", 1);

  const nobody = await runCli(["doctor", "nobody"], scratch.path);
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /good, misnamed, closed, archive/);
});

Deno.test("doctor tells a port that another program holds, and ends with the numbered list", async () => {
  await using scratch = await Scratch.make();
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await write(scratch, { local_port: other.addr.port, store_locally: true });
  const { code, stdout } = await runCli(["doctor"], scratch.path);
  assert.equal(code, 1);
  assert.match(stdout, /PROBLEM +port: .*another program/);
  assert.match(stdout, /What to change\n +1\. Stop the program that holds port/);
  assert.deepEqual(contentsOf(scratch.path), ["config.json"], "it makes no folder");
});

Deno.test("doctor with nothing but warnings ends with 0", async () => {
  await using scratch = await Scratch.make();
  await write(scratch, { local_port: freePort(), store_locally: true });
  const { code, stdout } = await runCli(["doctor"], scratch.path);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /WARNING +port: .*is free/);
});

Deno.test("doctor on a wrong configuration says that this comes first, and ends with 2", async () => {
  await using scratch = await Scratch.make();
  await write(scratch, { local_port: 70_000, store_locally: true });
  const { code, stdout, stderr } = await runCli(["doctor"], scratch.path);
  assert.equal(code, 2);
  assert.match(stdout, /PROBLEM +configuration/);
  assert.match(stderr, /local_port: 70000/);
});

Deno.test("a destination that is down is shown with its reason and next attempt", async () => {
  await using scratch = await Scratch.make();
  const settings = { destinations: [nodeAt("pacs", freePort())] };
  await write(scratch, settings);
  await using forwarder = await Forwarder.start(scratch.path, settings, {
    backOff: { firstMs: 60_000, mostMs: 60_000 },
  });
  const args = ["send", "--host", "127.0.0.1", "--port", `${forwarder.port}`];
  await writeStudy(scratch.at("study"), { instances: 2, rows: 16, columns: 16 });
  assert.equal((await runCli([...args, "--aet", "DICOMFORWARDER", "study"], scratch.path)).code, 0);
  const health = scratch.at("spool", "health.json");
  await until(() => /"down"/.test(Deno.readTextFileSync(health)), 10_000, "it to be down");
  const { stdout } = await runCli(["status"], scratch.path);
  assert.match(stdout, /pacs +2 +\[#+\].*DOWN for/);
  assert.match(stdout, /refused the connection/);
  assert.match(stdout, /next attempt (in [^,]+|now), \d+ failed attempts?/);
  const json = JSON.parse((await runCli(["status", "--json"], scratch.path)).stdout);
  assert.match(json.destinations[0].health, /^DOWN for .*refused the connection/);
  assert.equal(json.destinations[0].state, "down");
});

Deno.test("watched where there is no terminal, the status is a line each time", async () => {
  await using scratch = await Scratch.make();
  const settings = { store_locally: true };
  await write(scratch, settings);
  await using _forwarder = await Forwarder.start(scratch.path, settings);
  const words = [...startArguments(), "status", "--watch", "0.5"];
  const watch = new Child(Deno.execPath(), [...words, "--config", scratch.at("config.json")]);
  try {
    await watch.says(/running queued=0[^\n]*\n[^\n]*running queued=0/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(watch.said, /\x1b/);
  } finally {
    await watch.end("SIGINT");
  }
});

peerTest(
  "watched on a terminal, the status is live, and q leaves the terminal as it was",
  [TMUX],
  async () => {
    await using scratch = await Scratch.make();
    const settings = { store_locally: true };
    await write(scratch, settings);
    const program = [Deno.execPath(), ...startArguments(), "status", "--watch", "0.5"];
    const words = ["sh", "-c", `echo BEFORE; "$@"; stty -a | grep -o -- "-\\?icanon"`, "sh"];
    for (const key of ["q", "C-c"]) {
      await using terminal = await Terminal.start(scratch.path, [...words, ...program]);
      await terminal.shows(/Forwarder +NOT RUNNING/);
      assert.doesNotMatch(await terminal.screen(), /BEFORE/);
      {
        await using _forwarder = await Forwarder.start(scratch.path, settings);
        await terminal.shows(/Forwarder +running/);
        await terminal.press(key);
        await terminal.shows(/ENDED/);
      }
      const screen = await terminal.screen();
      assert.match(screen, /BEFORE/);
      assert.doesNotMatch(screen, /Forwarder/);
      if (key === "q") assert.match(screen, /^icanon/m);
    }
  },
);

Deno.test("a watch that is asked for too often is refused", async () => {
  await using scratch = await Scratch.make();
  await write(scratch, { store_locally: true });
  const { code, stderr } = await runCli(["status", "--watch", "0"], scratch.path);
  assert.equal(code, 2);
  assert.match(stderr, /0\.5 to 3600/);
  assert.equal((await runCli(["status", "--watch", "--json"], scratch.path)).code, 2);
});

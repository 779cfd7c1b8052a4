/* The systemd unit and what is around it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { parseShow, SystemdService } from "../../src/service/systemd.ts";
import { systemdUnit } from "../../src/service/systemd_unit.ts";
import type { RunTool } from "../../src/service/tool.ts";
import type { ServiceDefinition } from "../../src/service/definition.ts";
import { run } from "../helpers/child.ts";
import { Scratch } from "../helpers/scratch.ts";

const never = new AbortController().signal;

const DEFINITION: ServiceDefinition = {
  program: "/usr/local/bin/dicomforwarder",
  config: "/etc/dicomforwarder/config 100%.json",
  settings: {
    ports: [11_112],
    allowedHosts: [],
    stopMs: 20_000,
    logDir: "/var/log/dicomforwarder",
    privateFolders: ["/var/log/dicomforwarder", "/var/lib/dicomforwarder/spool"],
    sharedFolders: ["/srv/archive"],
  },
  start: undefined,
  account: "dicom",
};

/** The settings of a unit. */
function settingsOf(unit: string): Map<string, string> {
  return new Map(
    unit.split("\n").filter((line) => line.includes("=")).map((line): [string, string] => [
      line.slice(0, line.indexOf("=")),
      line.slice(line.indexOf("=") + 1),
    ]),
  );
}

Deno.test("the unit runs the program with its configuration, whatever characters its path has", () => {
  const unit = settingsOf(systemdUnit(DEFINITION, { forUser: false }));
  assert.equal(
    unit.get("ExecStart"),
    '"/usr/local/bin/dicomforwarder" --config "/etc/dicomforwarder/config 100%%.json" --as-service',
  );
});

Deno.test("the unit does not start again what starting again does not mend, and waits longer than the program does", () => {
  const unit = settingsOf(systemdUnit(DEFINITION, { forUser: false }));
  assert.equal(unit.get("RestartPreventExitStatus"), "2 3 4");
  assert.equal(unit.get("Restart"), "on-failure");
  assert.equal(unit.get("TimeoutStopSec"), "30");
});

Deno.test("the program may write to its folders and nowhere else", () => {
  const unit = settingsOf(systemdUnit(DEFINITION, { forUser: false }));
  assert.equal(unit.get("ProtectSystem"), "strict");
  assert.equal(
    unit.get("ReadWritePaths"),
    '"/var/log/dicomforwarder" "/var/lib/dicomforwarder/spool" "/srv/archive"',
  );
});

Deno.test("what the program may write to it may not run, and home folders are hidden unless something of it lies there", () => {
  const unit = settingsOf(systemdUnit(DEFINITION, { forUser: false }));
  assert.equal(unit.get("NoExecPaths"), unit.get("ReadWritePaths"));
  assert.equal(unit.get("ProtectHome"), "yes");
  const there: Partial<ServiceDefinition>[] = [
    { program: "/home/joe/dicomforwarder" },
    { config: "/root/config.json" },
    { settings: { ...DEFINITION.settings, sharedFolders: ["/home/joe/archive"] } },
  ];
  for (const part of there) {
    const inHome = settingsOf(systemdUnit({ ...DEFINITION, ...part }, { forUser: false }));
    assert.equal(inHome.get("ProtectHome"), "read-only", JSON.stringify(part));
  }
});

/** The most that `systemd-analyze security` may count against the unit; docs/security.md has it, too. */
const MOST_EXPOSURE = 1.3;

Deno.test({
  name:
    `systemd's own judgement of the unit is an exposure of ${MOST_EXPOSURE} at most, as the documentation says`,
  ignore: !(await hasOfflineAnalysis()),
  fn: async () => {
    await using scratch = await Scratch.make();
    const file = scratch.at("dicomforwarder.service");
    Deno.writeTextFileSync(file, systemdUnit(DEFINITION, { forUser: false }));
    const { stdout } = await run("systemd-analyze", [
      "security",
      "--offline=true",
      "--no-pager",
      file,
    ]);
    const exposure = Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1]);
    assert.ok(exposure <= MOST_EXPOSURE, `${exposure}:\n${stdout}`);
    const security = Deno.readTextFileSync(new URL("../../docs/security.md", import.meta.url));
    assert.ok(security.includes(`\`systemd-analyze security\`: ${MOST_EXPOSURE}`));
  },
});

async function hasOfflineAnalysis(): Promise<boolean> {
  try {
    return (await run("systemd-analyze", ["security", "--help"])).stdout.includes("--offline");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return false;
  }
}

Deno.test("only a port below 1024 brings the right to listen on one", () => {
  const bounding = (...ports: number[]) =>
    settingsOf(
      systemdUnit({ ...DEFINITION, settings: { ...DEFINITION.settings, ports } }, {
        forUser: false,
      }),
    ).get("CapabilityBoundingSet");
  assert.equal(bounding(11_112), "");
  assert.equal(bounding(104), "CAP_NET_BIND_SERVICE");
  assert.equal(bounding(11_112, 443), "CAP_NET_BIND_SERVICE");
});

Deno.test("a user's unit asks for nothing that a user's systemd may not do", () => {
  const unit = settingsOf(systemdUnit(DEFINITION, { forUser: true }));
  assert.ok(!unit.has("User"));
  assert.ok(!unit.has("CapabilityBoundingSet"));
  assert.equal(unit.get("WantedBy"), "default.target");
});

/** A systemd that answers as told and keeps what it was asked. */
class House {
  show = "LoadState=not-found\nActiveState=inactive\nSubState=dead";
  readonly calls: string[] = [];
  refuse = "";
  readonly run: RunTool = (tool, args) => {
    const call = `${tool} ${args.join(" ")}`;
    this.calls.push(call);
    if (this.refuse !== "" && call.startsWith(this.refuse)) {
      return Promise.resolve({ code: 1, text: "Failed: Access denied" });
    }
    return Promise.resolve({ code: 0, text: args[0] === "show" ? this.show : "" });
  };
}

function serviceIn(scratch: Scratch, house: House): SystemdService {
  return new SystemdService({
    run: house.run,
    pause: () => Promise.resolve(),
    etc: scratch.path,
  });
}

Deno.test("installing makes account, folders and unit, reads them and enables the unit; removing takes the files away", async () => {
  await using scratch = await Scratch.make();
  const house = new House();
  const service = serviceIn(scratch, house);
  await service.install({ ...DEFINITION, account: undefined });
  const unit = await Deno.readTextFile(join(scratch.path, "systemd/system/dicomforwarder.service"));
  assert.match(unit, /^User=dicomforwarder$/m);
  assert.deepEqual(house.calls.filter((call) => !call.includes("show")), [
    `systemd-sysusers ${join(scratch.path, "sysusers.d/dicomforwarder.conf")}`,
    `systemd-tmpfiles --create ${join(scratch.path, "tmpfiles.d/dicomforwarder.conf")}`,
    "systemctl daemon-reload",
    "systemctl enable dicomforwarder.service",
  ]);
  house.show = "LoadState=loaded\nActiveState=inactive\nSubState=dead";
  assert.equal(await service.uninstall(never), true);
  for await (const entry of Deno.readDir(join(scratch.path, "systemd/system"))) {
    assert.fail(`${entry.name} is left`);
  }
});

Deno.test("an upgrade keeps the account of the unit and whether it starts by itself", async () => {
  await using scratch = await Scratch.make();
  const house = new House();
  const service = serviceIn(scratch, house);
  await service.install(DEFINITION);
  house.show = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=disabled";
  assert.equal((await service.state()).config, DEFINITION.config);
  house.calls.length = 0;
  await service.install({ ...DEFINITION, account: undefined });
  const unit = await Deno.readTextFile(join(scratch.path, "systemd/system/dicomforwarder.service"));
  assert.match(unit, /^User=dicom$/m);
  assert.ok(!house.calls.some((call) => /enable|disable/.test(call)));
});

Deno.test("program and configuration of the unit are read back, whatever characters their paths have", async () => {
  await using scratch = await Scratch.make();
  const house = new House();
  const service = serviceIn(scratch, house);
  const [program, config] = ["/opt/a $b 100%/forwarder", '/etc/$HOME ${x} "q" 5% \\\\/config.json'];
  await service.install({ ...DEFINITION, program, config });
  const { program: toldProgram, config: toldConfig } = await service.state();
  assert.deepEqual([toldProgram, toldConfig], [program, config]);
  const unit = await Deno.readTextFile(join(scratch.path, "systemd/system/dicomforwarder.service"));
  // systemd puts variables into arguments, not into the program's own path.
  assert.match(unit, /^ExecStart="\/opt\/a \$b .* --config "\/etc\/\$\$HOME \$\$\{x\} /m);
});

Deno.test("a unit changed by hand is kept beside the one that takes its place", async () => {
  await using scratch = await Scratch.make();
  const house = new House();
  const service = serviceIn(scratch, house);
  const folder = join(scratch.path, "systemd/system");
  const names = async () =>
    (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  await service.install(DEFINITION);
  await service.install(DEFINITION);
  assert.deepEqual(await names(), ["dicomforwarder.service"]);
  const unit = join(folder, "dicomforwarder.service");
  const edited = (await Deno.readTextFile(unit)).replace("RestartSec=5", "RestartSec=60");
  await Deno.writeTextFile(unit, edited);
  await service.install(DEFINITION);
  assert.equal(await Deno.readTextFile(`${unit}.bak`), edited);
  await service.uninstall(never);
  assert.deepEqual(await names(), []);
});

Deno.test("folders that were there before stay those of whom they were", async () => {
  await using scratch = await Scratch.make();
  const house = new House();
  const service = serviceIn(scratch, house);
  const [logs, archive, made] = ["var log", "archive", "made"].map((name) =>
    join(scratch.path, name)
  );
  await Deno.mkdir(logs!);
  await Deno.writeTextFile(join(logs!, "syslog"), "");
  await Deno.mkdir(archive!);
  const spool = join(scratch.path, "spool");
  const settings = {
    ...DEFINITION.settings,
    privateFolders: [logs!, spool],
    sharedFolders: [archive!, made!],
  };
  const conf = async () =>
    (await Deno.readTextFile(join(scratch.path, "tmpfiles.d/dicomforwarder.conf"))).split("\n");
  const wanted = [
    `d "${spool}" 0700 dicom - -`,
    `Z "${spool}" - dicom - -`,
    `a+ "${archive}" - - - - u:dicom:rwx,d:u:dicom:rwx`,
    `d "${made}" 0750 dicom - -`,
    `a+ "${logs}" - - - - u:dicom:rwx,d:u:dicom:rwx`,
    "",
  ];
  await service.install({ ...DEFINITION, settings });
  assert.deepEqual(await conf(), wanted);
  // As systemd-tmpfiles has made them by the time of an upgrade.
  await Deno.mkdir(spool);
  await Deno.mkdir(made!);
  await service.install({ ...DEFINITION, settings });
  assert.deepEqual(await conf(), wanted);
});

Deno.test("missing rights are one sentence that says what to do", async () => {
  await using scratch = await Scratch.make();
  const house = new House();
  house.refuse = "systemctl start";
  const service = serviceIn(scratch, house);
  await assert.rejects(service.start(never), /^ServiceError: Cannot start the service: .*sudo$/);
});

Deno.test("what systemd says of the unit is read: absent, running, waiting to restart, ended", () => {
  const state = (...lines: string[]) => parseShow(lines.join("\n")).state;
  assert.equal(state("LoadState=not-found", "ActiveState=inactive"), "absent");
  assert.equal(state("LoadState=loaded", "ActiveState=active", "SubState=running"), "running");
  assert.equal(
    state("LoadState=loaded", "ActiveState=activating", "SubState=auto-restart"),
    "waiting to restart",
  );
  assert.equal(state("LoadState=loaded", "ActiveState=failed", "SubState=failed"), "stopped");
  assert.equal(parseShow("LoadState=loaded\nExecMainCode=1\nExecMainStatus=3").exitCode, 3);
  const killed = parseShow("LoadState=loaded\nExecMainCode=2\nExecMainStatus=3");
  assert.equal(killed.exitCode, undefined, "3 is a signal here, not the port's exit code");
});

Deno.test({
  name:
    "the account reads a configuration that is closed to others by its group, and one that is open is left alone",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scratch = await Scratch.make();
    const config = scratch.at("config.json");
    const folders = async (text: string, mode: number, account?: string) => {
      Deno.writeTextFileSync(config, text);
      Deno.chmodSync(config, mode);
      const service = serviceIn(scratch, new House());
      const { notes } = await service.install({ ...DEFINITION, config, account });
      return {
        notes,
        line: (await Deno.readTextFile(scratch.at("tmpfiles.d", "dicomforwarder.conf")))
          .split("\n").find((one) => one.startsWith("z ")),
      };
    };
    const closed = `z "${config}" 0640 - dicomforwarder -`;
    assert.equal((await folders("{}", 0o600)).line, closed);
    assert.equal((await folders('{"web":{"password_hash":"x"}}', 0o644)).line, closed);
    assert.equal((await folders("{}", 0o644)).line, undefined);
    const other = await folders("{}", 0o600, "dicom");
    assert.equal(other.line, undefined);
    assert.match(other.notes.join(), /account dicom may read it/);
  },
});

Deno.test({
  name:
    "the account gets at private keys beside the configuration, and at the folder they lie in, not at keys elsewhere",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scratch = await Scratch.make();
    const config = join(scratch.folder("forwarder"), "config.json");
    for (const folder of ["forwarder/tls", "elsewhere"]) {
      Deno.writeTextFileSync(join(scratch.folder(folder), "a.key"), "", { mode: 0o600 });
    }
    Deno.chmodSync(scratch.at("forwarder", "tls"), 0o700);
    const settings = {
      tls: { certificate: "tls/a.pem", key: "tls/a.key" },
      destinations: [
        { tls: { key: scratch.at("elsewhere", "a.key") } },
        { tls: { key: "tls/a.key" } },
        { tls: { key: "tls/none.key" } },
      ],
    };
    Deno.writeTextFileSync(config, JSON.stringify(settings));
    Deno.chmodSync(config, 0o644);
    await serviceIn(scratch, new House()).install({ ...DEFINITION, config, account: undefined });
    const lines = (await Deno.readTextFile(scratch.at("tmpfiles.d", "dicomforwarder.conf")))
      .split("\n").filter((one) => one.startsWith("z "));
    assert.deepEqual(lines, [
      `z "${scratch.at("forwarder", "tls")}" 0750 - dicomforwarder -`,
      `z "${scratch.at("forwarder", "tls", "a.key")}" 0640 - dicomforwarder -`,
    ]);
  },
});

/* The tool calls that make and remove the Windows service. */

import assert from "node:assert/strict";
import { configFrom } from "../../src/config/load.ts";
import { serviceSettings } from "../../src/service/settings.ts";
import { installPlan, type ToolCall, uninstallPlan } from "../../src/service/windows_plan.ts";
import { DATA, definition } from "./house.ts";

function spoken(calls: readonly ToolCall[]): string[] {
  return calls.map(({ tool, args }) => `${tool} ${args.join(" ")}`);
}

function only(calls: readonly ToolCall[], start: string): string {
  const found = spoken(calls).filter((call) => call.startsWith(start));
  assert.equal(found.length, 1, `${start}: ${found.length} calls`);
  return found[0]!;
}

const NEW = installPlan(definition(), null);

Deno.test("a new service is of an account of its own and starts by itself, a little after the machine", () => {
  const create = only(NEW, "sc.exe create DicomForwarder");
  assert.match(create, /obj= NT SERVICE\\DicomForwarder/);
  assert.match(create, /start= delayed-auto/);
});

Deno.test("the path of the wrapper is registered in quotes, so that no C:\\Program.exe is run in its place", () => {
  assert.match(
    only(NEW, "sc.exe create"),
    /binPath= "C:\\Program Files\\DICOM Forwarder\\nssm\.exe" /,
  );
});

Deno.test("what exists keeps its account and its start type, and its rights go to that account", () => {
  const plan = installPlan(definition(), { account: "HOSPITAL\\dicom" });
  const config = only(plan, "sc.exe config DicomForwarder");
  assert.doesNotMatch(config, /obj=|start=/);
  assert.ok(!spoken(plan).some((call) => call.startsWith("sc.exe create")));
  assert.match(only(plan, `icacls.exe ${DATA}\\spool`), /HOSPITAL\\dicom:\(OI\)\(CI\)M/);
});

Deno.test("an account and a start type that are asked for replace those that are there", () => {
  const asked = definition({ account: "HOSPITAL\\dicom", start: "demand" });
  const config = only(installPlan(asked, { account: "LocalSystem" }), "sc.exe config");
  assert.match(config, /obj= HOSPITAL\\dicom start= demand/);
});

Deno.test("spool and logs are closed to all but the service and administrators, the archive is not", () => {
  for (const folder of ["spool", "logs"]) {
    assert.equal(
      only(NEW, `icacls.exe ${DATA}\\${folder} `),
      `icacls.exe ${DATA}\\${folder} /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F ` +
        "*S-1-5-32-544:(OI)(CI)F NT SERVICE\\DicomForwarder:(OI)(CI)M",
    );
  }
  assert.equal(
    only(NEW, "icacls.exe D:\\archive"),
    "icacls.exe D:\\archive /grant NT SERVICE\\DicomForwarder:(OI)(CI)M",
  );
});

Deno.test("the service may read its configuration and not write it", () => {
  assert.match(only(NEW, `icacls.exe ${DATA} `), /DicomForwarder:\(OI\)\(CI\)RX$/);
});

Deno.test("a folder that is not the product's own keeps the rights it has", () => {
  const elsewhere = installPlan(definition({ config: "C:\\dicom\\config.json" }), null);
  assert.ok(!spoken(elsewhere).some((call) => call.startsWith("icacls.exe C:\\dicom ")));
});

Deno.test("LocalSystem needs no rights given, and others have theirs taken all the same", () => {
  const plan = installPlan(definition({ account: "LocalSystem" }), null);
  const icacls = plan.filter(({ tool }) => tool === "icacls.exe").map(({ args }) => args.join(" "));
  const rights = "/inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F";
  assert.deepEqual(
    icacls,
    [DATA, `${DATA}\\logs`, `${DATA}\\spool`].map((path) => `${path} ${rights}`),
  );
});

Deno.test("a range of everyone is a rule without addresses", () => {
  const settings = { ...definition().settings, allowedHosts: ["10.0.0.5", "0.0.0.0/0"] };
  const plan = spoken(installPlan(definition({ settings }), null));
  assert.ok(plan.some((call) => call.includes("add rule") && !call.includes("remoteip")));
});

Deno.test("the program gets its stop time-out and ten seconds more before it is ended by force", () => {
  const settings = { ...definition().settings, stopMs: 45_000 };
  const plan = installPlan(definition({ settings }), null);
  assert.ok(spoken(plan).some((call) => /AppStopMethodConsole .* 55000 \/f$/.test(call)));
});

Deno.test("it is started again after any end but those that starting again does not mend", () => {
  const exits = spoken(NEW).filter((call) => call.includes("AppExit"));
  const seen = exits.map((call) => /(?:\/ve|\/v (\d+)) .* \/d (\w+)/.exec(call)!.slice(1));
  assert.deepEqual(seen, [[undefined, "Restart"], ["2", "Exit"], ["3", "Exit"], ["4", "Exit"]]);
});

Deno.test("the configuration's path goes to the program in quotes", () => {
  assert.ok(
    spoken(NEW).some((call) => call.includes(`/d --config "${DATA}\\config.json" --as-service`)),
  );
});

Deno.test("the firewall lets in this program on this port from the networks and addresses that may send", () => {
  const rule = only(NEW, "netsh.exe advfirewall firewall add");
  assert.match(rule, /localport=11112 program=C:\\Program Files.*\.exe profile=private,domain$/);
  const settings = { ...definition().settings, allowedHosts: ["10.0.0.5", "192.168.1.0/24"] };
  const narrow = installPlan(definition({ settings }), null);
  assert.match(
    only(narrow, "netsh.exe advfirewall firewall add"),
    /remoteip=10\.0\.0\.5,192\.168\.1\.0\/24$/,
  );
});

Deno.test("a second install leaves one firewall rule: the old one goes first", () => {
  const calls = spoken(NEW).filter((call) => call.startsWith("netsh.exe"));
  assert.match(calls[0]!, /delete rule name=DICOM Forwarder$/);
  assert.match(calls[1]!, /add rule name=DICOM Forwarder /);
});

Deno.test("uninstalling removes service, rule and event source and touches no folder", () => {
  const calls = spoken(uninstallPlan());
  assert.match(calls.join("\n"), /sc\.exe delete DicomForwarder/);
  assert.match(calls.join("\n"), /netsh\.exe .* delete rule/);
  assert.match(calls.join("\n"), /reg\.exe delete .*EventLog/);
  assert.ok(!calls.some((call) => call.includes("ProgramData")));
});

Deno.test("the firewall lets in what comes with TLS, too, and that alone where nothing else is received", () => {
  const tls = { certificate: "c.pem", key: "c.key", ca: "ca.pem" };
  const ruleFor = (settings: Record<string, unknown>) =>
    only(
      installPlan({
        ...definition(),
        settings: serviceSettings(configFrom(settings, Deno.cwd())),
      }, null),
      "netsh.exe advfirewall firewall add",
    );
  assert.match(ruleFor({ pacs_host: "h" }), / localport=11112 /);
  assert.match(ruleFor({ pacs_host: "h", tls }), / localport=11112,2762 /);
  assert.match(ruleFor({ pacs_host: "h", tls: { ...tls, only: true } }), / localport=2762 /);
});

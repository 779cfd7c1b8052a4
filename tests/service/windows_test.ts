/* The Windows service: verbs in, states and sentences out. */

import assert from "node:assert/strict";
import { ServiceError } from "../../src/service/definition.ts";
import { WindowsService } from "../../src/service/windows.ts";
import { DATA, definition, WindowsHouse } from "./house.ts";

const never = new AbortController().signal;

interface More {
  made?: string[];
  isFree?: () => boolean;
  isThere?: (path: string) => boolean;
  entries?: Record<string, string[]>;
}

function serviceOf(house: WindowsHouse, more: More = {}) {
  const { made, isFree = () => true, isThere = () => true, entries = {} } = more;
  return new WindowsService({
    run: house.run,
    pause: () => Promise.resolve(),
    makeFolder: (path) => Promise.resolve(void made?.push(path)),
    isFree: () => Promise.resolve(isFree()),
    entriesOf: (path) => Promise.resolve(entries[path]),
    isThere: (path) => Promise.resolve(isThere(path)),
    program: definition().program,
  });
}

function running(): WindowsHouse {
  const house = new WindowsHouse();
  house.installed = true;
  house.states = ["RUNNING"];
  return house;
}

Deno.test("a service that is not there is absent, not an error", async () => {
  assert.equal((await serviceOf(new WindowsHouse()).state()).state, "absent");
});

Deno.test("state, start type and account are read whatever the language of Windows", async () => {
  const house = running();
  house.answers.set("sc.exe query", {
    code: 0,
    text: "SERVICE_NAME: DicomForwarder\n        TYP                : 10  WIN32_OWN_PROCESS\n" +
      "        STATUS             : 4  RUNNING\n        WIN32_BEENDIGUNGSCODE    : 0  (0x0)\n",
  });
  assert.deepEqual(await serviceOf(house).state(), {
    state: "running",
    exitCode: 0,
    startType: "automatic, delayed",
    account: "NT SERVICE\\DicomForwarder",
    config: `${DATA}\\config.json`,
    program: undefined,
  });
});

Deno.test("paths outside the console's old code page are read back as they were written", async () => {
  const config = "D:\\Röntgen 100% 画像\\config.json";
  const program = "D:\\Röntgen\\dicomforwarder.exe";
  const house = running();
  await serviceOf(house).install(definition({ config, program }));
  // What reg.exe prints of it on a Windows with code page 850: our own values in ASCII, the wrapper's in pieces.
  house.answers.set("reg.exe query", {
    code: 0,
    text: house.calls.filter((call) => /^reg.exe add \S+\\Parameters \/v/.test(call)).map(
      (call) => {
        const [, name, type, value] = / \/v (\S+) \/t (\S+) \/d (.*) \/f$/.exec(call)!;
        return `    ${name}    ${type}    ${value!.replaceAll(/[^ -~]/g, "\ufffd")}\n`;
      },
    ).join(""),
  });
  const state = await serviceOf(house).state();
  assert.equal(state.config, config);
  assert.equal(state.program, program);
});

Deno.test("without nssm.exe beside the program nothing is registered that could not start", async () => {
  const house = new WindowsHouse();
  await assert.rejects(
    serviceOf(house, { isThere: () => false }).install(definition()),
    /nssm\.exe is missing/,
  );
  assert.ok(!house.calls.some((call) => call.startsWith("sc.exe create")));
});

Deno.test("an archive on another computer is left as it is, and said", async () => {
  const house = new WindowsHouse();
  const made: string[] = [];
  const settings = {
    ...definition().settings,
    sharedFolders: ["\\\\nas\\archive", "\\\\?\\UNC\\nas\\more", "\\\\?\\D:\\long"],
  };
  const { notes } = await serviceOf(house, { made }).install(definition({ settings }));
  assert.deepEqual(made.slice(2), ["\\\\?\\D:\\long"]);
  assert.ok(!house.calls.some((call) => /^icacls.exe .*nas/.test(call)));
  assert.equal(notes.filter((note) => note.startsWith("\\\\")).length, 2);
});

Deno.test("an archive that takes no rights keeps nothing else from being done, and is said", async () => {
  const house = new WindowsHouse();
  house.answers.set("icacls.exe D:\\archive", { code: 1, text: "D:\\archive: ..." });
  const { notes } = await serviceOf(house).install(definition());
  assert.ok(notes.some((note) => /^Cannot set who may use D:\\archive/.test(note)));
  assert.ok(house.calls.some((call) => /^netsh.exe .* add rule/.test(call)));
});

Deno.test("logs in a folder that others use do not close it to them", async () => {
  const house = new WindowsHouse();
  const entries = {
    [`${DATA}\\logs`]: ["dicom_forwarder_20261125.log", "iis.log"],
    [`${DATA}\\spool`]: ["LOCK", "VERSION", "queue", "System Volume Information"],
  };
  const { notes } = await serviceOf(house, { entries }).install(definition());
  const icacls = house.calls.filter((call) => call.startsWith("icacls.exe"));
  assert.ok(icacls.some((call) => call.includes("spool /inheritance:r")));
  assert.ok(!icacls.some((call) => call.includes("logs /inheritance:r")));
  assert.ok(icacls.some((call) => call.includes("logs /grant NT SERVICE")));
  assert.match(notes[0]!, /logs stays open to those .* iis\.log/);
});

Deno.test("stopping a service that is not there says so at once", async () => {
  const house = new WindowsHouse();
  await assert.rejects(serviceOf(house).stop(never), /Cannot stop the service: .*not installed/);
  assert.equal(house.calls.length, 2);
});

Deno.test("the program's own exit code is told, not Windows' number for there being one", async () => {
  const house = running();
  house.states = ["STOPPED"];
  house.exitCode = 3;
  assert.equal((await serviceOf(house).state()).exitCode, 3);
});

Deno.test("a service that was never started has not ended with anything", async () => {
  const house = running();
  house.answers.set("sc.exe query", {
    code: 0,
    text: "        STATE              : 1  STOPPED\n" +
      "        WIN32_EXIT_CODE    : 1077  (0x435)\n        SERVICE_EXIT_CODE  : 0  (0x0)\n",
  });
  assert.equal((await serviceOf(house).state()).exitCode, undefined);
});

Deno.test("the folders are there before rights are set on them", async () => {
  const house = new WindowsHouse();
  const made: string[] = [];
  await serviceOf(house, { made }).install(definition());
  assert.deepEqual(made.length, 3);
  assert.ok(house.calls.some((call) => call.startsWith("icacls.exe D:\\archive")));
});

Deno.test("missing rights are one sentence that says what to do", async () => {
  const house = new WindowsHouse();
  house.answers.set("sc.exe create", {
    code: 5,
    text: "[SC] OpenSCManager FAILED 5:\n\nAccess is denied.",
  });
  await assert.rejects(serviceOf(house).install(definition()), (error: ServiceError) => {
    assert.ok(error instanceof ServiceError);
    assert.match(error.message, /^Cannot register the service: .*'Run as administrator'$/);
    return true;
  });
});

Deno.test("an account with a password is told where it can be set", async () => {
  const house = new WindowsHouse();
  house.answers.set("sc.exe create", {
    code: 1057,
    text: "[SC] CreateService FAILED 1057:\n\n...",
  });
  await assert.rejects(
    serviceOf(house).install(definition({ account: "CLINIC\\pacs" })),
    /Cannot register the service: .*Log On page.*service install once more/,
  );
});

Deno.test("a start returns when the service runs", async () => {
  const house = running();
  house.states = ["STOPPED"];
  await serviceOf(house).start(never);
  assert.ok(house.calls.includes("sc.exe start DicomForwarder"));
});

Deno.test("a program that ends at once is told as such, though the service was RUNNING for an instant", async () => {
  const house = running();
  house.states = ["STOPPED"];
  house.onStart = ["START_PENDING", "RUNNING", "STOPPED"];
  house.exitCode = 3;
  await assert.rejects(
    serviceOf(house).start(never),
    /did not stay up: it is stopped, exit code 3/,
  );
});

Deno.test("a disabled service says that it is", async () => {
  const house = running();
  house.answers.set("sc.exe start", { code: 1058, text: "[SC] StartService FAILED 1058:\n\n..." });
  await assert.rejects(serviceOf(house).start(never), /it is disabled: set its start type/);
});

Deno.test("a stop in the middle of a start waits for the start first", async () => {
  const house = running();
  house.states = ["START_PENDING", "START_PENDING", "RUNNING"];
  await serviceOf(house).stop(never);
  const stop = house.calls.indexOf("sc.exe stop DicomForwarder");
  const looks = house.calls.slice(0, stop).filter((call) => call.startsWith("sc.exe query"));
  assert.equal(looks.length, 3);
});

Deno.test("stopping what has stopped is no error", async () => {
  const house = running();
  house.states = ["STOPPED"];
  await serviceOf(house).stop(never);
});

Deno.test("uninstalling waits until the wrapper's file is free", async () => {
  const house = running();
  let looks = 0;
  const service = serviceOf(house, { isFree: () => ++looks > 3 });
  assert.equal(await service.uninstall(never), true);
  assert.equal(looks, 4);
  assert.equal((await service.state()).state, "absent");
});

Deno.test("uninstalling where nothing is installed removes leftovers and says that there was none", async () => {
  const house = new WindowsHouse();
  assert.equal(await serviceOf(house).uninstall(never), false);
  assert.ok(!house.calls.some((call) => call.startsWith("sc.exe delete")));
  assert.ok(house.calls.some((call) => call.startsWith("netsh.exe")));
});

/* The Windows service: verbs in, states and sentences out. */

import assert from "node:assert/strict";
import { ServiceError } from "../../src/service/definition.ts";
import { WindowsService } from "../../src/service/windows.ts";
import { DATA, definition, WindowsHouse } from "./house.ts";

const never = new AbortController().signal;

function serviceOf(house: WindowsHouse, more: { made?: string[]; isFree?: () => boolean } = {}) {
  const { made, isFree = () => true } = more;
  return new WindowsService({
    run: house.run,
    pause: () => Promise.resolve(),
    makeFolder: (path) => Promise.resolve(void made?.push(path)),
    isFree: () => Promise.resolve(isFree()),
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
  });
});

Deno.test("the program's own exit code is told, not Windows' number for there being one", async () => {
  const house = running();
  house.states = ["STOPPED"];
  house.exitCode = 3;
  assert.equal((await serviceOf(house).state()).exitCode, 3);
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

/* Entries in the Windows event log, and the watch over the wrapper. */

import assert from "node:assert/strict";
import { ServiceError } from "../../src/service/definition.ts";
import { eventText, writeErrorEvent } from "../../src/service/event_log.ts";
import { watchWrapper } from "../../src/service/wrapper_watch.ts";
import { WindowsHouse } from "./house.ts";

Deno.test("the reason goes into the application log as an error with the exit code as its number", async () => {
  const house = new WindowsHouse();
  assert.equal(await writeErrorEvent(house.run, 3, "Cannot start: port 104 is in use"), null);
  assert.deepEqual(house.calls, [
    "eventcreate.exe /L APPLICATION /SO DicomForwarder /T ERROR /ID 3 /D Cannot start: port 104 is in use",
  ]);
});

Deno.test("a reason of several lines becomes one line without quotes, of a length a command line takes", () => {
  assert.equal(eventText('a\n  b: "x"\n'), "a | b: 'x' | ");
  assert.ok(eventText("x".repeat(10_000)).length <= 4000);
});

Deno.test("an event log that cannot be written is told and not thrown", async () => {
  const house = new WindowsHouse();
  house.answers.set("eventcreate.exe", { code: 1, text: "ERROR: Access is denied." });
  assert.match(await writeErrorEvent(house.run, 2, "x") ?? "", /Access is denied/);
  const missing = () => Promise.reject(new ServiceError("eventcreate.exe is not on this system"));
  assert.match(await writeErrorEvent(missing, 2, "x") ?? "", /not on this system/);
});

/** Runs looks one after the other, as fast as they come, until there are none or `most` have been. */
async function look(house: WindowsHouse, most: number) {
  const due: (() => void)[] = [];
  let gone = 0;
  let trouble = 0;
  const cancel = watchWrapper({
    run: house.run,
    after: (_ms, callback) => {
      due.push(callback);
      return () => {};
    },
    gone: () => gone++,
    trouble: () => trouble++,
  });
  for (let n = 0; n < most && due.length > 0; n++) {
    due.shift()!();
    await new Promise((resolve) => setTimeout(resolve));
  }
  cancel();
  return { gone, trouble, waiting: due.length };
}

Deno.test("a program whose service is stopped stops too, once", async () => {
  const house = new WindowsHouse();
  house.installed = true;
  house.states = ["RUNNING", "RUNNING", "STOPPED"];
  assert.deepEqual(await look(house, 10), { gone: 1, trouble: 0, waiting: 0 });
});

Deno.test("a start, a pause before a restart and a stop under way are no reason to stop", async () => {
  const house = new WindowsHouse();
  house.installed = true;
  house.states = ["START_PENDING", "PAUSED", "STOP_PENDING", "RUNNING"];
  assert.deepEqual(await look(house, 4), { gone: 0, trouble: 0, waiting: 1 });
});

Deno.test("a question that cannot be asked is told once and changes nothing", async () => {
  const house = new WindowsHouse();
  const failing = Object.assign(house, { run: () => Promise.reject(new ServiceError("no sc")) });
  assert.deepEqual(await look(failing, 3), { gone: 0, trouble: 1, waiting: 1 });
});

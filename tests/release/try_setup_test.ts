/*
 * What Windows' own tools print, as the trial of the installer and the signing read it.
 */

import assert from "node:assert/strict";
import { newestKit } from "../../.ci/release/sign.ts";
import { serviceFolder, serviceState } from "../../.ci/release/try_setup.ts";

const query = (state: string) => `
SERVICE_NAME: DicomForwarder
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : ${state}
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
`;

Deno.test("the state of a service is read, and no service is no state", () => {
  assert.equal(serviceState(query("4  RUNNING ")), "RUNNING");
  assert.equal(serviceState(query("3  STOP_PENDING")), "STOP_PENDING");
  assert.equal(serviceState(undefined), undefined);
});

Deno.test("the service's folder is found, with blanks, quotes and arguments", () => {
  const line = (path: string) =>
    `        BINARY_PATH_NAME   : ${path}\r\n        LOAD_ORDER_GROUP   :\r\n`;
  const folder = "C:\\Program Files\\DICOM Forwarder";
  for (
    const path of [`${folder}\\nssm.exe`, `"${folder}\\nssm.exe"`, `"${folder}\\nssm.exe" run`]
  ) {
    assert.equal(serviceFolder(line(path)), folder, path);
  }
  assert.equal(serviceFolder("nothing"), undefined);
});

Deno.test("of several Windows Kits the newest is taken, by number and not by letter", () => {
  assert.equal(
    newestKit(["10.0.9600.0", "arm64", "10.0.22621.0", "10.0.19041.0", "x64"]),
    "10.0.22621.0",
  );
  assert.equal(newestKit(["x64"]), undefined);
});

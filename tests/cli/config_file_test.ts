/* Which configuration is meant where none is named. */

import assert from "node:assert/strict";
import { existingConfigFile, systemConfigFile } from "../../src/cli/config_file.ts";

Deno.test("an installed configuration that this user may not see is meant all the same", async () => {
  const real = Deno.stat;
  Deno.stat = (path) =>
    Promise.reject(
      path === systemConfigFile()
        ? new Deno.errors.PermissionDenied("Access is denied. (os error 5)")
        : new Deno.errors.NotFound("none"),
    );
  try {
    assert.equal(await existingConfigFile(), systemConfigFile());
  } finally {
    Deno.stat = real;
  }
});

Deno.test("a folder that this user may not look into hides no installed configuration", async () => {
  const real = Deno.stat;
  Deno.stat = (path) =>
    path === systemConfigFile()
      ? Promise.resolve({} as Deno.FileInfo)
      : Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13)"));
  try {
    assert.equal(await existingConfigFile(), systemConfigFile());
  } finally {
    Deno.stat = real;
  }
});

/*
 * What the forwarder gives up when it begins to run: the right to start the tools by which a service is installed.
 *
 * The right comes with the program, for `service install` and its like; whoever starts one of those tools can have it start
 * others. The forwarder itself runs for months with the network at its door and needs none of them: on Windows only the two
 * by which it asks for its own service and writes to the event log. A right that is given up does not come back while the
 * process lives. Rights to files and to the network cannot be narrowed in this way: only a whole kind can be given up.
 */

/** What is given up on Windows. */
const ONLY_TO_INSTALL = ["reg.exe", "netsh.exe", "icacls.exe"];

/** Gives it up, for the whole process. */
export function giveUpTools(system: typeof Deno.build.os = Deno.build.os): void {
  if (system !== "windows") {
    Deno.permissions.revokeSync({ name: "run" });
    return;
  }
  for (const command of ONLY_TO_INSTALL) Deno.permissions.revokeSync({ name: "run", command });
}

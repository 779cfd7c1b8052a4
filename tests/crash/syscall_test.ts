/*
 * Death and errors at single system calls, in short (CR-03, CR-04). The long form, which goes to the end for every kind of
 * call and every error, is `deno task test:crash --syscalls`.
 */

import assert from "node:assert/strict";
import { COMPILER, peerTest } from "../helpers/required_peers.ts";
import { Scratch } from "../helpers/scratch.ts";
import { syscallErrorCampaign } from "./syscall_error_campaign.ts";
import { syscallKillCampaign } from "./syscall_kill_campaign.ts";

peerTest(
  "nothing is lost where the process dies at any sync, rename, link or removal, or on the way between",
  [COMPILER],
  async () => {
    await using scratch = await Scratch.make();
    const { kills } = await syscallKillCampaign({
      folder: scratch.path,
      seed: 1,
      calls: ["sync", "rename", "link", "unlink", "write", "send"],
      next: (n) => n < 6 ? n + 1 : n + 7,
      recovery: true,
    });
    for (const call of ["sync", "rename", "write", "send"]) {
      for (const way of [", small instance", ", large instance", " of a start"]) {
        assert.ok(kills[call + way]! >= 2, `${call}${way}: ${JSON.stringify(kills)}`);
      }
    }
  },
);

peerTest(
  "no error of a system call is answered Success, ends the process or spoils the next association",
  [COMPILER],
  async () => {
    await using scratch = await Scratch.make();
    const { hits, answers } = await syscallErrorCampaign({
      folder: scratch.path,
      seed: 2,
      errors: {
        write: ["EDQUOT", "EINTR", "short"],
        rename: ["EIO", "EACCES"],
        link: ["ENOSPC"],
        unlink: ["EIO"],
        mkdir: ["EACCES"],
        read: ["short"],
        send: ["ECONNRESET"],
      },
      recovery: false,
    });
    assert.ok(hits >= 40, `${hits} calls were hit`);
    // Writes failed, and the one who sent was told so.
    assert.ok((answers["a700"] ?? 0) >= 2, JSON.stringify(answers));
  },
);

peerTest(
  "after a failed sync instances are refused until the disk has proved itself, and then taken",
  [COMPILER],
  async () => {
    await using scratch = await Scratch.make();
    const { answers, longestRefusalMs } = await syscallErrorCampaign({
      folder: scratch.path,
      seed: 3,
      errors: { sync: ["EIO"] },
      next: (n) => n + 2,
      recovery: false,
    });
    assert.ok((answers["0110"] ?? 0) >= 1, JSON.stringify(answers));
    assert.ok(longestRefusalMs > 100, `${longestRefusalMs} ms`);
  },
);

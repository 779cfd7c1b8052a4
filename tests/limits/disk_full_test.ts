/* A disk that fills up: refusals that make senders try again, and nothing lost. */

import assert from "node:assert/strict";
import { makeSmallDisk, type Shortage } from "../helpers/small_disk.ts";
import { fillAgainAndAgain } from "./disk_full.ts";

/** Rounds, small enough for every run. */
const CASES: readonly {
  name: string;
  shortage: Shortage;
  minimumFreeSpace: string | number;
  mount: boolean;
  rounds: number;
}[] = [
  { name: "to the last byte", shortage: "bytes", minimumFreeSpace: 0, mount: true, rounds: 5 },
  {
    name: "down to minimum_free_space",
    shortage: "bytes",
    minimumFreeSpace: "8MB",
    mount: true,
    rounds: 5,
  },
  { name: "to the last inode", shortage: "inodes", minimumFreeSpace: 0, mount: true, rounds: 5 },
  {
    name: "to the last byte, by injected errors",
    shortage: "bytes",
    minimumFreeSpace: 0,
    mount: false,
    rounds: 5,
  },
  {
    name: "up to a quota, by injected errors",
    shortage: "quota",
    minimumFreeSpace: "8MB",
    mount: false,
    rounds: 5,
  },
];

for (const { name, shortage, minimumFreeSpace, mount, rounds } of CASES) {
  Deno.test(`a disk that is filled ${name} costs no instance answered with Success, and service resumes by itself`, async () => {
    await using disk = await makeSmallDisk({ megabytes: 64, shortage, mount });
    const figures = await fillAgainAndAgain({ disk, rounds, seed: 7, minimumFreeSpace });
    assert.ok(figures.acknowledged >= rounds * 5);
    assert.ok(figures.refusedInstances + figures.refusedAssociations >= rounds);
  });
}

for (const shortage of ["bytes", "inodes"] as const) {
  Deno.test(`what a destination refuses while there are no ${shortage} left is kept apart, whole, as soon as there are`, async () => {
    await using disk = await makeSmallDisk({ megabytes: 64, shortage });
    const figures = await fillAgainAndAgain({
      disk,
      rounds: 3,
      seed: 8,
      minimumFreeSpace: 0,
      alsoRefused: true,
    });
    assert.ok(figures.acknowledged >= 15);
  });
}

/*
 * Full queues without receiving them anew each time: one is received, the others are made of links to its files.
 */

import { join } from "node:path";
import { Forwarder } from "../forwarder.ts";
import { type Load, share } from "../load.ts";
import { send } from "../senders.ts";
import { countQueued } from "../spool_watch.ts";
import { freePort } from "../subject.ts";

/** A forwarder's folder whose queue holds a whole load. */
export async function fillQueue(home: string, load: Load): Promise<void> {
  await Deno.mkdir(home, { recursive: true });
  const forwarder = await Forwarder.start(home, [freePort()]);
  try {
    await send(forwarder.port, forwarder.aeTitle, share(load, 1, home), home);
  } finally {
    await forwarder.stop();
  }
  const queued = countQueued(join(home, "spool"));
  if (queued !== load.instances) throw new Error(`${queued} are queued, wanted ${load.instances}`);
}

/**
 * Makes a forwarder's folder whose queue holds the first so many instances of another's. Neither changes a committed
 * file, so both can have it.
 */
export async function linkQueue(from: string, to: string, instances: number): Promise<void> {
  const source = join(from, "spool");
  const target = join(to, "spool");
  let left = instances;
  const linked = new Set<string>();
  await Deno.mkdir(target, { recursive: true });
  await Deno.copyFile(join(source, "VERSION"), join(target, "VERSION"));
  for (const bucket of Deno.readDirSync(join(source, "queue"))) {
    await Deno.mkdir(join(target, "queue", bucket.name), { recursive: true });
    const files = [...Deno.readDirSync(join(source, "queue", bucket.name))];
    files.sort((a, b) => a.name < b.name ? -1 : 1);
    for (const { name } of files.slice(0, left)) {
      await Deno.link(
        join(source, "queue", bucket.name, name),
        join(target, "queue", bucket.name, name),
      );
      linked.add(name.slice(0, name.indexOf(".")));
      left--;
    }
  }
  if (left > 0) throw new Error(`${from} holds ${instances - left} instances, wanted ${instances}`);
  // Without its lines the forwarder would open every file to write them anew.
  await Deno.mkdir(join(target, "ledger"));
  for (const { name } of Deno.readDirSync(join(source, "ledger"))) {
    if (!name.endsWith(".jsonl")) continue;
    const lines = (await Deno.readTextFile(join(source, "ledger", name))).split("\n");
    const kept = lines.filter((line) => line !== "" && linked.has(JSON.parse(line).id));
    await Deno.writeTextFile(
      join(target, "ledger", name),
      kept.map((line) => `${line}\n`).join(""),
    );
  }
}

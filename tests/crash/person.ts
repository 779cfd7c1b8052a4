/*
 * A person who goes on doing things to the queue until the forwarder is gone: holds back, lets go, has attempted at once,
 * removes, pauses; by the API of the running forwarder, and by commands beside it, which die with it.
 */

import { startArguments } from "../cli/run_cli.ts";
import { pass } from "../helpers/until.ts";
import { ClientError, type ControlClient, controlClient } from "../../src/web/client.ts";
import type { Held } from "./held.ts";
import type { Oracle } from "./oracle.ts";
import { between, type Random } from "./random.ts";

const DESTINATIONS = ["first", "second"];
/** Commands are for this one, so that of the other it is known what has to be held. */
const BY_COMMANDS = "second";
const BY_API = "first";

export class Person {
  readonly #folder: string;
  readonly #spool: string;
  readonly #random: Random;
  readonly #oracle: Oracle;
  /** What it had removed, `<UID> <destination>`. */
  readonly #removed = new Set<string>();
  /** Ids that are held back from `BY_API` as it was told, and that nobody let go since. */
  #held = new Set<string>();
  /** Done, by what it was. */
  readonly done: Record<string, number> = {};

  constructor(folder: string, random: Random, oracle: Oracle) {
    this.#folder = folder;
    this.#spool = `${folder}/spool`;
    this.#random = random;
    this.#oracle = oracle;
  }

  /** @param over true once the forwarder has been killed: only then may it not answer */
  async actUntilCut(over: () => boolean): Promise<void> {
    try {
      const client = await this.#client(over);
      if (client === undefined) return;
      await Promise.all([this.#byApi(client, over), this.#byCommands(client, over)]);
    } catch (error) {
      if (!(error instanceof ClientError) || !over()) throw error;
    }
  }

  async #client(over: () => boolean): Promise<ControlClient | undefined> {
    while (!over()) {
      const client = await controlClient(this.#spool);
      if (client !== undefined) return client;
      await pass(20);
    }
    return undefined;
  }

  async #byApi(client: ControlClient, over: () => boolean): Promise<void> {
    while (!over()) {
      await pass(between(this.#random, 0, 40));
      const draw = this.#random();
      const destination = DESTINATIONS[between(this.#random, 0, 1)]!;
      if (draw < 0.3) await this.#hold(client, destination);
      else if (draw < 0.5) await this.#release(client, destination);
      else if (draw < 0.6) await client.act("retry", { state: "queued", destination });
      else if (draw < 0.7) await this.#remove(client, destination, over);
      else if (draw < 0.75) await client.switch(destination, "pause");
      else await client.switch(destination, draw < 0.95 ? "resume" : "try");
    }
  }

  async #hold(client: ControlClient, destination: string): Promise<void> {
    const { items } = await client.queue({ destination, state: "queued", limit: 20 });
    if (items.length === 0) return;
    const named = items.map(({ id }) => ({ id, destination }));
    const { done, failed } = await client.act("hold", { items: named });
    this.#count("held", done);
    if (destination !== BY_API) return;
    const not = new Set(failed.map(({ id }) => id));
    for (const { id } of named) if (!not.has(id)) this.#held.add(id);
  }

  async #release(client: ControlClient, destination: string): Promise<void> {
    if (destination === BY_API) this.#held = new Set();
    const { done } = await client.act("release", { state: "held", destination });
    this.#count("released", done);
  }

  async #remove(client: ControlClient, destination: string, over: () => boolean): Promise<void> {
    const { items } = await client.queue({ destination, limit: 2 });
    for (const { id } of items) {
      const name = { id, destination };
      const sop = (await client.item(name))?.sopInstanceUid;
      if (!sop || over()) continue;
      this.#removed.add(`${sop} ${destination}`);
      if (destination === BY_API) this.#held.delete(id);
      this.#count("removed", (await client.act("remove", { items: [name] })).done);
    }
  }

  async #byCommands(client: ControlClient, over: () => boolean): Promise<void> {
    for (let n = 0; !over(); n++) {
      if (n % 3 === 2) {
        const { items } = await client.queue({ destination: BY_COMMANDS, limit: 1 });
        const name = items.map(({ id }) => ({ id, destination: BY_COMMANDS }))[0];
        const sop = name === undefined ? undefined : (await client.item(name))?.sopInstanceUid;
        if (!sop || over()) continue;
        this.#removed.add(`${sop} ${BY_COMMANDS}`);
        await this.#command(over, "remove", "--yes", name!.id);
      } else await this.#command(over, n % 3 === 0 ? "hold" : "release");
    }
  }

  /** Runs a command, which is killed as soon as the forwarder is. */
  async #command(over: () => boolean, verb: string, ...more: string[]): Promise<void> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...startArguments(),
        ...["queue", verb, "--json", "--destination", BY_COMMANDS],
        ...["--config", `${this.#folder}/config.json`],
        ...more,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let ended = false;
    const output = child.output().finally(() => ended = true);
    while (!ended) {
      if (over()) {
        child.kill("SIGKILL");
        break;
      }
      await Promise.race([output, pass(5)]);
    }
    const { code, stdout, stderr } = await output;
    if (over()) return;
    const text = new TextDecoder();
    // An id that was delivered meanwhile is none any more.
    if (code !== 0 && more.length === 0) {
      throw new Error(`queue ${verb} ended with ${code}: ${text.decode(stderr)}`);
    }
    const told: Record<string, number> = code === 0 ? JSON.parse(text.decode(stdout)) : {};
    for (const [what, count] of Object.entries(told)) this.#count(`${what} by command`, count);
  }

  /** Enters into the books what it had removed, and looks whether what it was told to be held is. */
  look(held: readonly Held[], when: string): void {
    const lies = new Map<string, Set<string>>();
    for (const { place, path, destinations } of held) {
      if (destinations?.includes(BY_API) !== true) continue;
      const id = path.slice(path.lastIndexOf("/") + 1).split(".")[0]!;
      lies.set(id, (lies.get(id) ?? new Set()).add(place));
    }
    for (const id of this.#held) {
      if (lies.get(id)?.has("held") === true) continue;
      this.#oracle.violations.push(
        `${when}: ${id} was held back from ${BY_API} and is in ${[...lies.get(id) ?? []]}`,
      );
    }
  }

  enterRemoved(): void {
    for (const one of this.#removed) {
      const [uid, destination] = one.split(" ");
      this.#oracle.removedByHand(uid!, destination!);
    }
  }

  /** Lets everything go. */
  async letGo(): Promise<void> {
    const client = await this.#client(() => false);
    for (const destination of DESTINATIONS) {
      await client!.switch(destination, "resume");
      await this.#release(client!, destination);
    }
  }

  #count(what: string, count: number): void {
    this.done[what] = (this.done[what] ?? 0) + count;
  }
}

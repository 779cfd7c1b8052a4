/*
 * Programs that tests start and end by their process id.
 */

import { until } from "./until.ts";

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; null in the environment takes nothing away, everything given is added. */
export async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Output> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a program that has to succeed. */
export async function runWell(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Output> {
  const output = await run(program, args, env);
  if (output.code !== 0) {
    throw new Error(
      `${program} ${args.join(" ")} ended with ${output.code}:\n${output.stdout}${output.stderr}`,
    );
  }
  return output;
}

/** A program that goes on running. What it says is kept for the failure message. */
export class Child {
  readonly #process: Deno.ChildProcess;
  readonly #name: string;
  readonly #reading: Promise<void>[];
  readonly #watchers = new Set<() => void>();
  readonly #lines: string[] = [];
  #ended = false;

  constructor(program: string, args: readonly string[], env: Record<string, string> = {}) {
    this.#name = program;
    this.#process = new Deno.Command(program, {
      args: [...args],
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = [this.#read(this.#process.stdout), this.#read(this.#process.stderr)];
    void this.#process.status.then(() => {
      this.#ended = true;
      this.#tell();
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Everything it has said, stdout and stderr. */
  get said(): string {
    return this.#lines.join("\n");
  }

  /** The first match in what it says, now or later. */
  async says(pattern: RegExp, withinMs = 30_000): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = () => {
      const found = pattern.exec(this.said);
      if (found !== null) resolve(found);
      else if (this.#ended) reject(new Error(`${this.#name} ended without saying ${pattern}`));
    };
    const timer = setTimeout(
      () => reject(new Error(`${this.#name} did not say ${pattern} within ${withinMs} ms`)),
      withinMs,
    );
    this.#watchers.add(look);
    look();
    try {
      return await promise;
    } catch (error) {
      if (error instanceof Error) error.message += `; it said:\n${this.said}`;
      throw error;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  signal(signal: Deno.Signal): void {
    if (!this.#ended) this.#process.kill(signal);
  }

  /** The exit status, when all it said has been read. */
  async exit(): Promise<Deno.CommandStatus> {
    const status = await this.#process.status;
    await Promise.all(this.#reading);
    return status;
  }

  /** Ends it, gently at first. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    this.signal(signal);
    try {
      await until(() => this.#ended, 25_000, `${this.#name} to end on ${signal}`);
    } catch (error) {
      this.signal("SIGKILL");
      throw error;
    } finally {
      await this.exit();
    }
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#lines.push(...lines);
      this.#tell();
    }
    if (rest !== "") this.#lines.push(rest);
    this.#tell();
  }

  #tell(): void {
    for (const look of [...this.#watchers]) look();
  }
}

/** A port nobody listens on now. */
export function freePort(): number {
  return freePorts(1)[0]!;
}

/** Ports nobody listens on now, each another one: the system gives a port again as soon as it is given back. */
export function freePorts(count: number): number[] {
  const held = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = held.map((listener) => listener.addr.port);
  for (const listener of held) listener.close();
  return ports;
}

/** Waits until something listens on a port. */
export async function listening(port: number, child: Child): Promise<void> {
  await until(
    async () => {
      if (child.ended) throw new Error(`it ended before it listened:\n${child.said}`);
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    },
    30_000,
    `something to listen on port ${port}`,
  );
}

/*
 * A terminal of 80 columns and 24 lines with a program in it (tmux), which a test types into and reads the screen of.
 *
 * Each has a tmux server of its own, on a socket in the test's folder: none of the machine's own is touched.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "./until.ts";

const COLUMNS = 80;
const LINES = 24;
/** A program that has to be compiled first takes its time on a busy machine. */
const WITHIN_MS = 20_000;

export class Terminal implements AsyncDisposable {
  readonly #socket: string;

  private constructor(folder: string) {
    this.#socket = join(folder, `tmux-${crypto.randomUUID().slice(0, 8)}`);
  }

  /** Starts a program; when it has ended the screen says `ENDED <exit code>`. */
  static async start(folder: string, words: readonly string[]): Promise<Terminal> {
    const terminal = new Terminal(folder);
    const command = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    const size = ["-x", `${COLUMNS}`, "-y", `${LINES}`];
    // Ctrl-C reaches the shell as well, which has to live on.
    const shell = `trap : INT; cd '${folder}'; ${command}; echo "ENDED $?"; cat`;
    await terminal.#tmux("-f", "/dev/null", "new-session", "-d", ...size, "sh", "-c", shell);
    return terminal;
  }

  /** What the screen shows; lines that ran over the edge are in one piece. */
  async screen(): Promise<string> {
    return await this.#tmux("capture-pane", "-p", "-J");
  }

  /** Everything it showed so far. */
  async history(): Promise<string> {
    return await this.#tmux("capture-pane", "-p", "-J", "-S", "-");
  }

  /** Waits until something is on the screen, in a line or in a sentence over several. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    let screen = "";
    await until(
      async () => {
        screen = await this.screen();
        found = pattern.exec(screen) ?? pattern.exec(inOnePiece(screen));
        return found !== null;
      },
      WITHIN_MS,
      () => `${pattern} on the screen:\n${screen}`,
    );
    return found!;
  }

  /** Waits for a question of the wizard: the one that is open. */
  async asks(question: RegExp): Promise<void> {
    let screen = "";
    await until(
      async () => {
        screen = await this.screen();
        const open = screen.split("\n").findLast((line) => line.startsWith("◆")) ?? "";
        return question.test(open);
      },
      WITHIN_MS,
      () => `the question ${question}:\n${screen}`,
    );
    this.#fits(screen);
  }

  /** Waits for a question, presses keys, and waits until it counts as answered. */
  async answer(question: RegExp, ...keys: readonly string[]): Promise<void> {
    await this.asks(question);
    const before = answered(await this.history());
    await this.press(...keys);
    await until(
      async () => answered(await this.history()) > before,
      WITHIN_MS,
      `an answer to ${question} by ${keys.join(" ")}`,
    );
  }

  /** Answers a question for a line of text with another than it shows. */
  async fill(question: RegExp, text: string): Promise<void> {
    await this.answer(question, "C-u", ...(text === "" ? [] : [`text:${text}`]), "Enter");
  }

  /** Answers a question that lets one of several be chosen, by its words. */
  async choose(question: RegExp, choice: RegExp): Promise<void> {
    await this.asks(question);
    const marked = async () =>
      (await this.screen()).split("\n").findLast((line) => line.includes("●")) ?? "";
    for (let moves = 0; !choice.test(await marked()); moves++) {
      assert.ok(moves < 20, `${choice} is no choice of:\n${await this.screen()}`);
      const before = await marked();
      await this.press("Down");
      await until(async () => await marked() !== before, WITHIN_MS, "the mark to move");
    }
    await this.answer(question, "Enter");
  }

  /** Presses keys by tmux's names (`Enter`, `C-c`); `text:...` types. */
  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      if (key.startsWith("text:")) await this.#tmux("send-keys", "-l", "--", key.slice(5));
      else await this.#tmux("send-keys", key);
    }
  }

  /** Waits until the program has ended. */
  async exit(): Promise<number> {
    const [, code] = await this.shows(/^ENDED (\d+)/m);
    this.#fits(await this.history());
    return Number(code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
  }

  #fits(screen: string): void {
    for (const line of screen.split("\n")) {
      assert.ok(line.trimEnd().length <= COLUMNS, `it runs over the edge: ${line}`);
    }
  }

  async #tmux(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-S", this.#socket, ...args],
      env: { LC_ALL: "C.UTF-8" },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (code !== 0) throw new Error(`tmux ${args[0]} failed: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout);
  }
}

/** Sentences without the line breaks that the width of the terminal made. */
function inOnePiece(screen: string): string {
  return screen.replace(/ *\n[│ ] +(?=\S)/g, " ");
}

/** Questions that have their answer. */
function answered(screen: string): number {
  return screen.split("\n").filter((line) => line.startsWith("◇") || line.startsWith("└  "))
    .length;
}

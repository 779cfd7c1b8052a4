/*
 * Questions and words on the terminal, by @clack/prompts.
 *
 * The only module that knows clack, and only loaded where somebody is going to be asked. Owns the width of the text.
 * Ctrl-C, Ctrl-D, Esc and a stop signal all come out as Cancelled. Everything works in 80 columns without colour and
 * without anything but ASCII, which clack falls back to where the terminal cannot do more.
 */

import { confirm, intro, isCancel, log, note, outro, password, select, text } from "@clack/prompts";
import process from "node:process";
import { wrap } from "./wrap.ts";

/** The person left. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** One thing to choose. */
export interface Choice<Value> {
  readonly value: Value;
  readonly label: string;
  readonly hint?: string;
}

/** What clack puts in front of a line, and a column to spare. */
const MARGIN = 5;
/** Lines longer than this are hard to read. */
const WIDEST = 100;

interface Key {
  readonly name?: string;
  readonly ctrl?: boolean;
}

export class Screen implements Disposable {
  readonly #signal: AbortSignal;
  readonly #ended = new AbortController();

  /** @param signal ends the question that is open, as Ctrl-C does */
  constructor(signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#ended.signal]);
    process.stdin.on("keypress", this.#onKey);
    process.stdin.once("end", this.#onEnd);
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  get #width(): number {
    return Math.min(process.stdout.columns ?? 80, WIDEST) - MARGIN;
  }

  /** Ctrl-D ends the input: clack's question would stay open for ever without any. */
  readonly #onKey = (_text: string | undefined, key: Key | undefined) => {
    if (key?.ctrl === true && key.name === "d") this.#onEnd();
  };

  readonly #onEnd = () => this.#ended.abort();

  [Symbol.dispose](): void {
    process.stdin.off("keypress", this.#onKey);
    process.stdin.off("end", this.#onEnd);
  }

  start(title: string): void {
    intro(title);
  }

  finish(words: string): void {
    outro(wrap(words, this.#width).join("\n   "));
  }

  /** The head of a section. */
  section(title: string): void {
    log.step(title);
  }

  say(words: string): void {
    log.message(this.#lines(words));
  }

  /** Goes on right below what was said last. */
  more(words: string): void {
    log.message(this.#lines(words), { spacing: 0 });
  }

  good(words: string): void {
    // clack's sign for success is that of an open question: words alone are clearer.
    log.message(this.#lines(words));
  }

  warn(words: string): void {
    log.warn(this.#text(words));
  }

  bad(words: string): void {
    log.error(this.#text(words));
  }

  /** Lines in a frame. */
  frame(title: string, lines: readonly string[]): void {
    // clack breaks lines without regard to what hangs under what.
    note(lines.flatMap((line) => wrap(line, this.#width - 2)).join("\n"), title);
  }

  /**
   * Asks for a line.
   *
   * @param wanted says what is wanted where the answer is not right, undefined where it is
   * @returns without the spaces around it, unless it is `initial`
   * @throws Cancelled
   */
  async line(
    message: string,
    initial: string,
    wanted: (answer: string) => string | undefined = () => undefined,
  ): Promise<string> {
    const answer = await text({
      message,
      initialValue: initial,
      signal: this.#signal,
      validate: (typed) => this.#fault(wanted((typed ?? "").trim())),
    });
    if (isCancel(answer)) throw new Cancelled();
    const said = (answer ?? "").trim();
    // Spaces around a value that was kept are the file's own.
    return said === initial.trim() ? initial : said;
  }

  /**
   * Asks for a line that is not shown.
   *
   * @param wanted as in `line`
   * @returns as it was typed, spaces included
   * @throws Cancelled
   */
  async secret(
    message: string,
    wanted: (answer: string) => string | undefined = () => undefined,
  ): Promise<string> {
    const answer = await password({
      message,
      signal: this.#signal,
      validate: (typed) => this.#fault(wanted(typed ?? "")),
    });
    if (isCancel(answer)) throw new Cancelled();
    return answer ?? "";
  }

  /**
   * Asks for yes or no.
   *
   * @throws Cancelled
   */
  async yes(message: string, initial: boolean): Promise<boolean> {
    const answer = await confirm({ message, initialValue: initial, signal: this.#signal });
    if (isCancel(answer)) throw new Cancelled();
    return answer;
  }

  /**
   * Lets one of several be chosen.
   *
   * @throws Cancelled
   */
  async choose<Value extends string>(
    message: string,
    choices: readonly Choice<Value>[],
    initial?: Value,
  ): Promise<Value> {
    const answer = await select<string>({
      message,
      options: choices.map(({ value, label, hint }) => ({
        value: value as string,
        label,
        ...(hint === undefined ? {} : { hint }),
      })),
      ...(initial === undefined ? {} : { initialValue: initial }),
      signal: this.#signal,
      // Its arrows are no ASCII; the first lines of the wizard say how to move.
      showInstructions: false,
    });
    if (isCancel(answer)) throw new Cancelled();
    return choices.find(({ value }) => value === answer)!.value;
  }

  #fault(wanted: string | undefined): string | undefined {
    return wanted === undefined ? undefined : wrap(`Wanted: ${wanted}.`, this.#width).join("\n   ");
  }

  #lines(words: string): string[] {
    return words.split("\n").flatMap((line) => wrap(line, this.#width));
  }

  #text(words: string): string {
    return this.#lines(words).join("\n");
  }
}

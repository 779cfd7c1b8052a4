/*
 * Debian's Chromium, driven over its own protocol, for tests of the status pages.
 *
 * Every page that is opened is watched: what it says on its console, what its Content-Security-Policy stopped, dialogs,
 * requests to anywhere else, and how many bytes came over the wire. A test ends by `assertClean`.
 */

import assert from "node:assert/strict";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import * as inPage from "./in_page.js";
import { CHROMIUM } from "./required_peers.ts";

/** As root there is no sandbox to be had; the pages it opens are our own. */
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
/** A machine with much else to do takes its time. */
const WITHIN_MS = 20_000;

/** Starts it, with what else it is told on its command line; close it in the end. */
export async function startBrowser(more: readonly string[] = []): Promise<Browser> {
  const args = [...ARGS, ...more];
  return await chromium.launch({ executablePath: CHROMIUM.files[0]!, args, headless: true });
}

export class WatchedPage implements AsyncDisposable {
  readonly page: Page;
  readonly #base: string;
  readonly #complaints: string[] = [];
  /** Bytes over the wire, headers included. */
  received = 0;

  private constructor(page: Page, base: string) {
    this.page = page;
    this.#base = base;
  }

  /** Opens a page of a server in a profile of its own. */
  static async open(
    browser: Browser,
    base: string,
    hash = "#/",
    options: BrowserContextOptions = {},
  ): Promise<WatchedPage> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 860 },
      ...options,
    });
    context.setDefaultTimeout(WITHIN_MS);
    const page = await context.newPage();
    const watched = new WatchedPage(page, base);
    await watched.#watch();
    await page.goto(`${base}/${hash}`);
    return watched;
  }

  /** What nobody should ever see. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** Goes to another view by its address. */
  async go(hash: string): Promise<void> {
    await this.page.goto(`${this.#base}/${hash}`);
  }

  /** Waits until a text is on the page. */
  async shows(text: string | RegExp, selector = "body"): Promise<void> {
    await this.page.locator(selector).filter({ hasText: text }).first().waitFor();
  }

  /** Nothing on the console, nothing stopped, no dialog, nothing from elsewhere. */
  assertClean(): void {
    assert.deepEqual(this.#complaints, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }

  async #watch(): Promise<void> {
    const { page } = this;
    const complain = (words: string) => void this.#complaints.push(words);
    page.on("console", (message) => {
      if (["error", "warning", "assert"].includes(message.type())) {
        complain(`console: ${message.text()} ${message.location().url}`);
      }
    });
    page.on("pageerror", (error) => complain(`error: ${error.message}`));
    page.on("dialog", (dialog) => {
      complain(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("popup", (other) => complain(`popup: ${other.url()}`));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${this.#base}/`)) complain(`request elsewhere: ${url}`);
    });
    await page.addInitScript(inPage.tellViolations);
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    session.on("Network.loadingFinished", ({ encodedDataLength }) => {
      this.received += encodedDataLength;
    });
  }
}

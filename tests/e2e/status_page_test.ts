/*
 * What an administrator sees and does in a browser, with the forwarder as it runs in earnest behind the page: a process of
 * its own, under its permissions, with real DICOM nodes before and behind it.
 *
 * One browser for all of it: it is what takes the time. What the page looks like with a forwarder that is none is
 * tests/web/pages_test.ts.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { readControlFile } from "../../src/web/control_file.ts";
import { startBrowser, WatchedPage } from "../helpers/browser.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import * as inPage from "../helpers/in_page.js";
import { asBytes, instanceOf, type TestInstance } from "../helpers/instances.ts";
import { commandPdu } from "../helpers/pdus.ts";
import { CHROMIUM, peerTest } from "../helpers/required_peers.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { ScriptedNode } from "../helpers/scripted_node.ts";
import { CT_EXPLICIT, sendAll, Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";
import { HOSTILE } from "../web/fake_control.ts";
import { ask, csrfOf, type RawRequest } from "../web/raw_http.ts";

/** All that the pages may weigh. */
const MOST_BYTES = 300_000;
/** A destination that fails is to be seen within this, in ms. */
const SEEN_MS = 2000;

/** A forwarder with a page, in a folder of its own. */
class House implements AsyncDisposable {
  readonly scratch: Scratch;
  readonly daemon: DaemonProcess;
  readonly port: number;
  readonly url: string;

  private constructor(scratch: Scratch, daemon: DaemonProcess, port: number, url: string) {
    this.scratch = scratch;
    this.daemon = daemon;
    this.port = port;
    this.url = url;
  }

  static async start(settings: Record<string, unknown>): Promise<House> {
    const scratch = await Scratch.make();
    const all = { web: { port: 0 }, ...settings };
    const daemon = await DaemonProcess.start(scratch.path, all);
    let url = "";
    await until(
      async () => (url = (await readControlFile(scratch.at("spool")))?.url ?? "") !== "",
      20_000,
      () => `the page to be served: ${daemon.said}`,
    );
    return new House(scratch, daemon, daemon.port, url.replace(/\/$/, ""));
  }

  get webPort(): number {
    return Number(new URL(this.url).port);
  }

  async ask<T>(path: string): Promise<T> {
    return JSON.parse((await ask(this.webPort, { path: `/api/v1${path}` })).text);
  }

  /** The ledger's events of these kinds, each with who it was. */
  told(...events: string[]): { event: string; who: string }[] {
    return filesIn(this.scratch.at("spool", "ledger")).filter((path) => path.endsWith(".jsonl"))
      .flatMap((path) => Deno.readTextFileSync(path).trim().split("\n"))
      .map((line) => JSON.parse(line))
      .filter(({ event }) => events.includes(event))
      .map(({ event, who }) => ({ event, who }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

function instances(count: number, study = "1.2.3"): TestInstance[] {
  return Array.from(
    { length: count },
    (_, n) =>
      instanceOf({ sopInstanceUid: `${study}.1.${n}`, studyUid: study, patientId: `P ${study}` }),
  );
}

peerTest("the status page of a forwarder in earnest", [CHROMIUM], async (t) => {
  const browser = await startBrowser();
  const step = (name: string, fn: () => Promise<void>) =>
    // The browser's connection outlives each step.
    t.step({ name, fn, sanitizeOps: false, sanitizeResources: false });
  try {
    await step("a study's progress is seen while it goes on, and all pages are light", async () => {
      let allowed = 0;
      await using sink = new Sink({
        answer: async () => {
          await until(() => allowed > 0, 30_000, "leave to answer");
          allowed--;
          return 0;
        },
      });
      await using house = await House.start({
        destinations: [nodeAt("pacs", sink.port)],
        store_locally: true,
      });
      await using watched = await WatchedPage.open(browser, house.url, "#/studies");
      await watched.shows("No study yet", ".empty");
      await sendAll(house.port, instances(6), { calling: "CT_1" });
      await watched.shows("0 of 6 delivered", ".study");
      await watched.shows("CT_1", ".study");
      const bar = watched.page.locator(".study").getByRole("progressbar").first();
      assert.equal(await bar.getAttribute("aria-valuenow"), "0");
      allowed = 2;
      await watched.shows("2 of 6 delivered", ".study");
      allowed = 4;
      await watched.shows(/(^|\s)6 delivered/, ".study");
      await watched.go("#/");
      await watched.shows("All is well: 2 destinations reachable, nothing waits.", "h1");
      // Not where it lies: the path names the patient.
      await watched.shows(/Last answer: stored · /, ".card");
      for (const view of ["queue", "log", "settings", "about"]) {
        await watched.go(`#/${view}`);
        await watched.page.waitForLoadState("networkidle");
      }
      assert.ok(watched.received > 20_000, `only ${watched.received} bytes were counted`);
      assert.ok(watched.received < MOST_BYTES, `${watched.received} bytes came over the wire`);
      watched.assertClean();
    });

    await step("a stopped destination is told of within 2 s, and again when it is up", async () => {
      const first = new Sink();
      const { port } = first;
      await using house = await House.start({ destinations: [nodeAt("pacs", port)] });
      await using watched = await WatchedPage.open(browser, house.url);
      await sendAll(house.port, instances(1));
      await watched.shows("All is well", "h1");
      await first[Symbol.asyncDispose]();
      await watched.page.evaluate(inPage.noteWhen, "pacs (has been|is) down");
      await sendAll(house.port, instances(3, "1.2.4"));
      await watched.shows(
        /^pacs (has been|is) down.*: 127\.0\.0\.1:\d+ refused the connection: nothing listens on that port\. 3 images wait; next attempt in \d+ s\.$/,
        "h1",
      );
      const seen = await watched.page.evaluate(inPage.noted);
      const { destinations } = await house.ask<{ destinations: { since: number }[] }>("/overview");
      const late = seen - destinations[0]!.since;
      assert.ok(late >= 0 && late < SEEN_MS, `seen ${late} ms after the failure`);
      await watched.shows("Start pacs, or check its port in the settings.", ".advice");
      await watched.shows(/Down[^]*Next attempt in \d+ s/, ".card");
      await using _again = new Sink({ port });
      await watched.page.getByRole("button", { name: "Try pacs now" }).click();
      await watched.shows("All is well: 1 destination reachable, nothing waits.", "h1");
      await watched.shows(/Up[^]*Delivered: 4 images/, ".card");
      watched.assertClean();
    });

    await step("what failed is put back with a click once its destination is mended", async () => {
      let status = 0xa900;
      await using sink = new Sink({ answer: () => status });
      await using house = await House.start({
        retry_attempts: 0,
        destinations: [nodeAt("pacs", sink.port)],
      });
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      await sendAll(house.port, instances(1));
      await watched.shows("1 image has failed for pacs and will not be tried again.", "h1");
      status = 0xc000;
      await sendAll(house.port, instances(1, "1.2.4"));
      await watched.shows("2 images have failed for pacs", "h1");
      await page.getByRole("link", { name: "What failed" }).click();
      await watched.shows("Data set does not match SOP class (A900)", "tbody");
      await watched.shows("Cannot understand (C000)", "tbody");
      status = 0;
      await page.locator("tbody").getByRole("checkbox").first().check();
      await page.getByRole("button", { name: "Retry" }).click();
      await watched.shows("1 image put back and tried at once.", ".message");
      await until(() => sink.arrivals.some((one) => one.status === 0), 20_000, "it to arrive");
      await watched.shows("1 image", ".count");
      await page.locator("tbody").getByRole("button", { name: /^Details/ }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
      await watched.shows("Nothing here with this filter", ".empty");
      await watched.go("#/");
      await watched.shows("All is well: 1 destination reachable, nothing waits.", "h1");
      assert.deepEqual(house.told("retried"), [
        { event: "retried", who: "web 127.0.0.1" },
        { event: "retried", who: "web 127.0.0.1" },
      ]);
      watched.assertClean();
    });

    await step(
      "an image is held, released and removed with clicks; the ledger has it",
      async () => {
        const gone = new Sink();
        await gone[Symbol.asyncDispose]();
        await using house = await House.start({ destinations: [nodeAt("pacs", gone.port)] });
        await sendAll(house.port, instances(2));
        await using watched = await WatchedPage.open(browser, house.url, "#/queue");
        const { page } = watched;
        const button = (name: string) => page.getByRole("button", { name, exact: true });
        const rows = page.locator("tbody tr");
        await watched.shows(/refused the connection|in \d+ s|now/, "tbody tr");
        await rows.first().getByRole("checkbox").check();
        await button("Hold").click();
        await watched.shows("1 image held until released.", ".message");
        await watched.shows(/Held[^]*Held back by web 127\.0\.0\.1[^]*when released/, "tbody tr");
        await rows.filter({ hasText: "Held" }).getByRole("checkbox").check();
        await button("Release").click();
        await watched.shows("1 image released.", ".message");
        await until(
          async () => await rows.filter({ hasText: "Waiting" }).count() === 2,
          20_000,
          "both to wait",
        );
        await rows.first().getByRole("checkbox").check();
        await button("Remove …").click();
        await page.getByRole("alertdialog").getByRole("button", { name: "Remove 1 image" }).click();
        await watched.shows("1 image removed for good.", ".message");
        await until(async () => await rows.count() === 1, 20_000, "one row");
        assert.deepEqual(house.told("held", "released", "removed"), [
          { event: "held", who: "web 127.0.0.1" },
          { event: "released", who: "web 127.0.0.1" },
          { event: "removed", who: "web 127.0.0.1" },
        ]);
        watched.assertClean();
      },
    );

    await step("hostile texts in every field that a node can fill are shown as texts", async () => {
      await using node = await ScriptedNode.listen(async (association, number) => {
        const version = asBytes(HOSTILE[number % HOSTILE.length]!).slice(0, 16);
        await association.accept(undefined, undefined, { implementationVersionName: version });
        for (;;) {
          const store = await association.receiveStore();
          if (store === undefined) return;
          const errorComment = asBytes(HOSTILE[store.messageId % HOSTILE.length]!).slice(0, 64);
          await association.peer.send(commandPdu(store.contextId, {
            commandField: 0x8001,
            affectedSopClassUid: store.sopClassUid,
            messageIdBeingRespondedTo: store.messageId,
            commandDataSetType: 0x0101,
            status: 0xc123,
            errorComment,
            affectedSopInstanceUid: store.sopInstanceUid,
          }));
        }
      });
      await using house = await House.start({
        retry_attempts: 0,
        require_called_ae_title: false,
        destinations: [nodeAt("pacs", node.port)],
      });
      for (const [n, text] of HOSTILE.entries()) {
        const bytes = asBytes(text);
        const title = bytes.slice(0, 16);
        const strange = { ...CT_EXPLICIT, transferSyntaxUid: bytes.slice(0, 64) };
        await using sender = await Sender.open(house.port, {
          calling: title,
          called: title,
          pairs: [CT_EXPLICIT, strange],
        });
        const status = await sender.send(instanceOf({
          sopInstanceUid: `1.2.99.${n}`,
          patientId: bytes,
          patientName: bytes,
          accessionNumber: bytes,
          modality: bytes,
          studyUid: bytes,
          seriesUid: bytes,
        }));
        assert.equal(status, 0, JSON.stringify(text));
      }
      await until(
        async () => (await house.ask<{ failed: number }>("/overview")).failed === HOSTILE.length,
        20_000,
        "all to fail",
      );
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      const [script, image] = HOSTILE;
      for (const view of ["", "studies", "queue", "log", "settings"]) {
        await watched.go(`#/${view}`);
        await page.waitForLoadState("networkidle");
        await page.locator("main h1").waitFor();
        if (view === "studies") await watched.shows(script!, ".study");
        if (view === "queue") await watched.shows(image!, "tbody");
        if (view === "log") await watched.shows("onerror=", ".log");
        assert.deepEqual(await page.evaluate(inPage.foreign), [], view);
      }
      await watched.go("#/studies");
      await page.getByRole("searchbox").fill(image!.slice(0, 64));
      await watched.shows(image!, ".study");
      await watched.go("#/queue");
      for (let n = 0; n < HOSTILE.length; n++) {
        await page.locator("tbody").getByRole("button").nth(n).click();
        await page.getByRole("dialog").getByText("What the ledger says").waitFor();
        assert.deepEqual(await page.evaluate(inPage.foreign), []);
        if (n === 0) await watched.shows(script!, "dialog, [role=dialog]");
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      watched.assertClean();
    });

    await step("a refused configuration is told of on each page that it concerns", async () => {
      await using sink = new Sink();
      await using house = await House.start({ destinations: [nodeAt("pacs", sink.port)] });
      await using watched = await WatchedPage.open(browser, house.url);
      await watched.shows("Ready.", "h1");
      Deno.writeTextFileSync(join(house.scratch.path, "config.json"), `{ "local_port": "x" `);
      house.daemon.signal("SIGHUP");
      await watched.shows(/^The settings need a look: .*refused.*not JSON/, "h1");
      await watched.page.getByRole("link", { name: "Settings" }).first().click();
      await watched.shows(/refused[^]*config\.json[^]*not JSON/, "main .notice");
      await watched.page.getByRole("button", { name: "Reload the file" }).click();
      await watched.shows(/The file was refused[^]*not JSON/, ".test-result.bad");
      watched.assertClean();
    });
  } finally {
    await browser.close();
  }
});

Deno.test("a forged name, origin or token gets 403, and a body of 10 MB 413", async () => {
  await using sink = new Sink();
  await using house = await House.start({ destinations: [nodeAt("pacs", sink.port)] });
  const port = house.webPort;
  const token = await csrfOf(port);
  const pause = async (more: RawRequest["headers"] = [], csrf = token) =>
    (await ask(port, {
      method: "POST",
      path: "/api/v1/destinations/pacs/pause",
      headers: [
        ["Content-Type", "application/json"],
        ...(csrf === "" ? [] : [["X-CSRF-Token", csrf] as const]),
        ...more,
      ],
      body: "{}",
    })).status;
  const state = async () =>
    (await house.ask<{ destinations: { state: string }[] }>("/overview")).destinations[0]!.state;
  for (const host of ["evil.example", `evil.example:${port}`, `127.0.0.1.evil.example:${port}`]) {
    assert.equal(await pause([["Host", host]]), 403, host);
    for (const path of ["/", "/api/v1/overview", "/api/v1/events", "/metrics"]) {
      assert.equal((await ask(port, { path, headers: [["Host", host]] })).status, 403, host + path);
    }
  }
  for (const origin of ["http://evil.example", "null", `http://127.0.0.1:${port + 1}`]) {
    assert.equal(await pause([["Origin", origin]]), 403, origin);
  }
  for (const site of ["cross-site", "same-site"]) {
    assert.equal(await pause([["Sec-Fetch-Site", site]]), 403, site);
  }
  for (const forged of ["", "x", token.slice(0, -1) + (token.endsWith("A") ? "B" : "A")]) {
    assert.equal(await pause([], forged), 403, `token ${forged}`);
  }
  assert.equal(await state(), "up");
  const large = await ask(port, {
    method: "POST",
    path: "/api/v1/queue/retry",
    headers: [["Content-Type", "application/json"], ["X-CSRF-Token", token], [
      "Expect",
      "100-continue",
    ], ["Content-Length", "10000000"]],
  });
  assert.equal(large.status, 413);
  assert.equal(await pause(), 200);
  assert.equal(await state(), "paused");
});

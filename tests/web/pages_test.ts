/*
 * The status pages in a real browser, with a forwarder that is none behind them.
 *
 * One browser for all of it: it is what takes the time.
 */

import assert from "node:assert/strict";
import { hashPassword } from "../../src/access/password.ts";
import { startBrowser, WatchedPage } from "../helpers/browser.ts";
import { freePort } from "../helpers/child.ts";
import { contrasts } from "../helpers/contrast.ts";
import * as inPage from "../helpers/in_page.js";
import { CHROMIUM, peerTest } from "../helpers/required_peers.ts";
import { until } from "../helpers/until.ts";
import { HOSTILE } from "./fake_control.ts";
import { allWell, firstStart, hostile, pacsDown, Scene } from "./scenes.ts";
import { WebHouse } from "./web_house.ts";

const VIEWS = [
  ["#/", "Overview"],
  ["#/studies", "Studies"],
  ["#/queue", "Queue"],
  ["#/log", "Log"],
  ["#/settings", "Settings"],
  ["#/about", "About"],
] as const;
const PHONE = {
  viewport: { width: 360, height: 740 },
  isMobile: true,
  hasTouch: true,
  reducedMotion: "reduce" as const,
};
/** All that the pages may weigh. */
const MOST_BYTES = 300_000;

peerTest("the status pages", [CHROMIUM], async (t) => {
  const browser = await startBrowser();
  const step = (name: string, fn: () => Promise<void>) =>
    // The browser's connection outlives each step.
    t.step({ name, fn, sanitizeOps: false, sanitizeResources: false });
  try {
    await step("every view renders cleanly, under 300 KB all told", async () => {
      await using house = await WebHouse.start(allWell());
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      await watched.shows("All is well: 3 destinations reachable, nothing waits.", "h1");
      await page.locator(".plot canvas").waitFor();
      for (const [hash, name] of VIEWS) {
        await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
        await page.waitForURL(`${house.url}/${hash}`);
        // The address is there before the page has heard of it.
        await page.locator("nav.main a[aria-current=page]", { hasText: name }).waitFor();
        assert.equal(await page.locator("main h1").count(), 1, name);
        assert.match(await page.title(), new RegExp(`^✓ ${name} · DICOM Forwarder$`));
        const levels = await page.evaluate(inPage.headingLevels);
        levels.forEach((level, n) =>
          assert.ok(n === 0 || level <= levels[n - 1]! + 1, `${name}: ${levels}`)
        );
        assert.deepEqual(await page.evaluate(inPage.unnamed), [], name);
      }
      assert.ok(watched.received > 20_000, `only ${watched.received} bytes were counted`);
      assert.ok(watched.received < MOST_BYTES, `${watched.received} bytes came over the wire`);
      let unpacked = 0;
      const paths = await page.evaluate(() =>
        performance.getEntriesByType("resource").map(({ name }) => name).filter((name) =>
          name.includes("/assets/")
        )
      );
      for (const path of new Set(["/", ...paths])) {
        const answer = await fetch(new URL(path, house.url), {
          headers: { "accept-encoding": "identity" },
        });
        unpacked += (await answer.arrayBuffer()).byteLength;
      }
      assert.ok(
        unpacked > 150_000 && unpacked < MOST_BYTES,
        `the pages are ${unpacked} bytes, unpacked`,
      );
      watched.assertClean();
    });

    await step(
      "a forwarder just started says that it is ready, and each list that it is empty",
      async () => {
        await using house = await WebHouse.start(firstStart());
        await using watched = await WatchedPage.open(browser, house.url);
        await watched.shows("Ready. Nothing has been received since the start.", "h1");
        await watched.shows("Send to AE title DICOMFORWARDER at 0.0.0.0:11112.", ".advice");
        await watched.shows("Not tried yet", ".card");
        for (
          const [hash, words] of [["#/studies", "No study yet"], ["#/queue", "Nothing waits"], [
            "#/log",
            "No lines",
          ]] as const
        ) {
          await watched.go(hash);
          await watched.shows(words, ".empty");
        }
        watched.assertClean();
      },
    );

    await step(
      "a destination that goes down is told live: why, what waits, when it is tried",
      async () => {
        const scene = allWell();
        await using house = await WebHouse.start(scene);
        await using watched = await WatchedPage.open(browser, house.url);
        const { page } = watched;
        await watched.shows("All is well", "h1");
        scene.change = pacsDown().change;
        await watched.shows(
          /^pacs has been down for 12 min: .+ refused the connection: .+\. 1,204 images wait; next attempt in \d+ s\.$/,
          "h1",
        );
        await watched.shows("Start pacs, or check its port in the settings.", ".advice");
        assert.equal(await page.locator(".verdict").getAttribute("data-level"), "bad");
        assert.match(await page.title(), /^✗ /);
        await until(
          async () =>
            (await page.locator("#announce").innerText()).startsWith("pacs has been down"),
          20_000,
          "it to be told to who listens",
        );
        const card = page.locator(".card", { has: page.getByRole("heading", { name: "pacs" }) });
        assert.match(await card.innerText(), /Down[^]*8 attempts failed/);
        // It counts down by itself.
        const first = await page.locator("h1").innerText();
        await until(
          async () => await page.locator("h1").innerText() !== first,
          20_000,
          "the countdown",
        );
        await page.getByRole("link", { name: "What waits" }).click();
        assert.equal(await page.getByLabel("Destination").inputValue(), "pacs");
        watched.assertClean();
      },
    );

    await step("figures change in place: focus, selection and scroll stay", async () => {
      const scene = new Scene();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      const button = page.getByRole("button", { name: "Test the connection to archive" });
      await button.focus();
      const before = await page.evaluate(inPage.mark);
      const delivered = page.locator("article").first().getByText(/^Delivered:/);
      const said = await delivered.innerText();
      // In some of its seconds nothing comes.
      const steps = setInterval(() => scene.step(), 200);
      try {
        await until(async () => await delivered.innerText() !== said, 20_000, "another figure");
      } finally {
        clearInterval(steps);
      }
      const after = await page.evaluate(inPage.marked);
      assert.deepEqual(after, {
        same: true,
        selected: "pacs",
        scroll: before,
        focus: "Test the connection to archive",
      });
      watched.assertClean();
    });

    await step("a failed image is put back by keyboard alone, from the first Tab on", async () => {
      const scene = new Scene();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      await page.locator(".card").first().waitFor();
      await page.keyboard.press("Tab");
      assert.equal(await focused(watched), "Skip to the content");
      await page.keyboard.press("Enter");
      assert.equal((await page.evaluate(inPage.focusedElement)).id, "main");
      await tabTo(watched, "What failed");
      await page.keyboard.press("Enter");
      await page.locator("tbody tr").first().waitFor();
      assert.equal(await focused(watched), "Queue", "the focus goes to the new page's heading");
      await tabTo(watched, /^Select image /);
      assert.notEqual((await page.evaluate(inPage.focusedElement)).outline, "none");
      await page.keyboard.press("Space");
      await page.keyboard.down("Shift");
      await tabTo(watched, "Retry");
      await page.keyboard.up("Shift");
      await page.keyboard.press("Enter");
      await watched.shows("1 image put back and tried at once.", ".message");
      assert.match(
        scene.done.at(-1)!,
        /^retry \{"items":\[\{"id":"[^"]+","destination":"[a-z]+"\}\]\} by web 127\.0\.0\.1/,
      );
      assert.notEqual((await page.evaluate(inPage.focusedElement)).tag, "BODY");
      watched.assertClean();
    });

    await step("no view traps the keyboard: Tab comes round to the beginning", async () => {
      await using house = await WebHouse.start(new Scene({ items: 5 }));
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      for (const [hash, name] of VIEWS) {
        await watched.go(hash);
        await page.locator("main h1").waitFor();
        await page.waitForLoadState("networkidle").catch(() => {});
        let outside = false;
        for (let presses = 0; presses < 120 && !outside; presses++) {
          await page.keyboard.press("Tab");
          const { id, tag } = await page.evaluate(inPage.focusedElement);
          outside = id === "skip" || tag === "BODY";
        }
        assert.ok(outside, `${name} keeps the focus`);
      }
      watched.assertClean();
    });

    await step("removing asks, says how many, and does nothing on Cancel or Escape", async () => {
      const scene = new Scene();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(
        browser,
        house.url,
        "#/queue?destination=pacs&state=failed",
      );
      const { page } = watched;
      await page.locator("tbody tr").first().waitFor();
      for (const row of [0, 1]) await page.locator("tbody input").nth(row).check();
      const remove = page.getByRole("button", { name: "Remove …" });
      const dialog = page.getByRole("alertdialog");
      await remove.click();
      assert.match(
        await dialog.innerText(),
        /Remove 2 images\?[^]*for good[^]*recorded in the ledger/,
      );
      assert.equal(await focused(watched), "Cancel");
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      assert.equal(await focused(watched), "Remove …", "the focus comes back");
      await remove.click();
      await dialog.getByRole("button", { name: "Cancel" }).click();
      await dialog.waitFor({ state: "detached" });
      assert.deepEqual(scene.done, []);
      await remove.click();
      await dialog.getByRole("button", { name: "Remove 2 images" }).click();
      await watched.shows("2 images removed for good.", ".message");
      assert.equal(scene.done.length, 1);
      assert.match(scene.done[0]!, /^remove \{"items":\[.+\]\}/);
      watched.assertClean();
    });

    await step("all that failed for a destination is put back with one button", async () => {
      const scene = new Scene();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url, "#/queue");
      const { page } = watched;
      await page.getByLabel("Destination").selectOption("research");
      await watched.shows(/^All \d+ that failed for research$/, ".scope");
      await page.getByRole("button", { name: "Retry all" }).click();
      await watched.shows(/^\d+ images put back/, ".message");
      assert.match(scene.done[0]!, /^retry \{"state":"failed","destination":"research"\}/);
      watched.assertClean();
    });

    await step("the queue is gone through page by page", async () => {
      await using house = await WebHouse.start(new Scene({ items: 250 }));
      await using watched = await WatchedPage.open(browser, house.url, "#/queue");
      const { page } = watched;
      await watched.shows("1 to 100 of 250 images", ".count");
      const first = await page.locator("tbody input").first().getAttribute("aria-label");
      await page.getByRole("button", { name: "Next" }).click();
      await watched.shows("101 to 200 of 250 images", ".count");
      await page.getByRole("button", { name: "Next" }).click();
      await watched.shows("201 to 250 of 250 images", ".count");
      assert.ok(await page.getByRole("button", { name: "Next" }).isDisabled());
      await page.getByRole("button", { name: "Previous" }).click();
      await page.getByRole("button", { name: "Previous" }).click();
      await watched.shows("1 to 100 of 250 images", ".count");
      assert.equal(await page.locator("tbody input").first().getAttribute("aria-label"), first);
      watched.assertClean();
    });

    await step("an image's details open by address, and its file comes as it is", async () => {
      const scene = new Scene();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url, "#/queue?state=failed");
      const { page } = watched;
      const details = page.locator("tbody").getByRole("button").first();
      await details.click();
      const drawer = page.getByRole("dialog");
      await drawer.getByText("What the ledger says").waitFor();
      assert.match(page.url(), /item=/);
      await page.reload();
      await drawer.getByText("SOP Instance UID").waitFor();
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        drawer.getByRole("link", { name: "Download" }).click(),
      ]);
      assert.match(file.suggestedFilename(), /^\d+-\d+\.dcm$/);
      await page.keyboard.press("Escape");
      await drawer.waitFor({ state: "detached" });
      assert.doesNotMatch(page.url(), /item=/);
      // Whoever goes elsewhere with them open gets there, and they are gone.
      await details.click();
      await drawer.getByText("SOP Instance UID").waitFor();
      await watched.go("#/about");
      await drawer.waitFor({ state: "detached" });
      await watched.shows("About", "main h1");
      assert.match(page.url(), /#\/about$/);
      watched.assertClean();
    });

    await step("a destination is tested, paused and resumed", async () => {
      const scene = new Scene();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      await page.getByRole("button", { name: "Test the connection to pacs" }).click();
      await watched.shows("C-ECHO: Success", ".test-result.ok");
      await page.getByRole("button", { name: "Test the connection to research" }).click();
      await watched.shows(/The test failed[^]*Connection refused/, ".test-result.bad");
      await page.getByRole("button", { name: "Pause pacs" }).click();
      await watched.shows(/Paused by web 127/, ".card");
      await page.getByRole("button", { name: "Resume pacs" }).click();
      await page.getByRole("button", { name: "Pause pacs" }).waitFor();
      await page.getByRole("button", { name: "Try research now" }).click();
      await watched.shows("research is tried at once.", ".message");
      assert.deepEqual(scene.done.map((words) => words.split(" by ")[0]), [
        "test pacs",
        "test research",
        "pause pacs",
        "resume pacs",
        "try research",
      ]);
      watched.assertClean();
    });

    await step("a study is found by its patient ID, and its progress goes on", async () => {
      const scene = allWell();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url, "#/studies");
      const { page } = watched;
      const bar = page.getByRole("progressbar", { name: "Delivered to pacs" }).first();
      await bar.waitFor();
      const before = await bar.getAttribute("aria-valuemax");
      // In some of its seconds nothing comes.
      const steps = setInterval(() => scene.step(), 200);
      try {
        await until(
          async () => await bar.getAttribute("aria-valuemax") !== before,
          20_000,
          "progress",
        );
      } finally {
        clearInterval(steps);
      }
      await page.getByRole("searchbox").fill("no such patient");
      await watched.shows("No study matches", ".empty");
      assert.match(page.url(), /search=no\+such\+patient$/);
      await page.getByRole("searchbox").fill("");
      await page.locator(".study").first().waitFor();
      watched.assertClean();
    });

    await step("nobody who has gone to another page is called back by what was open", async () => {
      await using house = await WebHouse.start(new Scene());
      await using watched = await WatchedPage.open(browser, house.url, "#/studies");
      const { page } = watched;
      await page.getByRole("searchbox").fill("some");
      await watched.go("#/queue");
      await page.locator("tbody").getByRole("button").first().click();
      await page.getByRole("dialog").waitFor();
      await page.evaluate(inPage.closeAndGo, "#/settings");
      await page.getByRole("button", { name: "Reload the file" }).waitFor();
      // Longer than what was typed may take to be looked for.
      await page.waitForTimeout(400);
      assert.match(page.url(), /#\/settings$/);
      watched.assertClean();
    });

    await step("a refused configuration says why, and the settings show no secret", async () => {
      await using house = await WebHouse.start(new Scene());
      await using watched = await WatchedPage.open(browser, house.url, "#/settings");
      const { page } = watched;
      await page.getByRole("button", { name: "Reload the file" }).click();
      await watched.shows(/The file was refused[^]*wanted a whole number/, ".test-result.bad");
      await watched.shows("(not shown)", ".pairs");
      watched.assertClean();
    });

    await step(
      "the log follows, filters by level, and stays where one has scrolled to",
      async () => {
        const scene = new Scene();
        await using house = await WebHouse.start(scene);
        await using watched = await WatchedPage.open(browser, house.url, "#/log");
        const { page } = watched;
        const lines = page.locator(".log li");
        const base = Array.from({ length: 200 }, (_, n) => ({
          at: 1_700_000_000_000 + n,
          level: n % 10 === 0 ? "error" as const : "info" as const,
          text: `line ${n}`,
        }));
        scene.lines = base;
        await page.reload();
        await lines.nth(199).waitFor();
        scene.lines = [...base, { at: 1_700_000_001_000, level: "info", text: "one more" }];
        await watched.shows("one more", ".log li:last-child");
        assert.equal(await lines.count(), 201, "each line once");
        assert.ok(await page.evaluate(inPage.logScroll, null) < 8, "it is at its end");
        await page.evaluate(inPage.logScroll, 100);
        await until(
          async () => !await page.getByLabel("Follow").isChecked(),
          20_000,
          "Follow to go off",
        );
        await page.getByLabel("Level").selectOption("error");
        await until(async () => await lines.count() === 20, 20_000, "errors alone");
        watched.assertClean();
      },
    );

    await step(
      "hostile texts in every field are texts: no element, no script, no dialog",
      async () => {
        const scene = hostile();
        await using house = await WebHouse.start(scene);
        await using watched = await WatchedPage.open(browser, house.url);
        const { page } = watched;
        for (const [hash, name] of VIEWS) {
          await watched.go(hash);
          await page.reload();
          await watched.shows(/hacked|DROP TABLE/, "main");
          if (name === "Overview") {
            for (const text of [HOSTILE[0]!, HOSTILE[1]!, HOSTILE[9]!]) {
              await watched.shows(text, ".alarms");
            }
          }
          assert.deepEqual(await foreign(watched), [], name);
        }
        await watched.go("#/queue");
        for (let row = 0; row < 13; row++) {
          await page.locator("tbody").getByRole("button").nth(row).click();
          await page.getByText("What the ledger says").waitFor();
          assert.deepEqual(await foreign(watched), [], `details ${row}`);
          await page.keyboard.press("Escape");
        }
        await watched.go("#/settings");
        await page.getByRole("button", { name: "Reload the file" }).click();
        await watched.shows(HOSTILE[0]!, ".test-result");
        assert.deepEqual(await foreign(watched), [], "reload");
        watched.assertClean();
      },
    );

    await step("nothing scrolls sideways on a phone, whatever is shown", async () => {
      for (const scene of [new Scene(), hostile(), firstStart()]) {
        await using house = await WebHouse.start(scene);
        await using watched = await WatchedPage.open(browser, house.url, "#/", PHONE);
        const { page } = watched;
        for (const [hash, name] of VIEWS) {
          await watched.go(hash);
          await page.locator("main h1").waitFor();
          await page.waitForTimeout(150);
          const { wide, width, small } = await page.evaluate(inPage.widths);
          assert.ok(wide <= width, `${name}: ${wide} px on ${width}`);
          assert.deepEqual(small, [], `${name}: too small to touch (WCAG 2.5.8)`);
        }
        // What turns up only when something is done.
        const fits = async (what: string) => {
          const { wide, width } = await page.evaluate(inPage.widths);
          assert.ok(wide <= width, `${what}: ${wide} px on ${width}`);
        };
        await watched.go("#/settings");
        await page.getByRole("button", { name: "Reload the file" }).click();
        await page.locator(".test-result .state").waitFor();
        await fits("what a reload said");
        await watched.go("#/queue");
        const details = page.locator("tbody").getByRole("button").first();
        await page.locator(".count:not(:empty), .empty:not([hidden])").first().waitFor();
        if (await details.isVisible()) {
          await details.click();
          await page.getByText("What the ledger says").waitFor();
          const box = await page.getByRole("dialog").boundingBox();
          assert.ok(box !== null && box.width <= PHONE.viewport.width, JSON.stringify(box));
          await fits("details");
          await page.keyboard.press("Escape");
        }
        await house.stop();
        await page.getByText(/^No connection to/).waitFor();
        await fits("no connection");
      }
    });

    await step("texts, icons and fields have the contrast of WCAG AA, light and dark", async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        for (const scene of [new Scene(), allWell(), firstStart()]) {
          await using house = await WebHouse.start(scene);
          await using watched = await WatchedPage.open(browser, house.url, "#/", {
            colorScheme,
            reducedMotion: "reduce",
          });
          const { page } = watched;
          for (const [hash, name] of VIEWS) {
            await watched.go(hash);
            await page.locator("main h1").waitFor();
            await page.waitForTimeout(200);
            const { seen, low } = await contrasts(page);
            assert.ok(seen > 15, `only ${seen} on ${name}`);
            assert.deepEqual(low, [], `${name}, ${colorScheme}`);
          }
        }
      }
    });

    await step("colours follow the system, and a choice is kept", async () => {
      await using house = await WebHouse.start(allWell());
      await using watched = await WatchedPage.open(browser, house.url, "#/", {
        colorScheme: "dark",
      });
      const { page } = watched;
      const ground = () => page.evaluate(inPage.ground);
      const dark = await ground();
      await page.emulateMedia({ colorScheme: "light" });
      await until(async () => await ground() !== dark, 20_000, "light colours");
      await page.getByRole("button", { name: "Dark or light colours" }).click();
      assert.equal(await ground(), dark);
      await page.reload();
      assert.equal(await ground(), dark, "kept, against the system");
      await page.getByRole("button", { name: "Dark or light colours" }).click();
      await page.emulateMedia({ colorScheme: "dark" });
      await until(async () => await ground() === dark, 20_000, "the system's to be followed again");
      watched.assertClean();
    });

    await step("a lost connection is shown at once, and comes back by itself", async () => {
      const scene = allWell();
      const house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      await watched.shows("All is well", "h1");
      await house.stop();
      await page.getByRole("alert").filter({ hasText: /^No connection to the forwarder since/ })
        .waitFor();
      assert.match(await page.title(), /No connection/);
      assert.ok(await page.evaluate(inPage.opacity) < 1);
      scene.change = pacsDown().change;
      await using again = await WebHouse.start(scene, { web: { port: house.port } });
      await page.getByText(/^No connection/).first().waitFor({ state: "hidden" });
      await watched.shows("pacs has been down", "h1");
      // The forwarder that is back has other tokens: a change is made all the same.
      await page.getByRole("button", { name: "Pause research" }).click();
      await watched.shows("research is paused", ".message");
      assert.equal(again.port, house.port);
    });

    await step("a hidden page closes its stream, and opens it again when it is seen", async () => {
      const scene = allWell();
      await using house = await WebHouse.start(scene);
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      let streams = 0;
      let ended = 0;
      page.on("request", (request) => streams += Number(request.url().endsWith("/events")));
      page.on("requestfailed", (request) => ended += Number(request.url().endsWith("/events")));
      await watched.shows("All is well", "h1");
      const before = streams;
      const hide = (hidden: boolean) => page.evaluate(inPage.hide, hidden);
      await hide(true);
      await until(() => ended === 1, 20_000, "the stream to end");
      assert.equal(streams, before);
      scene.change = pacsDown().change;
      await hide(false);
      await watched.shows("pacs has been down", "h1");
      assert.equal(streams, before + 1);
    });

    await step("with a password nothing is shown before it is given; wrong ones lock", async () => {
      const hash = await hashPassword("right horse battery");
      await using house = await WebHouse.start(allWell(), { web: { password_hash: hash } });
      await using watched = await WatchedPage.open(browser, house.url);
      const { page } = watched;
      const field = page.getByLabel("Password");
      await field.waitFor();
      assert.equal(await focused(watched), "Password");
      assert.doesNotMatch(await page.locator("body").innerText(), /pacs|Overview/);
      await field.fill("wrong");
      await page.keyboard.press("Enter");
      await watched.shows("The password is wrong.", ".login-error");
      await field.fill("right horse battery");
      await page.keyboard.press("Enter");
      await watched.shows("All is well", "h1");
      await page.getByRole("button", { name: "Log out" }).click();
      await field.waitFor();
      assert.doesNotMatch(await page.locator("body").innerText(), /pacs|Overview/);
      for (let tries = 0; tries < 12; tries++) {
        const answer = page.waitForResponse(/\/login$/);
        await field.fill(`wrong ${tries}`);
        await page.keyboard.press("Enter");
        if ((await answer).status() === 429) break;
      }
      await watched.shows(/too many|wait|again in/i, ".login-error");
      const others = watched.complaints.filter((words) => !/status of (401|429)/.test(words));
      assert.deepEqual(others, []);
    });

    await step("with TLS all of it works the same: log in, live, a change", async () => {
      const password = "right horse battery";
      const control = allWell();
      const web = { password_hash: await hashPassword(password) };
      await using house = await WebHouse.start(control, { web, tls: true });
      await using watched = await WatchedPage.open(browser, house.url, "#/", {
        ignoreHTTPSErrors: true,
      });
      const { page } = watched;
      await page.getByLabel("Password").fill(password);
      await page.keyboard.press("Enter");
      await watched.shows("All is well", "h1");
      assert.equal((await page.context().cookies())[0]?.secure, true);
      const told = () => page.locator("body").innerText();
      const before = await told();
      control.step();
      await until(
        async () => await told() !== before,
        10_000,
        "the page to go on",
      );
      await page.getByRole("button", { name: "Pause pacs" }).click();
      await watched.shows("pacs is paused: nothing is sent to it.");
      assert.ok(control.done.some((done) => /pause/.test(done)), String(control.done));
      const others = watched.complaints.filter((words) => !/status of 401/.test(words));
      assert.deepEqual(others, []);
    });

    await step("where TLS is switched off again, whoever was logged in can log in", async () => {
      const password = "right horse battery";
      // A name: for this machine's own addresses browsers make an exception.
      const name = "forwarder.example";
      const named = await startBrowser([`--host-resolver-rules=MAP ${name} 127.0.0.1`]);
      try {
        const context = await named.newContext({ ignoreHTTPSErrors: true });
        const port = freePort();
        const web = {
          port,
          password_hash: await hashPassword(password),
          allowed_names: [name],
        };
        for (const tls of [false, true, false]) {
          await using _house = await WebHouse.start(allWell(), { web, tls });
          const page = await context.newPage();
          await page.goto(`http${tls ? "s" : ""}://${name}:${port}/`);
          await page.getByLabel("Password").fill(password);
          await page.keyboard.press("Enter");
          await page.locator("h1", { hasText: "All is well" }).waitFor({ timeout: 10_000 });
          await page.close();
        }
      } finally {
        await named.close();
      }
    });

    await step("what waits is shown by its age, in numbers and words", async () => {
      await using house = await WebHouse.start(pacsDown());
      await using watched = await WatchedPage.open(browser, house.url);
      const ages = watched.page.locator(".ages:visible").first();
      await ages.waitFor();
      const rows = await ages.locator("li").evaluateAll((items) =>
        items.map((item) => (item as unknown as { textContent: string }).textContent)
      );
      assert.equal(rows.length, 6);
      assert.match(rows[0]!, /^310up to 5 min/);
      assert.match(rows[1]!, /^894up to 15 min/);
      assert.match(rows[5]!, /^longer than 1 day/);
      watched.assertClean();
    });
  } finally {
    await browser.close();
  }
});

/** Elements on the page that our own pages do not make, and marks of a script that has run. */
async function foreign({ page }: WatchedPage): Promise<string[]> {
  return await page.evaluate(inPage.foreign);
}

/** The name of what has the focus. */
async function focused({ page }: WatchedPage): Promise<string> {
  return await page.evaluate(inPage.focusedName);
}

/** Presses Tab until something of that name has the focus. */
async function tabTo(watched: WatchedPage, name: string | RegExp): Promise<void> {
  const seen: string[] = [];
  for (let presses = 0; presses < 80; presses++) {
    await watched.page.keyboard.press("Tab");
    const now = await focused(watched);
    seen.push(now);
    if (typeof name === "string" ? now === name : name.test(now)) return;
  }
  assert.fail(`Tab never came to ${name}: ${seen.join(" | ")}`);
}

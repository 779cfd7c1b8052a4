import assert from "node:assert/strict";
import { join } from "node:path";
import {
  adjustLogging,
  closeLogging,
  configureLogging,
  escapeText,
  getLog,
  type LoggingOptions,
} from "../src/log.ts";

const ROOT = new URL("..", import.meta.url);
const LOG = new URL("../src/log.ts", import.meta.url).href;

/** Logs into a folder of its own and returns all that the folder then has. */
async function logged(
  options: Partial<LoggingOptions>,
  run: () => void | Promise<void>,
): Promise<string> {
  const dir = await Deno.makeTempDir();
  try {
    await configureLogging({ dir, level: "info", retentionDays: 30, console: false, ...options });
    await run();
    await closeLogging();
    return await filesOf(dir);
  } finally {
    await closeLogging();
    await Deno.remove(dir, { recursive: true });
  }
}

async function filesOf(dir: string): Promise<string> {
  let text = "";
  for await (const entry of Deno.readDir(dir)) {
    text += await Deno.readTextFile(join(dir, entry.name));
  }
  return text;
}

/** Runs a program that logs; `body` has configureLogging, closeLogging, log and dir. */
async function program(body: string, env: Record<string, string> = {}) {
  const dir = await Deno.makeTempDir();
  try {
    const source = `
      import { closeLogging, configureLogging, getLog } from ${JSON.stringify(LOG)};
      const dir = ${JSON.stringify(dir)};
      const log = getLog("test");
      const options = { dir, level: "info", retentionDays: 30, console: true };
      ${body}`;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", source],
      cwd: ROOT,
      env,
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, out, err: err!, file: await filesOf(dir) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a record is one line of today's file, its sentence first, then its properties", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const today = () => {
      const now = new Date();
      const [month, day] = [now.getMonth() + 1, now.getDate()].map((n) =>
        String(n).padStart(2, "0")
      );
      return `dicom_forwarder_${now.getFullYear()}${month}${day}.log`;
    };
    const possible = [today()];
    await configureLogging({ dir, level: "info", retentionDays: 30, console: false });
    getLog("receiver").info("Association from {callingAe}", { callingAe: "CT1", host: "10.0.0.1" });
    await closeLogging();
    possible.push(today());
    const names = await Array.fromAsync(Deno.readDir(dir), (entry) => entry.name);
    assert.equal(names.length, 1);
    assert(possible.includes(names[0]!), names[0]);
    assert.match(
      await filesOf(dir),
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO {2}receiver {2}Association from CT1 {2}host=10\.0\.0\.1\n$/,
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("records below the level are left out", async () => {
  const text = await logged({ level: "warning" }, () => {
    const log = getLog("receiver");
    log.debug("no");
    log.info("no");
    log.warn("yes");
    log.error("yes too");
  });
  assert.match(text, /^[^\n]* WARN {2}receiver {2}yes\n[^\n]* ERROR receiver {2}yes too\n$/);
});

Deno.test("text from the network cannot make a line of its own", async () => {
  const evil = "CT1\r\n2026-01-01 00:00:00.000 INFO  receiver  forged\u2028\u001b[2K\u202e";
  const text = await logged({}, () => {
    getLog("receiver").info("From {evil}", { evil, other: evil });
    getLog("receiver").info(evil);
  });
  assert.equal(text.split(/[\r\n\u2028]/).length, 3);
  for (const char of ["\u001b", "\u202e", "\r"]) assert(!text.includes(char));
  assert(text.includes(escapeText(evil)));
});

Deno.test("logging is silent before it is configured and after it is closed", async () => {
  const log = getLog("receiver");
  log.error("before");
  const text = await logged({}, () => log.error("during"));
  log.error("after");
  assert.match(text, /^[^\n]*during\n$/);
  const { out, err } = await program(`log.error("nobody hears this");`);
  assert.equal(out + err, "");
});

Deno.test("a logger taken before logging is configured logs afterwards, parts are joined by a dot", async () => {
  const log = getLog("delivery", "pacs");
  const text = await logged({}, () => log.info("Connected"));
  assert.match(text, / INFO {2}delivery\.pacs {1,2}Connected\n$/);
});

Deno.test("configuring anew goes on in the other folder and closes the first", async () => {
  const second = await Deno.makeTempDir();
  try {
    const first = await logged({}, async () => {
      getLog("a").info("one");
      await configureLogging({ dir: second, level: "info", retentionDays: 1, console: false });
      getLog("a").info("two");
    });
    assert.match(first, /one\n$/);
    assert.match(await filesOf(second), /^[^\n]*two\n$/);
  } finally {
    await Deno.remove(second, { recursive: true });
  }
});

Deno.test("another level is in force from the next line on, in the same file, and no line is lost between", async () => {
  const text = await logged({}, () => {
    const log = getLog("a");
    log.debug("unheard");
    log.info("one");
    adjustLogging({ level: "debug", retentionDays: 1 });
    log.debug("two");
    adjustLogging({ level: "warning", retentionDays: 1 });
    log.info("unheard");
    log.warn("three");
  });
  assert.deepEqual(text.trimEnd().split("\n").map((line) => line.split(" ").at(-1)), [
    "one",
    "two",
    "three",
  ]);
});

Deno.test("on the console the same lines go to stderr, without colour where it is no terminal", async () => {
  const { err, out, file } = await program(`
    await configureLogging(options);
    log.info("Started", { port: 11112 });
    log.error("Trouble");
    await closeLogging();`);
  assert.equal(out, "");
  assert.equal(err, file);
  assert.match(err, / INFO {2}test {6}Started {2}port=11112\n.* ERROR test {6}Trouble\n$/);
});

Deno.test({
  name: "on a terminal the level is coloured, with NO_COLOR it is not",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const source = `
      import { closeLogging, configureLogging, getLog } from ${JSON.stringify(LOG)};
      await configureLogging({ dir: null, level: "info", retentionDays: 1, console: true });
      getLog("test").warn("Look");
      await closeLogging();`;
    const shown = async (env: Record<string, string>) => {
      // script(1) gives the program a terminal for its three streams.
      const { stdout } = await new Deno.Command("script", {
        args: ["-qec", '"$DENO" eval --no-lock "$SOURCE"', "/dev/null"],
        env: { ...env, DENO: Deno.execPath(), SOURCE: source },
        cwd: ROOT,
      }).output();
      return new TextDecoder().decode(stdout);
    };
    assert((await shown({ NO_COLOR: "" })).includes("\x1b[33mWARN \x1b[0m test      Look"));
    const plain = await shown({ NO_COLOR: "1" });
    assert(plain.includes("WARN  test      Look"), plain);
    assert(!plain.includes("\x1b[33m"));
  },
});

Deno.test("waiting lines do not keep a program alive, and are written when it ends", async () => {
  const began = performance.now();
  const { code, file } = await program(`
    await configureLogging(options);
    log.info("last words");`);
  assert.equal(code, 0);
  assert.match(file, /last words\n$/);
  assert(performance.now() - began < 10_000);
});

Deno.test("a program that exits without closing the log has its last lines in the file", async () => {
  const { code, file } = await program(`
    await configureLogging(options);
    log.info("working");
    log.error("stopping");
    Deno.exit(3);`);
  assert.equal(code, 3);
  assert.match(file, /working\n.*stopping\n/);
});

Deno.test("an error that nothing handles is in the log file, and still ends the program", async () => {
  for (
    const body of [`throw new Error("boom");`, `setTimeout(() => { throw new Error("boom"); });`]
  ) {
    const { code, file } = await program(
      `await configureLogging(options); log.info("before"); ${body}`,
    );
    assert.equal(code, 1);
    assert.match(
      file,
      /before\n.* ERROR log {7}An error that nothing has handled {2}error="Error: boom"/,
    );
  }
});

Deno.test("a log folder that cannot be made is told on stderr, and the program goes on", async () => {
  const { code, err } = await program(`
    await Deno.writeTextFile(dir + "/occupied", "");
    await configureLogging({ ...options, dir: dir + "/occupied/logs", console: false });
    log.error("one");
    log.error("two");
    await closeLogging();`);
  assert.equal(code, 0);
  assert.equal(err.match(/cannot be written/g)?.length, 1, err);
  assert.match(err, /2 log lines were never written/);
});

Deno.test("a reader of stderr that goes away does not stop the program, and the file says so", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        "--no-lock",
        `
        import { closeLogging, configureLogging, getLog } from ${JSON.stringify(LOG)};
        const dir = ${JSON.stringify(dir)};
        await configureLogging({ dir, level: "info", retentionDays: 30, console: true });
        const commands = Deno.stdin.readable.getReader();
        for (const word of ["one", "two"]) {
          await commands.read();
          getLog("test").info(word);
          console.log(word);
        }
        await closeLogging();`,
      ],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await child.stderr.cancel();
    const [commands, answers] = [child.stdin.getWriter(), child.stdout.getReader()];
    for (let i = 0; i < 2; i++) {
      await commands.write(new Uint8Array(1));
      await answers.read();
    }
    await commands.close();
    await answers.cancel();
    assert.equal((await child.status).code, 0);
    const file = await filesOf(dir);
    for (const part of ["one\n", "two\n", "Nothing can be shown on stderr: "]) {
      assert(file.includes(part), file);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

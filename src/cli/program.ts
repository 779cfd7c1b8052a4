/*
 * The command line: words to verbs, verbs to exit codes.
 *
 * Owns the options and the help. Each verb's work is in a file of its own; no verb ends the process by itself.
 */

import { resolve } from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type Config, ConfigError, loadConfig } from "../config/load.ts";
import { IMPLEMENTATION_VERSION_NAME } from "../dicom/uid.ts";
import type { Node } from "../dimse/explain.ts";
import { escapeText } from "../log.ts";
import { SpoolError } from "../spool/version.ts";
import { alarmTestCommand } from "./alarm_test.ts";
import { auditTestCommand } from "./audit_test.ts";
import { checkCommand } from "./check.ts";
import { findConfigFile } from "./config_file.ts";
import { demoCommand } from "./demo.ts";
import { echoCommand } from "./echo.ts";
import { ExitCode } from "./exit_code.ts";
import { addLooking } from "./look_verbs.ts";
import { addQueue } from "./queue_verbs.ts";
import { giveUpTools } from "./give_up_tools.ts";
import { onStopSignal, runCommand } from "./run.ts";
import { pageCommand } from "./page.ts";
import { proveCommand } from "./prove.ts";
import { runAsService } from "./run_as_service.ts";
import { sendCommand } from "./send.ts";
import { addService } from "./service_verbs.ts";
import { setupCommand, type SetupOptions, withSetupOptions } from "./setup.ts";
import { printJson, warnLine } from "./terminal.ts";
import { tlsNewCommand } from "./tls_new.ts";
import { verifyCommand } from "./verify.ts";
import { VERSION } from "./version.ts";
import { standardInput, userPasswordCommand, webPasswordCommand } from "./web_password.ts";

const EXIT_CODES = `
Exit codes:
  0  done
  1  something failed; the message says what
  2  the command line or the configuration is wrong
  3  the port cannot be had
  4  the spool cannot be used`;

interface Common {
  readonly config?: string;
  readonly json?: boolean;
}

/**
 * Runs the program.
 *
 * @param args the command line without the program's name
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = ExitCode.Ok;
  const program = build((result) => code = result);
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
    }
    if (error instanceof ConfigError) {
      if (args.includes("--json")) {
        const faults = error.faults.map(({ path, wanted }) => ({ path, wanted }));
        printJson({ ok: false, error: error.message, faults });
      } else warnLine(error.message);
      return ExitCode.Usage;
    }
    if (error instanceof SpoolError || isFileTrouble(error)) {
      warnLine(`The spool cannot be used: ${escapeText(error.message, 1024)}`);
      return ExitCode.Spool;
    }
    throw error;
  }
}

/** What the verbs meet that look into a spool which this user may not read, or which is no folder. */
function isFileTrouble(error: unknown): error is Error {
  return error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotADirectory;
}

function build(finish: (code: number) => void): Command {
  const program = new Command("dicomforwarder")
    .description(
      "Receives DICOM images, keeps them safe, and forwards them until they arrive.\n" +
        "Without a command it runs the forwarder.",
    )
    .version(`${VERSION} (${IMPLEMENTATION_VERSION_NAME})`, "-V, --version")
    .helpOption("-h, --help", "show this help")
    .addHelpText("after", EXIT_CODES)
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride();
  withConfig(program)
    .addOption(new Option("--as-service", "run by the system's service manager").hideHelp())
    .action(async (options: Common & { asService?: boolean }) => {
      giveUpTools();
      finish(
        options.asService === true
          ? await runAsService(await findConfigFile(options.config), () => load(options))
          : await runCommand(await load(options)),
      );
    });
  const verb = (name: string, description: string) => {
    const command = program.command(name).description(description).helpOption(
      "-h, --help",
      "show this help",
    );
    return command.exitOverride();
  };
  /** `--config` may stand before the verb or behind it. */
  const common = (options: Common): Common => ({ ...program.opts<Common>(), ...options });

  withSetupOptions(withConfig(verb("setup", "set up the forwarder by questions, or by options")))
    .action(async (options: SetupOptions) => {
      await untilStopped(async (signal) =>
        finish(await setupCommand({ ...options, ...common(options) }, signal))
      );
    });

  withConfig(verb("check", "check the configuration and say what it means"))
    .option("--json", "as JSON")
    .action(async (options: Common) => {
      const { json = false } = options;
      finish(checkCommand(await load(common(options)), json));
    });

  withConfig(verb("echo", "test the connection to a destination, or to all of them"))
    .argument("[destination]", "its name in the configuration")
    .option("--json", "as JSON")
    .action(async (destination: string | undefined, options: Common) => {
      const config = await load(common(options));
      await untilStopped(async (signal) =>
        finish(await echoCommand(config, destination, options.json ?? false, signal))
      );
    });

  addLooking({
    verb,
    withConfig,
    load: (options) => load(common(options)),
    finish,
    untilStopped,
  });

  withConfig(verb("send", "send DICOM files and folders to a node"))
    .argument("<files...>", "files and folders")
    .option("--to <destination>", "a destination of the configuration")
    .option("--host <host>", "any other node")
    .option("--port <port>", "its port", portNumber, 104)
    .option("--aet <title>", "its AE title", "ANY-SCP")
    .option("--calling <title>", "our AE title", "DICOMFORWARDER")
    .option("--json", "as JSON")
    .addHelpText("after", "\nWithout --to and --host the files go to the forwarder itself.")
    .action(async (files: string[], options: Common & SendOptions) => {
      const node = await sendTarget(options, common(options));
      if (node === undefined) return finish(ExitCode.Usage);
      await untilStopped(async (signal) =>
        finish(await sendCommand(files, node, options.json ?? false, signal))
      );
    });

  withConfig(verb("alarm-test", "send a test through every channel that alarms are sent by"))
    .option("--json", "as JSON")
    .action(async (options: Common) => {
      const config = await load(common(options));
      await untilStopped(async (signal) =>
        finish(await alarmTestCommand(config, options.json ?? false, signal))
      );
    });

  withConfig(verb("audit-test", "send one message to the audit server"))
    .option("--json", "as JSON")
    .action(async (options: Common) => {
      const config = await load(common(options));
      await untilStopped(async (signal) =>
        finish(await auditTestCommand(config, options.json ?? false, signal))
      );
    });

  withConfig(verb("prove", "show what was received of a study, and what each destination answered"))
    .argument("<uid>", "Study Instance UID, or SOP Instance UID")
    .option("--json", "as JSON")
    .addHelpText("after", "\nThe exit code is 0 where every destination has every instance.")
    .action(async (uid: string, options: Common) => {
      finish(await proveCommand(await load(common(options)), uid, options.json ?? false));
    });

  withConfig(verb("verify", "check that all that was received is delivered or still here"))
    .option("--files", "read every stored file through, too")
    .option("--settle", "write down that what is missing has been seen, so that it raises no alarm")
    .option("--json", "as JSON")
    .addHelpText("after", "\nThe exit code is 1 where anything is missing or damaged.")
    .action(async (options: Common & { files?: boolean; settle?: boolean }) => {
      const { json = false, files = false, settle = false } = options;
      finish(await verifyCommand(await load(common(options)), { json, files, settle }));
    });

  addQueue(verb("queue", "see and mend what waits, what failed and what is held"), {
    withConfig,
    load: (options) => load(common(options)),
    finish,
  });

  withConfig(verb("page", "print the address of the status page"))
    .addHelpText("after", "\nThe exit code is 1 where there is no page.")
    .action(async (options: Common) => finish(await pageCommand(await load(common(options)))));

  withConfig(verb("web-password", "set the password of the status page"))
    .addHelpText(
      "after",
      "\nIt is asked for twice; where the input is no terminal, its first line is taken.",
    )
    .action(async (options: Common) => {
      const path = resolve(await findConfigFile(common(options).config));
      finish(await webPasswordCommand(path, standardInput()));
    });

  withConfig(verb("user-password", "set the passcode of a user whom senders may bring"))
    .argument("<name>", "user name, as the sender gives it")
    .addHelpText(
      "after",
      "\nIt is asked for twice; where the input is no terminal, its first line is taken.",
    )
    .action(async (name: string, options: Common) => {
      const path = resolve(await findConfigFile(common(options).config));
      finish(await userPasswordCommand(path, name, standardInput()));
    });

  verb("tls-new", "make a certificate authority and certificates for TLS, for a site without")
    .option("--dir <folder>", "where the files go; none is overwritten", "tls")
    .option("--name <host...>", "names and addresses of this machine, as senders call it")
    .option("--json", "as JSON")
    .action(async (options: { dir: string; name?: string[]; json?: boolean }) => {
      const { dir, name = [], json = false } = options;
      finish(await tlsNewCommand({ dir, name, json, now: Date.now() }));
    });

  addService(verb("service", "run the forwarder as a service of this system"), {
    configFile: (options) => findConfigFile(common(options).config),
    withConfig,
    finish,
    untilStopped,
  });

  verb("demo", "show the forwarder at work with a PACS of its own and a generated study")
    .option("--once", "end when the study has arrived")
    .option("--instances <count>", "images in the study", wholeNumber, 100)
    .option("--dir <folder>", "where its files go; emptied first", ".demo")
    .action(async (options: { once?: boolean; instances: number; dir: string }) => {
      const { once = false, instances, dir } = options;
      finish(await demoCommand({ directory: dir, instances, once }));
    });
  return program;
}

function withConfig(command: Command): Command {
  return command.option(
    "-c, --config <file>",
    "the configuration (default: config.json here, else the installed one)",
  );
}

async function load(options: Common): Promise<Config> {
  return await loadConfig(await findConfigFile(options.config));
}

interface SendOptions {
  readonly to?: string;
  readonly host?: string;
  readonly port: number;
  readonly aet: string;
  readonly calling: string;
}

async function sendTarget(options: SendOptions, common: Common): Promise<Node | undefined> {
  const { host, port, aet: aeTitle, calling: callingAeTitle } = options;
  if (host !== undefined) return { host, port, aeTitle, callingAeTitle };
  const config = await load(common);
  if (options.to === undefined) {
    const any = config.localHost === "0.0.0.0" || config.localHost === "::";
    return {
      host: any ? "127.0.0.1" : config.localHost,
      port: config.localPort,
      aeTitle: config.localAeTitle,
      callingAeTitle,
    };
  }
  const found = config.destinations.find((one) => one.name === options.to);
  if (found?.type !== "dicom") {
    warnLine(`The configuration has no DICOM destination ${options.to}.`);
    return undefined;
  }
  const calling = found.callingAeTitle === "*" ? callingAeTitle : found.callingAeTitle;
  return { ...found, callingAeTitle: calling };
}

/** Runs work that Ctrl-C may end. */
async function untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const stopListening = onStopSignal(() => stop.abort());
  try {
    await work(stop.signal);
  } finally {
    stopListening();
  }
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError("1 to 65535 is wanted.");
  return port;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("A whole number from 1 is wanted.");
  }
  return value;
}

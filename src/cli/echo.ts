/*
 * `echo`: tests a connection step by step (TCP, association, C-ECHO) and says in plain words where it ends.
 */

import type { Config, DicomDestinationConfig } from "../config/load.ts";
import { describeStatus, SUCCESS } from "../dicom/status.ts";
import { EXPLICIT_VR_LE, IMPLICIT_VR_LE, VERIFICATION } from "../dicom/uid.ts";
import { ServiceUser } from "../dimse/scu.ts";
import { escapeText } from "../log.ts";
import { Association } from "../ul/association.ts";
import { connectTcp } from "../ul/transport.ts";
import { ExitCode } from "./exit_code.ts";
import { explain, type Node } from "./explain.ts";
import { printJson, printLine } from "./terminal.ts";

/** One step of the test. */
export interface Step {
  readonly step: "connection" | "association" | "echo";
  readonly ok: boolean;
  readonly text: string;
  readonly ms: number;
}

export interface EchoResult {
  readonly destination: string;
  readonly ok: boolean;
  readonly steps: readonly Step[];
  /** What to look at, where it failed. */
  readonly advice?: string;
}

interface EchoTimeouts {
  readonly connectMs: number;
  readonly associationMs: number;
  readonly responseMs: number;
  readonly releaseMs: number;
}

/** Tests one node. Never throws for what the node or the network does. */
async function testConnection(
  destination: string,
  node: Node,
  timeouts: EchoTimeouts,
  signal: AbortSignal,
): Promise<EchoResult> {
  const steps: Step[] = [];
  let began = performance.now();
  const done = (step: Step["step"], text: string, ok = true) => {
    steps.push({ step, ok, text, ms: Math.round(performance.now() - began) });
    began = performance.now();
  };
  let association: Association | undefined;
  try {
    const transport = await connectTcp(node.host, node.port, timeouts.connectMs, signal);
    done("connection", `${node.host}, port ${node.port}, is reachable`);
    association = await Association.request(
      transport,
      node.callingAeTitle,
      node.aeTitle,
      [{
        id: 1,
        abstractSyntax: VERIFICATION,
        transferSyntaxes: [IMPLICIT_VR_LE, EXPLICIT_VR_LE],
      }],
      {
        maxPduLength: 16_384,
        associationMs: timeouts.associationMs,
        idleMs: timeouts.responseMs,
        readMs: timeouts.responseMs,
        writeStallMs: timeouts.responseMs,
        releaseMs: timeouts.releaseMs,
      },
    );
    const peer = association.peerImplementation;
    done(
      "association",
      `${node.aeTitle} accepted ${node.callingAeTitle}${
        peer === "" ? "" : ` (${escapeText(peer)})`
      }`,
    );
    const context = [...association.acceptedContexts.values()][0];
    if (context === undefined) {
      done("echo", "it associates, but does not offer C-ECHO", false);
      await association.release();
      const advice = "Images may get through all the same: send one to find out.";
      return { destination, ok: false, steps, advice };
    }
    const answer = await new ServiceUser(association, timeouts.responseMs)
      .echo(context.id, VERIFICATION);
    const ok = answer.status === SUCCESS;
    done("echo", `answered ${describeStatus(answer.status)}`, ok);
    await association.release();
    return { destination, ok, steps };
  } catch (error) {
    await association?.abort();
    const { problem, advice } = explain(error, node);
    const order = ["connection", "association", "echo"] as const;
    done(order[Math.min(steps.length, 2)]!, problem, false);
    return { destination, ok: false, steps, advice };
  }
}

/**
 * Runs `echo` for one destination of the configuration, or all of them.
 *
 * @param name the destination; undefined for all
 */
export async function echoCommand(
  config: Config,
  name: string | undefined,
  json: boolean,
  signal: AbortSignal,
): Promise<ExitCode> {
  const nodes = config.destinations.filter((one): one is DicomDestinationConfig =>
    one.type === "dicom" && (name === undefined || one.name === name)
  );
  if (nodes.length === 0) {
    const known = config.destinations.filter((one) => one.type === "dicom").map((one) => one.name);
    const what = name === undefined
      ? "The configuration has no DICOM destination to test"
      : `The configuration has no DICOM destination ${name}; it has ${known.join(", ") || "none"}`;
    if (json) printJson({ ok: false, error: what });
    else printLine(`${what}.`);
    return ExitCode.Usage;
  }
  const results: EchoResult[] = [];
  for (const node of nodes) {
    // "*" stands for the sender's title; a test has no sender but us.
    const calling = node.callingAeTitle === "*" ? config.localAeTitle : node.callingAeTitle;
    const result = await testConnection(
      node.name,
      { ...node, callingAeTitle: calling },
      node.timeouts,
      signal,
    );
    results.push(result);
    if (!json) printResult(result);
  }
  if (json) printJson(results);
  return results.every((result) => result.ok) ? ExitCode.Ok : ExitCode.Failed;
}

/** Prints one result for a person. */
function printResult(result: EchoResult): void {
  printLine(`${result.destination}:`);
  for (const step of result.steps) {
    printLine(`  ${step.ok ? "ok    " : "FAILED"}  ${step.step}: ${step.text} (${step.ms} ms)`);
  }
  if (result.advice !== undefined) printLine(`          ${result.advice}`);
}

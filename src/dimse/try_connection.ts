/*
 * The test of a connection, step by step: TCP, association, C-ECHO.
 *
 * Owns the association it makes and always ends it. What the node or the network does wrong is a result, never thrown.
 */

import { describeStatus, SUCCESS } from "../dicom/status.ts";
import { EXPLICIT_VR_LE, IMPLICIT_VR_LE, VERIFICATION } from "../dicom/uid.ts";
import { escapeText } from "../log.ts";
import { Association } from "../ul/association.ts";
import { connectTo } from "../ul/connect.ts";
import { saidToBe } from "../ul/user_information.ts";
import { explain, type Node } from "./explain.ts";
import { ServiceUser } from "./scu.ts";

/** One step of the test. */
export interface TestStep {
  readonly step: "connection" | "association" | "echo";
  readonly ok: boolean;
  readonly text: string;
  readonly ms: number;
}

/** How a test went. */
export interface ConnectionTest {
  readonly destination: string;
  readonly ok: boolean;
  readonly steps: readonly TestStep[];
  /** What to look at, where it failed. */
  readonly advice?: string;
}

/** Time-outs of a test, in ms. */
export interface TestTimeouts {
  readonly connectMs: number;
  readonly associationMs: number;
  readonly responseMs: number;
  readonly releaseMs: number;
}

/**
 * Tests one node. Never throws for what the node or the network does; a test that was stopped ends as one that failed.
 *
 * @param destination what the result is called by
 * @param onStep hears of each step as soon as it is over
 */
export async function testConnection(
  destination: string,
  node: Node,
  timeouts: TestTimeouts,
  signal: AbortSignal,
  onStep: (step: TestStep) => void = () => {},
): Promise<ConnectionTest> {
  const steps: TestStep[] = [];
  let began = performance.now();
  const done = (step: TestStep["step"], text: string, ok = true) => {
    const over = { step, ok, text, ms: Math.round(performance.now() - began) };
    steps.push(over);
    onStep(over);
    began = performance.now();
  };
  let association: Association | undefined;
  let stop = () => {};
  try {
    const transport = await connectTo(node, timeouts.connectMs, signal);
    stop = () => transport.close();
    signal.addEventListener("abort", stop);
    done(
      "connection",
      `${node.host}, port ${node.port}, is reachable${node.tls ? ", with TLS" : ""}`,
    );
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
        ...saidToBe(node.userIdentity),
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
    const failed = (["connection", "association", "echo"] as const)[Math.min(steps.length, 2)]!;
    if (signal.aborted) {
      done(failed, "stopped before there was an answer", false);
      return { destination, ok: false, steps };
    }
    const { problem, advice } = explain(error, node);
    done(failed, problem, false);
    return { destination, ok: false, steps, advice };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

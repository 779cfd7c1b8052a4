/*
 * The listener: connections in, associations served, all of them ended in order.
 *
 * Owns the listening port once it is handed over, the count of what is open, and the log lines about associations. Each
 * association runs by itself; none can end the process or another one. What is done with an instance is `store.ts`, who may
 * associate `admission.ts`.
 */

import type { ReceptionObserver } from "../activity/observer.ts";
import type { Config } from "../config/load.ts";
import { isStorageClass, transferSyntaxName, VERIFICATION } from "../dicom/uid.ts";
import { serve } from "../dimse/scp.ts";
import { getLog } from "../log.ts";
import type { Spool } from "../spool/spool.ts";
import { Association } from "../ul/association.ts";
import { AssociationError } from "../ul/association_error.ts";
import type { AssociationOptions } from "../ul/association_options.ts";
import type { AssociateRequest } from "../ul/pdu.ts";
import { Transport } from "../ul/transport.ts";
import { hostFilter, refuse } from "./admission.ts";
import type { StoreCount, StoreService } from "./store.ts";

const log = getLog("receiver");

/** Connections over `max_associations` that are still given a proper rejection; more are closed at once. */
const REJECTED_POLITELY = 32;

/** Connections closed unheard, or not to be had at all, are logged at most so often, in ms. */
const CROWDED_LOG_MS = 60_000;

/** When stopping, an association that has been silent for so long is over, in ms. */
const QUIET_MS = 1000;

/** One connection, from accept to closed. */
interface Connection {
  readonly host: string;
  readonly transport: Transport;
  association: Association | undefined;
  /** Takes part in the limits: its request was accepted. */
  admitted: boolean;
  /** Messages being served now. */
  busy: number;
  /** performance.now() of the end of the last message. */
  lastActivity: number;
}

export class Receiver {
  #config: Config;
  readonly #spool: Spool;
  readonly #service: StoreService;
  readonly #observer: ReceptionObserver | undefined;
  #options: AssociationOptions;
  #hostIsAllowed: (host: string) => boolean;
  readonly #connections = new Set<Connection>();
  #crowdedAt = -Infinity;
  #acceptFailedAt = -Infinity;
  #isStopped = false;
  #listener: Deno.TcpListener | undefined;
  #accepting: Promise<void> = Promise.resolve();

  constructor(config: Config, spool: Spool, service: StoreService, observer?: ReceptionObserver) {
    this.#config = config;
    this.#spool = spool;
    this.#service = service;
    this.#observer = observer;
    this.#hostIsAllowed = hostFilter(config.allowedHosts);
    this.#options = optionsOf(config);
  }

  /**
   * Goes on by another configuration. An association that is open keeps the time-outs and the PDU length it began with;
   * what is asked of it message by message is asked of the new one.
   */
  configure(config: Config): void {
    this.#config = config;
    this.#hostIsAllowed = hostFilter(config.allowedHosts);
    this.#options = optionsOf(config);
  }

  /**
   * Begins to accept what connects, and has connected since the listener was made. One that was served before is closed;
   * the associations it brought go on.
   */
  serve(listener: Deno.TcpListener): void {
    if (this.#isStopped) return listener.close();
    const left = this.leave();
    this.#listener = listener;
    this.#accepting = Promise.all([left, this.#accept(listener)]).then(() => {});
  }

  /** Accepts nothing more, until another listener is served. Resolves when the port is free. */
  leave(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    // A listener keeps its port for as long as somebody waits to accept from it.
    return this.#accepting;
  }

  /** Associations being served. */
  get open(): number {
    return this.#admitted().length;
  }

  /**
   * Takes no new association, lets those that are running finish, and aborts what is left.
   *
   * @param within ms until the rest is aborted
   */
  async stop(within: number): Promise<void> {
    this.#isStopped = true;
    await this.leave();
    const deadline = performance.now() + within;
    while (this.#connections.size > 0 && performance.now() < deadline) {
      for (const connection of this.#connections) {
        const quiet = performance.now() - connection.lastActivity > QUIET_MS;
        if (connection.busy === 0 && quiet) await end(connection);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const rest = [...this.#connections];
    if (rest.length > 0) {
      log.warn("Associations aborted because the forwarder stops", { count: rest.length });
    }
    await Promise.all(rest.map(end));
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    for (;;) {
      let connection: Deno.TcpConn;
      try {
        connection = await listener.accept();
      } catch (error) {
        // A closed listener ends the loop; anything else (out of file descriptors, say) passes, so go on a little later.
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
          return;
        }
        this.#logAcceptFailure(error);
        await new Promise((resolve) => setTimeout(resolve, 200));
        continue;
      }
      if (this.#isCrowded(connection.remoteAddr.hostname)) {
        this.#observer?.connectionDropped();
        connection.close();
        continue;
      }
      void this.#run(connection);
    }
  }

  #logAcceptFailure(error: unknown): void {
    const now = performance.now();
    if (now - this.#acceptFailedAt <= CROWDED_LOG_MS) return;
    this.#acceptFailedAt = now;
    log.error("Cannot accept a connection, trying again and again", {
      error,
      open: this.#connections.size,
    });
  }

  /** Connections beyond all limits are closed without a word: answering each would be work for whoever floods us. */
  #isCrowded(host: string): boolean {
    const { maxAssociations, maxAssociationsPerHost } = this.#config;
    let pending = 0;
    for (const other of this.#connections) if (other.host === host && !other.admitted) pending++;
    const crowded = pending >= maxAssociationsPerHost ||
      this.#connections.size >= maxAssociations + REJECTED_POLITELY;
    const now = performance.now();
    if (crowded && now - this.#crowdedAt > CROWDED_LOG_MS) {
      this.#crowdedAt = now;
      log.warn("Connections closed at once: too many are open", {
        from: host,
        pendingFromThere: pending,
        open: this.#connections.size,
      });
    }
    return crowded;
  }

  async #run(tcp: Deno.TcpConn): Promise<void> {
    const { hostname, port } = tcp.remoteAddr;
    const transport = new Transport(tcp, hostname, port);
    const connection: Connection = {
      host: hostname,
      transport,
      association: undefined,
      admitted: false,
      busy: 0,
      lastActivity: performance.now(),
    };
    this.#connections.add(connection);
    const count: StoreCount = { stored: 0, refused: 0, bytes: 0 };
    const began = performance.now();
    try {
      tcp.setNoDelay(true);
      const { association, request } = await Association.receive(transport, this.#options);
      connection.association = association;
      if (await this.#admit(connection, association, request)) {
        await this.#serve(connection, association, count);
        this.#logEnd("Association released", association, count, began);
      }
    } catch (error) {
      this.#logFailure(connection, hostname, port, error, count, began);
    } finally {
      this.#connections.delete(connection);
      if (connection.admitted) this.#observer?.associationEnded?.(transport.peer);
    }
    // A peer that broke the protocol still has its connection for a moment; it counts no longer.
    await connection.association?.closed;
  }

  async #admit(
    connection: Connection,
    association: Association,
    request: AssociateRequest,
  ): Promise<boolean> {
    const others = this.#admitted();
    const refusal = refuse(
      request,
      connection.host,
      {
        associations: others.length,
        fromSameHost: others.filter((one) => one.host === connection.host).length,
        spoolRefuses: this.#spool.refusesNew(),
      },
      this.#config,
      this.#hostIsAllowed,
    );
    if (refusal !== undefined) {
      log.warn("Association rejected: {why}", {
        why: refusal.why,
        calling: request.callingAeTitle,
        called: request.calledAeTitle,
        from: association.peer,
      });
      this.#observer?.associationRejected(refusal.result, refusal.source, refusal.reason, {
        calling: request.callingAeTitle,
        called: request.calledAeTitle,
        host: connection.host,
        why: refusal.why,
      });
      await association.reject(refusal.result, refusal.source, refusal.reason);
      return false;
    }
    connection.admitted = true;
    await association.accept(
      request,
      (abstractSyntax) => abstractSyntax === VERIFICATION || isStorageClass(abstractSyntax),
    );
    this.#observer?.associationAccepted();
    log.info("Association accepted", {
      calling: request.callingAeTitle,
      called: request.calledAeTitle,
      from: association.peer,
      peer: association.peerImplementation,
      contexts: `${association.acceptedContexts.size}/${request.contexts.length}`,
      syntaxes: agreedSyntaxes(association),
    });
    return true;
  }

  async #serve(
    connection: Connection,
    association: Association,
    count: StoreCount,
  ): Promise<void> {
    const longest = () => this.#config.maxInstanceSize;
    await serve(association, {
      store: async (request, dataSet) => {
        connection.busy++;
        try {
          return await this.#service.store(association, request, dataSet, count);
        } finally {
          connection.busy--;
          connection.lastActivity = performance.now();
        }
      },
      echoed: () => {
        connection.lastActivity = performance.now();
        log.info("Echo answered", { calling: association.callingAeTitle, from: association.peer });
      },
      get longestDataSet() {
        return longest();
      },
    });
  }

  #admitted(): Connection[] {
    return [...this.#connections].filter((connection) => connection.admitted);
  }

  #logEnd(sentence: string, association: Association, count: StoreCount, began: number): void {
    log.info(sentence, {
      calling: association.callingAeTitle,
      from: association.peer,
      instances: count.stored,
      ...(count.refused > 0 ? { refused: count.refused } : {}),
      bytes: count.bytes,
      seconds: Number(((performance.now() - began) / 1000).toFixed(3)),
    });
  }

  #logFailure(
    connection: Connection,
    host: string,
    port: number,
    error: unknown,
    count: StoreCount,
    began: number,
  ): void {
    const { association } = connection;
    if (!(error instanceof AssociationError)) {
      log.error("Association ended by an error of this program", {
        from: `${host}:${port}`,
        error,
      });
      if (association === undefined) connection.transport.close();
      else void association.abort("internal error");
      return;
    }
    // A connection that closes before it asks for anything is a port check, not a fault.
    if (association === undefined) {
      const check = error.kind === "closed";
      if (check) log.debug("Connection closed without an association", { from: `${host}:${port}` });
      else log.warn("No association: {reason}", { reason: error.message });
      return;
    }
    log.warn("Association ended: {reason}", { reason: error.message });
    this.#logEnd("Association over", association, count, began);
  }
}

function optionsOf({ maxPduLength, timeouts }: Config): AssociationOptions {
  return {
    maxPduLength,
    associationMs: timeouts.associationRequestMs,
    idleMs: timeouts.idleMs,
    readMs: timeouts.readMs,
    writeStallMs: timeouts.writeStallMs,
    releaseMs: timeouts.readMs,
  };
}

/** Ends a connection, whether or not it has come to an association. */
async function end(connection: Connection): Promise<void> {
  if (connection.association === undefined) connection.transport.close();
  else await connection.association.abort("the forwarder is stopping");
}

/** The transfer syntaxes agreed on, each once, by name. */
function agreedSyntaxes(association: Association): string {
  const names = new Set<string>();
  for (const context of association.acceptedContexts.values()) {
    names.add(transferSyntaxName(context.transferSyntax));
  }
  return [...names].join(", ");
}

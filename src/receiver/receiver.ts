/*
 * The listener: connections in, associations served, all of them ended in order.
 *
 * Owns the listening port once it is handed over, the count of what is open, and the log lines about associations. Each
 * association runs by itself; none can end the process or another one. What is done with an instance is `store.ts`, who may
 * associate `admission.ts`.
 */

import { addressFilter } from "../access/address.ts";
import type { ReceptionObserver } from "../activity/observer.ts";
import type { Config } from "../config/load.ts";
import { SUCCESS } from "../dicom/status.ts";
import { isStorageClass, transferSyntaxName, VERIFICATION } from "../dicom/uid.ts";
import { serve } from "../dimse/scp.ts";
import { getLog } from "../log.ts";
import type { Spool } from "../spool/spool.ts";
import { Association } from "../ul/association.ts";
import { AssociationError } from "../ul/association_error.ts";
import type { AssociationOptions } from "../ul/association_options.ts";
import type { AssociateRequest } from "../ul/pdu.ts";
import { acceptAll, type Accepted, type Listener, TlsListener } from "../ul/tls_listener.ts";
import { Transport } from "../ul/transport.ts";
import { type Refusal, refuse } from "./admission.ts";
import { Door } from "./door.ts";
import { type Identified, UserIdentities } from "./identity.ts";
import { RefusalLog } from "./refusal_log.ts";
import type { StoreCount, StoreService } from "./store.ts";

const log = getLog("receiver");

/** That no connection can be had is logged at most so often, in ms. */
const ACCEPT_LOG_MS = 60_000;

/** When stopping, an association that has been silent for so long is over, in ms. */
const QUIET_MS = 1000;

/** Connections come in by one or both of these. */
export type PortKind = "plain" | "tls";

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
  readonly #door: Door;
  readonly #identities: UserIdentities;
  readonly #refusals = new RefusalLog(() => performance.now());
  readonly #connections = new Set<Connection>();
  #acceptFailedAt = -Infinity;
  #isStopped = false;
  readonly #listeners = new Map<PortKind, Listener>();
  readonly #accepting = new Map<PortKind, Promise<void>>();

  constructor(config: Config, spool: Spool, service: StoreService, observer?: ReceptionObserver) {
    this.#config = config;
    this.#spool = spool;
    this.#service = service;
    this.#observer = observer;
    this.#door = new Door(config, () => performance.now());
    this.#identities = new UserIdentities(config.userIdentity, () => performance.now());
    this.#hostIsAllowed = addressFilter(config.allowedHosts);
    this.#options = optionsOf(config);
  }

  /**
   * Goes on by another configuration. An association that is open keeps the time-outs and the PDU length it began with;
   * what is asked of it message by message is asked of the new one.
   */
  configure(config: Config): void {
    this.#config = config;
    this.#door.configure(config);
    this.#identities.configure(config.userIdentity);
    this.#hostIsAllowed = addressFilter(config.allowedHosts);
    this.#options = optionsOf(config);
  }

  /**
   * Begins to accept what connects, and has connected since the listener was made. One that was served before is closed;
   * the associations it brought go on.
   */
  serve(listener: Listener, kind: PortKind = "plain"): void {
    if (this.#isStopped) return listener.close();
    const left = this.leave(kind);
    this.#listeners.set(kind, listener);
    if (listener instanceof TlsListener) {
      listener.failed = (from, why) => this.#observer?.handshakeFailed?.(from, why);
    }
    this.#accepting.set(kind, Promise.all([left, this.#accept(listener)]).then(() => {}));
  }

  /** Accepts nothing more, until another listener is served. Resolves when the port is free. */
  leave(kind: PortKind = "plain"): Promise<void> {
    this.#listeners.get(kind)?.close();
    this.#listeners.delete(kind);
    // A listener keeps its port for as long as somebody waits to accept from it.
    return this.#accepting.get(kind) ?? Promise.resolve();
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
    await Promise.all([this.leave("plain"), this.leave("tls")]);
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
    this.#refusals.stop();
  }

  #accept(listener: Listener): Promise<void> {
    return acceptAll(
      listener,
      (connection) => this.#take(connection),
      (error) => this.#logAcceptFailure(error),
    );
  }

  #take(connection: Accepted): void {
    const { hostname } = connection.remoteAddr;
    const turned = this.#door.turnsAway(hostname, this.#connections);
    if (turned === undefined) {
      void this.#run(connection);
      return;
    }
    // Answering each would be work for whoever floods us.
    connection.close();
    this.#observer?.connectionDropped(turned);
    this.#refusals.turnedAway(hostname, turned, this.#connections.size);
  }

  #logAcceptFailure(error: unknown): void {
    const now = performance.now();
    if (now - this.#acceptFailedAt <= ACCEPT_LOG_MS) return;
    this.#acceptFailedAt = now;
    log.error("Cannot accept a connection, trying again and again", {
      error,
      open: this.#connections.size,
    });
  }

  async #run(tcp: Accepted): Promise<void> {
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
    const identified = await this.#identify(connection, request);
    const refusal = identified.kind === "refused"
      ? identified.refusal
      : this.#refusalOf(connection, request);
    if (refusal !== undefined) {
      const numbers = [refusal.result, refusal.source, refusal.reason] as const;
      this.#refusals.rejected(connection.host, numbers, {
        why: refusal.why,
        calling: request.callingAeTitle,
        called: request.calledAeTitle,
        from: association.peer,
      });
      this.#observer?.associationRejected(...numbers, {
        calling: request.callingAeTitle,
        called: request.calledAeTitle,
        host: connection.host,
        why: refusal.why,
      });
      await association.reject(...numbers);
      return false;
    }
    connection.admitted = true;
    await association.accept(
      request,
      (abstractSyntax) => abstractSyntax === VERIFICATION || isStorageClass(abstractSyntax),
      identified.kind === "ok" && identified.respond,
    );
    this.#observer?.associationAccepted();
    log.info("Association accepted", {
      calling: request.callingAeTitle,
      called: request.calledAeTitle,
      ...(identified.kind === "ok" && identified.user !== null ? { user: identified.user } : {}),
      from: association.peer,
      peer: association.peerImplementation,
      contexts: `${association.acceptedContexts.size}/${request.contexts.length}`,
      syntaxes: agreedSyntaxes(association),
    });
    return true;
  }

  /** Who else may not come in is not asked who it is: that costs a hash. */
  async #identify(connection: Connection, request: AssociateRequest): Promise<Identified> {
    const refusal = this.#refusalOf(connection, request);
    if (refusal !== undefined) return { kind: "refused", refusal };
    const verdict = this.#verdictOn(connection, request);
    const wanted = verdict.kind === "listed" ? verdict.user : null;
    return await this.#identities.check(
      request.userInformation.userIdentity,
      wanted,
      connection.host,
    );
  }

  #refusalOf(connection: Connection, request: AssociateRequest): Refusal | undefined {
    const { host } = connection;
    const others = this.#admitted();
    return refuse(
      request,
      host,
      {
        associations: others.length,
        fromSameHost: others.filter((one) => one.host === host).length,
        kept: this.#door.keptFrom(host, others),
        spoolRefuses: this.#spool.refusesNew(),
      },
      this.#config,
      this.#hostIsAllowed,
      this.#verdictOn(connection, request),
    );
  }

  #verdictOn({ host }: Connection, { callingAeTitle, calledAeTitle }: AssociateRequest) {
    return this.#door.senders.judge(callingAeTitle, calledAeTitle, host);
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
          const answer = await this.#service.store(association, request, dataSet, count);
          if (answer.status === SUCCESS) this.#door.stored(connection.host);
          return answer;
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

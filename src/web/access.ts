/*
 * Who asks, and what that one may do: by session, by the token of this machine's command line, or, where no password is set,
 * because the server is bound to loopback.
 *
 * Owns the session cookie, the token checks and the count of wrong passwords. Refuses with HttpError. A password is never
 * kept and never logged.
 */

import type { Person } from "../control/control.ts";
import { getLog } from "../log.ts";
import { isLocal } from "./guard.ts";
import { HttpError } from "./http_error.ts";
import { Lockout } from "../access/lockout.ts";
import { PasswordCheck } from "../access/password.ts";
import { newToken, sameSecret, type Session, Sessions } from "./sessions.ts";
import type { SessionView } from "./shapes.ts";

const log = getLog("web");

/** Who is told of logins. */
export interface AccessObserver {
  loggedIn(peer: string): void;
  loggedOut(peer: string): void;
  /** @param lockedSeconds for how long nobody is let in from there now; 0 where somebody is */
  wrongPassword(peer: string, lockedSeconds: number): void;
}

export interface AccessOptions {
  readonly observer?: AccessObserver;
  /** Null where none is set, which is possible on loopback alone. */
  readonly passwordHash: string | null;
  readonly sessionMs: number;
  readonly metricsPublic: boolean;
  /** The command line's token of this start. */
  readonly token: string;
  /** Whether it is served with TLS: the cookie is then never sent without. */
  readonly secure: boolean;
  /** The port, for the cookie's name: browsers do not keep cookies of two ports apart. */
  readonly port: () => number;
  /** ms since 1970 */
  readonly now: () => number;
}

/** The one who asks. */
export interface Caller {
  /** Address of the connection. */
  readonly peer: string;
  readonly by: Person;
  readonly authenticated: boolean;
  /** By the command line's token, which no browser has: needs no CSRF token. */
  readonly cli: boolean;
  readonly session: Session | undefined;
}

export class Access {
  readonly #options: AccessOptions;
  readonly #sessions: Sessions;
  readonly #lockout: Lockout;
  readonly #password: PasswordCheck | undefined;
  /** Keyed by a secret of this start, so that Prometheus does not cost a password check each time. */
  readonly #basicKey = newToken();
  #basicRight: string | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#sessions = new Sessions(options.now, options.sessionMs);
    this.#lockout = new Lockout(options.now);
    const { passwordHash } = options;
    this.#password = passwordHash === null ? undefined : new PasswordCheck(passwordHash);
  }

  /**
   * Finds out who asks.
   *
   * @throws HttpError 401 where a token is given that is not this start's
   */
  identify(headers: Headers, peer: string): Caller {
    const by = `web ${peer}`;
    const bearer = /^Bearer ([A-Za-z0-9_-]{1,200})$/.exec(headers.get("authorization") ?? "")?.[1];
    if (bearer !== undefined) {
      if (!sameSecret(bearer, this.#options.token)) {
        throw new HttpError(401, "The token is not that of the running forwarder.");
      }
      return { peer, by: "cli", authenticated: true, cli: true, session: undefined };
    }
    if (this.#password === undefined) {
      return { peer, by, authenticated: true, cli: false, session: undefined };
    }
    const id = this.#cookie(headers);
    const session = id === undefined ? undefined : this.#sessions.find(id);
    return { peer, by, authenticated: session !== undefined, cli: false, session };
  }

  /** Whether the one who was identified still is: a session ends. */
  holds(caller: Caller): boolean {
    return caller.session === undefined
      ? caller.authenticated
      : this.#sessions.isOpen(caller.session);
  }

  /**
   * Lets a change pass that carries its token.
   *
   * @throws HttpError 403
   */
  checkChange(caller: Caller, headers: Headers): void {
    if (caller.cli) return;
    const given = headers.get("x-csrf-token") ?? "";
    if (sameSecret(given, this.#sessions.csrf(caller.session))) return;
    throw new HttpError(
      403,
      "The X-CSRF-Token is missing or of another session: wanted that of GET /api/v1/session.",
    );
  }

  view(caller: Caller, session = caller.session): SessionView {
    return {
      password: this.#password !== undefined,
      authenticated: session !== undefined || caller.authenticated,
      csrf: this.#sessions.csrf(session),
      expires: session?.expires ?? null,
    };
  }

  /**
   * Logs in.
   *
   * @param answer gets the cookie
   * @throws HttpError 401 wrong, 404 where there is no password, 429 locked out, 503 too many at once
   */
  async login(caller: Caller, password: string, answer: Headers): Promise<SessionView> {
    await this.#check(caller.peer, password);
    if (caller.session !== undefined) this.#sessions.end(caller.session);
    const { id, session } = this.#sessions.begin();
    answer.append("Set-Cookie", this.#setCookie(id, Math.floor(this.#options.sessionMs / 1000)));
    log.info("Logged in at the status page", { from: caller.peer });
    this.#options.observer?.loggedIn(caller.peer);
    return this.view(caller, session);
  }

  logout(caller: Caller, answer: Headers): void {
    if (caller.session === undefined) return;
    this.#sessions.end(caller.session);
    answer.append("Set-Cookie", this.#setCookie("", 0));
    log.info("Logged out of the status page", { from: caller.peer });
    this.#options.observer?.loggedOut(caller.peer);
  }

  /**
   * Lets Prometheus read: on this machine, where the configuration says so, or with the password (Basic).
   *
   * @throws HttpError 401, and as `login`
   */
  async checkMetrics(caller: Caller, headers: Headers): Promise<void> {
    const local = isLocal(caller.peer, headers.get("host") ?? "");
    if (local || this.#options.metricsPublic || caller.cli || caller.session !== undefined) return;
    const given = headers.get("authorization") ?? "";
    const basic = /^Basic ([A-Za-z0-9+/=]{1,2048})$/.exec(given)?.[1];
    if (basic === undefined || this.#password === undefined) {
      throw new HttpError(401, "Wanted the password of the status page (Basic), any user name.");
    }
    if (this.#basicRight !== undefined && sameSecret(this.#basicKey + basic, this.#basicRight)) {
      return;
    }
    const bytes = Uint8Array.from(atobOrEmpty(basic), (char) => char.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    await this.#check(caller.peer, text.slice(text.indexOf(":") + 1));
    this.#basicRight = this.#basicKey + basic;
  }

  async #check(peer: string, password: string): Promise<void> {
    if (this.#password === undefined) throw new HttpError(404, "No password is set.");
    const waitMs = this.#lockout.waitMs(peer);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      const message = `Too many wrong passwords: wait ${seconds} s before the next.`;
      throw new HttpError(429, message, seconds);
    }
    if (this.#password.busy) {
      throw new HttpError(503, "Too many passwords are being checked: try again in a moment.", 2);
    }
    const right = this.#lockout.begin(peer);
    if (await this.#password.matches(password)) return right();
    const locked = this.#lockout.waitMs(peer);
    log.warn("Wrong password at the status page", {
      from: peer,
      ...(locked > 0 ? { lockedForSeconds: Math.ceil(locked / 1000) } : {}),
    });
    this.#options.observer?.wrongPassword(peer, Math.ceil(locked / 1000));
    throw new HttpError(401, "The password is wrong.");
  }

  /**
   * With TLS it is another one: browsers let nothing without TLS replace a Secure cookie of the same name, and nobody could
   * log in any more once TLS is switched off. `__Host-` lets nothing else of this machine set it (RFC 6265bis §4.1.3.2).
   */
  get #cookieName(): string {
    return `${this.#options.secure ? "__Host-" : ""}dicomforwarder_${this.#options.port()}`;
  }

  #cookie(headers: Headers): string | undefined {
    for (const part of (headers.get("cookie") ?? "").split(";")) {
      const [name, value] = part.trim().split("=");
      if (name === this.#cookieName && value !== undefined && value.length <= 100) return value;
    }
    return undefined;
  }

  #setCookie(id: string, seconds: number): string {
    const secure = this.#options.secure ? "; Secure" : "";
    return `${this.#cookieName}=${id}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`;
  }
}

function atobOrEmpty(text: string): string {
  try {
    return atob(text);
  } catch (error) {
    if (error instanceof DOMException) return "";
    throw error;
  }
}

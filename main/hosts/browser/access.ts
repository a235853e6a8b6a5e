/**
 * Owns: who may talk to the browser host: this computer only, one window opened by a one-time token, then its cookie.
 * Called by: http.ts, websocket.ts. Calls: nothing.
 *
 * Any page in any browser on this computer can send requests to a loopback port; so Host, Origin, and a secret that
 * only the window knows are checked for each of them.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A link that was not used for this long is worth nothing. */
export const LINK_LIFE_MS = 5 * 60_000;
const MAX_TOKENS = 32;

/** Cookies are not kept apart by port: two programs in one browser need two names. */
function cookieName(request: IncomingMessage): string {
  return `parley-${request.socket.localPort ?? 0}`;
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** One-time tokens and the session that they are exchanged for. */
export class BrowserAccess {
  readonly #cookie = secret();
  readonly #bearer = secret();
  readonly #tokens = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** For automation: `Authorization: Bearer <this>`. */
  get bearer(): string {
    return this.#bearer;
  }

  /** A token for one new window. */
  issueToken(): string {
    for (const [token, expiry] of this.#tokens) {
      if (expiry < this.#now() || this.#tokens.size >= MAX_TOKENS) this.#tokens.delete(token);
    }
    const token = secret();
    this.#tokens.set(token, this.#now() + LINK_LIFE_MS);
    return token;
  }

  /** The Set-Cookie value for a token, or undefined when it is unknown, used or too old. */
  redeem(token: string, request: IncomingMessage): string | undefined {
    for (const [known, expiry] of this.#tokens) {
      if (!same(known, token)) continue;
      this.#tokens.delete(known);
      if (expiry < this.#now()) return undefined;
      return `${cookieName(request)}=${this.#cookie}; HttpOnly; SameSite=Strict; Path=/`;
    }
    return undefined;
  }

  /** The request names this computer: a name that somebody else made point here (DNS rebinding) is refused. */
  isHostAllowed(request: IncomingMessage): boolean {
    const port = request.socket.localPort;
    const { host } = request.headers;
    return host === `127.0.0.1:${port}` || host === `localhost:${port}` || host === `[::1]:${port}`;
  }

  /** The request carries our cookie. */
  hasCookie(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
    const start = `${cookieName(request)}=`;
    return cookies.some(
      (cookie) => cookie.startsWith(start) && same(cookie.slice(start.length), this.#cookie),
    );
  }

  hasBearer(request: IncomingMessage): boolean {
    const [, given] = /^Bearer ([\w-]{1,100})$/i.exec(request.headers.authorization ?? '') ?? [];
    return given !== undefined && same(given, this.#bearer);
  }

  /** A WebSocket may be opened by our own page, or by a program with the bearer (which has no Origin). */
  maySubscribe(request: IncomingMessage): boolean {
    if (!this.isHostAllowed(request)) return false;
    const { origin, host } = request.headers;
    if (origin === undefined) return this.hasBearer(request);
    return origin === `http://${host ?? ''}` && (this.hasCookie(request) || this.hasBearer(request));
  }
}

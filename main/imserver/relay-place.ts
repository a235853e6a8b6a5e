/**
 * Owns: the places that the relay has given away: which token is whose, on which connection, and for how long.
 * Called by: relay-admission.ts, relay-link.ts, msrp-relay.ts. Calls: nothing.
 */
import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import type { RelayLimits } from '../base/limits.ts';
import { buildMsrpUri, msrpUrisEqual, type MsrpUri } from '../msrp/uri.ts';
import type { RelayLink } from './relay-link.ts';
import type { RelayStream } from './relay-stream.ts';

/** 144 random bits: whoever knows it may send to its owner (RFC 4976 §9.2 asks for 64). */
const TOKEN_BYTES = 18;

/** One Use-Path: one user on one connection. */
export class RelayPlace {
  readonly uri: MsrpUri;
  readonly token: string;
  readonly user: string;
  readonly link: RelayLink;
  /** The ways that go through it, in either direction. */
  readonly streams = new Set<RelayStream>();
  /** Connections that its owner has made us open, by where they lead. */
  readonly nextHops = new Map<string, Promise<RelayLink>>();
  expiry: Timer | undefined;

  constructor(
    user: string,
    link: RelayLink,
    where: { scheme: 'msrp' | 'msrps'; host: string; port: number },
  ) {
    this.user = user;
    this.link = link;
    this.token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.uri = buildMsrpUri({ ...where, sessionId: this.token });
  }
}

/** All places. */
export class RelayPlaces implements Disposable {
  readonly #limits: RelayLimits;
  readonly #clock: Clock;
  readonly #byToken = new Map<string, RelayPlace>();
  readonly #byUser = new Map<string, Set<RelayPlace>>();

  constructor(limits: RelayLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#byToken.size;
  }

  /** The live place that a URI names. */
  find(uri: MsrpUri | undefined): RelayPlace | undefined {
    if (uri?.sessionId === undefined) return undefined;
    const place = this.#byToken.get(uri.sessionId);
    return place !== undefined && msrpUrisEqual(place.uri, uri) ? place : undefined;
  }

  /** The place of a user on a connection. */
  of(user: string, link: RelayLink): RelayPlace | undefined {
    return [...link.places].find((place) => place.user === user);
  }

  users(): readonly string[] {
    return [...this.#byUser.keys()];
  }

  ofUser(user: string): readonly RelayPlace[] {
    return [...(this.#byUser.get(user) ?? [])];
  }

  /** False: there are as many as there may be. */
  add(place: RelayPlace): boolean {
    const ofUser = this.#byUser.get(place.user) ?? new Set();
    if (this.size >= this.#limits.maxPlaces || ofUser.size >= this.#limits.maxPlacesPerUser) return false;
    this.#byToken.set(place.token, place);
    ofUser.add(place);
    this.#byUser.set(place.user, ofUser);
    place.link.places.add(place);
    return true;
  }

  /** Its life begins anew; `receiveExpired` is told when it is over. */
  prolong(place: RelayPlace, seconds: number, receiveExpired: () => void): void {
    place.expiry?.[Symbol.dispose]();
    place.expiry = this.#clock.startTimer(seconds * 1_000, receiveExpired);
  }

  /** Ends a place, with everything that went through it: no message is left half sent, it is answered 481. */
  remove(place: RelayPlace): void {
    place.expiry?.[Symbol.dispose]();
    if (!this.#byToken.delete(place.token)) return;
    place.link.places.delete(place);
    const ofUser = this.#byUser.get(place.user);
    ofUser?.delete(place);
    if (ofUser?.size === 0) this.#byUser.delete(place.user);
    for (const stream of [...place.streams]) stream.end(481);
    for (const hop of place.nextHops.values()) {
      hop.then(
        (link) => link.close(),
        () => undefined,
      );
    }
    place.nextHops.clear();
  }

  [Symbol.dispose](): void {
    for (const place of [...this.#byToken.values()]) this.remove(place);
  }
}

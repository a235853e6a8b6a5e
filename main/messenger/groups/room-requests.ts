/**
 * Owns: what we ask of a room, or of the server for one: to make it, to invite, remove, name, hand over (RFC 4579).
 * Called by: group-link.ts, group-actions.ts. Calls: sip/agent/authenticated-request.ts.
 */
import { newCallIdentity, sendAuthenticated } from '../../sip/agent/authenticated-request.ts';
import type { AgentResponse } from '../../sip/agent/agent-request.ts';
import { EngineError } from '../../sip/agent/outgoing.ts';
import { buildConferenceInfo, CONFERENCE_INFO_TYPE, type ConferenceInfo } from '../../sip/conference-info.ts';
import { parseNameAddr } from '../../sip/headers.ts';
import type { AccountLink } from '../account-link.ts';

/** How a request leaves; undefined: we are not signed in. */
type Route = () => ReturnType<AccountLink['pagerRoute']>;

/** Requests of one account to rooms of its server. Each resolves with the SIP status; 0: nobody was asked. */
export class RoomRequests {
  readonly #route: Route;

  constructor(route: Route) {
    this.#route = route;
  }

  invite(room: string, address: string): Promise<number> {
    return this.#refer(room, `sip:${address}`);
  }

  /** Ourselves: we leave. */
  remove(room: string, address: string): Promise<number> {
    return this.#refer(room, `sip:${address};method=BYE`);
  }

  rename(room: string, title: string): Promise<number> {
    return this.#wish(`sip:${room}`, { entity: `sip:${room}`, displayText: title });
  }

  setOwner(room: string, address: string): Promise<number> {
    const user = { entity: `sip:${address}`, state: 'partial', roles: ['owner'] } as const;
    return this.#wish(`sip:${room}`, { entity: `sip:${room}`, users: [user] });
  }

  /** `factory`: the URI that makes rooms. */
  create(factory: string, room: string, title: string): Promise<number> {
    return this.#wish(factory, { entity: `sip:${room}`, displayText: title });
  }

  /** Whether there is a room at this address: undefined when nobody has said. */
  async isRoom(address: string): Promise<boolean | undefined> {
    const response = await this.#send('OPTIONS', `sip:${address}`, {});
    if (response === undefined || response.status >= 300) {
      return response?.status === 404 ? false : undefined;
    }
    const contact = response.message.headers.get('contact');
    return contact !== undefined && parseNameAddr(contact).params.has('isfocus');
  }

  async #refer(room: string, target: string): Promise<number> {
    const headers = { 'Refer-To': `<${target}>`, 'Refer-Sub': 'false' };
    return (await this.#send('REFER', `sip:${room}`, { headers }))?.status ?? 0;
  }

  async #wish(uri: string, info: Pick<ConferenceInfo, 'entity'> & Partial<ConferenceInfo>): Promise<number> {
    const body = buildConferenceInfo({ state: 'partial', version: 0, users: [], ...info });
    const headers = { 'Content-Type': CONFERENCE_INFO_TYPE };
    return (await this.#send('MESSAGE', uri, { headers, body }))?.status ?? 0;
  }

  async #send(
    method: string,
    uri: string,
    content: { headers?: Record<string, string>; body?: string },
  ): Promise<AgentResponse | undefined> {
    const route = this.#route();
    if (route === undefined) return undefined;
    const { agent, way, digest, from } = route;
    try {
      const response = await sendAuthenticated(
        agent,
        { method, uri, from, to: `<${uri}>`, ...way, digest, ...content },
        newCallIdentity(),
      );
      // What our own engine makes up says that nobody was reached.
      return response.source.address === '' ? undefined : response;
    } catch (error) {
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }
}

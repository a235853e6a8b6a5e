/**
 * Owns: application/conference-info+xml, the state of a chat room as it is told: whole, or what has changed (RFC 4575).
 * Called by: imserver/rooms (tells it), messenger (reads it, and says what it wishes in the same form). Calls: base/xml.ts.
 */
import { ProtocolError } from '../base/protocol-error.ts';
import { escapeXml, parseXml, xmlChild, type XmlElement } from '../base/xml.ts';

export const CONFERENCE_INFO_TYPE = 'application/conference-info+xml';
/** The event package (RFC 4575 §4.1). */
export const CONFERENCE_EVENT = 'conference';

/** `pending`: invited and not there yet. None: a member who is away. */
export type ConferenceEndpointStatus = 'connected' | 'pending' | 'disconnected';
/** How somebody went (RFC 4575 §5.7.5); `busy`: he declined. */
export type ConferenceDeparture = 'departed' | 'booted' | 'busy' | 'failed';

/** One member of a room. */
export interface ConferenceUser {
  /** URI. */
  readonly entity: string;
  /** `deleted`: no member any more. */
  readonly state: 'full' | 'partial' | 'deleted';
  readonly displayText?: string | undefined;
  /** RFC 6501 §4.6.5: unique in the room. */
  readonly nickname?: string | undefined;
  readonly roles: readonly string[];
  readonly status?: ConferenceEndpointStatus | undefined;
  readonly departure?: ConferenceDeparture | undefined;
}

/** A document. */
export interface ConferenceInfo {
  /** URI of the room. */
  readonly entity: string;
  readonly state: 'full' | 'partial' | 'deleted';
  readonly version: number;
  /** The name of the room, when the document says it. */
  readonly displayText?: string | undefined;
  /** Whether everybody who knows the address may join (`conf-uris` has a `purpose` of its own for that). */
  readonly isOpen?: boolean | undefined;
  readonly users: readonly ConferenceUser[];
}

const LIMITS = { maxXmlBytes: 512 * 1024, maxXmlElements: 16_384, maxXmlDepth: 12 } as const;
const OPEN_PURPOSE = 'participation';
const STATES = ['full', 'partial', 'deleted'] as const;
const STATUSES = ['connected', 'pending', 'disconnected'] as const;
const DEPARTURES = ['departed', 'booted', 'busy', 'failed'] as const;

/** Writes a document; elements in the order of the schema (RFC 4575 §6). */
export function buildConferenceInfo(info: ConferenceInfo): string {
  const { entity, state, version, displayText, isOpen, users } = info;
  const uris =
    isOpen === true
      ? `<conf-uris><entry><uri>${escapeXml(entity)}</uri><purpose>${OPEN_PURPOSE}</purpose></entry></conf-uris>`
      : '';
  const described = displayText === undefined && isOpen === undefined;
  const description = described
    ? ''
    : `<conference-description>${optional('display-text', displayText)}${uris}</conference-description>`;
  const count = users.filter((user) => user.state !== 'deleted').length;
  const counted =
    state === 'full' ? `<conference-state><user-count>${count}</user-count></conference-state>` : '';
  const listed =
    users.length === 0 && state !== 'full'
      ? ''
      : `<users state="${state === 'full' ? 'full' : 'partial'}">${users.map(buildUser).join('')}</users>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\r\n<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" xmlns:x="urn:ietf:params:xml:ns:xcon-conference-info" entity="${escapeXml(entity)}" state="${state}" version="${version}">${description}${counted}${listed}</conference-info>\r\n`;
}

function buildUser(user: ConferenceUser): string {
  const { entity, state, displayText, nickname, roles, status, departure } = user;
  const entries = roles.map((role) => `<entry>${escapeXml(role)}</entry>`).join('');
  const endpoint =
    status === undefined
      ? ''
      : `<endpoint entity="${escapeXml(entity)}"><status>${status}</status>${optional('disconnection-method', departure)}</endpoint>`;
  return `<user entity="${escapeXml(entity)}" state="${state}">${optional('display-text', displayText)}${roles.length === 0 ? '' : `<roles>${entries}</roles>`}${endpoint}${nickname === undefined || nickname === '' ? '' : `<x:nickname>${escapeXml(nickname)}</x:nickname>`}</user>`;
}

function optional(name: string, text: string | undefined): string {
  return text === undefined ? '' : `<${name}>${escapeXml(text)}</${name}>`;
}

/** Reads a document. Throws ProtocolError, status 400, when it is none. */
export function parseConferenceInfo(body: Buffer): ConferenceInfo {
  const root = parseXml(body, LIMITS);
  const entity = root.attributes.get('entity') ?? '';
  if (root.name !== 'conference-info' || entity === '') {
    throw new ProtocolError('CONFERENCE_INFO_MALFORMED', 400, 'not a conference-info with an entity');
  }
  const description = xmlChild(root, 'conference-description');
  const version = Number(root.attributes.get('version') ?? 0);
  return {
    entity,
    state: oneOf(STATES, root.attributes.get('state')) ?? 'full',
    version: Number.isSafeInteger(version) ? version : 0,
    displayText: xmlChild(description, 'display-text')?.text,
    isOpen:
      description === undefined
        ? undefined
        : xmlChild(description, 'conf-uris')?.children.some(
            (entry) => xmlChild(entry, 'purpose')?.text === OPEN_PURPOSE,
          ),
    users: (xmlChild(root, 'users')?.children ?? []).flatMap(readUser),
  };
}

function readUser(element: XmlElement): ConferenceUser[] {
  const entity = element.attributes.get('entity') ?? '';
  if (element.name !== 'user' || entity === '') return [];
  const endpoints = element.children.filter(({ name }) => name === 'endpoint');
  const statuses = endpoints.map((endpoint) => oneOf(STATUSES, xmlChild(endpoint, 'status')?.text));
  return [
    {
      entity,
      state: oneOf(STATES, element.attributes.get('state')) ?? 'full',
      displayText: xmlChild(element, 'display-text')?.text,
      nickname: xmlChild(element, 'nickname')?.text,
      roles: (xmlChild(element, 'roles')?.children ?? []).map(({ text }) => text),
      // Several devices: he is there when one of them is.
      status: STATUSES.find((status) => statuses.includes(status)),
      departure: oneOf(DEPARTURES, xmlChild(endpoints[0], 'disconnection-method')?.text),
    },
  ];
}

function oneOf<T extends string>(known: readonly T[], text: string | undefined): T | undefined {
  return known.find((each) => each === text);
}

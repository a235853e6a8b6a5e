/**
 * Owns: presence documents (PIDF, RFC 3863; person and activities, RFC 4479 and RFC 4480): written and read.
 * Called by: imserver/presence.ts, messenger/own-presence.ts. Calls: base/xml.ts.
 */
import { MAX_NOTE_CHARS, type PresenceShow, type PresenceState } from '../../shared/domain/presence.ts';
import { PAYLOAD_LIMITS } from '../base/limits.ts';
import { PRESENCE_LIMITS } from '../base/presence-limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { escapeXml, parseXml, xmlChild, type XmlElement } from '../base/xml.ts';

export const PIDF_TYPE = 'application/pidf+xml';

const NAMESPACES = [
  'xmlns="urn:ietf:params:xml:ns:pidf"',
  'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"',
  'xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"',
].join(' ');

/** RPID knows no word for "do not disturb" (RFC 4480 §3.2): it is told as busy, and read from that. */
const ACTIVITY: Readonly<Record<PresenceShow, string>> = {
  available: '',
  away: '<rpid:away/>',
  dnd: '<rpid:busy/>',
  offline: '',
};

/** Words of other programs, in RPID and in elements of their own, for what we have four words for. */
const DND_WORDS = new Set([
  'busy',
  'dnd',
  'do-not-disturb',
  'donotdisturb',
  'on-the-phone',
  'meeting',
  'presentation',
  'performance',
]);
const AWAY_WORDS = new Set([
  'away',
  'xa',
  'extended-away',
  'appointment',
  'breakfast',
  'dinner',
  'lunch',
  'meal',
  'holiday',
  'vacation',
  'permanent-absence',
  'sleeping',
  'travel',
  'in-transit',
  'steering',
]);

/** Writes one. `entity` is a SIP URI; `tupleId` tells the devices of one person apart. */
export function formatPidf(entity: string, { show, note }: PresenceState, tupleId = 'user'): string {
  const basic = show === 'offline' ? 'closed' : 'open';
  const activity = ACTIVITY[show];
  const words = readableNote(note);
  const person =
    activity === '' && words === ''
      ? ''
      : `<dm:person id="person">${activity === '' ? '' : `<rpid:activities>${activity}</rpid:activities>`}${
          words === '' ? '' : `<dm:note>${escapeXml(words)}</dm:note>`
        }</dm:person>\r\n`;
  return [
    `<?xml version="1.0" encoding="UTF-8"?>\r\n<presence ${NAMESPACES} entity="${escapeXml(entity)}">\r\n`,
    `<tuple id="${escapeXml(tupleId)}"><status><basic>${basic}</basic></status>`,
    words === '' ? '' : `<note>${escapeXml(words)}</note>`,
    `</tuple>\r\n${person}</presence>\r\n`,
  ].join('');
}

/**
 * Reads one: who has several tuples is there when one of them is; what is not known is passed over.
 * @throws ProtocolError 400 for what is no presence document
 */
export function parsePidf(body: Buffer): PresenceState {
  const root = parseXml(body, { ...PAYLOAD_LIMITS, maxXmlBytes: PRESENCE_LIMITS.maxPidfBytes });
  if (root.name !== 'presence') throw new ProtocolError('PIDF_MALFORMED', 400, 'no presence document');
  const tuples = root.children.filter(({ name }) => name === 'tuple');
  const open = tuples.filter((tuple) => basicOf(tuple) === 'open');
  const persons = root.children.filter(({ name }) => name === 'person');
  const note = noteOf([...persons, ...open, root, ...tuples]);
  if (open.length === 0) return { show: 'offline', note };
  const words = [...persons, ...open].flatMap(activitiesOf);
  if (words.some((word) => DND_WORDS.has(word))) return { show: 'dnd', note };
  return { show: words.some((word) => AWAY_WORDS.has(word)) ? 'away' : 'available', note };
}

function basicOf(tuple: XmlElement): string {
  return xmlChild(xmlChild(tuple, 'status'), 'basic')?.text.toLowerCase() ?? '';
}

/** In RPID `<activities><away/></activities>`, in older documents the same inside of the status, or as a text. */
function activitiesOf(element: XmlElement): string[] {
  return element.children.flatMap((child) => {
    switch (child.name) {
      case 'activities':
        return child.children.flatMap(({ name, text }) => [name.toLowerCase(), text.toLowerCase()]);
      case 'status':
        return activitiesOf(child);
      case 'activity':
      case 'im':
      case 'show':
      case 'extended':
        return [child.text.toLowerCase()];
      default:
        return [];
    }
  });
}

function noteOf(elements: readonly XmlElement[]): string {
  for (const element of elements) {
    const note = readableNote(xmlChild(element, 'note')?.text ?? '');
    if (note !== '') return note;
  }
  return '';
}

/** One line of a length that fits under a name. */
export function readableNote(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return Array.from(line).slice(0, MAX_NOTE_CHARS).join('');
}

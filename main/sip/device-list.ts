/**
 * Owns: the registrations of one user as a document (RFC 3680): which devices are signed in, and what they are called.
 * Called by: imserver/registration-events.ts, messenger/own-devices.ts. Calls: base/xml.ts.
 */
import { PAYLOAD_LIMITS } from '../base/limits.ts';
import { PRESENCE_LIMITS } from '../base/presence-limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { escapeXml, parseXml, xmlChild, type XmlElement } from '../base/xml.ts';

export const REG_INFO_TYPE = 'application/reginfo+xml';
export const REG_EVENT = 'reg';

/** One contact of a user. */
export interface RegisteredDevice {
  readonly contact: string;
  /** `+sip.instance` without brackets, the same for all flows of one device; empty: it has not said. */
  readonly instance: string;
  /** What it calls itself (`+sip.description`, RFC 3840 §9); empty: it has not said. */
  readonly name: string;
  /** Seconds until it has to register again. */
  readonly expiresS: number;
}

/** Writes all of them; `version` grows by one with each of one subscription, from 0. */
export function formatRegInfo(aor: string, version: number, devices: readonly RegisteredDevice[]): string {
  const contacts = devices.map(({ contact, instance, name, expiresS }, index) => {
    const params = [
      ['+sip.instance', instance === '' ? '' : `"<${instance}>"`],
      ['+sip.description', name === '' ? '' : `"<${name}>"`],
    ]
      .filter(([, value]) => value !== '')
      .map(([key, value]) => `<unknown-param name="${key ?? ''}">${escapeXml(value ?? '')}</unknown-param>`);
    const displayName = name === '' ? '' : `<display-name>${escapeXml(name)}</display-name>`;
    return `<contact id="c${index}" state="active" event="registered" expires="${expiresS}"><uri>${escapeXml(contact)}</uri>${displayName}${params.join('')}</contact>\r\n`;
  });
  const state = devices.length > 0 ? 'active' : 'terminated';
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\r\n',
    `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="${version}" state="full">\r\n`,
    `<registration aor="${escapeXml(aor)}" id="user" state="${state}">\r\n${contacts.join('')}</registration>\r\n`,
    '</reginfo>\r\n',
  ].join('');
}

/** Reads one: the contacts that are registered. @throws ProtocolError 400 for what is no such document */
export function parseRegInfo(body: Buffer): RegisteredDevice[] {
  const { maxListBytes, maxListElements } = PRESENCE_LIMITS;
  const limits = { ...PAYLOAD_LIMITS, maxXmlBytes: maxListBytes, maxXmlElements: maxListElements };
  const root = parseXml(body, limits);
  if (root.name !== 'reginfo') throw new ProtocolError('REGINFO_MALFORMED', 400, 'no list of registrations');
  return root.children
    .filter(({ name }) => name === 'registration')
    .flatMap(({ children }) => children)
    .filter(({ name, attributes }) => name === 'contact' && attributes.get('state') === 'active')
    .map((contact) => ({
      contact: xmlChild(contact, 'uri')?.text ?? '',
      instance: paramOf(contact, '+sip.instance'),
      name: paramOf(contact, '+sip.description') || (xmlChild(contact, 'display-name')?.text ?? ''),
      expiresS: Number(contact.attributes.get('expires') ?? 0) || 0,
    }));
}

/** The value of a parameter of the Contact, without its quotes and brackets. */
function paramOf(contact: XmlElement, name: string): string {
  const text = contact.children.find((child) => child.attributes.get('name') === name)?.text ?? '';
  return text.replace(/^"?<?|>?"?$/g, '');
}

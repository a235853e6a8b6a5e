/**
 * Owns: lists of watchers (RFC 3858): who sees, or asks to see, somebody's presence. Called by:
 * imserver/watcher-list.ts, messenger/presence-asks.ts. Calls: base/xml.ts.
 */
import { PAYLOAD_LIMITS } from '../base/limits.ts';
import { PRESENCE_LIMITS } from '../base/presence-limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { escapeXml, parseXml } from '../base/xml.ts';
import { toAddress } from './address.ts';

export const WATCHER_INFO_TYPE = 'application/watcherinfo+xml';
/** Its event package is a template on that of presence (RFC 3857). */
export const WATCHER_INFO_EVENT = 'presence.winfo';

/** `pending` is subscribed and not allowed, `waiting` was and has gone; both wait for an answer. */
export interface Watcher {
  readonly address: string;
  readonly status: 'active' | 'pending' | 'waiting';
}

/** Writes a whole list; `version` grows by one with each of one subscription, from 0. */
export function formatWatcherInfo(resource: string, version: number, watchers: readonly Watcher[]): string {
  const lines = watchers.map(
    ({ address, status }) =>
      `<watcher id="${escapeXml(address)}" status="${status}" event="subscribe">sip:${escapeXml(address)}</watcher>\r\n`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\r\n',
    `<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="${version}" state="full">\r\n`,
    `<watcher-list resource="${escapeXml(resource)}" package="presence">\r\n${lines.join('')}</watcher-list>\r\n`,
    '</watcherinfo>\r\n',
  ].join('');
}

/** Reads one. @throws ProtocolError 400 for what is no such document */
export function parseWatcherInfo(body: Buffer): Watcher[] {
  const { maxListBytes, maxListElements } = PRESENCE_LIMITS;
  const limits = { ...PAYLOAD_LIMITS, maxXmlBytes: maxListBytes, maxXmlElements: maxListElements };
  const root = parseXml(body, limits);
  if (root.name !== 'watcherinfo') throw new ProtocolError('WINFO_MALFORMED', 400, 'no list of watchers');
  return root.children
    .filter(({ name, attributes }) => name === 'watcher-list' && attributes.get('package') === 'presence')
    .flatMap(({ children }) => children)
    .flatMap(({ name, text, attributes }) => {
      const address = name === 'watcher' ? toAddress(text) : undefined;
      const status = attributes.get('status');
      if (address === undefined) return [];
      return status === 'active' || status === 'pending' || status === 'waiting' ? [{ address, status }] : [];
    });
}

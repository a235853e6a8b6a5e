/**
 * Owns: the payload that says whether somebody is typing (RFC 3994).
 * Called by: the messenger. Calls: base/xml.ts.
 */
import { ProtocolError } from '../base/protocol-error.ts';
import { escapeXml, parseXml, xmlChild } from '../base/xml.ts';

/** The content type. */
export const COMPOSING_TYPE = 'application/im-iscomposing+xml';
/** A refresh shorter than this is read as this (RFC 3994 §3.3). */
export const MIN_REFRESH_S = 60;
/** How long `active` holds when the sender does not say (RFC 3994 §3.3). */
export const DEFAULT_REFRESH_S = 120;
const MAX_REFRESH_S = 3_600;

/** A composing status. */
export interface ComposingStatus {
  readonly state: 'active' | 'idle';
  /** Seconds after which `active` is over without a new status. */
  readonly refreshS: number;
  /** What is being composed. */
  readonly contentType?: string;
  /** RFC 3339. */
  readonly lastActive?: string;
}

/** Builds a status document (RFC 3994 §3.2). */
export function buildComposing(status: {
  state: 'active' | 'idle';
  refreshS?: number;
  contentType?: string;
  lastActive?: string;
}): Buffer {
  const element = (name: string, value: string | number | undefined): string =>
    value === undefined ? '' : `<${name}>${escapeXml(String(value))}</${name}>`;
  const refresh = status.refreshS === undefined ? undefined : Math.max(MIN_REFRESH_S, status.refreshS);
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\r\n<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">${[
      element('state', status.state),
      element('lastactive', status.lastActive),
      element('contenttype', status.contentType),
      element('refresh', refresh),
    ].join('')}</isComposing>\r\n`,
  );
}

/** Reads a status. An unknown state is idle (RFC 3994 §3.3). Throws ProtocolError, status 400, for another document. */
export function parseComposing(body: Buffer): ComposingStatus {
  const root = parseXml(body);
  const state = xmlChild(root, 'state')?.text;
  if (root.name !== 'isComposing' || state === undefined) {
    throw new ProtocolError('COMPOSING_MALFORMED', 400, 'not an isComposing document with a state');
  }
  const refreshText = xmlChild(root, 'refresh')?.text ?? '';
  const refresh = /^\d{1,9}$/.test(refreshText) ? Number(refreshText) : DEFAULT_REFRESH_S;
  const contentType = xmlChild(root, 'contenttype')?.text;
  const lastActive = xmlChild(root, 'lastactive')?.text;
  return {
    state: state === 'active' ? 'active' : 'idle',
    refreshS: Math.min(MAX_REFRESH_S, Math.max(MIN_REFRESH_S, refresh)),
    ...(contentType === undefined ? {} : { contentType }),
    ...(lastActive === undefined ? {} : { lastActive }),
  };
}

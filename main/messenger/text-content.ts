/**
 * Owns: what a text of a stranger says: its character set, and HTML as plain text.
 * Called by: inbox.ts. Calls: nothing.
 */

/** Names that peers use and the decoder does not know. */
const ALIASES: Readonly<Record<string, string>> = { utf8: 'utf-8', 'utf-7': 'utf-8', latin1: 'iso-8859-1' };

const BREAKING =
  /<\/?(?:address|article|blockquote|br|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|table|tr|ul)\b[^<>]*>/gi;
const UNSEEN = /<(script|style|head|title)\b[^<>]*>[\s\S]*?(?:<\/\1\s*>|$)/gi;
const COMMENT = /<!--[\s\S]*?(?:-->|$)/g;
const TAG = /<\/?[a-z!?][^<>]*>/gi;
const REFERENCE = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi;
const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  hellip: '…',
  euro: '€',
};

/** The value of a parameter of a Content-Type, without quotes, in lower case (RFC 2045 §5.1). */
function contentTypeParameter(contentType: string, name: string): string | undefined {
  for (const part of contentType.split(';').slice(1)) {
    const [key = '', value = ''] = part.split('=', 2);
    if (key.trim().toLowerCase() === name) return value.trim().replace(/^"|"$/g, '').toLowerCase();
  }
  return undefined;
}

/**
 * Reads bytes in the character set that the Content-Type names; without one, or with one that nobody knows, as UTF-8,
 * and as Windows-1252 what is not UTF-8. A byte order mark decides.
 */
export function decodeText(bytes: Buffer, contentType: string): string {
  const named = contentTypeParameter(contentType, 'charset') ?? 'utf-8';
  for (const label of [markedAs(bytes) ?? ALIASES[named] ?? named, 'utf-8']) {
    try {
      return new TextDecoder(label, { fatal: true }).decode(bytes);
    } catch {
      // Not in this one, or no such one.
    }
  }
  return new TextDecoder('windows-1252').decode(bytes);
}

function markedAs(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return undefined;
}

/** A page that somebody pasted, not a message: reading it would hold everything else up. */
const MAX_HTML_CHARS = 64 * 1024;

/** What a reader would see of an HTML text: nothing of it is ever shown as HTML. A very long one stays as it is. */
export function htmlToText(html: string): string {
  if (html.length > MAX_HTML_CHARS) return html;
  const text = html
    .replace(COMMENT, '')
    .replace(UNSEEN, '')
    .replace(/\s+/g, ' ')
    .replace(BREAKING, '\n')
    .replace(TAG, '')
    .replace(REFERENCE, (whole: string, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
      const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code >= 0xe000);
      return isCharacter ? String.fromCodePoint(code) : '';
    })
    .replace(/ {2,}/g, ' ');
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

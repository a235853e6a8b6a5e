/** Owns: which parts of a text are links. They are never fetched; who opens one is the host. Called by: Bubble. Calls: URL. */

export interface TextPart {
  readonly text: string;
  /** Where the link leads; null: plain text. */
  readonly href: string | null;
}

const maxLinkChars = 2_000;
/**
 * Signs that turn the direction of reading, or cannot be seen, would show another address than the one that opens.
 * Texts without spaces go on behind a link with a sign of their own.
 */
const linkPattern = /https:\/\/[^\s<>"\p{Cc}\p{Cf}，。；：！？、（）「」『』【】《》]+/giu;
const closing: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

/** Without what ends the sentence: a closing bracket belongs to it only when its opening one does. */
function withoutEnd(link: string): string {
  let end = link.length;
  while (end > 0) {
    const last = link.charAt(end - 1);
    const kept = link.slice(0, end);
    const opening = closing[last];
    const isEnd =
      opening === undefined
        ? /[.,;:!?'*_~»”’]/u.test(last)
        : kept.split(last).length > kept.split(opening).length;
    if (!isEnd) break;
    end -= 1;
  }
  return link.slice(0, end);
}

function isOpenable(link: string): boolean {
  if (link.length > maxLinkChars || !URL.canParse(link)) return false;
  const { hostname, username, password } = new URL(link);
  return hostname !== '' && username === '' && password === '';
}

/** The text in order; together the parts are the text. */
export function linkParts(text: string): TextPart[] {
  if (!/https:\/\//i.test(text)) return [{ text, href: null }];
  const parts: TextPart[] = [];
  let at = 0;
  for (const match of text.matchAll(linkPattern)) {
    const link = withoutEnd(match[0]);
    if (!isOpenable(link)) continue;
    if (match.index > at) parts.push({ text: text.slice(at, match.index), href: null });
    parts.push({ text: link, href: link });
    at = match.index + link.length;
  }
  if (at < text.length) parts.push({ text: text.slice(at), href: null });
  return parts;
}

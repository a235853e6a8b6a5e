/**
 * Owns: reading the part of Markdown that the pages of docs/ are written in, into values that a view can show as text.
 * Called by: HelpView.svelte. Calls: nothing.
 */

export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'strong'; readonly parts: readonly Inline[] }
  | { readonly kind: 'link'; readonly href: string; readonly parts: readonly Inline[] }
  | { readonly kind: 'image'; readonly src: string; readonly alt: string };

export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly parts: readonly Inline[] }
  | { readonly kind: 'paragraph'; readonly parts: readonly Inline[] }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly items: readonly (readonly Inline[])[] }
  | {
      readonly kind: 'table';
      readonly head: readonly (readonly Inline[])[];
      readonly rows: readonly (readonly (readonly Inline[])[])[];
    };

const INLINE =
  /`([^`]+)`|!\[([^\]]*)\]\(([^)\s]+)\)|\[((?:[^\]`]|`[^`]*`)+)\]\(([^)\s]+)\)|\*\*((?:[^*`]|`[^`]*`)+)\*\*/;

/** Code, pictures, links and what is strong; everything else is text. */
export function parseInline(text: string): Inline[] {
  const parts: Inline[] = [];
  let rest = text;
  for (let match = INLINE.exec(rest); match !== null; match = INLINE.exec(rest)) {
    const [whole, code, alt, src, label, href, strong] = match;
    if (match.index > 0) parts.push({ kind: 'text', text: rest.slice(0, match.index) });
    if (code !== undefined) parts.push({ kind: 'code', text: code });
    else if (src !== undefined) parts.push({ kind: 'image', src, alt: alt ?? '' });
    else if (href !== undefined) parts.push({ kind: 'link', href, parts: parseInline(label ?? '') });
    else parts.push({ kind: 'strong', parts: parseInline(strong ?? '') });
    rest = rest.slice(match.index + whole.length);
  }
  if (rest !== '') parts.push({ kind: 'text', text: rest });
  return parts;
}

const LIST_ITEM = /^(?:[-*]|(\d+)\.) +(.*)$/;

function cellsOf(line: string): Inline[][] {
  return line
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => parseInline(cell.trim().replaceAll('\\|', '|')));
}

function isBlank(line: string | undefined): boolean {
  return line === undefined || line.trim() === '';
}

/** Headings, paragraphs, lists of one level, tables and fenced code. */
export function parseMarkdown(source: string): Block[] {
  const lines = source.split('\n');
  const blocks: Block[] = [];
  let at = 0;
  const takeWhile = (wanted: (line: string) => boolean): string[] => {
    const taken: string[] = [];
    for (let line = lines[at]; line !== undefined && wanted(line); line = lines[at]) {
      taken.push(line);
      at += 1;
    }
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,6}) +(.*)$/.exec(line);
    const item = LIST_ITEM.exec(line);
    if (isBlank(line)) at += 1;
    else if (line.startsWith('```')) {
      at += 1;
      blocks.push({ kind: 'code', text: takeWhile((one) => !one.startsWith('```')).join('\n') });
      at += 1;
    } else if (heading !== null) {
      at += 1;
      blocks.push({ kind: 'heading', level: heading[1]?.length ?? 1, parts: parseInline(heading[2] ?? '') });
    } else if (line.startsWith('|')) {
      const [head = '', , ...rows] = takeWhile((one) => one.startsWith('|'));
      blocks.push({ kind: 'table', head: cellsOf(head), rows: rows.map(cellsOf) });
    } else if (item !== null) {
      const taken = takeWhile((one) => !isBlank(one));
      const items: string[] = [];
      for (const one of taken) {
        const text = LIST_ITEM.exec(one)?.[2];
        if (text !== undefined) items.push(text);
        else items.push(`${items.pop() ?? ''} ${one.trim()}`);
      }
      blocks.push({ kind: 'list', ordered: item[1] !== undefined, items: items.map(parseInline) });
    } else {
      const taken = takeWhile((one) => !isBlank(one) && !/^(#|```|\|)/.test(one) && !LIST_ITEM.test(one));
      blocks.push({ kind: 'paragraph', parts: parseInline(taken.join(' ')) });
    }
  }
  return blocks;
}

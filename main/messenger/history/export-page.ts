/**
 * Owns: an exported conversation as a page for a browser, and as plain text. Called by: export.ts.
 * Calls: notice-text.ts, export-search-page.ts.
 */
import type { ExportedMessage } from '../../store/export-rows.ts';
import { FOLDER_SEARCH } from './export-search-page.ts';
import type { SearchedMessage } from './export-search.ts';
import { noticeText } from './notice-text.ts';

/** What a page says about its conversation. */
export interface PageHead {
  readonly peerName: string;
  readonly peerAddress: string;
  readonly account: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#1d2430;background:#fff}
h1{font-size:1.3rem}.m{margin:.5rem 0;padding:.5rem .75rem;border-radius:.75rem;background:#eef1f5;width:fit-content;max-width:85%;overflow-wrap:anywhere;white-space:pre-wrap}
.n{text-align:center;opacity:.8}
.out{margin-inline-start:auto;background:#dbe8ff}.t{display:block;font-size:.75rem;opacity:.7;white-space:normal}input{font:inherit;width:100%;padding:.4rem;box-sizing:border-box}
:target{outline:2px solid #4c8dff}#found{list-style:none;padding:0}#found a{display:block;padding:.4rem 0;overflow-wrap:anywhere;color:inherit;text-decoration:none;border-bottom:1px solid #8883}#found a:hover,#found a:focus{background:#8882}button{font:inherit}
ul{padding-inline-start:1.2rem}.hidden{display:none}img{max-width:100%}::placeholder{color:inherit;opacity:.75}
@media(prefers-color-scheme:dark){body{color:#e6e9ef;background:#15181e}.m{background:#232833}.out{background:#24406b}a{color:#8ab4ff}}`;

/** Works from a folder, without a server: the page asks nothing of the network. */
const FILTER = `const field=document.querySelector('input'),items=[...document.querySelectorAll('[data-find]')];
const fold=t=>t.normalize('NFKD').replace(/\\p{M}/gu,'').toLowerCase();
const texts=items.map(i=>fold(i.textContent));
field?.addEventListener('input',()=>{const words=fold(field.value).split(/\\s+/).filter(Boolean);
items.forEach((item,i)=>item.classList.toggle('hidden',!words.every(w=>texts[i].includes(w))));});`;

/** The beginning of a page, up to where its content goes. `scripts`: where else they may come from. */
function documentStart(title: string, scripts = ''): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'${scripts}; img-src 'self' file:">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main>
`;
}

/** The beginning of the page of a conversation, up to where its messages go. */
export function pageStart(title: string): string {
  return `${documentStart(title)}<p><a href="index.html">All conversations</a></p>
<h1>${escapeHtml(title)}</h1>
<p><input type="search" aria-label="Search this page" placeholder="Search this page"></p>
`;
}

/** The beginning of the first page, which searches all of them, up to where their list goes. */
export function indexStart(title: string): string {
  return `${documentStart(title, " 'self' file:")}<h1>${escapeHtml(title)}</h1>
<p><input type="search" aria-label="Search all conversations" placeholder="Search all conversations"></p>
<p id="said" role="status" class="t"></p>
<ul id="found"></ul>
<p><button id="more" type="button" hidden>Search on</button></p>
<ul id="all">
`;
}

export function indexEnd(): string {
  return `</ul>\n<script>${FOLDER_SEARCH}</script></main></body></html>\n`;
}

export function pageEnd(): string {
  return `<script>${FILTER}</script></main></body></html>\n`;
}

function stamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}

/** Who has written it; in a group with whom it was between two. */
function authorOf({ direction, group }: ExportedMessage, head: PageHead): string {
  const other = group?.person?.name;
  if (direction === 'in')
    return group?.isPrivate === true ? `${other ?? ''} (privately)` : (other ?? head.peerName);
  return group?.isPrivate === true ? `${head.account} (privately to ${other ?? ''})` : head.account;
}

function isTakenBack({ changes }: ExportedMessage): boolean {
  return changes.some(({ kind }) => kind === 'takeBack');
}

/** That it is not as it was sent, or answers another one. */
function marksOf({ changes, replyTo }: ExportedMessage): string {
  const edited = changes.some(({ kind, counts }) => kind === 'edit' && counts) ? ' (edited)' : '';
  return `${replyTo === null ? '' : ' (reply)'}${edited}`;
}

/** When it came into its states, to be read by pointing at its time. */
function timesOf({ times }: ExportedMessage): string {
  const lines = times.map(({ state, atMs }) => `${state} ${stamp(atMs)} UTC`);
  return lines.length === 0 ? '' : ` title="${escapeHtml(lines.join(', '))}"`;
}

function reactionsOf({ changes }: ExportedMessage, as: 'html' | 'text' = 'html'): string {
  const emoji = changes.filter(({ kind, counts }) => kind === 'reaction' && counts).map(({ text }) => text);
  if (emoji.length === 0) return '';
  return as === 'text' ? ` [${emoji.join(' ')}]` : `<span class="t">${escapeHtml(emoji.join(' '))}</span>`;
}

/** What the search of the folder is told of a message; undefined for what has only happened, or is not there any more. */
export function searchedMessage(message: ExportedMessage, head: PageHead): SearchedMessage | undefined {
  if ((message.group?.notice ?? null) !== null || isTakenBack(message)) return undefined;
  const { position, text, sentAtMs } = message;
  return { position, who: authorOf(message, head), when: stamp(sentAtMs), text };
}

/** `path`: the file of the message inside the export. */
export function messageHtml(message: ExportedMessage, head: PageHead, path: string | null): string {
  const notice = message.group?.notice ?? null;
  if (notice !== null) {
    return `<p class="n" id="m${message.position}" data-find dir="auto">${escapeHtml(noticeText(notice))} <span class="t">${stamp(message.sentAtMs)} UTC</span></p>\n`;
  }
  const who = authorOf(message, head);
  const label = isTakenBack(message) ? '<em>(deleted)</em>' : escapeHtml(message.text);
  let content = label;
  if (message.file !== null && path !== null) {
    const target = escapeHtml(path.split('/').map(encodeURIComponent).join('/'));
    const isPicture = /^image\/(?:png|jpeg|gif|webp)$/.test(message.file.type);
    content = `<a href="${target}">${isPicture ? `<img loading="lazy" alt="" src="${target}"><br>` : ''}${label}</a>`;
  }
  return `<div class="m ${message.direction}" id="m${message.position}" data-find dir="auto"><span class="t"${timesOf(message)}>${escapeHtml(who)} · ${stamp(message.sentAtMs)} UTC${marksOf(message)}</span>${content}${reactionsOf(message)}</div>\n`;
}

/** One message of a text file; further lines are indented. */
export function messageText(message: ExportedMessage, head: PageHead, path: string | null): string {
  const notice = message.group?.notice ?? null;
  if (notice !== null) return `${stamp(message.sentAtMs)} ${noticeText(notice)}\n`;
  const who = authorOf(message, head);
  const said = isTakenBack(message) ? '(deleted)' : message.text;
  const text = path === null ? said : `${said} [${path}]`;
  const marks = `${marksOf(message)}${reactionsOf(message, 'text')}`;
  return `${stamp(message.sentAtMs)} ${who}: ${text.replaceAll('\n', '\n    ')}${marks}\n`;
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import HelpView from '../../../renderer/views/help/HelpView.svelte';
import { parseInline, parseMarkdown } from '../../../renderer/views/help/markdown.ts';
import { isPage, pageNames, pictureOf, sourceOf, titleOf } from '../../../renderer/views/help/pages.ts';
import { talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle, show } from '../support/window.ts';

describe('the text of a page', () => {
  it('is read in blocks', () => {
    const text =
      '# Title\n\nOne\ntwo.\n\n- a\n- b\n  more\n\n1. x\n2. y\n\n| h | `a|b` |\n| - | - |\n| c | d |\n\n```\n# code\n```\n';
    expect(parseMarkdown(text).map(({ kind }) => kind)).toEqual([
      'heading',
      'paragraph',
      'list',
      'list',
      'table',
      'code',
    ]);
    expect(parseMarkdown('One\ntwo.')).toEqual([
      { kind: 'paragraph', parts: [{ kind: 'text', text: 'One two.' }] },
    ]);
    expect(parseMarkdown('- a\n  b\n- c')).toEqual([
      {
        kind: 'list',
        ordered: false,
        items: [[{ kind: 'text', text: 'a b' }], [{ kind: 'text', text: 'c' }]],
      },
    ]);
  });

  it('has code, links, pictures and what is strong, and nothing else of HTML', () => {
    expect(parseInline('a `**b**` **c `d`** [e](f.md) ![g](h.png) <script>x</script>')).toEqual([
      { kind: 'text', text: 'a ' },
      { kind: 'code', text: '**b**' },
      { kind: 'text', text: ' ' },
      {
        kind: 'strong',
        parts: [
          { kind: 'text', text: 'c ' },
          { kind: 'code', text: 'd' },
        ],
      },
      { kind: 'text', text: ' ' },
      { kind: 'link', href: 'f.md', parts: [{ kind: 'text', text: 'e' }] },
      { kind: 'text', text: ' ' },
      { kind: 'image', src: 'h.png', alt: 'g' },
      { kind: 'text', text: ' <script>x</script>' },
    ]);
  });
});

describe('the pages', () => {
  it.each(pageNames)('%s is there, with a title, and leads nowhere that is not there', (page) => {
    expect(titleOf(page)).not.toBe(page);
    const files = readdirSync(join(import.meta.dirname, '../../../docs'));
    for (const [, picture, href = ''] of sourceOf(page).matchAll(/(!?)\[[^\]]*\]\(([^)\s#]+)[^)]*\)/g)) {
      if (href.startsWith('https://')) continue;
      if (picture === '!') expect(pictureOf(href), href).toBeDefined();
      else expect(isPage(href) || files.includes(href) || href.startsWith('../'), href).toBe(true);
    }
  });

  it('say what the files say', () => {
    const file = readFileSync(join(import.meta.dirname, '../../../docs/window.md'), 'utf8');
    expect(sourceOf('window.md')).toBe(file);
  });

  it('are shown, and lead to each other', async () => {
    const { app } = await openWindow(talkingWorld());
    const view = show(app, HelpView);
    await settle();
    expect(view.querySelector('article h2')?.textContent.trim()).toBe('Getting started');
    const link = [...view.querySelectorAll<HTMLButtonElement>('article button')].find(({ textContent }) =>
      textContent.includes('What leaves your computer'),
    );
    link?.click();
    await settle();
    expect(view.querySelector('article h2')?.textContent.trim()).toBe('What leaves your computer');
    expect(view.querySelectorAll('article table tbody tr').length).toBeGreaterThan(5);
    expect(view.querySelector('nav [aria-current="page"]')?.textContent.trim()).toBe(
      'What leaves your computer',
    );
  });
});

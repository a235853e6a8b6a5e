import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import HelpView from '../../../renderer/views/help/HelpView.svelte';
import { parseInline, parseMarkdown } from '../../../renderer/views/help/markdown.ts';
import { pageIn, pageNames, pictureOf } from '../../../renderer/views/help/pages.ts';
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

const docs = join(import.meta.dirname, '../../../docs');
const languages = ['en', 'de', 'zh', 'ar'];

describe('the pages', () => {
  it.each(languages.flatMap((language) => pageNames.map((page) => [language, page] as const)))(
    'in %s: %s is there, with a title, and leads nowhere that is not there',
    (language, name) => {
      const { lang, source, title } = pageIn(language, name);
      expect(title).not.toBe(name);
      for (const [, picture, href = ''] of source.matchAll(/(!?)\[[^\]]*\]\(([^)\s#]+)[^)]*\)/g)) {
        if (href.startsWith('https://')) continue;
        expect(existsSync(join(docs, lang === 'en' ? '' : lang, href)), href).toBe(true);
        if (picture === '!') expect(pictureOf(href), href).toBeDefined();
      }
    },
  );

  it.each(['de', 'zh', 'ar'])('are all there in %s, built as in English', (language) => {
    const kinds = (source: string) => parseMarkdown(source).map(({ kind }) => kind);
    for (const name of pageNames) {
      const page = pageIn(language, name);
      expect(page.lang, name).toBe(language);
      expect(kinds(page.source), name).toEqual(kinds(pageIn('en', name).source));
    }
  });

  it('are in English in a language that nobody has translated them into', () => {
    expect(pageIn('fr', 'imserver.md')).toEqual(pageIn('en', 'imserver.md'));
  });

  it('is shown in the language of the window, and turns with it', async () => {
    const { app } = await openWindow(talkingWorld());
    const view = show(app, HelpView);
    await app.settings.set('appearance.language', 'ar');
    await settle();
    expect(view.querySelector('article h2')?.textContent.trim()).toBe('البدء');
    expect(view.querySelector('[role=region]')?.getAttribute('dir')).toBe('rtl');
    const last = [...view.querySelectorAll<HTMLButtonElement>('article button')].at(-1);
    last?.click();
    await settle();
    expect(view.querySelector('article h2')?.textContent.trim()).toBe('ما الذي يغادر حاسوبك');
    await app.settings.set('appearance.language', 'en');
    await settle();
    expect(view.querySelector('[role=region]')?.getAttribute('lang')).toBe('en');
    expect(view.querySelector('[role=region]')?.getAttribute('dir')).toBe('ltr');
  });

  it('say what the files say', () => {
    const file = readFileSync(join(docs, 'window.md'), 'utf8');
    expect(pageIn('en', 'window.md').source).toBe(file);
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

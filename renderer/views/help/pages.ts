/**
 * Owns: the pages of docs/ that are for users, as they were when the window was built, in the languages that they are
 * written in, and their pictures. Called by: HelpView.svelte. Calls: nothing.
 */
const folder = '../../../docs/';
const sources: Readonly<Record<string, string>> = import.meta.glob(
  [
    '../../../docs/{getting-started,talking-to-others,window,keyboard-shortcuts}.md',
    '../../../docs/{history,imserver,what-leaves-your-computer}.md',
    '../../../docs/{de,zh,ar}/*.md',
  ],
  { query: '?raw', import: 'default', eager: true },
);
const pictures: Readonly<Record<string, string>> = import.meta.glob('../../../docs/pictures/*.png', {
  query: '?url',
  import: 'default',
  eager: true,
});

export const pageNames = [
  'getting-started.md',
  'talking-to-others.md',
  'window.md',
  'keyboard-shortcuts.md',
  'history.md',
  'imserver.md',
  'what-leaves-your-computer.md',
] as const;
export type PageName = (typeof pageNames)[number];

/** A page in the language that it is written in, which `lang` names. */
export interface Page {
  readonly lang: string;
  readonly source: string;
  /** What it calls itself. */
  readonly title: string;
}

/** The page that a link of a page leads to; undefined: it leads to none that is shown. */
export function linkedPage(href: string): PageName | undefined {
  const name = href.split('#')[0]?.replace(/^\.\.\//, '');
  return pageNames.find((each) => each === name);
}

/** In this language, or in English where there is none. */
export function pageIn(language: string, name: PageName): Page {
  const translated = sources[`${folder}${language}/${name}`];
  const source = translated ?? sources[`${folder}${name}`] ?? '';
  const title = /^# +(.*)$/m.exec(source)?.[1] ?? name;
  return { lang: translated === undefined ? 'en' : language, source, title };
}

/** Where a picture of a page lies in the built window; undefined: it has no such picture. */
export function pictureOf(src: string): string | undefined {
  return pictures[`${folder}${src.replace(/^\.\.\//, '')}`];
}

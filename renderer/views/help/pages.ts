/**
 * Owns: the pages of docs/ that are for users, as they were when the window was built, and their pictures.
 * Called by: HelpView.svelte. Calls: nothing.
 */
const sources: Readonly<Record<string, string>> = import.meta.glob(
  '../../../docs/{getting-started,window,history,imserver,what-leaves-your-computer}.md',
  { query: '?raw', import: 'default', eager: true },
);
const pictures: Readonly<Record<string, string>> = import.meta.glob('../../../docs/pictures/*.png', {
  query: '?url',
  import: 'default',
  eager: true,
});

export const pageNames = [
  'getting-started.md',
  'window.md',
  'history.md',
  'imserver.md',
  'what-leaves-your-computer.md',
] as const;
export type PageName = (typeof pageNames)[number];

export function isPage(name: string): name is PageName {
  return (pageNames as readonly string[]).includes(name);
}

export function sourceOf(page: PageName): string {
  return sources[`../../../docs/${page}`] ?? '';
}

/** Where a picture of a page lies in the built window; undefined: it has no such picture. */
export function pictureOf(src: string): string | undefined {
  return pictures[`../../../docs/${src}`];
}

/** What the page calls itself. */
export function titleOf(page: PageName): string {
  return /^# +(.*)$/m.exec(sourceOf(page))?.[1] ?? page;
}

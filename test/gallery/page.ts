/**
 * Owns: the page of one specimen: ?component=…&state=…&theme=…&language=…; with ?every one after the other, which says
 * what is wrong with them; with ?views the views, one after the other as `showView` is called.
 * Called by: gallery.ts in a frame, gallery.e2e.ts, photographer.ts. Calls: the catalogue.
 * Tells how it is in <html data-specimen>: ready, or failed.
 */
import '../../renderer/styles/tokens.css';
import '../../renderer/styles/base.css';
import '../../renderer/styles/controls.css';
import '../../renderer/styles/contrast.css';
import './fonts.css';
import './specimen.css';
import { componentNames, entries, componentNamed } from './catalogue.ts';
import { openSpecimen, type Look, type OpenSpecimen } from './specimen.ts';

async function show(target: HTMLElement, wanted: URLSearchParams): Promise<void> {
  const name = wanted.get('component') ?? 'App.svelte';
  const state = wanted.get('state') ?? '';
  const specimen = entries[name]?.[state];
  if (specimen === undefined) throw new Error(`${name} has no state "${state}"`);
  target.dataset['room'] = specimen.room ?? 'own';
  const look = { theme: wanted.get('theme') ?? 'system', language: wanted.get('language') ?? 'en' } as Look;
  await openSpecimen(target, componentNamed(name), specimen, look);
  await painted();
}

declare global {
  /** Shows this view in place of the one before. Resolves when all of it is painted. */
  var showView: ((state: string, look: Look) => Promise<void>) | undefined;
  var viewNames: readonly string[] | undefined;
}

/** Resolves when what is there has been painted. */
async function painted(): Promise<void> {
  await document.fonts.ready;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => undefined)));
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
}

function offerViews(target: HTMLElement): Promise<void> {
  let shown: OpenSpecimen | undefined;
  globalThis.viewNames = Object.keys(entries['App.svelte'] ?? {});
  globalThis.showView = async (state, look) => {
    await shown?.close();
    target.replaceChildren();
    const specimen = entries['App.svelte']?.[state];
    if (specimen === undefined) throw new Error(`there is no view ${state}`);
    target.dataset['room'] = 'page';
    shown = await openSpecimen(target, componentNamed('App.svelte'), specimen, look);
    await painted();
  };
  return Promise.resolve();
}

/** States in which there is nothing to be seen, as is right. */
const empty = new Set([
  'views/thread/DropTarget.svelte: nothing is dragged',
  'views/shell/LinkNotice.svelte: is there',
  'views/shell/AccountNotice.svelte: nothing to say',
  'views/settings/SettingProblem.svelte: of another setting',
]);

/** Opens and closes every state of every component; a line of the page for each that is not as it should be. */
async function checkEvery(target: HTMLElement): Promise<void> {
  const problems: string[] = [];
  for (const name of Object.keys(entries)) {
    if (!componentNames.includes(name)) problems.push(`${name} is gone: take its entry away`);
  }
  for (const name of componentNames) {
    const states = Object.entries(entries[name] ?? {});
    if (states.length === 0) problems.push(`${name} has no entry in test/gallery/entries`);
    for (const [state, specimen] of states) {
      const label = `${name}: ${state}`;
      try {
        target.dataset['room'] = specimen.room ?? 'own';
        const shown = await openSpecimen(target, componentNamed(name), specimen);
        const isSeen = target.innerText.trim() !== '' || [...target.querySelectorAll('*')].some(isVisible);
        if (isSeen === empty.has(label))
          problems.push(`${label}: ${isSeen ? 'something' : 'nothing'} is seen`);
        await shown.close();
        if (target.textContent.trim() !== '') problems.push(`${label}: it stays when it is closed`);
      } catch (error) {
        problems.push(`${label}: ${String(error)}`);
      }
      target.replaceChildren();
    }
  }
  target.textContent = problems.join('\n');
}

function isVisible(element: Element): boolean {
  const { width, height } = element.getBoundingClientRect();
  return width > 0 && height > 0 && element.checkVisibility({ visibilityProperty: true });
}

// What is copied here stays here.
Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.resolve() } });

// One browser says no by itself, another has not been asked.
Object.defineProperty(Notification, 'permission', { value: 'default' });

const target = document.getElementById('app');
if (target === null) throw new Error('specimen.html has no #app');
const { dataset } = document.documentElement;
const wanted = new URLSearchParams(location.search);
const task = wanted.has('every')
  ? checkEvery(target)
  : wanted.has('views')
    ? offerViews(target)
    : show(target, wanted);
task.then(
  () => {
    dataset['specimen'] = 'ready';
    parent.postMessage({ specimen: 'ready' }, '*');
  },
  (error: unknown) => {
    target.textContent = String(error);
    dataset['specimen'] = 'failed';
    throw error;
  },
);

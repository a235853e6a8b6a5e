import { describe, expect, it } from 'vitest';
import { PicturePlace } from '../../../renderer/views/pictures/picture-place.svelte.ts';
import DetailsPane from '../../../renderer/views/details/DetailsPane.svelte';
import Shell from '../../../renderer/views/shell/Shell.svelte';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { World } from '../support/memory-backend.ts';
import { sampleFile, scenarios } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show, type TestWindow } from '../support/window.ts';

const withTom = 'with-tom' as ConversationId;

/** The pictures of the scenario behind `count` others and as many that are not here. */
function manyPictures(count: number): World {
  const world = scenarios.pictures();
  const template = world.messages.at(-1)!;
  const others = Array.from({ length: count * 2 }, (_, nth) => {
    const isHere = nth % 2 === 0;
    const name = `${isHere ? 'older' : 'offered'} ${nth}.png`;
    return {
      ...template,
      ...{ id: `extra-${nth}` as never, position: 1_000 + nth, text: name },
      file: sampleFile({ name, type: 'image/png', available: isHere, state: isHere ? 'done' : 'offered' }),
    };
  });
  const real = world.messages.slice(-4).map((message, nth) => ({ ...message, position: 2_000 + nth }));
  world.messages = [...world.messages.slice(0, -4), ...others, ...real];
  return world;
}

async function open(world: World): Promise<TestWindow & { readonly shell: HTMLElement }> {
  const window = await openWindow(world);
  await window.app.openConversation(withTom);
  const shell = show(window.app, Shell);
  await settle();
  return { ...window, shell };
}

function viewerOf(shell: HTMLElement): HTMLElement {
  const viewer = shell.querySelector<HTMLElement>('[role="dialog"][aria-modal="true"]');
  if (viewer === null) throw new Error('no picture is shown large');
  return viewer;
}

async function press(key: string, more: KeyboardEventInit = {}): Promise<void> {
  document.activeElement?.dispatchEvent(
    new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }),
  );
  await settle();
}

function thumbnail(shell: HTMLElement, name: string): HTMLButtonElement {
  const image = shell.querySelector(`.thread img[alt="Picture ${name}"], main img[alt="Picture ${name}"]`);
  return image!.closest('button')!;
}

describe('a picture that is shown large', () => {
  it('opens from its thumbnail, says whose it is, and gives the focus back', async () => {
    const { shell } = await open(scenarios.pictures());
    const button = thumbnail(shell, 'harbour.png');
    button.focus();
    button.click();
    await settle();
    const viewer = viewerOf(shell);
    expect(viewer.getAttribute('aria-label')).toBe('Picture harbour.png');
    expect(document.activeElement).toBe(viewer);
    expect(viewer.querySelector('header')!.textContent).toContain('Tom Weber');
    await press('Escape');
    expect(shell.querySelector('[aria-modal]')).toBeNull();
    expect(document.activeElement).toBe(button);
  });

  it('keeps the keys inside, and those of the window away', async () => {
    const { app, shell } = await open(scenarios.pictures());
    thumbnail(shell, 'harbour.png').click();
    await settle();
    const stops = [...viewerOf(shell).querySelectorAll<HTMLElement>('button, a[href]')];
    stops.at(-1)!.focus();
    await press('Tab');
    expect(document.activeElement).toBe(stops[0]);
    await press('Tab', { shiftKey: true });
    expect(document.activeElement).toBe(stops.at(-1));
    await press('k', { ctrlKey: true });
    expect(app.search.shown).toBe(false);
  });

  it('is followed by the others in the order of time, also by those that have to be read first', async () => {
    const { backend, shell } = await open(manyPictures(45));
    thumbnail(shell, 'harbour.png').click();
    await settle();
    const seen: string[] = [];
    for (let nth = 0; nth < 50; nth += 1) {
      seen.push(viewerOf(shell).getAttribute('aria-label')!);
      await press('ArrowLeft');
    }
    expect(new Set(seen).size).toBe(46);
    expect(seen.slice(0, 3)).toEqual(['Picture harbour.png', 'Picture older 88.png', 'Picture older 86.png']);
    expect(seen.at(-1)).toBe('Picture older 0.png');
    expect(buttonNamed(viewerOf(shell), 'Picture before').ariaDisabled).toBe('true');
    for (let nth = 0; nth < 60; nth += 1) await press('PageDown');
    expect(viewerOf(shell).getAttribute('aria-label')).toBe('Picture survey 2026.png');
    const pages = backend.calls.filter(({ call }) => call === 'browse.withTrait');
    expect(pages.length).toBeLessThan(12);
  });

  it('turns the arrow keys round where one reads from right to left', async () => {
    const world = scenarios.pictures();
    world.settings = { ...world.settings, 'appearance.language': 'ar' };
    const { app } = await open(world);
    await app.pictures.open(app.thread.messages.find(({ text }) => text === 'lighthouse.png')!);
    await settle();
    await press('ArrowLeft');
    expect(app.pictures.shown?.text).toBe('survey 2026.png');
    await press('ArrowRight');
    expect(app.pictures.shown?.text).toBe('lighthouse.png');
  });

  it('that is too large says so and can still be saved', async () => {
    const { app, shell } = await open(scenarios.pictures());
    await app.pictures.open(app.thread.messages.find(({ text }) => text === 'survey 2026.png')!);
    await settle();
    const viewer = viewerOf(shell);
    expect(viewer.querySelector('[role="status"]')!.textContent).toContain('has 64 MB and is too large');
    expect(viewer.querySelector('a[download="survey 2026.png"]')).not.toBeNull();
    expect(viewer.querySelector('img')).toBeNull();
  });

  it('makes room for the next one when its message is deleted', async () => {
    const { app, shell, backend } = await open(scenarios.pictures());
    await app.pictures.open(app.thread.messages.find(({ text }) => text === 'lighthouse.png')!);
    await settle();
    const remove = async (name: string): Promise<void> => {
      const { conversationId, id } = backend.world.messages.find(({ text }) => text === name)!;
      await backend.invoke('message.delete', { conversationId, ids: [id] });
      await settle();
    };
    await remove('lighthouse.png');
    expect(app.pictures.shown?.text).toBe('survey 2026.png');
    await remove('survey 2026.png');
    expect(app.pictures.shown?.text).toBe('map of the coast.png');
    await remove('map of the coast.png');
    await remove('harbour.png');
    expect(shell.querySelector('[aria-modal]')).toBeNull();
  });

  it('knows of a picture that comes while it is shown', async () => {
    const { app, backend } = await open(scenarios.pictures());
    await app.pictures.open(app.thread.messages.find(({ text }) => text === 'survey 2026.png')!);
    expect(app.pictures.has('newer')).toBe(false);
    const file = sampleFile({ name: 'just now.png', type: 'image/png' });
    backend.addMessage(withTom, { direction: 'in', text: file.name, state: 'received', file });
    await settle();
    await app.pictures.step('newer');
    expect(app.pictures.shown?.text).toBe('just now.png');
  });

  it('finds a picture among the others whose file comes while they are looked at', async () => {
    const world = manyPictures(2);
    const { app, backend } = await open(world);
    const find = (text: string) => world.messages.find((message) => message.text === text)!;
    await app.pictures.open(find('older 2.png'));
    backend.changeFile(find('offered 1.png').id, { available: true, state: 'done' });
    await settle();
    await app.pictures.step('older');
    expect(app.pictures.shown?.text).toBe('offered 1.png');
    await app.pictures.step('older');
    expect(app.pictures.shown?.text).toBe('older 0.png');
  });

  it('leads to its message', async () => {
    const { app, shell } = await open(scenarios.pictures());
    thumbnail(shell, 'harbour.png').click();
    await settle();
    buttonNamed(viewerOf(shell), 'Show it in the conversation').click();
    await settle();
    expect(shell.querySelector('[aria-modal]')).toBeNull();
    expect(app.thread.flashedId).toBe('picture-1600x1000');
  });

  it('opens from the details too', async () => {
    const { app } = await openWindow(scenarios.pictures());
    await app.openConversation(withTom);
    app.toggleDetails();
    await settle();
    const details = show(app, DetailsPane, { conversation: app.conversations.open });
    await settle();
    buttonNamed(details, 'lighthouse.png').click();
    await settle();
    expect(app.pictures.shown?.text).toBe('lighthouse.png');
  });
});

describe('the place of a picture', () => {
  function place(width: number, height: number): PicturePlace {
    const made = new PicturePlace();
    made.stage = { width: 800, height: 600 };
    made.picture = { width, height };
    return made;
  }

  it('fits the window, and a small one is not made larger', () => {
    expect(place(1_600, 1_000).size).toEqual({ width: 800, height: 500 });
    expect(place(100, 1_200).size).toEqual({ width: 50, height: 600 });
    expect(place(32, 32).size).toEqual({ width: 32, height: 32 });
  });

  it('keeps what is under the pointer under it', () => {
    const made = place(1_600, 1_200);
    const at = { x: 200, y: -150 };
    const before = { x: (at.x - made.offset.x) / made.scale, y: (at.y - made.offset.y) / made.scale };
    made.zoomBy(3, at);
    expect(made.scale).toBeCloseTo(1.5);
    expect((at.x - made.offset.x) / made.scale).toBeCloseTo(before.x);
    expect((at.y - made.offset.y) / made.scale).toBeCloseTo(before.y);
  });

  it('goes between all of it and its own size, and never smaller or much larger than that', () => {
    const made = place(1_600, 1_200);
    made.toggle({ x: 0, y: 0 });
    expect(made.scale).toBe(1);
    made.toggle({ x: 0, y: 0 });
    expect(made.scale).toBe(0.5);
    made.zoomBy(0.1);
    expect(made.scale).toBe(0.5);
    expect(made.canShrink).toBe(false);
    made.zoomBy(1_000);
    expect(made.scale).toBe(8);
    expect(made.canGrow).toBe(false);
  });

  it('shows no edge further in than that of the window', () => {
    const made = place(1_600, 1_200);
    made.moveBy(50, 50);
    expect(made.offset).toEqual({ x: 0, y: 0 });
    made.showActualSize();
    made.moveBy(10_000, -10_000);
    expect(made.offset).toEqual({ x: 400, y: -300 });
    made.moveBy(-10, 0);
    expect(made.offset.x).toBe(390);
  });
});

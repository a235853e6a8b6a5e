import { flushSync } from 'svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import Composer from '../../../renderer/views/thread/Composer.svelte';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import { emojiOf } from '../../../shared/emoji.ts';
import { talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle, show, type TestWindow } from '../support/window.ts';

let window: TestWindow;
let conversation: Conversation;
let box: HTMLTextAreaElement;
let composer: HTMLElement;

function type(text: string): void {
  box.value = text;
  box.dispatchEvent(new Event('input', { bubbles: true }));
}

function press(init: KeyboardEventInit): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init });
  box.dispatchEvent(event);
  return event;
}

function sentTexts(): unknown[] {
  return window.backend.calls
    .filter(({ call }) => call === 'message.send')
    .map(({ input }) => (input as { text: string }).text);
}

beforeEach(async () => {
  window = await openWindow(talkingWorld());
  conversation = window.app.conversations.sorted[0]!;
  await window.app.openConversation(conversation.id);
  composer = show(window.app, Composer, { conversation });
  box = composer.querySelector('textarea')!;
});

describe('Composer', () => {
  it('sends with Enter and is empty again', async () => {
    type('Four is fine');
    expect(press({ key: 'Enter' }).defaultPrevented).toBe(true);
    await settle();
    expect(sentTexts()).toEqual(['Four is fine']);
    expect(box.value).toBe('');
    expect(window.app.thread.messages.at(-1)?.text).toBe('Four is fine');
  });

  it('leaves Shift+Enter to the line break', async () => {
    type('Four is fine');
    expect(press({ key: 'Enter', shiftKey: true }).defaultPrevented).toBe(false);
    await settle();
    expect(sentTexts()).toEqual([]);
    expect(box.value).toBe('Four is fine');
  });

  it('leaves Enter to an input method while it composes', async () => {
    type('かんじ');
    expect(press({ key: 'Enter', isComposing: true }).defaultPrevented).toBe(false);
    await settle();
    expect(sentTexts()).toEqual([]);
  });

  it('leaves the Enter that ends a composition to it, and sends with the next', async () => {
    type('漢字');
    box.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }));
    box.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true }));
    press({ key: 'Enter' });
    await settle();
    expect(sentTexts()).toEqual([]);
    press({ key: 'Enter' });
    await settle();
    expect(sentTexts()).toEqual(['漢字']);
  });

  it('does not send what is blank', async () => {
    type('  \n ');
    press({ key: 'Enter' });
    await settle();
    expect(sentTexts()).toEqual([]);
    expect(composer.querySelector<HTMLButtonElement>('button[type=submit]')?.disabled).toBe(true);
  });

  it('keeps the text as a draft of its conversation', async () => {
    type('half a sen');
    expect(window.app.drafts.get(conversation.id)).toBe('half a sen');
    const again = show(window.app, Composer, { conversation });
    expect(again.querySelector('textarea')?.value).toBe('half a sen');
    type('whole sentence');
    press({ key: 'Enter' });
    await settle();
    expect(window.app.drafts.get(conversation.id)).toBe('');
  });

  it('gives the text back and says why when it could not be stored', async () => {
    window.backend.refusals.set('message.send', { code: 'disk-full', message: 'The disk is full.' });
    type('important');
    press({ key: 'Enter' });
    await settle();
    expect(box.value).toBe('important');
    expect(composer.querySelector('[role="alert"]')?.textContent).toContain('The disk is full.');
    window.backend.refusals.clear();
    press({ key: 'Enter' });
    await settle();
    expect(composer.querySelector('[role="alert"]')).toBeNull();
    expect(sentTexts()).toEqual(['important', 'important']);
  });

  it('tells the peer once that the user types, and that it has stopped with the message', async () => {
    type('a');
    type('ab');
    press({ key: 'Enter' });
    await settle();
    const told = window.backend.calls
      .filter(({ call }) => call === 'conversation.setComposing')
      .map(({ input }) => (input as { active: boolean }).active);
    expect(told).toEqual([true, false]);
  });

  it('brings back with Up what was sent, the newest first, and goes forward with Down', () => {
    const sent = window.app.thread.messages.filter(({ direction, file }) => direction === 'out' && !file);
    const [before, last] = sent.slice(-2).map(({ text }) => text);
    expect(press({ key: 'ArrowUp' }).defaultPrevented).toBe(true);
    flushSync();
    expect(box.value).toBe(last);
    press({ key: 'ArrowUp' });
    flushSync();
    expect(box.value).toBe(before);
    press({ key: 'ArrowDown' });
    press({ key: 'ArrowDown' });
    flushSync();
    expect(box.value).toBe('');
  });

  it('leaves Up to the text that is being written', () => {
    type('Two\nlines');
    expect(press({ key: 'ArrowUp' }).defaultPrevented).toBe(false);
    expect(box.value).toBe('Two\nlines');
  });

  it('puts an emoji where the caret is, and takes the keys back', async () => {
    type('Hello !');
    box.setSelectionRange(6, 6);
    const open = composer.querySelector<HTMLButtonElement>('button[aria-expanded]')!;
    open.click();
    await settle();
    const key = (name: string): boolean =>
      document.activeElement!.dispatchEvent(
        new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }),
      );
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Search emoji');
    key('ArrowDown');
    expect(document.activeElement?.textContent).toBe('😀');
    key('ArrowUp');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Search emoji');
    key('ArrowDown');
    key('ArrowRight');
    expect(document.activeElement?.textContent).toBe('😃');
    (document.activeElement as HTMLElement).click();
    await settle();
    expect(box.value).toBe('Hello 😃!');
    expect(document.activeElement).toBe(box);
    expect(composer.querySelector('[role="dialog"]')).toBeNull();
  });

  it('finds an emoji by its name, and takes the one that fits best with Enter', async () => {
    type('Well done');
    composer.querySelector<HTMLButtonElement>('button[aria-expanded]')!.click();
    await settle();
    const picker = composer.querySelector<HTMLElement>('[role="dialog"]')!;
    const field = picker.querySelector('input')!;
    const found = (): (string | null)[] =>
      [...picker.querySelectorAll('.sign')].map((sign) => sign.textContent);
    const search = async (text: string): Promise<void> => {
      field.value = text;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      await settle();
    };
    await search('no such thing');
    expect(found()).toEqual([]);
    expect(picker.querySelector('[role="status"]')?.textContent).toBe('No emoji with this name.');
    await search('Clapp');
    expect(found()).toEqual(['👏']);
    expect(picker.querySelector('.sign')?.getAttribute('aria-label')).toBe('clapping hands');
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
    await settle();
    expect(box.value).toBe('Well done👏');
    expect(sentTexts()).toEqual([]);
  });

  it('shows above the others those that were used last, in the picker or behind a colon, and keeps sixteen', async () => {
    const open = async (): Promise<HTMLElement> => {
      composer.querySelector<HTMLButtonElement>('button[aria-expanded="false"]')?.click();
      await settle();
      return composer.querySelector<HTMLElement>('[role="dialog"]')!;
    };
    const used = (picker: HTMLElement): (string | null)[] =>
      [...picker.querySelectorAll('[aria-label="Used last"] .sign')].map((sign) => sign.textContent);
    const choose = async (sign: string): Promise<void> => {
      const picker = await open();
      [...picker.querySelectorAll<HTMLElement>('.sign')]
        .findLast(({ textContent }) => textContent === sign)!
        .click();
      await settle();
    };
    expect(used(await open())).toEqual([]);
    await choose('😎');
    type(':cla');
    await expect.poll(() => composer.querySelector('[role="option"]')).not.toBeNull();
    press({ key: 'Enter' });
    await settle();
    await choose('😂');
    await choose('😎');
    expect(used(await open())).toEqual(['😎', '😂', '👏']);
    const many = emojiOf('faces').slice(0, 20);
    for (const sign of many) {
      window.app.recentEmoji.receive(sign);
      await settle();
    }
    expect(window.app.recentEmoji.all).toEqual(many.slice(4).reverse());
  });

  it('arrows lead from the last row of those used last to the first of the others, and back', async () => {
    for (const sign of ['🔥', '🎉', '🚀']) {
      window.app.recentEmoji.receive(sign);
      await settle();
    }
    composer.querySelector<HTMLButtonElement>('button[aria-expanded]')!.click();
    await settle();
    const key = (name: string): string | null => {
      document.activeElement!.dispatchEvent(
        new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }),
      );
      return document.activeElement!.textContent;
    };
    const [, , , , , sixth] = emojiOf('faces');
    expect(key('ArrowDown')).toBe('🚀');
    expect(key('ArrowRight')).toBe('🎉');
    expect(key('ArrowDown')).toBe('😃');
    for (let step = 0; step < 4; step += 1) key('ArrowRight');
    expect(document.activeElement!.textContent).toBe(sixth);
    expect(key('ArrowUp')).toBe('🔥');
    key('ArrowUp');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Search emoji');
  });

  it('offers emoji for a name behind a colon, and takes one with Enter or Tab', async () => {
    type('Well done :cla');
    await expect.poll(() => composer.querySelector('[role="option"]')?.textContent.trim()).toMatch(/^👏/);
    expect(box.getAttribute('aria-activedescendant')).toBe(composer.querySelector('[role="option"]')?.id);
    press({ key: 'Enter' });
    await settle();
    expect(box.value).toBe('Well done 👏 ');
    type('Look :cla');
    await expect.poll(() => composer.querySelector('[role="option"]')).not.toBeNull();
    press({ key: 'Escape' });
    await settle();
    expect(composer.querySelector('[role="option"]')).toBeNull();
    expect(box.value).toBe('Look :cla');
  });

  it('takes no time and no address for the name of an emoji', async () => {
    type(':hea');
    await expect.poll(() => composer.querySelector('[role="option"]')).not.toBeNull();
    for (const text of ['at 10:30', 'sip:hea', ':)', ':h', 'a :no such']) {
      type(text);
      await settle();
      expect(composer.querySelector('[role="option"]'), text).toBeNull();
    }
  });

  it('closes the emoji with Escape, and nothing else with it', async () => {
    const open = composer.querySelector<HTMLButtonElement>('button[aria-expanded]')!;
    open.click();
    await settle();
    const escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true });
    document.activeElement?.dispatchEvent(escape);
    await settle();
    expect(composer.querySelector('[role="dialog"]')).toBeNull();
    expect(document.activeElement).toBe(open);
  });
});

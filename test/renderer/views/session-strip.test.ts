import { describe, expect, it } from 'vitest';
import { icons } from '../../../renderer/components/icons.ts';
import SessionStrip from '../../../renderer/views/thread/SessionStrip.svelte';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import type { Language } from '../../../renderer/i18n/locale.svelte.ts';
import type { Session } from '../../../shared/domain/conversation.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { askedWorld, openSession, talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show } from '../support/window.ts';

const tom = 'with-tom' as ConversationId;

async function strip(change: Partial<Session>, language: Language = 'en'): Promise<HTMLElement> {
  const world = talkingWorld();
  world.sessions = [openSession(tom, change)];
  const { app } = await openWindow(world);
  await app.settings.set('appearance.language', language);
  return show(app, SessionStrip, { conversation: app.conversations.get(tom) });
}

function words(view: HTMLElement): string {
  return view.textContent.replace(/\s+/g, ' ').trim();
}

function shackle(view: HTMLElement): string | null {
  return view.querySelector('.words path')?.getAttribute('d') ?? null;
}

describe('SessionStrip', () => {
  it('says "not encrypted" beside an open lock when the session is not', async () => {
    const view = await strip({ encrypted: false });
    expect(words(view)).toContain('Session with Tom Weber · direct · not encrypted · since 14:21');
    expect(shackle(view)).toBe(icons['lock-open'][1][1]['d']);
  });

  it('says "encrypted" beside a closed lock when the session is', async () => {
    const view = await strip({ encrypted: true });
    expect(words(view)).toContain('· direct · encrypted · since');
    expect(shackle(view)).toBe(icons.lock[1][1]['d']);
  });

  it('says why the last session failed', async () => {
    const view = await strip({
      state: 'ended',
      endedMs: Date.now(),
      end: { code: 'busy', message: 'Tom is busy. Try again later.' },
    });
    expect(words(view)).toContain('Tom is busy. Try again later.');
    expect(buttonNamed(view, 'Start session')).toBeDefined();
  });

  it.each([
    ['en', 'answered-elsewhere', 'No session with Tom Weber · You answered on another device.'],
    [
      'de',
      'answered-elsewhere',
      'Keine Sitzung mit Tom Weber · Sie haben auf einem anderen Gerät geantwortet.',
    ],
    ['de', 'cancelled', 'Keine Sitzung mit Tom Weber · Sie haben die Einladung zurückgezogen.'],
    [
      'de',
      'taken-back',
      'Keine Sitzung mit Tom Weber · Tom Weber hat die Einladung zurückgezogen, bevor Sie geantwortet haben.',
    ],
  ] as const)('is calm about an invitation that came to nothing (%s, %s)', async (language, code, said) => {
    const end = { code, message: language === 'en' ? 'You answered on another device.' : 'In English.' };
    const ended: Partial<Session> = { state: 'ended', openedMs: null, endedMs: Date.now(), end };
    const view = await strip(ended, language);
    expect(words(view)).toContain(said);
    expect(shackle(view)).toBeNull();
  });

  it.each([
    ['en', 'missed', 'You did not answer Tom Weber in time.'],
    ['de', 'missed', 'Sie haben Tom Weber nicht rechtzeitig geantwortet.'],
    ['zh', 'missed', '您未及时回应Tom Weber。'],
    ['ar', 'missed', 'لم ترد على Tom Weber في الوقت المناسب.'],
    ['en', 'declined', 'You have declined the invitation of Tom Weber.'],
    ['de', 'declined', 'Sie haben die Einladung von Tom Weber abgelehnt.'],
    ['en', 'cancelled', 'Tom Weber took the invitation back before you answered.'],
    ['de', 'cancelled', 'Tom Weber hat die Einladung zurückgezogen, bevor Sie geantwortet haben.'],
  ] as const)('says to whom was called what it is to him (%s, %s)', async (language, code, said) => {
    const end = { code, message: language === 'en' && code === 'missed' ? said : 'As it was kept.' };
    const ended = {
      state: 'ended',
      direction: 'incoming',
      openedMs: null,
      endedMs: Date.now(),
      end,
    } as const;
    const view = await strip(ended, language);
    expect(words(view).replace(/[\u2068\u2069]/g, '')).toContain(said);
    expect(shackle(view)).toBeNull();
    expect(view.querySelector('.warn')).toBeNull();
  });

  it.each<[Session['state'], string]>([
    ['inviting', 'Cancel'],
    ['asked', 'Accept'],
    ['asked', 'Decline'],
    ['open', 'End session'],
    ['ended', 'Start session'],
  ])('offers in state %s: %s', async (state, button) => {
    expect(buttonNamed(await strip({ state }), button).disabled).toBe(false);
  });

  it('shows nothing of what a stranger has written before the user accepts', async () => {
    const world = askedWorld();
    const eve = 'with-eve' as ConversationId;
    const { app, backend } = await openWindow(world);
    backend.addMessage(eve, { direction: 'in', text: 'buy this', state: 'received' });
    await app.openConversation(eve);
    const view = show(app, ThreadView);
    expect(view.textContent).toContain('Eve would like to talk to you');
    expect(view.textContent).not.toContain('buy this');
    expect(view.querySelector('textarea')).toBeNull();
    expect(app.announcer.text).toBe('');
    buttonNamed(view, 'Decline').click();
    await settle();
    expect(backend.calls.at(-1)).toEqual({
      call: 'conversation.answer',
      input: { conversationId: eve, accept: false },
    });
    expect(view.textContent).toContain('You have declined the invitation of Eve.');
    expect(view.textContent).not.toContain('buy this');
    buttonNamed(view, 'Accept').click();
    await settle();
    expect(view.textContent).toContain('buy this');
  });
});

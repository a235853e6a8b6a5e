import { describe, expect, it } from 'vitest';
import ConversationList from '../../../renderer/views/conversations/ConversationList.svelte';
import DetailsPane from '../../../renderer/views/details/DetailsPane.svelte';
import { linkParts } from '../../../renderer/views/thread/link-parts.ts';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { askedWorld, talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show } from '../support/window.ts';

const withTom = 'with-tom' as ConversationId;

describe('links in a text', () => {
  it.each<[text: string, links: string[]]>([
    ['see https://example.org/a?b=c#d.', ['https://example.org/a?b=c#d']],
    ['(https://example.org/wiki/A_(b))', ['https://example.org/wiki/A_(b)']],
    ['two: https://a.example, https://b.example!', ['https://a.example', 'https://b.example']],
    ['看 https://example.org/路径。好', ['https://example.org/路径']],
    ['HTTPS://EXAMPLE.org/X', ['HTTPS://EXAMPLE.org/X']],
  ])('%s', (text, links) => {
    const parts = linkParts(text);
    expect(parts.flatMap(({ href }) => (href === null ? [] : [href]))).toEqual(links);
    expect(parts.map((part) => part.text).join('')).toBe(text);
  });

  it.each([
    'http://example.org',
    'javascript:alert(1)',
    'https://user@example.org/',
    'https://user:secret@bank.example/',
    `https://example.org/${'a'.repeat(2_000)}`,
    'https://',
    'data:text/html,https',
  ])('%s is none', (text) => {
    expect(linkParts(text)).toEqual([{ text, href: null }]);
  });

  it('end where the direction of reading would be turned: what is shown is what opens', () => {
    expect(linkParts('https://example.org/\u202efdp.exe')[0]).toEqual({
      text: 'https://example.org/',
      href: 'https://example.org/',
    });
  });
});

it('a bubble shows a link that the host opens, and nothing of it is loaded', async () => {
  const world = talkingWorld();
  const last = world.messages.findLast(({ conversationId }) => conversationId === withTom)!;
  world.messages[world.messages.indexOf(last)] = { ...last, text: 'Look: https://example.org/x <b>' };
  const { app } = await openWindow(world);
  await app.openConversation(withTom);
  const link = show(app, ThreadView).querySelector<HTMLAnchorElement>('.bubble a')!;
  expect([link.href, link.target, link.rel]).toEqual([
    'https://example.org/x',
    '_blank',
    'noopener noreferrer',
  ]);
  expect(link.closest('p')?.textContent.trim()).toBe('Look: https://example.org/x <b>');
});

it('the menu of a message leads to its details and to its session', async () => {
  const { app, backend } = await openWindow(talkingWorld());
  await app.openConversation(withTom);
  const thread = show(app, ThreadView);
  const more = [...thread.querySelectorAll<HTMLElement>('[data-menu]')];
  expect(more.map(({ tabIndex }) => tabIndex).filter((stop) => stop === 0)).toHaveLength(1);
  more.at(-1)!.focus();
  more.at(-1)!.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }));
  expect(document.activeElement).toBe(more.at(-2));
  more.at(-2)!.click();
  await settle();
  const menu = thread.querySelector<HTMLElement>('[role="menu"]')!;
  expect(menu.contains(document.activeElement)).toBe(true);
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
  await settle();
  expect(thread.querySelector('[role="menu"]')).toBeNull();
  expect(document.activeElement).toBe(more.at(-2));
  more.at(-2)!.click();
  await settle();
  buttonNamed(thread, 'Details of this message').click();
  await settle();
  const { messageId } = backend.calls.findLast(({ call }) => call === 'message.details')!.input as {
    messageId: string;
  };
  const details = show(app, DetailsPane, { conversation: app.conversations.open });
  expect(details.textContent).toContain(`wire-${messageId}`);
  expect(details.textContent).toMatch(/Sent from\s*Laptop/);
  // When it came into its state, to the second.
  expect(details.textContent).toMatch(/(?:Sent|Delivered|Read)\s*\d\d\/\d\d\/\d{4}, \d\d:\d\d:\d\d/);
  buttonNamed(details, 'Show its session').click();
  expect([app.details.shown, app.inspector.shown, app.inspector.sessionId]).toEqual([
    false,
    true,
    app.sessions.latest(withTom)?.id,
  ]);
});

it('a draft is written down and comes back with the window', async () => {
  const world = talkingWorld();
  const first = await openWindow(world);
  first.app.drafts.set(withTom, 'half a sentence');
  first.app.drafts.flush();
  await settle();
  expect(world.drafts?.[withTom]).toBe('half a sentence');
  const second = await openWindow(world);
  expect(second.app.drafts.get(withTom)).toBe('half a sentence');
  second.app.drafts.set(withTom, '');
  await second.app.resynchronise();
  expect(second.app.drafts.get(withTom)).toBe('');
});

it('pinned conversations come first, muted ones count and say nothing, archived ones come back with news', async () => {
  const { app, backend } = await openWindow(talkingWorld());
  const list = show(app, ConversationList);
  const names = (): (string | undefined)[] =>
    [...list.querySelectorAll('.name')].map(({ textContent }) => textContent);
  const details = show(app, DetailsPane, { conversation: app.conversations.get(withTom) });
  const toggle = async (label: string): Promise<void> => {
    const found = [...details.querySelectorAll('label')].find(({ textContent }) => textContent === label);
    found?.control?.click();
    await settle();
  };
  const last = app.conversations.sorted.at(-1)!;
  await app.marks.set(last.id, { pinned: true });
  await settle();
  expect(names()[0]).toBe(last.peerName);

  const before = app.unreadCount;
  await toggle('Mute');
  expect(app.unreadCount).toBe(before - 1);
  app.announcer.say('');
  backend.addMessage(withTom, { direction: 'in', text: 'psst', state: 'received' });
  await settle();
  expect(app.announcer.text).toBe('');

  await toggle('Archive');
  expect(names()).not.toContain('Tom Weber');
  buttonNamed(list, 'Archive (1)').click();
  await settle();
  expect(names().at(-1)).toBe('Tom Weber');
  // Under its heading, to which the arrow keys lead as well.
  const heading = buttonNamed(list, 'Archive (1)');
  expect(heading.getAttribute('aria-expanded')).toBe('true');
  const archived = heading.closest('li')!.nextElementSibling!.querySelector('button')!;
  expect(archived.querySelector('.name')?.textContent).toBe('Tom Weber');
  archived.focus();
  archived.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }));
  await settle();
  expect(document.activeElement).toBe(heading);
  await toggle('Mute');
  expect(list.textContent).not.toContain('Archive (');
  expect(names()).toContain('Tom Weber');
});

it('something new takes a conversation out of the archive, and reading it does not put it back', async () => {
  const { app, backend } = await openWindow(talkingWorld());
  const archived = { pinned: false, muted: false, archived: true };
  await app.marks.set(withTom, archived);
  backend.addMessage(withTom, { direction: 'in', text: 'still there?', state: 'received' });
  await settle();
  expect(backend.calls.at(-1)).toEqual({
    call: 'marks.set',
    input: { conversationId: withTom, marks: { ...archived, archived: false } },
  });
  await app.openConversation(withTom);
  await settle();
  expect(app.marks.isPutAway(app.conversations.get(withTom)!)).toBe(false);

  await app.marks.set(withTom, { muted: true, archived: true });
  backend.addMessage(withTom, { direction: 'in', text: 'nobody cares', state: 'received' });
  await settle();
  expect(app.marks.get(withTom).archived).toBe(true);
});

it('a message is deleted after a second press, all of them from the details, and how long they are kept is chosen', async () => {
  const { app, backend } = await openWindow(talkingWorld());
  await app.openConversation(withTom);
  const thread = show(app, ThreadView);
  const before = app.thread.messages;
  thread.querySelector<HTMLElement>('[data-menu]')!.click();
  await settle();
  buttonNamed(thread, 'Delete for me').click();
  await settle();
  expect(backend.calls.some(({ call }) => call === 'message.delete')).toBe(false);
  buttonNamed(thread, 'Delete for good').click();
  await settle();
  expect(app.thread.messages).toEqual(before.slice(1));
  expect(thread.querySelectorAll('[data-id]')).toHaveLength(before.length - 1);

  app.toggleDetails();
  await settle();
  const details = show(app, DetailsPane, { conversation: app.conversations.open });
  const keep = details.querySelector('select')!;
  keep.value = '7';
  keep.dispatchEvent(new Event('change', { bubbles: true }));
  await settle();
  expect(backend.calls.at(-1)).toEqual({
    call: 'retention.set',
    input: { conversationId: withTom, keepMs: 604_800_000 },
  });
  backend.refusals.set('conversation.clear', { code: 'not-allowed', message: 'The history is on hold.' });
  buttonNamed(details, 'Delete all messages').click();
  await settle();
  buttonNamed(details, 'Delete for good').click();
  await settle();
  expect(details.textContent).toContain('The history is on hold.');
  expect(app.thread.messages).toHaveLength(before.length - 1);
  backend.refusals.clear();
  buttonNamed(details, 'Delete all messages').click();
  await settle();
  buttonNamed(details, 'Delete for good').click();
  await settle();
  expect(thread.textContent).toContain('This is the beginning of your conversation with Tom Weber.');
});

it('a conversation that is marked as unread says so until it is opened', async () => {
  const { app, backend } = await openWindow(talkingWorld());
  const list = show(app, ConversationList);
  await settle();
  const row = (): HTMLElement => buttonNamed(list, 'Ana Sørensen');
  const choose = async (item: string): Promise<void> => {
    row().dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true }));
    await settle();
    buttonNamed(list.querySelector('[role="menu"]')!, item).click();
    await settle();
  };
  await choose('Mark as unread');
  expect(row().textContent).toContain('Marked as unread');
  await choose('Mark as read');
  expect(row().textContent).not.toContain('Marked as unread');
  await choose('Mark as unread');
  row().click();
  await settle();
  expect(row().textContent).not.toContain('Marked as unread');
  const { id } = app.conversations.open!;
  expect(backend.world.marks![id]).toMatchObject({ pinned: false, unread: false });
  // An answer takes the mark away as well.
  await choose('Mark as unread');
  await app.thread.send('I come back to this');
  await settle();
  expect(row().textContent).not.toContain('Marked as unread');
});

it('what has unread messages is marked as read without being opened, its mark with it; a stranger is not', async () => {
  const { app, backend } = await openWindow(talkingWorld());
  const list = show(app, ConversationList);
  const menuOf = async (name: string): Promise<HTMLElement> => {
    const row = [...list.querySelectorAll<HTMLElement>('.row')].find(
      (each) => each.querySelector('.name')?.textContent === name,
    )!;
    row.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true }));
    await settle();
    return list.querySelector<HTMLElement>('[role="menu"]')!;
  };
  const unread = app.conversations.sorted.find(({ unreadCount }) => unreadCount > 0)!;
  await app.marks.set(unread.id, { unread: true });
  const before = app.unreadCount;
  const menu = await menuOf(unread.peerName);
  expect(menu.textContent).not.toContain('Mark as unread');
  buttonNamed(menu, 'Mark as read').click();
  await settle();
  expect(app.unreadCount).toBe(before - unread.unreadCount);
  expect(app.conversations.openId).toBeNull();
  expect(backend.world.marks![unread.id]).toMatchObject({ unread: false });

  const stranger = askedWorld().conversations.find(({ standing }) => standing === 'asked')!;
  app.conversations.applyConversationChanged(stranger);
  await settle();
  expect((await menuOf(stranger.peerName)).textContent).not.toContain('Mark as');
});

import { flushSync } from 'svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import LastLine from '../../../renderer/views/conversations/LastLine.svelte';
import NewConversation from '../../../renderer/views/conversations/NewConversation.svelte';
import DetailsPane from '../../../renderer/views/details/DetailsPane.svelte';
import Invitation from '../../../renderer/views/thread/Invitation.svelte';
import Bubble from '../../../renderer/views/thread/Bubble.svelte';
import Composer from '../../../renderer/views/thread/Composer.svelte';
import MessageList from '../../../renderer/views/thread/MessageList.svelte';
import ThreadHeader from '../../../renderer/views/thread/ThreadHeader.svelte';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import type { Language } from '../../../renderer/i18n/locale.svelte.ts';
import { noticeWords } from '../../../renderer/views/groups/group-words.ts';
import { threadRows } from '../../../renderer/views/thread/thread-rows.ts';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Group } from '../../../shared/domain/group.ts';
import { addGroup } from '../support/group-scenario.ts';
import { groupsWorld, talkingWorld } from '../support/scenarios.ts';
import type { World } from '../support/memory-backend.ts';
import { buttonNamed, fill, openWindow, settle, show, type TestWindow } from '../support/window.ts';

let window: TestWindow;
let trip: Conversation;

async function open(world: World = groupsWorld()): Promise<void> {
  window = await openWindow(world);
  trip = window.app.conversations.sorted.find(({ kind }) => kind === 'group')!;
  await window.app.openConversation(trip.id);
  await settle();
}

function worldWith(change: Partial<Group>): World {
  const world = talkingWorld();
  addGroup(world, change);
  return world;
}

async function press(within: HTMLElement, name: string): Promise<void> {
  buttonNamed(within, name).click();
  await settle();
}

async function choose(within: HTMLElement, name: string): Promise<void> {
  const label = [...within.querySelectorAll('[role=radiogroup] label')].find(
    (one) => plainText(one) === name,
  );
  label!.querySelector('input')!.click();
  await settle();
}

function lastInput(call: string): unknown {
  return window.backend.calls.findLast((each) => each.call === call)?.input;
}

function plainText(element: Element | null): string {
  return (element?.textContent ?? '').replace(/\s+/g, ' ').trim();
}

const tom = 'tom@chat.home.arpa';
const ana = 'ana@chat.home.arpa';

beforeEach(() => open());

it('who of its members type is said by their names, under the thread and in the list', async () => {
  const thread = show(window.app, MessageList, { conversation: trip });
  const row = show(window.app, LastLine, { conversation: trip });
  const people = [
    { address: tom, name: 'Tom Weber' },
    { address: ana, name: 'Captain' },
    { address: 'lixiaolong@chat.home.arpa', name: '李小龙' },
  ];
  const said: Record<Language, string[]> = { en: [], de: [], zh: [], ar: [] };
  for (const language of ['en', 'de', 'zh', 'ar'] as const) {
    window.app.locale.language = language;
    for (const count of [1, 2, 3]) {
      window.backend.publishComposing(trip.id, people.slice(0, count));
      await settle();
      const words = plainText(thread.querySelector('.typing')).replace(/[\u2068\u2069]/g, '');
      said[language].push(words);
      expect(plainText(row).replace(/[\u2068\u2069]/g, '')).toBe(words);
    }
  }
  expect(said).toEqual({
    en: ['Tom Weber is typing…', 'Tom Weber and Captain are typing…', 'Several people are typing…'],
    de: ['Tom Weber schreibt…', 'Tom Weber und Captain schreiben…', 'Mehrere schreiben…'],
    zh: ['Tom Weber正在输入…', 'Tom Weber和Captain正在输入…', '几个人正在输入…'],
    ar: ['Tom Weber يكتب…', 'يكتب Tom Weber وCaptain…', 'عدة أشخاص يكتبون…'],
  });
  window.app.locale.language = 'en';
  window.backend.publishComposing(trip.id, []);
  await settle();
  expect(plainText(thread.querySelector('.typing'))).toBe('');
});

it('whose message has come types no more, the others do', async () => {
  const thread = show(window.app, MessageList, { conversation: trip });
  window.backend.publishComposing(trip.id, [
    { address: tom, name: 'Tom Weber' },
    { address: ana, name: 'Captain' },
  ]);
  const group = { person: { address: tom, name: 'Tom Weber' }, isPrivate: false, notice: null };
  window.backend.addMessage(trip.id, { direction: 'in', text: 'x', state: 'received', group });
  await settle();
  expect(plainText(thread.querySelector('.typing'))).toBe('Captain is typing…');
});

describe('the thread of a group', () => {
  it('joins bubbles of one person only, and sets what has happened between them', () => {
    const rows = threadRows(window.app.thread.messages, null);
    const shape = rows.flatMap((row) =>
      row.kind === 'notice'
        ? [row.notice.kind]
        : row.kind === 'message'
          ? [`${row.message.group?.person?.name ?? 'Bob'}${row.joined ? ' +' : ''}`]
          : [],
    );
    expect(shape).toEqual([
      'invited',
      'invited',
      'joined',
      'joined',
      'Bob',
      'Tom Weber',
      'Tom Weber +',
      'Captain',
      'renamed',
      'Captain',
      'Captain',
      '李小龙',
      'Bob',
      'invited',
    ]);
  });

  it('names the writer above his first bubble, and what went to one person only', () => {
    const heads = window.app.thread.messages
      .filter(({ group }) => group?.notice === null)
      .map((message) =>
        plainText(show(window.app, Bubble, { message, name: 'x', place: 'first' }).querySelector('.head')),
      );
    expect(heads).toEqual([
      '',
      'Tom Weber',
      'Tom Weber',
      'Captain',
      'Captain privately',
      'Only to Captain',
      '李小龙',
      '',
    ]);
  });

  it('gives a writer the colour of his picture, the same for every message of his', () => {
    const hues = window.app.thread.messages
      .filter(({ group }) => group?.person?.address === tom)
      .map((message) =>
        show(window.app, Bubble, { message, name: 'x', place: 'first' })
          .querySelector<HTMLElement>('.name')!
          .style.getPropertyValue('--hue'),
      );
    expect(hues).toHaveLength(2);
    expect(new Set(hues).size).toBe(1);
    expect(hues[0]).not.toBe('');
  });

  it('says in words what has happened', () => {
    const words = (isOurs: (address: string) => boolean) =>
      window.app.thread.messages.flatMap(({ group }) =>
        group?.notice ? [noticeWords(group.notice, window.app.locale, isOurs)] : [],
      );
    expect(words(() => false)).toEqual([
      'Bob invited Tom Weber',
      'Bob invited Captain',
      'Tom Weber joined',
      'Captain joined',
      'Bob renamed the group to Sea trip',
      'Bob invited Kim',
    ]);
    // Nobody is told of himself by name.
    expect(words((address) => address.startsWith('tom@'))).toEqual([
      'Bob invited you',
      'Bob invited Captain',
      'You joined',
      'Captain joined',
      'Bob renamed the group to Sea trip',
      'Bob invited Kim',
    ]);
    const view = show(window.app, ThreadView);
    expect([...view.querySelectorAll('.notice bdi')].map(({ textContent }) => textContent)).toContain(
      'You renamed the group to Sea trip',
    );
  });

  it('names of members who are called otherwise now are read anew', async () => {
    const view = show(window.app, ThreadView);
    const group = window.app.groups.get(trip.id)!;
    for (const one of window.backend.world.messages) {
      if (one.group?.person?.address === tom) Object.assign(one.group.person, { name: 'Tommaso' });
    }
    const members = group.members.map((one) => (one.address === tom ? { ...one, name: 'Tommaso' } : one));
    window.backend.publish('group.changed', { group: { ...group, members } });
    await settle();
    await settle();
    const heads = [...view.querySelectorAll('.head .name')].map(({ textContent }) => textContent);
    expect(heads).toContain('Tommaso');
    expect(heads).not.toContain('Tom Weber');
  });

  it('tells in its head how many belong to it and, while it is connected, how many are here', async () => {
    const header = show(window.app, ThreadHeader, { conversation: trip });
    const details = show(window.app, DetailsPane, { conversation: trip });
    expect(plainText(header)).toContain('5 members · 3 here');
    expect(plainText(details.querySelector('.state.here'))).toContain('Here');
    const session = window.app.sessions.latest(trip.id)!;
    window.backend.publish('session.changed', { session: { ...session, state: 'ended', endedMs: 1 } });
    await settle();
    // Without a way to the group nobody knows.
    expect(plainText(header)).not.toContain('here');
    expect([...details.querySelectorAll('.state')].map(plainText)).toEqual(['Invited']);
  });

  it('has the name of who wrote last in the list', () => {
    const message = window.app.thread.messages.find(({ group }) => group?.person?.address === tom)!;
    const line = show(window.app, LastLine, { conversation: { ...trip, lastMessage: message } });
    expect(plainText(line)).toBe('Tom Weber: To the sea, of course.');
  });
});

describe('the members', () => {
  const details = (): HTMLElement => show(window.app, DetailsPane, { conversation: trip });
  const member = (pane: HTMLElement, name: string): HTMLElement =>
    [...pane.querySelectorAll('li')].find((row) => row.textContent.includes(name))!;

  it('stand with role and state, those who are here first', () => {
    const rows = [...details().querySelectorAll('section li .member')].map(plainText);
    expect(rows.slice(0, 5)).toEqual([
      expect.stringMatching(/Bob \(you\).*Owner Here$/),
      expect.stringContaining('Captain'),
      expect.stringContaining('Tom Weber'),
      expect.stringContaining('Away'),
      expect.stringContaining('Invited'),
    ]);
  });

  it('are removed and made owner by the owner', async () => {
    const pane = details();
    member(pane, tom).querySelector('button')!.click();
    await settle();
    await press(pane, 'Make owner');
    expect(lastInput('group.setOwner')).toEqual({ conversationId: trip.id, address: tom });
    await open();
    const again = details();
    member(again, tom).querySelector('button')!.click();
    await settle();
    await press(again, 'Remove from group');
    expect(lastInput('group.remove')).toEqual({ conversationId: trip.id, address: tom });
    expect(again.textContent).not.toContain(tom);
  });

  it('of a group of somebody else can be written to and blocked', async () => {
    const { members } = window.app.groups.get(trip.id)!;
    const others = members.map((one) => ({
      ...one,
      role: one.address === tom ? ('owner' as const) : ('member' as const),
    }));
    await open(worldWith({ members: others }));
    const pane = details();
    member(pane, tom).querySelector('button')!.click();
    await settle();
    const actions = [...pane.querySelectorAll('.actions button')].map(plainText);
    expect(actions).toEqual(['Write privately', 'Block']);
    expect(() => buttonNamed(pane, 'Rename')).toThrow();
  });

  it('a new name, a nickname and leaving', async () => {
    const pane = details();
    await press(pane, 'Rename');
    fill(pane, 'Name of the group', 'North Sea');
    await press(pane, 'Save');
    expect(lastInput('group.rename')).toEqual({ conversationId: trip.id, title: 'North Sea' });
    await press(pane, 'Your name in this group');
    fill(pane, 'Your name in this group', 'Skipper');
    await press(pane, 'Save');
    expect(lastInput('group.setNickname')).toEqual({ conversationId: trip.id, nickname: 'Skipper' });
    expect(pane.textContent).toContain('Skipper (you)');
    await press(pane, 'Leave group');
    await press(pane, 'Leave group');
    expect(lastInput('group.leave')).toEqual({ conversationId: trip.id });
    expect(() => buttonNamed(pane, 'Add people')).toThrow();
  });

  it('a nickname that is taken is said, and can be changed', async () => {
    const pane = details();
    window.backend.refusals.set('group.setNickname', { code: 'already-exists', message: 'taken' });
    await press(pane, 'Your name in this group');
    fill(pane, 'Your name in this group', 'Captain');
    await press(pane, 'Save');
    expect(pane.textContent).toContain('Somebody in the group is called so already.');
    expect(() => buttonNamed(pane, 'Save')).not.toThrow();
  });

  it('more are chosen among the contacts who are not there yet', async () => {
    const pane = details();
    await press(pane, 'Add people');
    const offered = [...pane.querySelectorAll('fieldset .tickable')].map(plainText).join();
    expect(offered).not.toContain(tom);
    const other = pane.querySelector<HTMLInputElement>('fieldset input.input')!;
    other.value = 'zoe';
    other.dispatchEvent(new Event('input', { bubbles: true }));
    await press(pane, 'Add');
    const add = [...pane.querySelectorAll('button')].filter((one) => plainText(one) === 'Add people').at(-1)!;
    add.click();
    await settle();
    expect(lastInput('group.invite')).toEqual({ conversationId: trip.id, addresses: ['zoe@chat.home.arpa'] });
  });
});

describe('writing to one member alone', () => {
  let composer: HTMLElement;
  let box: HTMLTextAreaElement;
  const type = (text: string, key = 'Enter'): void => {
    box.value = text;
    box.dispatchEvent(new Event('input', { bubbles: true }));
    box.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  };

  beforeEach(() => {
    composer = show(window.app, Composer, { conversation: trip });
    box = composer.querySelector('textarea')!;
  });

  it('is said above the field, goes to him alone and ends when told so', async () => {
    window.app.groups.writeTo(trip.id, window.app.groups.get(trip.id)!.members[2]);
    flushSync();
    expect(composer.textContent).toContain('Only to Captain');
    type('a secret');
    await settle();
    expect(lastInput('message.send')).toMatchObject({ conversationId: trip.id, text: 'a secret', to: ana });
    await press(composer, 'Write to everybody again');
    type('for all');
    await settle();
    expect(lastInput('message.send')).not.toHaveProperty('to');
  });

  it('does not turn into everybody when he leaves meanwhile', async () => {
    const group = window.app.groups.get(trip.id)!;
    window.app.groups.writeTo(trip.id, group.members[2]);
    window.backend.publish('group.changed', {
      group: { ...group, members: group.members.filter(({ address }) => address !== ana) },
    });
    await settle();
    type('a secret');
    await settle();
    expect(lastInput('message.send')).toMatchObject({ to: ana });
  });

  it('tells nobody that one types', async () => {
    window.app.groups.writeTo(trip.id, window.app.groups.get(trip.id)!.members[2]);
    flushSync();
    type('a secr', 'x');
    await settle();
    expect(window.backend.calls.filter(({ call }) => call === 'conversation.setComposing')).toEqual([]);
  });

  it('what was sent to him alone is not brought back for everybody', async () => {
    const up = async (): Promise<string> => {
      box.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true, cancelable: true }));
      await settle();
      return box.value;
    };
    expect(await up()).toBe('Then it is settled. Kim joins us as well.');
    expect(await up()).toBe('Where shall we go in May?');
  });
});

describe('beginning a group', () => {
  const account = () => window.app.accounts.current!;

  it('with a name and several people', async () => {
    const view = show(window.app, NewConversation);
    await choose(view, 'Group');
    fill(view, 'Name of the group', 'Chess');
    view.querySelector<HTMLInputElement>('fieldset input[type=checkbox]')!.click();
    await settle();
    await press(view, 'Create group');
    expect(lastInput('group.create')).toMatchObject({ accountId: account().id, title: 'Chess' });
    expect((lastInput('group.create') as { addresses: string[] }).addresses).toHaveLength(1);
    expect(window.app.conversations.open?.peerName).toBe('Chess');
  });

  it('by its address; only the name at the same server', async () => {
    const view = show(window.app, NewConversation);
    await choose(view, 'Join');
    fill(view, 'Address of the group', 'harbour');
    await settle();
    await press(view, 'Join group');
    expect(lastInput('group.join')).toEqual({
      accountId: account().id,
      address: 'harbour@chat.home.arpa',
    });
  });

  it('that is not there is said', async () => {
    const view = show(window.app, NewConversation);
    window.backend.refusals.set('group.join', { code: 'not-found', message: 'no' });
    await choose(view, 'Join');
    fill(view, 'Address of the group', 'harbour');
    await settle();
    await press(view, 'Join group');
    expect(view.textContent).toContain('There is no group with this address.');
  });

  it('is offered only where the server has groups', async () => {
    await open(groupsWorld());
    window.backend.publish('account.changed', { account: { ...account(), hasGroups: false } });
    await settle();
    const view = show(window.app, NewConversation);
    expect(view.querySelector('[role=radiogroup]')).toBeNull();
  });

  it('from a conversation with one person brings him along', async () => {
    const single = window.app.conversations.sorted.find(({ peerAddress }) => peerAddress === tom)!;
    const header = show(window.app, ThreadHeader, { conversation: single });
    await press(header, 'Make a group with');
    const view = show(window.app, NewConversation);
    expect(plainText(view.querySelector('fieldset'))).toContain('1 person chosen');
  });
});

describe('an invitation to a group', () => {
  it('says so, and what is seen by whom', () => {
    const view = show(window.app, Invitation, { conversation: { ...trip, standing: 'asked' } });
    expect(view.textContent).toContain('You are invited to the group Sea trip');
    expect(view.textContent).toContain('Its members see that you have joined.');
    // An address that nobody can remember helps nobody.
    expect(view.textContent).not.toContain(trip.peerAddress);
  });

  it('says whose it is, when that is known', async () => {
    const group = window.app.groups.get(trip.id)!;
    const host = group.members.find(({ address }) => address === tom)!;
    window.backend.publish('group.changed', { group: { ...group, isOpen: true, members: [host] } });
    await settle();
    const view = show(window.app, Invitation, { conversation: { ...trip, standing: 'asked' } });
    expect(view.querySelector('h2')?.textContent.trim()).toBe('Tom Weber invites you to the group Sea trip');
    expect(view.textContent).toContain(tom);
    expect(view.textContent).toContain(`Its address is ${trip.peerAddress}`);
    const line = show(window.app, LastLine, { conversation: { ...trip, standing: 'asked' } });
    expect(line.textContent.trim()).toBe('Invitation to the group');
  });

  it('is answered by blocking who invites, which declines it; whoever thinks better of it can still join', async () => {
    const { app, backend } = window;
    const group = app.groups.get(trip.id)!;
    const eve = { ...group.members[1]!, address: 'eve@chat.home.arpa', name: 'Eve Adler' };
    backend.publish('group.changed', { group: { ...group, membership: 'left', members: [eve] } });
    app.conversations.applyConversationChanged({ ...trip, standing: 'asked' });
    await settle();
    const view = show(app, ThreadView);
    expect(view.querySelector('h2')?.textContent.trim()).toBe('Eve Adler invites you to the group Sea trip');
    await press(view, 'Block');
    expect(backend.calls.slice(-2)).toEqual([
      {
        call: 'rule.set',
        input: { accountId: trip.accountId, address: eve.address, blocked: true },
      },
      { call: 'conversation.answer', input: { conversationId: trip.id, accept: false } },
    ]);
    expect(view.querySelector('h2')?.textContent.trim()).toBe('You have blocked Eve Adler');
    expect(view.textContent).not.toContain('Accept');
    await press(view, 'Unblock');
    expect(view.querySelector('h2')?.textContent.trim()).toBe('You declined to join the group Sea trip');
    buttonNamed(view, 'Accept');
  });

  it('whose inviter nobody names offers nobody to be blocked', () => {
    const view = show(window.app, Invitation, { conversation: { ...trip, standing: 'asked' } });
    expect([...view.querySelectorAll('button')].map(plainText)).toEqual(['Decline', 'Accept']);
  });
});

import { describe, expect, it } from 'vitest';
import ConversationList from '../../../renderer/views/conversations/ConversationList.svelte';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import PersonName from '../../../renderer/views/people/PersonName.svelte';
import PrivacySettings from '../../../renderer/views/settings/PrivacySettings.svelte';
import AccountBar from '../../../renderer/views/shell/AccountBar.svelte';
import { scenarios } from '../support/scenarios.ts';
import { buttonNamed, fill, openWindow, settle, show } from '../support/window.ts';

const DOMAIN = 'chat.home.arpa';
const open = () => openWindow(scenarios.presence());
const rowOf = (list: HTMLElement, name: string) => buttonNamed(list, name);

async function openThread(name: string) {
  const window = await open();
  const conversation = window.app.conversations.sorted.find(({ peerName }) => peerName === name);
  if (conversation === undefined) throw new Error(`there is no conversation with ${name}`);
  await window.app.openConversation(conversation.id);
  await settle();
  return { ...window, conversation, view: show(window.app, ThreadView) };
}

function chosenIn(within: HTMLElement): string | undefined {
  return within.querySelector<HTMLInputElement>('input[type=radio]:checked')?.value;
}

describe('who is there', () => {
  it('is said in words in the list, and nothing is said of whom nothing is known', async () => {
    const { app } = await open();
    const list = show(app, ConversationList);
    expect(rowOf(list, 'Ana').textContent).toContain('Away');
    expect(rowOf(list, 'Support').textContent).toContain('Offline');
    expect(rowOf(list, 'Maria').textContent).toContain('Blocked');
    expect(rowOf(list, 'Maria').querySelector('[data-show]')).toBeNull();
  });

  it('changes as it is told, and goes when it is not known any more', async () => {
    const { app, backend } = await open();
    const list = show(app, ConversationList);
    const [account] = backend.world.accounts;
    if (account === undefined) throw new Error('nobody is signed in');
    const accountId = account.id;
    backend.publish('presence.changed', {
      accountId,
      address: `ana@${DOMAIN}`,
      state: { show: 'dnd', note: 'hm' },
    });
    await settle();
    expect(rowOf(list, 'Ana').textContent).toContain('Do not disturb · hm');
    backend.publish('presence.changed', { accountId, address: `ana@${DOMAIN}`, state: null });
    await settle();
    expect(rowOf(list, 'Ana').querySelector('[data-show]')).toBeNull();
  });

  it('stands with his note in the head of the thread', async () => {
    const { view } = await openThread('Tom Weber');
    expect(view.querySelector('header')?.textContent).toContain('Available · At the pilot site');
  });
});

describe('what our user is', () => {
  it('is chosen at the top of the list, with a note that is removed again', async () => {
    const { app, backend } = await open();
    const bar = show(app, AccountBar);
    buttonNamed(bar, 'Bob').click();
    await settle();
    expect(chosenIn(bar)).toBe('available');
    bar.querySelector<HTMLInputElement>('input[value=dnd]')?.click();
    await settle();
    expect(backend.world.settings['presence.choice']).toBe('dnd');
    const note = bar.querySelector<HTMLInputElement>('form input');
    if (note === null) throw new Error('there is no field for the note');
    note.value = '  Back at three ';
    note.dispatchEvent(new Event('input', { bubbles: true }));
    await settle();
    buttonNamed(bar, 'Save note').click();
    await settle();
    expect(backend.world.settings['presence.note']).toBe('Back at three');
    buttonNamed(bar, 'Remove note').click();
    await settle();
    expect(backend.world.settings['presence.note']).toBe('');
  });

  it('says that a server tells nobody, and that a setting hides it', async () => {
    const world = scenarios.presence();
    if (world.presence !== undefined) world.presence = { ...world.presence, accounts: [] };
    const { app } = await openWindow(world);
    const bar = show(app, AccountBar);
    buttonNamed(bar, 'Bob').click();
    await settle();
    expect(bar.textContent).toContain('This server does not tell others');
    await app.settings.set('presence.visibleTo', 'nobody');
    await settle();
    expect(bar.textContent).toContain('Nobody sees whether you are there');
  });
});

describe('requests to see our user', () => {
  it.each([
    ['Allow', { presence: 'allow', blocked: false }],
    ['Refuse', { presence: 'block', blocked: false }],
    ['Block', { presence: 'ask', blocked: true }],
  ])('%s', async (answer, rule) => {
    const { app } = await open();
    const list = show(app, ConversationList);
    buttonNamed(list, `${answer} kim@`).click();
    await settle();
    const [account] = app.accounts.all;
    expect(account && app.presence.rule(account.id, `kim@${DOMAIN}`)).toMatchObject(rule);
    expect(list.querySelector('section')?.textContent).not.toContain('kim@');
  });

  it('are few at first, so that the list stays in sight', async () => {
    const { app } = await open();
    const list = show(app, ConversationList);
    expect(list.querySelectorAll('section li')).toHaveLength(2);
    buttonNamed(list, '1 more').click();
    await settle();
    expect(list.querySelectorAll('section li')).toHaveLength(3);
  });
});

describe('who is blocked', () => {
  it('cannot be written to; his messages stay, and he is unblocked where that is said', async () => {
    const { view } = await openThread('Maria Rossi');
    expect(view.querySelector('textarea')).toBeNull();
    expect(view.textContent).toContain('You have blocked Maria Rossi');
    expect(view.textContent).toContain('The contract is signed.');
    buttonNamed(view, 'Unblock Maria Rossi').click();
    await settle();
    expect(view.querySelector('textarea')).not.toBeNull();
  });

  it('is blocked in the menu of the conversation, which the keys close', async () => {
    const { view } = await openThread('Tom Weber');
    buttonNamed(view, 'More about Tom Weber').click();
    await settle();
    const menu = view.querySelector<HTMLElement>('[role=menu]');
    if (menu === null) throw new Error('there is no menu');
    buttonNamed(menu, 'Block').click();
    await settle();
    expect(view.querySelector('[role=menu]')).toBeNull();
    expect(view.textContent).toContain('You have blocked Tom Weber');
  });

  it('is in the list of the settings, which takes an address and says what is none', async () => {
    const { app } = await open();
    const page = show(app, PrivacySettings, { values: app.settings.values });
    buttonNamed(page, 'Unblock Maria Rossi').click();
    await settle();
    expect(page.textContent).toContain('Nobody is blocked.');
    const field = page.querySelector<HTMLInputElement>('input[aria-label=Address]');
    if (field === null) throw new Error('there is no field');
    const block = async (address: string) => {
      field.value = address;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      await settle();
      buttonNamed(page, 'Block').click();
      await settle();
    };
    await block('nonsense');
    expect(page.querySelector('[role=alert]')).not.toBeNull();
    await block(`mallory@${DOMAIN}`);
    expect(page.textContent).toContain(`mallory@${DOMAIN}`);
    expect(field.value).toBe('');
  });
});

describe('the name of a person', () => {
  async function openName() {
    const window = await openThread('Tom Weber');
    const view = show(window.app, PersonName, { conversation: window.conversation });
    buttonNamed(view, 'Change name').click();
    await settle();
    return { ...window, view };
  }

  it('is changed, and is another one in the list at once', async () => {
    const { app, backend, conversation, view } = await openName();
    expect(view.querySelector('input')?.value).toBe('Tom Weber');
    fill(view, 'Name', '  Tommaso  ');
    await settle();
    buttonNamed(view, 'Save').click();
    await settle();
    const { accountId, peerAddress: address } = conversation;
    expect(backend.calls.findLast(({ call }) => call === 'contact.add')?.input).toEqual({
      ...{ accountId, address, displayName: 'Tommaso' },
    });
    expect(show(app, ConversationList).textContent).toContain('Tommaso');
    await settle();
    // Where the user was.
    expect(document.activeElement).toBe(buttonNamed(view, 'Change name'));
  });

  it('cannot be nothing, and stays when Escape is pressed', async () => {
    const { backend, view } = await openName();
    fill(view, 'Name', '   ');
    await settle();
    expect(buttonNamed(view, 'Save').disabled).toBe(true);
    const escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true });
    view.querySelector('input')?.dispatchEvent(escape);
    await settle();
    expect(view.querySelector('form')).toBeNull();
    expect(backend.calls.some(({ call }) => call === 'contact.add')).toBe(false);
  });
});

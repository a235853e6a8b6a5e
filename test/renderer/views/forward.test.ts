import { expect, it } from 'vitest';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { scenarios } from '../support/scenarios.ts';
import { chooseInMenu, openShell, withTom } from '../support/shell.ts';
import { buttonNamed, openWindow, settle } from '../support/window.ts';

/** By its menu, as a user does it. */
async function forward(shell: HTMLElement, text: string): Promise<HTMLElement> {
  await chooseInMenu(shell, text, 'Forward');
  return shell.querySelector<HTMLElement>('aside form')!;
}

function targets(form: HTMLElement): Map<string, HTMLInputElement> {
  return new Map(
    [...form.querySelectorAll<HTMLInputElement>('input[type="checkbox"]')].map((box) => [
      box.closest('label')!.querySelector('.texts bdi')!.textContent,
      box,
    ]),
  );
}

it('a message goes to the one who is chosen, whose conversation is shown then', async () => {
  const { app, backend, shell } = await openShell(scenarios.talking());
  const form = await forward(shell, 'Did the new');
  const find = form.querySelector<HTMLInputElement>('input[type="search"]')!;
  expect(document.activeElement).toBe(find);
  expect(form.textContent).toContain('Did the new');
  find.value = 'søren';
  find.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
  expect([...targets(form).keys()]).toEqual(['Ana Sørensen']);
  targets(form).get('Ana Sørensen')!.click();
  await settle();
  buttonNamed(form, 'Send to 1 conversation').click();
  await settle();
  expect(app.conversations.open?.peerName).toBe('Ana Sørensen');
  expect(shell.querySelector('aside form')).toBeNull();
  const sent = backend.world.messages.at(-1)!;
  expect([sent.direction, sent.text]).toEqual(['out', expect.stringMatching(/^Did the new/)]);
  expect(app.announcer.text).toContain('Sent to 1 conversation');
});

it('of several the list is shown; Escape sends nothing and gives the thread its place back', async () => {
  const { app, backend, shell } = await openShell(scenarios.talking());
  const before = backend.world.messages.length;
  const form = await forward(shell, 'Did the new');
  document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
  await settle();
  expect(shell.querySelector('aside form')).toBeNull();
  expect([app.shell.turn, backend.world.messages.length]).toEqual(['main', before]);
  expect(form.isConnected).toBe(false);
  const again = await forward(shell, 'Did the new');
  for (const box of [...targets(again).values()].slice(1, 3)) box.click();
  await settle();
  buttonNamed(again, 'Send to 2 conversations').click();
  await settle();
  expect(backend.world.messages.length).toBe(before + 2);
  expect(app.conversations.openId).toBe(withTom);
});

it('a file goes to groups as well; one that is gone is told of beside its place and beside who was to have it', async () => {
  const world = scenarios.groups();
  const template = scenarios.pictures().messages.at(-2)!;
  world.messages.push({ ...template, position: 9_000, conversationId: withTom });
  const { app, backend, shell } = await openShell(world);
  backend.refusals.set(`message.forward ${template.id}`, {
    code: 'not-found',
    message: 'This file is not on this computer any more.',
  });
  const form = await forward(shell, 'lighthouse.png');
  for (const name of ['Sea trip', 'Ana Sørensen']) targets(form).get(name)!.click();
  await settle();
  buttonNamed(form, 'Send to 2 conversations').click();
  await settle();
  expect(backend.calls.findLast(({ call }) => call === 'message.forward')!.input).toEqual({
    messageIds: [template.id],
    conversationIds: ['with-trip', 'with-ana'],
  });
  expect(form.querySelector('.refused')!.textContent).toContain(
    '“lighthouse.png” was not sent: This file is not on this computer any more.',
  );
  expect(shell.querySelector('main [role="alert"]')!.textContent).toContain('not on this computer any more');
  expect(app.conversations.openId).toBe(withTom);
});

it('is not offered for what is gone, or not here, or where nothing can be sent', async () => {
  const { app } = await openShell(scenarios.files());
  const find = (text: string) => app.thread.messages.find((message) => message.text === text)!;
  expect(app.forwarding.takes(find('Floor plan.pdf'))).toBe(true);
  expect(app.forwarding.takes(find('Holiday.mov'))).toBe(false);
  const changes = await openWindow(scenarios.changes());
  await changes.app.openConversation(withTom);
  const gone = changes.app.thread.messages.find(({ deletedAtMs }) => deletedAtMs !== undefined)!;
  expect(changes.app.forwarding.takes(gone)).toBe(false);
  const reading = await openShell(scenarios.reading());
  reading.shell.querySelector<HTMLElement>('[data-menu]')!.click();
  await settle();
  expect(reading.shell.querySelector('[role="menu"]')!.textContent).not.toContain('Forward');
});

it('goes to twenty conversations at most', async () => {
  const world = scenarios.talking();
  const template = world.conversations[0]!;
  for (let nth = 0; nth < 25; nth += 1)
    world.conversations.push({
      ...template,
      ...{
        id: `more-${nth}` as ConversationId,
        peerName: `More ${nth}`,
        peerAddress: `m${nth}@chat.home.arpa`,
      },
    });
  const { shell } = await openShell(world);
  const form = await forward(shell, 'Did the new');
  for (const box of targets(form).values()) {
    box.click();
    await settle();
  }
  buttonNamed(form, 'Send to 20 conversations');
  expect(form.textContent).toContain('At most 20 at once.');
  const boxes = [...targets(form).values()];
  expect(boxes.filter(({ checked }) => checked)).toHaveLength(20);
  expect(boxes.filter(({ disabled }) => disabled)).toHaveLength(boxes.length - 20);
});

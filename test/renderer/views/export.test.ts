import { expect, it } from 'vitest';
import DetailsPane from '../../../renderer/views/details/DetailsPane.svelte';
import ExportSettings from '../../../renderer/views/settings/ExportSettings.svelte';
import JobNotice from '../../../renderer/views/shell/JobNotice.svelte';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import ConversationList from '../../../renderer/views/conversations/ConversationList.svelte';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, fill, openWindow, settle, show } from '../support/window.ts';
import { eventually } from '../../support/eventually.ts';

const withTom = 'with-tom' as ConversationId;

it('one conversation is exported, stopped, gone on with, and the notice says where it is', async () => {
  const window = await openWindow(talkingWorld());
  const { app, backend } = window;
  await app.openConversation(withTom);
  const details = show(app, DetailsPane, { conversation: app.conversations.open });
  const notice = show(app, JobNotice);
  const format = [...details.querySelectorAll('label')].find(
    ({ textContent }) => textContent.trim() === 'JSON Lines',
  );
  format?.control?.click();
  await settle();
  buttonNamed(details, 'Export this conversation').click();
  await settle();
  expect(backend.calls.at(-1)).toEqual({
    call: 'job.export',
    input: { format: 'jsonl', conversationId: withTom },
  });
  expect(notice.textContent).toContain('Exporting… 120 of 480 messages');
  expect(notice.querySelector('progress')?.value).toBe(0.25);
  expect(buttonNamed(details, 'Export this conversation').disabled).toBe(true);
  // How much a search finds nobody knows before.
  backend.publish('job.changed', { job: { ...app.historyJob.job!, total: null } });
  await settle();
  expect(notice.textContent).toContain('Exporting… 120 messages');
  buttonNamed(notice, 'Stop').click();
  await settle();
  expect(notice.textContent).toContain('What is written so far is in');
  buttonNamed(notice, 'Continue').click();
  await settle();
  const job = app.historyJob.job!;
  backend.publish('job.changed', { job: { ...job, state: 'done', messages: 480 } });
  await settle();
  expect(notice.textContent).toContain(
    '480 messages were written to \u2066/home/bob/Parley 2026-11-23 0335\u2069',
  );
  buttonNamed(notice, 'Close').click();
  await settle();
  expect(notice.textContent.trim()).toBe('');
});

it('a folder that is chosen in the browser is handed in by the paths inside of its export', async () => {
  const window = await openWindow(talkingWorld());
  const { app, backend } = window;
  const settings = show(app, ExportSettings);
  const notice = show(app, JobNotice);
  const file = (path: string): File =>
    Object.defineProperty(new File(['x'], path.split('/').at(-1)!), 'webkitRelativePath', { value: path });
  const chooser = settings.querySelector<HTMLInputElement>('input[type="file"]')!;
  const choose = async (files: File[]): Promise<void> => {
    Object.defineProperty(chooser, 'files', { value: files, configurable: true });
    chooser.dispatchEvent(new Event('change', { bubbles: true }));
    await settle();
    await settle();
  };
  await choose([file('Holiday/picture.png')]);
  expect(notice.textContent).toContain('no manifest.json');
  await choose(
    ['Old/a/manifest.json', 'Old/manifest.json', 'Old/messages.jsonl', 'Old/files/1-x.png'].map(file),
  );
  const staged = backend.calls.filter(({ call }) => call === 'job.stage').map(({ input }) => input);
  expect(staged.map((input) => (input as { path: string }).path)).toEqual([
    'a/manifest.json',
    'manifest.json',
    'messages.jsonl',
    'files/1-x.png',
  ]);
  expect(backend.calls.at(-1)).toEqual({ call: 'job.import', input: { staged: true } });
  const job = { ...app.historyJob.job!, state: 'done', messages: 100, added: 40 } as const;
  backend.world.job = job;
  backend.publish('job.changed', { job });
  await settle();
  expect(notice.textContent).toContain('40 messages were new, 60 were known already.');
});

it('what was taken in of an account that is not here is listed, and can be read only', async () => {
  const world = talkingWorld();
  world.conversations = world.conversations.map((each) =>
    each.id === withTom ? { ...each, accountId: 'gone-bob@old.example' as typeof each.accountId } : each,
  );
  const { app } = await openWindow(world);
  const list = show(app, ConversationList);
  const rows = [...list.querySelectorAll('li')];
  expect(rows.at(-2)?.textContent).toBe('From accounts that are not here');
  expect(rows.at(-1)?.textContent).toContain('Tom Weber');
  await app.openConversation(withTom);
  const thread = show(app, ThreadView);
  expect(thread.querySelectorAll('[data-id]').length).toBeGreaterThan(0);
  expect(thread.querySelector('textarea')).toBeNull();
  expect(thread.textContent).toContain('You can read and search it, but not write.');
});

it('an archive is protected only when both fields say the same', async () => {
  const window = await openWindow(talkingWorld());
  const { app, backend } = window;
  const settings = show(app, ExportSettings);
  const choose = (text: string): void => {
    const label = [...settings.querySelectorAll('label')].find(
      ({ textContent }) => textContent.trim() === text,
    );
    label?.control?.click();
  };
  choose('Archive');
  await settle();
  choose('Protect it with a passphrase');
  await settle();
  const button = buttonNamed(settings, 'Export everything');
  expect(button.disabled).toBe(true);
  fill(settings, 'Passphrase', 'open sesame');
  fill(settings, 'Once more', 'open sesam');
  await settle();
  expect(settings.textContent).toContain('The two are not the same.');
  expect(button.disabled).toBe(true);
  fill(settings, 'Once more', 'open sesame');
  await settle();
  button.click();
  await settle();
  expect(backend.calls.at(-1)).toEqual({
    call: 'job.export',
    input: { format: 'parley', passphrase: 'open sesame' },
  });
  // Nothing of it stays in the window.
  expect(settings.querySelector('input[type="password"]')).toBeNull();
});

it('an archive that is taken in asks for its passphrase, and says when it was another one', async () => {
  const window = await openWindow(talkingWorld());
  const { app, backend } = window;
  const settings = show(app, ExportSettings);
  const notice = show(app, JobNotice);
  const chooser = settings.querySelector<HTMLInputElement>('input[accept=".parley"]')!;
  const choose = async (name: string): Promise<void> => {
    Object.defineProperty(chooser, 'files', { value: [new File(['x'], name)], configurable: true });
    chooser.dispatchEvent(new Event('change', { bubbles: true }));
    await settle();
    await settle();
  };
  await choose('letter.txt');
  expect(notice.textContent).toContain('ends with .parley');
  await choose('Old.parley');
  expect(backend.calls.find(({ call }) => call === 'job.stage')?.input).toMatchObject({
    path: 'archive.parley',
    first: true,
  });
  await eventually(() => {
    expect(app.historyJob.job?.kind).toBe('import');
  });
  const fail = async (): Promise<void> => {
    const failure = { code: 'locked', detail: 'archive.parley is encrypted' } as const;
    const job = { ...app.historyJob.job!, state: 'failed', failure } as const;
    backend.world.job = job;
    backend.publish('job.changed', { job });
    await settle();
  };
  await fail();
  expect(notice.textContent).toContain('This archive is protected.');
  const field = notice.querySelector<HTMLInputElement>('input[type="password"]')!;
  field.value = 'guess';
  field.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
  buttonNamed(notice, 'Take it in').click();
  await settle();
  expect(backend.calls.at(-1)).toEqual({ call: 'job.resume', input: { passphrase: 'guess' } });
  await fail();
  expect(notice.textContent).toContain('That was not its passphrase');
  expect(notice.querySelector<HTMLInputElement>('input[type="password"]')!.value).toBe('');
});

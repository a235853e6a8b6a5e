/**
 * Bad days in the window: each is made to happen to the real program, and what its user is told of it is looked for at the
 * place where he looks.
 */
import { appendFile, mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { historyOf } from '../../main/messenger/profile.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { openPage, Program } from '../support/browser-program.ts';
import { Authority, hasOpenssl } from '../support/certificates.ts';
import { BrowserDesks } from '../support/desks.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { domain, Office, passwordOf, temporaryFolder, type Desk } from '../support/window-desk.ts';

const desks = new BrowserDesks();

const noSmallDisk = SmallDisk.missing();
if (noSmallDisk !== undefined) console.log(`skipped: ${noSmallDisk}`);

describe.skipIf(noSmallDisk !== undefined)('a disk that is full', () => {
  it('says so below what is written, which stays, and goes out when there is room', async () => {
    const disk = SmallDisk.mount(24);
    onTestFinished(() => disk[Symbol.dispose]());
    const office = await Office.open('bob', 'tom');
    const { bob, tom } = await desks.bobAndTom({ office, profile: join(disk.folder, 'profile') });
    await bob.write('There is room');
    await bob.state('There is room', 'Read');
    disk.fill();
    const long = 'No room for so many words.'.repeat(2_000);
    await bob.write(long);
    await bob.page.getByRole('alert').getByText('The disk is full').waitFor();
    expect(await bob.composer.inputValue()).toBe(long);
    disk.free();
    await bob.composer.press('Enter');
    await tom.bubble('No room for so many words.').waitFor();
    expect(await bob.page.getByRole('alert').count()).toBe(0);
  });

  it('holds a file up and says what to do; with room it goes on', async () => {
    const disk = SmallDisk.mount(24);
    onTestFinished(() => disk[Symbol.dispose]());
    const office = await Office.open('bob', 'tom');
    const { bob, tom } = await desks.bobAndTom({ office, profile: join(disk.folder, 'profile') });
    const path = join(await temporaryFolder(), 'plans.bin');
    await writeFile(path, Buffer.alloc(4_000_000, 7));
    await bob.write('Before the file');
    await bob.state('Before the file', 'Read');
    disk.fill();
    // Room for what is said of the file, not for the file.
    const ballast = join(disk.folder, 'ballast');
    await truncate(ballast, (await stat(ballast)).size - 2_000_000);
    await tom.page.getByLabel('Attach files').locator('visible=false').first().setInputFiles(path);
    await bob.bubble('plans.bin').getByText('The disk is full.').waitFor();
    disk.free();
    await bob.bubble('plans.bin').getByRole('button', { name: 'Try again' }).click();
    await bob.bubble('plans.bin').getByRole('link', { name: 'Save' }).waitFor();
  });
});

it('a damaged history: what was saved of it, where the file lies, and the rest goes on', async () => {
  const profile = join(await temporaryFolder(), 'profile');
  const office = await Office.open('bob', 'tom');
  const { bob, tom } = await desks.bobAndTom({ office, profile });
  for (let nth = 1; nth <= 40; nth += 1) await bob.write(`Line ${nth}: ${'words '.repeat(1_000)}`);
  await bob.state('Line 40:', 'Read');
  await bob.close();
  const damaged = join(profile, 'history.sqlite');
  const key = await openHistoryKey(profile, filePermissionSecrets);
  const history = await openDatabase(damaged, messengerMigrations, undefined, key);
  // One that is read at every start, and pages of texts, as bad sectors leave them.
  const { rootpage } = history
    .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'search_backlog'")
    .get() as { rootpage: number };
  history.close();
  const file = await open(damaged, 'r+');
  const pages = (await file.stat()).size / 8_192;
  for (const page of [rootpage - 1, pages - 6, pages - 5, pages - 4]) {
    await file.write(Buffer.alloc(8_192, 0xa5), 0, 8_192, page * 8_192);
  }
  await file.close();

  await bob.start();
  const notice = bob.page.getByRole('status').filter({ hasText: 'The history was damaged.' });
  await notice.waitFor();
  const [aside] = (await readdir(profile)).filter((name) => /damaged/.test(name));
  expect(aside).toBeDefined();
  await notice.getByText(aside ?? '').waitFor();
  await notice.getByRole('button', { name: 'Close' }).click();
  await notice.getByText('damaged').waitFor({ state: 'detached' });
  await bob.row('Tom').click();
  // An answer ends what would be a flood.
  await tom.write('Are you back?');
  await bob.bubble('Are you back?').waitFor();
  await bob.write('We go on');
  await tom.bubble('We go on').waitFor();
});

it('a history of a newer Parley: the window says what to do, and nothing of it changes', async () => {
  const profile = join(await temporaryFolder(), 'profile');
  const browser = await borrowBrowser();
  onTestFinished(() => returnBrowser(browser));
  const first = new Program('--profile', profile);
  await (await openPage(browser, await first.link())).getByRole('button', { name: 'Try it' }).waitFor();
  await first.stop();
  const path = historyOf(profile);
  const key = await openHistoryKey(profile, filePermissionSecrets);
  const history = await openDatabase(path, messengerMigrations, undefined, key);
  history.pragma('user_version = 1000');
  history.close();
  const before = await readFile(path);

  const second = new Program('--profile', profile);
  const page = await openPage(browser, await second.link());
  const alert = page.getByRole('alert');
  await alert.getByText('Written by a newer Parley: your history').waitFor();
  await alert.getByText('Update Parley, then open it.').waitFor();
  await alert.getByText('Nothing of your history was changed.').waitFor();
  await expect.poll(() => second.output).toMatch(/newer/);
  await second.stop();
  expect((await readFile(path)).equals(before)).toBe(true);
});

describe('a file', () => {
  /** Bob offers Tom a file, who takes none by himself. */
  async function offerToTom(name: string) {
    const { bob, tom } = await desks.bobAndTom();
    await tom.call('settings.set', { key: 'files.autoAcceptBytes', value: 0 });
    const path = join(await temporaryFolder(), name);
    await writeFile(path, Buffer.alloc(300_000, 1));
    await bob.page.getByLabel('Attach files').locator('visible=false').first().setInputFiles(path);
    await bob.bubble(name).getByText('Waiting for Tom to accept').waitFor();
    return { bob, tom };
  }

  it('that has gone from its place when it is accepted: both sides say so', async () => {
    const { bob, tom } = await offerToTom('leaving.bin');
    await rm(join(bob.profile, 'files'), { recursive: true });
    await tom.bubble('leaving.bin').getByRole('button', { name: 'Download' }).click();
    await tom
      .bubble('leaving.bin')
      .getByText(
        'Bob does not offer this file any more: it was changed, moved or taken back. Ask for it to be sent again.',
      )
      .waitFor();
    await bob.bubble('leaving.bin').getByText('The file cannot be read any more.').waitFor();
  });

  const changes: readonly (readonly [string, (path: string) => Promise<void>])[] = [
    ['rewritten', (path) => writeFile(path, Buffer.alloc(300_000, 2))],
    ['made longer', (path) => appendFile(path, Buffer.alloc(100_000, 2))],
    ['made shorter', (path) => truncate(path, 100_000)],
  ];
  it.each(changes)(
    'that was %s after it was offered: both sides say so, and it goes as it is now',
    async (_, change) => {
      const { bob, tom } = await offerToTom('draft.bin');
      // Where this host sends it from.
      const sent = join(bob.profile, 'files', 'draft.bin');
      await change(sent);
      await tom.bubble('draft.bin').getByRole('button', { name: 'Download' }).click();
      await bob.bubble('draft.bin').getByText('The file has changed since.').waitFor();
      await tom.bubble('draft.bin').getByText('it was changed, moved or taken back').waitFor();
      const received = join(tom.profile, 'files');
      const sizes = (await readdir(received)).map(async (name) => (await stat(join(received, name))).size);
      expect(Math.max(0, ...(await Promise.all(sizes)))).toBe(0);

      await bob.bubble('draft.bin').getByRole('button', { name: 'Retry' }).click();
      await tom.bubble('draft.bin').getByRole('button', { name: 'Download' }).click();
      await tom.bubble('draft.bin').getByRole('link', { name: 'Save' }).waitFor();
      await bob.state('draft.bin', 'Delivered');
      expect(await readdir(received)).toEqual(['draft.bin']);
      expect((await readFile(join(received, 'draft.bin'))).equals(await readFile(sent))).toBe(true);
    },
  );
});

it('a text that is too long stays where it was written, with what to do about it', async () => {
  const office = await Office.open('bob', 'tom');
  const { bob, tom } = await desks.bobAndTom({ office });
  // Many bytes in few letters: the browser lays out each of them.
  const text = '€€€€,'.repeat(90_000);
  await bob.write(text);
  await bob.page.getByRole('alert').getByText('Send it in parts').waitFor();
  expect(await bob.composer.inputValue()).toBe(text);
  await bob.write('Short');
  await tom.bubble('Short').waitFor();
  expect(await bob.page.getByRole('alert').count()).toBe(0);
});

it('the relay goes in mid-session: the session ends in words, and the next message finds another way', async () => {
  const office = await Office.open('bob', 'tom');
  const { bob, tom } = await desks.bobAndTom({ office });
  for (const desk of [bob, tom]) await desk.call('settings.set', { key: 'messages.path', value: 'relay' });
  await bob.write('Through the relay');
  await bob.state('Through the relay', 'Read');
  await bob.sees(/Session with Tom · through a relay/);
  await office.server.relay?.[Symbol.asyncDispose]();
  await bob.sees(/Session ended/);
  await bob.write('And now?');
  await tom.bubble('And now?').waitFor();
  // Tom may have read it by now.
  await bob
    .bubble('And now?')
    .getByRole('img', { name: /^(?:Delivered|Read)$/ })
    .waitFor();
});

describe.runIf(hasOpenssl())('the certificate of the server has expired', () => {
  it('says so, keeps what is written, and goes on by itself when it was renewed', async () => {
    const authority = new Authority('An authority');
    const folder = await temporaryFolder();
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), port: 0 };
    const put = async (days: { fromDay: number; toDay: number }): Promise<void> => {
      const { cert, key } = authority.issue({ names: ['IP:127.0.0.1'], ...days });
      await Promise.all([writeFile(tls.cert, cert), writeFile(tls.key, key)]);
    };
    await put({ fromDay: -3, toDay: -1 });
    const office = await Office.openWith({ tls }, 'bob', 'tom');
    const limits = { registrationBaseAllFailedMs: 1_000 };
    const bob = await desks.sitDown({ program: { ca: [authority.cert], limits } });
    const tom = await desks.sitDown({ person: { name: 'Tom', server: office.address, contacts: ['Bob'] } });
    const { id } = await bob.call('account.add', {
      ...{ address: `bob@${domain}`, password: passwordOf('bob'), displayName: 'Bob' },
      server: office.secureAddress,
    });
    await bob.call('contact.add', { accountId: id, address: `tom@${domain}`, displayName: 'Tom' });
    await bob.page.reload();
    await bob.page.getByRole('alert').getByText('does not prove who it is').waitFor();
    await bob.row('Tom').click();
    await bob.write('When the certificate is right again');
    await bob.state('When the certificate is right again', 'Queued on this computer');

    await put({ fromDay: -1, toDay: 2 });
    await office.reload();
    await bob.state('When the certificate is right again', 'Delivered');
    await bob.sees(`bob@${domain}`);
    expect(await bob.page.getByRole('alert').count()).toBe(0);
    await tom.row('Bob').waitFor();
  });
});

it('a setting that a policy has decided has a padlock and cannot be changed', async () => {
  const profile = join(await temporaryFolder(), 'profile');
  await mkdir(profile, { recursive: true });
  const program = new Program('--profile', profile, '--set', 'privacy.sendDisplayed=false');
  const page = await openPage(desks.browser, await program.link());
  await page.getByRole('button', { name: /Try it/ }).click();
  await page.getByRole('textbox', { name: /^Message/ }).waitFor();
  await page.getByRole('button', { name: 'Settings' }).click();
  const row = page.locator('.row').filter({ hasText: 'Managed by your organisation' });
  await row.first().waitFor();
  expect(await row.count()).toBe(1);
  expect(await row.getByRole('switch').isDisabled()).toBe(true);
});

/** Tom says as much as a window may ask for at once, three times. */
async function flood(tom: Desk): Promise<void> {
  const [ofTom] = await tom.call('conversation.list', {});
  if (ofTom === undefined) throw new Error('there is no conversation');
  for (let sent = 0; sent < 300; sent += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, nth) =>
        tom.call('message.send', { conversationId: ofTom.id, text: `spam ${sent + nth}.` }),
      ),
    );
  }
}

describe('a flood from one person', () => {
  it('is one row of the list that counts, and one of the thread that opens', async () => {
    const office = await Office.open('bob', 'tom');
    const { bob, tom } = await desks.bobAndTom({ office });
    // More than the window has room for.
    for (let nth = 1; nth <= 20; nth += 1) await bob.write(`Above ${nth}.`);
    await tom.bubble('Above 20.').waitFor();
    await bob.page.getByRole('button', { name: 'Settings' }).click();
    await flood(tom);
    await bob.row('Tom').getByText('300 unread messages').waitFor();
    expect(await bob.row('').count()).toBe(1);
    await expect.poll(() => bob.page.title()).toBe('(300) Parley');
    await bob.page.getByRole('button', { name: 'Close' }).click();
    await bob.row('Tom').click();
    await bob.sees('295 more messages from Tom');
    expect(await bob.bubble('spam').count()).toBe(5);
    // Its row has been seen, and with it what is behind.
    await expect.poll(() => bob.page.title()).toBe('Parley');

    const show = bob.page.getByRole('button', { name: 'Show', exact: true });
    const above = (await show.boundingBox())?.y;
    await show.focus();
    await bob.page.keyboard.press('Enter');
    const hide = bob.page.getByRole('button', { name: 'Hide', exact: true });
    await hide.and(bob.page.locator(':focus')).waitFor();
    await bob.bubble('spam 7.').waitFor();
    expect((await hide.boundingBox())?.y).toBe(above);
    // As of any long thread: what is on the screen, and a little more.
    expect(await bob.page.locator('[data-id]').count()).toBeLessThanOrEqual(101);
    await bob.page.keyboard.press('Enter');
    await bob.bubble('spam 7.').waitFor({ state: 'detached' });
    await show.and(bob.page.locator(':focus')).waitFor();

    await bob.page.keyboard.press('Control+k');
    await bob.page.keyboard.type('spam 150');
    await bob.page.getByRole('option').filter({ hasText: 'spam 150.' }).first().waitFor();
    await bob.page.keyboard.press('Enter');
    await bob.page.locator('.flash').filter({ hasText: 'spam 150.' }).waitFor();
    await bob.bubble('spam 151.').waitFor();
    expect(bob.complaints).toEqual([]);
  });

  it('that arrives in the thread that is read leaves it where it is, and is counted', async () => {
    const office = await Office.open('bob', 'tom');
    const { bob, tom } = await desks.bobAndTom({ office });
    await bob.write('Here I am');
    await tom.bubble('Here I am').waitFor();
    await flood(tom);
    await bob.sees('295 more messages from Tom');
    expect(await bob.bubble('spam').count()).toBe(5);
    await bob.bubble('Here I am').waitFor();
    await bob.write('Are you well?');
    await bob.bubble('Are you well?').waitFor();
    await expect.poll(() => bob.page.title()).toBe('Parley');
    await bob.row('Tom').getByText('Are you well?').waitFor();
    expect(bob.complaints).toEqual([]);
  });
});

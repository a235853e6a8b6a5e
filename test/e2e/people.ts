/**
 * Owns: what two people do with Parley, the same on every host: first run, talking, the session in the inspector, what
 * cannot happen, search, settings, files. Called by: people.e2e.ts, electron-people.e2e.ts. Calls: Desks.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Desks } from '../support/desks.ts';
import { type Desk, domain, Office, passwordOf, temporaryFolder } from '../support/window-desk.ts';

/**
 * Specs of the real program: messenger, store, IM Server and sockets, through its window. `whole`: also those in which a
 * host has no part but to show a window.
 */
export function describePeople(desks: Desks, { whole = true } = {}): void {
  const anywhere = it.skipIf(!whole);

  /** Bob with a conversation with Tom, at a server that knows these users. */
  async function bobAlone(...users: string[]): Promise<{ bob: Desk; office: Office }> {
    const office = await Office.open(...users);
    const bob = await desks.sitDown({ person: { name: 'Bob', server: office.address, contacts: ['Tom'] } });
    await bob.row('Tom').click();
    return { bob, office };
  }

  describe('first run', () => {
    it('has three doors, and behind "Try it" Tom, who answers without a network', async () => {
      const bob = await desks.sitDown();
      await bob.page.getByRole('button', { name: 'Sign in to a server' }).waitFor();
      await bob.page.getByRole('button', { name: 'Start a server on this computer' }).waitFor();
      await bob.page.getByRole('button', { name: 'Try it' }).click();
      await bob.sees(/Hi Bob, I am Tom/);
      await bob.write('Hello Tom, what time is it?');
      await bob.sees('Tom is typing…');
      await bob.bubble('on my clock').waitFor();
      await bob.state('Hello Tom', 'Read');

      await bob.close();
      await bob.start();
      await bob.row('Tom').click();
      await bob.bubble('Hello Tom').waitFor();
      await bob.write('thanks');
      await bob.bubble('You are welcome').waitFor();
    });

    it('starts a server for two people, who talk', async () => {
      const [bob, tom] = await Promise.all([desks.sitDown(), desks.sitDown()]);
      await bob.page.getByRole('button', { name: 'Start a server on this computer' }).click();
      const you = bob.page.getByRole('group', { name: 'You' });
      const other = bob.page.getByRole('group', { name: 'The other person' });
      for (const [group, user] of [
        [you, 'Bob'],
        [other, 'Tom'],
      ] as const) {
        await group.getByLabel('User name').fill(user.toLowerCase());
        await group.getByLabel('Password').fill(passwordOf(user));
        await group.getByLabel('Name', { exact: true }).fill(user);
      }
      await bob.page.getByText('Reach and port').click();
      await bob.page.getByText('This computer only').click();
      await bob.page.getByLabel('Port').fill('0');
      await bob.page.getByRole('button', { name: 'Start server' }).click();
      await bob.sees('Your server is running');
      await bob.sees('Give this to Tom.');
      await bob.page.getByRole('button', { name: 'Copy' }).click();
      await bob.page.getByRole('button', { name: 'Copied' }).waitFor();
      const given = await bob.program.copied(bob.page);
      await bob.page.getByRole('button', { name: 'Continue' }).click();

      await tom.page.getByRole('button', { name: 'Sign in to a server' }).click();
      for (const line of given.split('\n')) {
        const [label, value] = /^(\w+): (.*)$/.exec(line)!.slice(1) as [string, string];
        await tom.page.getByLabel(label, { exact: true }).fill(value);
      }
      await tom.page.getByRole('button', { name: 'Sign in' }).click();
      await tom.sees(`tom@${domain}`);
      await tom.page.getByRole('button', { name: 'New conversation' }).first().click();
      await tom.page.getByLabel('Address').fill('bob');
      await tom.page.getByLabel('Name').fill('Bob');
      await tom.page.getByRole('button', { name: 'Start conversation' }).click();

      await bob.row('Tom').click();
      await bob.write('Are you there?');
      await tom.bubble('Are you there?').waitFor();
      await bob.state('Are you there?', 'Read');
      await tom.composer.pressSequentially('Yes, I');
      await bob.sees('Tom is typing…');
      await tom.write('Yes, I am.');
      await bob.bubble('Yes, I am.').waitFor();
      await tom.state('Yes, I am.', 'Read');

      await bob.page.getByRole('button', { name: 'Settings' }).click();
      await bob.page.getByText('signed in', { exact: true }).nth(1).waitFor();
      await tom.close();
      await bob.page.getByText('not signed in', { exact: true }).waitFor();
    });
  });

  describe('two people', () => {
    anywhere('see unread messages counted in the list and the title until they look', async () => {
      const { bob, tom } = await desks.bobAndTom();
      await tom.page.getByRole('button', { name: 'Settings' }).click();
      await bob.write('One');
      await bob.write('Two');
      await tom.row('Bob').getByText('2 unread messages').waitFor();
      await expect.poll(() => tom.page.title()).toBe('(2) Parley');
      await bob.state('Two', 'Delivered');
      await tom.page.getByRole('button', { name: 'Close' }).click();
      await tom.row('Bob').click();
      await bob.state('One', 'Read');
      await bob.state('Two', 'Read');
      await expect.poll(() => tom.page.title()).toBe('Parley');
      expect(await tom.row('Bob').getByText('unread').count()).toBe(0);
    });

    anywhere(
      'have everything on both devices of one; one of them has the session, the other says calmly that it has not',
      async () => {
        const { bob, tom, office } = await desks.bobAndTom();
        const laptop = await desks.sitDown({
          person: { name: 'Tom', server: office.address, contacts: ['Bob'] },
        });
        await laptop.row('Bob').click();
        await bob.write('Which of you?');
        const devices = [tom, laptop];
        for (const device of devices) await device.bubble('Which of you?').waitFor();
        const strips = () =>
          Promise.all(
            devices.map(({ page }) => page.getByRole('button', { name: /ession with Bob/ }).innerText()),
          );
        await expect
          .poll(async () => (await strips()).map((text) => text.trim()).sort())
          .toEqual([
            'No session with Bob · You answered on another device.',
            expect.stringMatching(/^Session with Bob · direct · encrypted · since /),
          ]);
        await bob.sees(/^Session with Tom/);
      },
    );

    it('see their session in the inspector, end it, and open a new one with the next message', async () => {
      const { bob, tom } = await desks.bobAndTom();
      await bob.write('Look at this');
      await tom.bubble('Look at this').waitFor();
      await bob.state('Look at this', 'Read');
      await bob.sees(/Session with Tom · direct · encrypted · since \d\d:\d\d/);
      await tom.sees(/Session with Bob · direct · encrypted · since \d\d:\d\d/);
      await bob.page.getByRole('button', { name: 'Session with Tom' }).click();
      const inspector = bob.page.getByRole('complementary', { name: 'Session inspector' });
      const ladder = inspector.getByRole('region', { name: 'Ladder diagram of the session' });
      await ladder
        .getByRole('button', { name: /INVITE, from Bob to IM Server/ })
        .first()
        .waitFor();
      await ladder.getByRole('button', { name: /SEND visit, from Tom to Bob/ }).click();
      await inspector.getByText('Step 4').waitFor();
      expect(await inspector.locator('pre').textContent()).toMatch(/^MSRP \S+ SEND/);
      await bob.page.getByRole('button', { name: 'End session' }).click();
      await ladder.getByRole('button', { name: /BYE, from Bob to IM Server/ }).waitFor();
      await inspector.getByText('session ended').waitFor();
      // Bob's own sockets: what the server and Tom say to each other is not seen there.
      await expect
        .poll(() => ladder.locator('.step').allInnerTexts())
        .toEqual(expect.arrayContaining(['2', '4', '5', '8', '9', '11', '12', '15', '18']));
      expect(await ladder.locator('.step').allInnerTexts()).not.toContain('3');
      expect(await inspector.textContent()).not.toContain('Look at this');
      await bob.sees(/Session ended .* You ended the session\./);
      await tom.sees(/Session ended .* Bob ended the session\./);
      await tom.write('One more thing');
      await bob.bubble('One more thing').waitFor();
      await bob.sees(/Session with Tom · direct/);
      await tom.state('One more thing', 'Read');
    });
  });

  describe('when it cannot happen', () => {
    anywhere(
      'says that no server is there or a password is wrong, keeps nothing, and lets the user correct it',
      async () => {
        const office = await Office.open('bob');
        const bob = await desks.sitDown();
        await bob.page.getByRole('button', { name: 'Sign in to a server' }).click();
        await bob.page.getByLabel('Address').fill(`bob@${domain}`);
        await bob.page.getByLabel('Password').fill('guess');
        await bob.page.getByLabel('Server', { exact: true }).fill('127.0.0.1:9');
        await bob.page.getByRole('button', { name: 'Sign in' }).click();
        await bob.page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
        await bob.page.getByLabel('Server', { exact: true }).fill(office.address);
        await bob.page.getByRole('button', { name: 'Sign in' }).click();
        await bob.page.getByRole('alert').getByText(`The password for bob@${domain} is not right.`).waitFor();
        expect(await bob.call('account.list', {})).toEqual([]);
        await bob.page.getByLabel('Password').fill(passwordOf('bob'));
        await bob.page.getByRole('button', { name: 'Sign in' }).click();
        await bob.sees('No conversations yet.');
        await bob.sees(`bob@${domain}`);

        await bob.close();
        await office.addUser('bob', 'changed meanwhile');
        await bob.start();
        await bob.page.getByRole('alert').getByText(`The password for bob@${domain} is not right.`).waitFor();
        await bob.sees('Not signed in');
        await bob.page.getByLabel('Password').fill('changed meanwhile');
        await bob.page.getByRole('button', { name: 'Sign in' }).click();
        await bob.page.getByRole('alert').waitFor({ state: 'detached' });
        await bob.sees(`bob@${domain}`);
      },
    );

    anywhere(
      'keeps what is written while the server is gone, and sends it by itself when it is back',
      async () => {
        const { bob, tom, office } = await desks.bobAndTom();
        await bob.write('Before');
        await bob.state('Before', 'Read');
        await bob.page.getByRole('button', { name: 'End session' }).click();
        await bob.sees(/Session ended/);
        await office.close();
        await bob.write('Meanwhile 1');
        await bob.state('Meanwhile 1', 'Queued on this computer');
        await bob.sees(`The server ${office.address} cannot be reached. Parley tries again by itself.`);
        await bob.write('Meanwhile 2');
        await bob.state('Meanwhile 2', 'Queued on this computer');
        await bob.page.keyboard.press('Control+k');
        await bob.page.keyboard.type('before');
        await bob.page.getByRole('option').filter({ hasText: 'Before' }).waitFor();
        await bob.page.keyboard.press('Escape');
        await office.start();
        await bob.state('Meanwhile 1', 'Read');
        await bob.state('Meanwhile 2', 'Read');
        const received = await tom.page.locator('[data-id] p').allTextContents();
        expect(received).toEqual(['Before', 'Meanwhile 1', 'Meanwhile 2']);
        await bob.page.getByText('cannot be reached').waitFor({ state: 'detached' });
      },
    );

    it('reads and searches after a restart with no server at all', async () => {
      const { bob, tom, office } = await desks.bobAndTom();
      await bob.write('The lantern is in the cellar');
      await bob.state('The lantern is in the cellar', 'Read');
      await tom.write('Thank you');
      await bob.bubble('Thank you').waitFor();
      await bob.close();
      await office.close();
      await bob.start();
      await bob.sees(`The server ${office.address} cannot be reached.`);
      await bob.row('Tom').click();
      await bob.state('The lantern is in the cellar', 'Read');
      await bob.bubble('Thank you').waitFor();
      await bob.page.keyboard.press('Control+k');
      await bob.page.keyboard.type('lantern');
      await bob.page.getByRole('option').locator('mark').getByText('lantern').waitFor();
    });

    anywhere('asks about a stranger before it shows a word of his', async () => {
      const { bob, tom } = await strangers();
      await tom.page.getByRole('button', { name: 'Accept' }).click();
      await tom.bubble('You do not know me').waitFor();
      await bob.state('You do not know me', 'Read');
      await bob.sees(/Session with Tom · direct/);
    });

    anywhere(
      'tells a stranger that he is declined, and lets him in when Tom thinks better of it',
      async () => {
        const { bob, tom } = await strangers();
        await tom.page.getByRole('button', { name: 'Decline' }).click();
        await tom.page.getByRole('heading', { name: 'You have declined the invitation of Bob.' }).waitFor();
        await bob.bubble('You do not know me').getByText('Tom declined.').waitFor();
        await bob.sees('No session with Tom · Tom declined.');
        const [before] = await bob.call('session.list', {});
        await bob.page.getByRole('button', { name: 'Retry' }).click();
        await expect.poll(() => bob.call('session.list', {})).not.toContainEqual(before);
        await bob.bubble('You do not know me').getByText('Tom declined.').waitFor();
        expect(await tom.row('Bob').getByText('Declined').count()).toBe(1);

        await tom.page.getByRole('button', { name: 'Accept' }).click();
        await tom.composer.waitFor();
        expect(await tom.page.getByText('You do not know me').count()).toBe(0);
        await bob.page.getByRole('button', { name: 'Retry' }).click();
        await tom.bubble('You do not know me').waitFor();
        await bob.state('You do not know me', 'Read');
      },
    );

    /** Bob has written to Tom, who does not know him and has been asked. */
    async function strangers(): Promise<{ bob: Desk; tom: Desk }> {
      const { bob, office } = await bobAlone('bob', 'tom');
      const tom = await desks.sitDown({ person: { name: 'Tom', server: office.address } });
      await tom.sees('No conversations yet.');
      await bob.write('You do not know me');
      await tom.row('Bob').getByText('Wants to talk to you').waitFor();
      await bob.sees('Inviting Tom…');
      await tom.row('Bob').click();
      await tom.page.getByRole('heading', { name: 'Bob would like to talk to you' }).waitFor();
      expect(await tom.page.getByText('You do not know me').count()).toBe(0);
      return { bob, tom };
    }

    anywhere(
      'says that nobody has the address; keeps messages for somebody who is not signed in until he is',
      async () => {
        const { bob, office } = await bobAlone('bob');
        await bob.write('Anybody there?');
        await bob
          .bubble('Anybody there?')
          .getByText('The server knows nobody with the address of Tom.')
          .waitFor();
        await bob.state('Anybody there?', 'Not sent');
        await office.addUser('tom');
        await bob.page.getByRole('button', { name: 'Retry' }).click();
        await bob.bubble('Anybody there?').getByText('waiting for Tom').first().waitFor();
        await bob.write('For later');
        await bob.state('For later', 'waiting for Tom');
        const tom = await desks.sitDown({ person: { name: 'Tom', server: office.address } });
        await bob.state('For later', 'Delivered');
        await tom.row('Bob').click();
        await tom.page.getByRole('button', { name: 'Accept' }).click();
        await tom.bubble('For later').waitFor();
        await bob.state('For later', 'Read');
      },
    );
  });

  describe('the window', () => {
    anywhere('finds a message, jumps to it and flashes it', async () => {
      const { bob, tom } = await desks.bobAndTom();
      await bob.write('Where is the lantern?');
      // In turn: as many of one person would be collapsed.
      for (let count = 1; count <= 25; count += 1) {
        const desk = count % 2 === 1 ? bob : tom;
        await desk.call('message.send', await nextLine(desk, count));
      }
      await tom.bubble('Line 25').waitFor();
      await tom.page.keyboard.press('Control+k');
      await tom.page.keyboard.type('lant');
      const found = tom.page.getByRole('option').filter({ hasText: 'Where is the lantern?' });
      await found.locator('mark').getByText('lant').waitFor();
      await tom.page.keyboard.press('Enter');
      await tom.bubble('Where is the lantern?').locator('.flash').waitFor();
      expect(await tom.bubble('Where is the lantern?').isVisible()).toBe(true);
      await tom.page.keyboard.press('Control+k');
      await tom.page.keyboard.type('nothing like it');
      await tom.sees('Nothing found for “nothing like it”.');
    });

    async function nextLine(desk: Desk, count: number) {
      const [conversation] = await desk.call('conversation.list', {});
      return { conversationId: conversation!.id, text: `Line ${count}` };
    }

    it('applies its settings at once and keeps them', async () => {
      const profile = await temporaryFolder();
      const bob = await desks.sitDown({ profile });
      await bob.page.getByRole('button', { name: 'Try it' }).click();
      await bob.page.getByRole('button', { name: 'Settings' }).click();
      const background = () => bob.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await background();
      await bob.page.getByText('Dark', { exact: true }).click();
      await expect.poll(background).not.toBe(light);
      await bob.page.getByLabel('Language').selectOption('العربية');
      await bob.page.getByRole('heading', { name: 'الإعدادات' }).waitFor();
      expect(await bob.page.evaluate(() => getComputedStyle(document.body).direction)).toBe('rtl');
      await bob.page.reload();
      await bob.page.getByRole('button', { name: 'الإعدادات' }).waitFor();
      expect(await background()).not.toBe(light);
    });
  });

  describe('files', () => {
    it('Bob attaches a file, Tom has it at once and saves it', async () => {
      const { bob, tom } = await desks.bobAndTom();
      const path = join(await temporaryFolder(), 'Protokoll – 你好.txt');
      await writeFile(path, 'what we have agreed\n'.repeat(2_000));
      await bob.page.getByLabel('Attach files').locator('visible=false').first().setInputFiles(path);
      await bob.state('Protokoll', 'Delivered');
      await tom.bubble('Protokoll').getByText('40 kB').waitFor();
      const saved = join(await temporaryFolder(), 'saved.txt');
      const save = tom.bubble('Protokoll').getByLabel(/^Save/);
      expect(await tom.program.saveAs(tom.page, () => save.click(), saved)).toBe('Protokoll – 你好.txt');
      expect(await readFile(saved, 'utf8')).toBe(await readFile(path, 'utf8'));
    });

    it('a picture that is pasted is shown on both sides', async () => {
      const { bob, tom } = await desks.bobAndTom();
      await bob.composer.focus();
      await bob.page.evaluate(async () => {
        const canvas = new OffscreenCanvas(320, 200);
        const context = canvas.getContext('2d');
        if (context === null) throw new Error('no canvas');
        context.fillStyle = 'teal';
        context.fillRect(0, 0, 320, 200);
        const blob = await canvas.convertToBlob({ type: 'image/png' });
        const data = new DataTransfer();
        data.items.add(new File([blob], 'image.png', { type: 'image/png' }));
        document.activeElement?.dispatchEvent(
          new ClipboardEvent('paste', { clipboardData: data, bubbles: true }),
        );
      });
      for (const desk of [bob, tom]) {
        const picture = desk.page.getByRole('img', { name: /^Picture \d{4}-/ });
        await picture.waitFor();
        await expect
          .poll(() =>
            picture.evaluate((image: HTMLImageElement) => (image.complete ? image.naturalWidth : 0)),
          )
          .toBe(320);
      }
    });

    it('a large file that is dropped waits for Tom; he declines it, and Bob sees that', async () => {
      const { bob, tom } = await desks.bobAndTom();
      await tom.call('settings.set', { key: 'files.autoAcceptBytes', value: 0 });
      await bob.page.evaluate(() => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(300_000)], 'dropped.bin'));
        for (const type of ['dragenter', 'dragover', 'drop']) {
          window.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
      });
      await bob.bubble('dropped.bin').getByText('Waiting for Tom to accept').waitFor();
      await tom.bubble('dropped.bin').getByRole('button', { name: 'Decline' }).click();
      await bob.bubble('dropped.bin').getByText('Tom declined it').waitFor();
    });

    it('a text over the limit is a card with its beginning, and can be shown as a whole', async () => {
      const { bob, tom } = await desks.bobAndTom();
      const text = Array.from({ length: 4_000 }, (_, nth) => `line ${nth + 1} of the protocol`).join('\n');
      const [conversation] = await bob.call('conversation.list', {});
      if (conversation === undefined) throw new Error('there is no conversation');
      await bob.call('message.send', { conversationId: conversation.id, text });
      const card = tom.page.locator('[data-id]').filter({ hasText: 'Long text' });
      await card.getByText('line 1 of the protocol').waitFor();
      expect(await card.getByText('line 4000 of').count()).toBe(0);
      await card.getByRole('button', { name: 'Show everything' }).click();
      await card.getByText('line 4000 of the protocol').waitFor();
    });
  });
}

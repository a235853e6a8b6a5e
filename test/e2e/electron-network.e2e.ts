/** The built desktop program, after the computer was asleep: on the stand-in, with a real server. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callInPage as call, launchStandIn, ROOT, type ElectronDriver } from '../support/electron-driver.ts';
import { DOMAIN, passwordOf, World } from '../support/im-world.ts';

describe('the desktop program on the stand-in (an emulation) registers anew at once', () => {
  let world: World;
  let driver: ElectronDriver;

  beforeEach(async () => {
    if (!existsSync(join(ROOT, 'out/hosts/electron/main.js'))) throw new Error('Run "npm run build" first.');
    world = await World.open(['bob']);
    driver = await launchStandIn(join(world.folder, 'profile'));
    const account = {
      address: `bob@${DOMAIN}`,
      password: passwordOf('bob'),
      server: `127.0.0.1:${world.port}`,
    };
    const added = () => driver.page(call('account.add', { ...account, transport: 'tcp' })).catch(() => null);
    await expect.poll(added).toMatchObject({ ok: true });
    await expect
      .poll(() => driver.page(call('account.list')))
      .toMatchObject({ value: [{ connection: { status: 'online' } }] });
  });
  afterEach(async () => {
    await driver.quit();
    await world[Symbol.asyncDispose]();
  });

  it('when Electron says that the computer has woken up', async () => {
    const before = world.received('REGISTER').length;
    await driver.main(({ powerMonitor }) => void powerMonitor.emit('resume'), null);
    await expect.poll(() => world.received('REGISTER').length).toBeGreaterThan(before);
  });

  it('and others are told before it sleeps that nobody is there', async () => {
    await expect.poll(() => world.received('PUBLISH').join()).toContain('<basic>open</basic>');
    await driver.main(({ powerMonitor }) => void powerMonitor.emit('suspend'), null);
    await expect.poll(() => world.received('PUBLISH').at(-1)).toMatch(/<(?:\w+:)?away\s*\/>/);
    await driver.main(({ powerMonitor }) => void powerMonitor.emit('resume'), null);
    await expect.poll(() => world.received('PUBLISH').at(-1)).not.toMatch(/<(?:\w+:)?away\s*\/>/);
  });

  it('when more time has gone by than its own, and nobody says anything', async () => {
    const before = world.received('REGISTER').length;
    await driver.main(() => {
      const { now } = Date;
      Date.now = () => now() + 600_000;
    }, null);
    await expect.poll(() => world.received('REGISTER').length).toBeGreaterThan(before);
  });
});

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { passwordOf, openPair, World } from '../support/im-world.ts';

const missing = spawnSync('python3', ['--version']).status !== 0;
if (missing) console.log('skipped: python3 is not installed, so nobody else reads the reports');

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Its entries, as Python's zipfile reads them: it checks the sums of each. */
async function entriesOf(base64: string): Promise<Record<string, string>> {
  const path = join(world.folder, 'report.zip');
  await writeFile(path, Buffer.from(base64, 'base64'));
  const script =
    'import json,sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(json.dumps({n: z.read(n).decode() for n in z.namelist()}))';
  return JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' })) as Record<
    string,
    string
  >;
}

describe.skipIf(missing)('a report', () => {
  it('has versions, settings, accounts, the history and the wire, and no password and no text', async () => {
    const { bob, ofBob } = await openPair(world);
    await bob.becomes(await bob.send(ofBob, 'Zitronenfalter'), 'delivered', 'displayed');
    const engine = { kind: 'embedded' } as const;
    await bob.commands['settings.set']({ key: 'network.engine', value: engine });
    await writeFile(join(bob.messenger.profile, 'parley.log'), '{"event":"something.failed"}\n');
    const file = await bob.commands['app.diagnostics']({});
    expect(file?.name).toMatch(/^parley-report-\d{4}-\d\d-\d\d\.zip$/);
    const entries = await entriesOf(file?.base64 ?? '');
    expect(Object.keys(entries)).toEqual([
      'README.txt',
      'versions.json',
      'settings.json',
      'accounts.json',
      'history.json',
      'wire.txt',
      'log.txt',
    ]);
    const everything = Object.values(entries).join('\n');
    expect(everything).not.toContain('Zitronenfalter');
    expect(everything).not.toContain(passwordOf('bob'));
    expect(everything).not.toMatch(/response="[0-9a-f]/);
    expect(entries['wire.txt']).toContain('\nREGISTER sip:');
    expect(entries['wire.txt']).toContain('\nINVITE sip:tom@');
    expect(entries['log.txt']).toContain('something.failed');
    expect(JSON.parse(entries['history.json'] ?? '')).toMatchObject({
      conversations: 1,
      outgoing: 1,
      incoming: 0,
    });
    expect(JSON.parse(entries['accounts.json'] ?? '')).toMatchObject([{ address: bob.address }]);
    expect(entries['settings.json']).toContain('"by": "user or default"');
  });

  it('keeps the secret of a drachtio server to itself', async () => {
    const bob = await world.openPerson('bob');
    const value = { kind: 'drachtio', host: '127.0.0.1', port: 9, secret: 'open sesame' } as const;
    await bob.commands['settings.set']({ key: 'network.engine', value });
    const entries = await entriesOf((await bob.commands['app.diagnostics']({}))?.base64 ?? '');
    expect(entries['settings.json']).toContain('"secret": "(redacted)"');
    expect(Object.values(entries).join()).not.toContain('open sesame');
  });

  it('keeps to itself what our user writes: his note, the emoji that he has used', async () => {
    const bob = await world.openPerson('bob');
    await bob.commands['settings.set']({ key: 'presence.note', value: 'in the garden' });
    await bob.commands['settings.set']({ key: 'appearance.recentEmoji', value: ['🌻'] });
    const entries = await entriesOf((await bob.commands['app.diagnostics']({}))?.base64 ?? '');
    expect(entries['settings.json']?.match(/"value": "\(redacted\)"/g)).toHaveLength(2);
    expect(Object.values(entries).join()).not.toMatch(/in the garden|🌻/);
  });
});

/**
 * Owns: the messenger without a window, for automation. Called by: `npm run headless`. Calls: app.ts, web-host.ts.
 */
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createLog, type LogLevel } from '../../base/log.ts';
import { formatTapLine, type WireRecord } from '../../base/wire-tap.ts';
import { filePermissionSecrets } from '../../messenger/secrets.ts';
import { StoreError } from '../../store/database.ts';
import { App } from '../app.ts';
import { WebHost } from '../browser/web-host.ts';
import { passphraseFrom } from '../passphrase-file.ts';
import { defaultProfile } from '../profile.ts';
import { readAuthorities } from '../trusted-authorities.ts';
import { serviceOf } from '../shown-files.ts';
import { takeInstanceLock } from '../single-instance.ts';

const HELP = `Parley without a window.

  headless [--profile FOLDER] [--log debug|info|warn|error] [--wire-tap FILE] [--ca-file FILE]
           [--set KEY=VALUE] [--passphrase-file FILE | --passphrase-fd NUMBER]
  headless --diagnostics FILE [--profile FOLDER]

Prints one JSON line {"url","token"} when it is ready. A WebSocket at that url with the header
"Authorization: Bearer <token>" speaks what docs/automation.md describes. Runs until it is stopped.
--wire-tap writes every byte sent to FILE, messages included: for proofs only.
--ca-file names authorities (PEM) that TLS trusts beside those of the system; so does PARLEY_CA_FILE.
--set locks a setting for this run, where no policy has decided it.
--passphrase-file, --passphrase-fd: where the passphrase of the history is read, its first line.
--diagnostics writes a report as a ZIP file, to be read before it is sent, and ends.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      profile: { type: 'string' },
      log: { type: 'string' },
      'wire-tap': { type: 'string' },
      'ca-file': { type: 'string' },
      set: { type: 'string', multiple: true },
      diagnostics: { type: 'string' },
      'passphrase-file': { type: 'string' },
      'passphrase-fd': { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const profile = values.profile === undefined ? defaultProfile() : resolve(values.profile);
  const log = createLog({
    level: (values.log ?? 'warn') as LogLevel,
    sink: (line) => process.stderr.write(`${line}\n`),
  });
  const passphrase = passphraseFrom({
    file: values['passphrase-file'],
    descriptor: values['passphrase-fd'],
  });
  const taken = await takeInstanceLock(profile);
  if (!('lock' in taken))
    throw new Error(`Parley is running on ${profile} already. Use that one, or end it first.`);
  await using _lock = taken.lock;
  const tapFile = values['wire-tap'];
  const tapped = tapFile === undefined ? undefined : createWriteStream(tapFile, { mode: 0o600 });
  const tap = (record: WireRecord) => {
    const line = formatTapLine(record);
    if (line !== undefined) tapped?.write(line);
  };
  await using app = await App.open({
    profile,
    host: 'headless',
    secrets: filePermissionSecrets,
    log,
    ca: readAuthorities(values['ca-file']),
    set: values.set ?? [],
    ...(passphrase ? { passphrase } : {}),
    ...(tapped ? { tap } : {}),
  });
  if (values.diagnostics !== undefined) {
    const report = await app.commands['app.diagnostics']({});
    await writeFile(values.diagnostics, Buffer.from(report?.base64 ?? '', 'base64'), { mode: 0o600 });
    process.stdout.write(`The report is in ${values.diagnostics}. Read it before you send it.\n`);
    return;
  }
  await using web = await WebHost.start({ api: app.api, log, files: serviceOf(app.messenger.transfers) });
  const line = { url: `ws://127.0.0.1:${web.port}/ipc`, token: web.access.bearer };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopped.resolve();
    });
  }
  await stopped.promise;
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const expected = error instanceof StoreError || (error as { code?: unknown }).code === undefined;
  process.stderr.write(`${expected ? (error as Error).message : String((error as Error).stack)}\n`);
  process.exit(1);
}

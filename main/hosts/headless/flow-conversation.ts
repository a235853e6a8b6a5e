/**
 * Owns: the play of the flow: who is started, who says what. Called by: flow.ts, bench. Calls: the programs, over IPC.
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../../../shared/domain/account.ts';
import type { Session } from '../../../shared/domain/conversation.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { Program } from './child-process.ts';
import { IpcClient } from './ipc-client.ts';

/** What is known of the players before anything was read off the wire. */
export interface Cast {
  /** `address:port` of the IM Server's SIP socket. */
  readonly server: string;
  /** The same of its MSRP relay, when messages go through it. */
  readonly relay: string | undefined;
}

/** A messenger of its own process. */
export interface Player extends AsyncDisposable {
  readonly program: Program;
  readonly client: IpcClient;
  readonly account: Account;
}

const DOMAIN = 'chat.home.arpa';

/** Starts an IM Server in `folder` with two users. Returns its URI for `transport`. */
export async function startServer(
  folder: string,
  passwords: Readonly<Record<string, string>>,
  more: readonly string[] = [],
): Promise<{ program: Program; sip: readonly string[]; relays: readonly string[] }> {
  const data = join(folder, 'imserver');
  for (const [user, password] of Object.entries(passwords)) {
    const added = await Program.start('../../imserver/main.ts', [
      'user',
      'add',
      user,
      // In one word: a password may begin with a hyphen.
      `--password=${password}`,
      '--data',
      data,
    ]);
    await added[Symbol.asyncDispose]();
  }
  const program = await Program.start('../../imserver/main.ts', [
    '--data',
    data,
    '--domain',
    DOMAIN,
    ...more,
  ]);
  const { sip, relays } = program.ready as { sip: string[]; relays: string[] };
  return { program, sip, relays };
}

/** Starts a messenger and signs it in; resolves when it is online. */
export async function startPlayer(
  folder: string,
  user: string,
  password: string,
  server: string,
  more: readonly string[] = [],
): Promise<Player> {
  const program = await Program.start('main.ts', ['--profile', join(folder, user), ...more]);
  const client = await IpcClient.connect(program.ready as { url: string; token: string });
  const online = client.waitFor(
    'account.changed',
    ({ account }) => account.connection.status !== 'connecting',
  );
  const displayName = `${user.slice(0, 1).toUpperCase()}${user.slice(1)}`;
  await client.call('account.add', { address: `${user}@${DOMAIN}`, password, displayName, server });
  const { account } = await online;
  if (account.connection.status !== 'online') {
    throw new Error(`${user} could not sign in: ${JSON.stringify(account.connection)}`);
  }
  return {
    program,
    client,
    account,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await program[Symbol.asyncDispose]();
    },
  };
}

/** Makes the two contacts of each other; returns each one's conversation with the other. */
export async function introduce(
  bob: Player,
  tom: Player,
): Promise<{ ofBob: ConversationId; ofTom: ConversationId }> {
  const meet = async (one: Player, other: Player): Promise<ConversationId> => {
    const { address, displayName } = other.account;
    await one.client.call('contact.add', { accountId: one.account.id, address, displayName });
    return (await one.client.call('conversation.open', { accountId: one.account.id, address })).id;
  };
  return { ofBob: await meet(bob, tom), ofTom: await meet(tom, bob) };
}

/** Resolves when a session of this player is in `state`. */
export function sessionIn(player: Player, state: Session['state']): Promise<{ session: Session }> {
  return player.client.waitFor('session.changed', ({ session }) => session.state === state);
}

/** Sends a text and resolves when the other has it on disk and the sender knows. */
export async function say(
  from: Player,
  to: Player,
  conversationId: ConversationId,
  text: string,
): Promise<void> {
  const arrived = to.client.waitFor(
    'message.added',
    ({ message }) => message.direction === 'in' && message.text === text,
  );
  const confirmed = from.client.waitFor(
    'message.changed',
    ({ message }) =>
      message.text === text && (message.state === 'delivered' || message.state === 'displayed'),
  );
  await from.client.call('message.send', { conversationId, text });
  await Promise.all([arrived, confirmed]);
}

/** Steps 1 to 18. `tap`: the processes write what they see on their own sockets to `folder`. */
export async function runConversation(
  folder: string,
  options: {
    readonly transport: 'tcp' | 'udp';
    readonly media: 'direct' | 'relay';
    readonly encrypted: boolean;
    readonly tap: boolean;
  },
): Promise<Cast> {
  const { transport, media, encrypted, tap } = options;
  const tapOf = (name: string) => (tap ? ['--wire-tap', join(folder, `${name}.tap`)] : []);
  const passwords = {
    bob: randomBytes(12).toString('base64url'),
    tom: randomBytes(12).toString('base64url'),
  };
  const config = join(folder, 'imserver.json');
  await writeFile(config, JSON.stringify({ relay: { plain: !encrypted } }));
  const { program, sip, relays } = await startServer(folder, passwords, [
    '--config',
    config,
    ...tapOf('server'),
  ]);
  await using _server = program;
  const uri = sip.find((one) => one.endsWith(`transport=${transport}`)) ?? '';
  await using bob = await startPlayer(folder, 'bob', passwords.bob, uri, tapOf('bob'));
  await using tom = await startPlayer(folder, 'tom', passwords.tom, uri, tapOf('tom'));
  const { ofBob, ofTom } = await introduce(bob, tom);
  const encryption = { key: 'messages.encryption', value: encrypted ? 'required' : 'off' } as const;
  // What encrypts is announced by the server; a plain one has to be written down.
  const plain = relays.filter((relay) => !encrypted && relay.startsWith('msrp:'));
  for (const { client } of [bob, tom]) {
    await client.call('settings.set', encryption);
    await client.call('settings.set', { key: 'messages.path', value: media });
    await client.call('settings.set', { key: 'messages.relays', value: plain });
  }

  const bothOpen = Promise.all([sessionIn(bob, 'open'), sessionIn(tom, 'open')]);
  const { id } = await bob.client.call('session.start', { conversationId: ofBob });
  await bothOpen;
  await say(bob, tom, ofBob, 'Did the new build reach you?');
  await say(tom, bob, ofTom, 'Yes, installed without a question.');
  const bothEnded = Promise.all([sessionIn(bob, 'ended'), sessionIn(tom, 'ended')]);
  await bob.client.call('session.end', { sessionId: id });
  await bothEnded;
  const server = /^sip:([^;]+)/.exec(uri)?.[1] ?? '';
  const relay = /^msrps?:\/\/(.+)$/.exec(relays[0] ?? '')?.[1];
  return { server, relay: media === 'relay' ? relay : undefined };
}

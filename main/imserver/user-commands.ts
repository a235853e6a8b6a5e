/**
 * Owns: `imserver user …`: changing the file of users, and telling a running server. Called by: main.ts.
 * Calls: user-file.ts, control-client.ts.
 */
import { randomBytes } from 'node:crypto';
import { silentLog } from '../base/log.ts';
import { askServer } from './control-client.ts';
import type { RoomOverview } from './rooms/chat-rooms.ts';
import { ConfigError, type ServerConfig } from './server-config.ts';
import { openUsers } from './imserver-store.ts';
import { UserFileError } from './user-file.ts';
import type { Users } from './users.ts';

export interface UserCommandOptions {
  readonly password?: string | undefined;
  /** The first line of standard input is the password. */
  readonly readPassword?: (() => Promise<string>) | undefined;
  readonly displayName?: string | undefined;
  readonly say: (line: string) => void;
}

/** Carries out one command. Rejects with ConfigError or UserFileError, whose messages say what to do. */
export async function runUserCommand(
  [action, user]: readonly string[],
  config: ServerConfig,
  options: UserCommandOptions,
): Promise<void> {
  await using opened = await openUsers(config, silentLog);
  const { users } = opened;
  if (action === 'list') {
    for (const [name, { displayName, disabled }] of await users.list()) {
      options.say(`${name}@${config.domain}\t${displayName}${disabled ? '\tdisabled' : ''}`);
    }
    return;
  }
  const change = CHANGES[action ?? ''];
  if (change === undefined) {
    const known = ['list', ...Object.keys(CHANGES)].join(', ');
    throw new ConfigError(`imserver user: "${action ?? ''}" is none of ${known}`);
  }
  if (user === undefined) throw new ConfigError(`imserver user ${action ?? ''} needs a user name`);
  await change(users, user, config, options);
  // Whoever is out is cut off now, and not when the server looks next.
  await askServer(config.data, 'POST', '/users');
}

type Change = (
  users: Users,
  user: string,
  config: ServerConfig,
  options: UserCommandOptions,
) => Promise<void>;

const CHANGES: Readonly<Record<string, Change>> = {
  add: async (users, user, config, options) => {
    await refuseRoom(user, config);
    await setPassword(users, user, config, options);
  },
  passwd: async (users, user, config, options) => {
    const known = await users.find(user);
    if (known === undefined) throw unknown(user);
    await setPassword(users, user, config, { displayName: known.displayName, ...options });
  },
  disable: (users, user) => setDisabled(users, user, true),
  enable: (users, user) => setDisabled(users, user, false),
  remove: async (users, user) => {
    if (!(await users.remove(user))) throw unknown(user);
  },
};

async function setPassword(
  users: Users,
  user: string,
  { domain }: ServerConfig,
  { password, readPassword, displayName, say }: UserCommandOptions,
): Promise<void> {
  const given = password ?? (await readPassword?.());
  if (given === '') throw new ConfigError('imserver user: the password is empty');
  const made = given ?? randomBytes(9).toString('base64url');
  await users.add(user, made, displayName);
  say(JSON.stringify({ address: `${user}@${domain}`, ...(given === undefined ? { password: made } : {}) }));
}

/** Whoever writes to that address means the room. */
async function refuseRoom(user: string, { data, domain }: ServerConfig): Promise<void> {
  const rooms = (await askServer(data, 'GET', '/rooms').catch(() => [])) as
    readonly RoomOverview[] | undefined;
  if (rooms?.some(({ room }) => room === `${user}@${domain}`) === true) {
    throw new UserFileError(`There is a chat room "${user}". Choose another name, or remove the room.`);
  }
}

async function setDisabled(users: Users, user: string, disabled: boolean): Promise<void> {
  if (!(await users.setDisabled(user, disabled))) throw unknown(user);
}

function unknown(user: string): UserFileError {
  return new UserFileError(`There is no user "${user}".`);
}

/**
 * Owns: `imserver rooms …`: asking the running server about its chat rooms, and to make or close one. Called by: main.ts.
 * Calls: control-client.ts.
 */
import { askServer } from './control-client.ts';
import { ConfigError } from './server-config.ts';
import type { RoomOverview } from './rooms/chat-rooms.ts';

export interface RoomCommandOptions {
  /** Data folder of the server. */
  readonly data: string;
  readonly title: string | undefined;
  readonly say: (line: string) => void;
}

/** Carries out one command. Rejects with ConfigError, whose message says what to do. */
export async function runRoomCommand(
  [action, name]: readonly string[],
  { data, title, say }: RoomCommandOptions,
): Promise<void> {
  const ask = async (method: 'GET' | 'POST', path: string): Promise<unknown> => {
    const answer = await askServer(data, method, path);
    if (answer === undefined) throw new ConfigError(`No server runs on ${data}.`);
    return answer;
  };
  if (action === undefined) {
    for (const room of (await ask('GET', '/rooms')) as readonly RoomOverview[]) say(JSON.stringify(room));
    return;
  }
  if (action !== 'add' && action !== 'remove') {
    throw new ConfigError(`imserver rooms: "${action}" is none of add, remove`);
  }
  if (name === undefined) throw new ConfigError(`imserver rooms ${action} needs the name of a room`);
  const query = new URLSearchParams({ name, ...(title === undefined ? {} : { title }) });
  const answer = await ask('POST', `${action === 'add' ? '/rooms' : '/rooms/remove'}?${query.toString()}`);
  if (action === 'add') say(JSON.stringify(answer));
}

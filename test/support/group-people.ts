/**
 * Owns: what people do with groups in tests. Called by: tests of groups. Calls: im-world.ts.
 */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { Group } from '../../shared/domain/group.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { DOMAIN, type Person } from './im-world.ts';

/** `person` makes a group of these people. */
export async function createGroup(
  person: Person,
  title: string,
  people: readonly string[],
  name?: string,
): Promise<Conversation> {
  const { id } = await person.account();
  const addresses = people.map((user) => `${user}@${DOMAIN}`);
  return person.commands['group.create']({
    accountId: id,
    title,
    addresses,
    ...(name === undefined ? {} : { name }),
  });
}

export async function joinGroup(person: Person, name: string): Promise<Conversation> {
  const { id } = await person.account();
  return person.commands['group.join']({ accountId: id, address: `${name}@${DOMAIN}` });
}

/** The group of that name once `person` knows of it. */
export function groupOf(person: Person, title: string): Promise<Conversation> {
  return person.until(`group ${title}`, async () =>
    (await person.commands['conversation.list']({})).find(
      ({ kind, peerName }) => kind === 'group' && peerName === title,
    ),
  );
}

export async function stateOf(person: Person, { id }: { id: ConversationId }): Promise<Group> {
  const group = (await person.commands['group.list']({})).find(({ conversationId }) => conversationId === id);
  if (group === undefined) throw new Error(`${person.user} has no such group`);
  return group;
}

/** Waits until these are in the room, as `person` sees it: `tom`, `eve invited`. */
export function untilMembers(
  person: Person,
  group: { id: ConversationId },
  members: readonly string[],
): Promise<unknown> {
  const wanted = [...members].sort().join(', ');
  let seen = '';
  return person
    .until(`members ${wanted}`, async () => {
      seen = (await stateOf(person, group)).members
        .map(({ address, state }) => `${address.split('@')[0] ?? ''}${state === 'here' ? '' : ` ${state}`}`)
        .sort()
        .join(', ');
      return seen === wanted;
    })
    .catch((error: unknown) => {
      throw new Error(`${String(error)}\nseen: ${seen}`);
    });
}

/** What `person` sees of a group: `tom: text`, `me: text`, `[joined tom]`. */
export async function linesOf(person: Person, group: { id: ConversationId }): Promise<string[]> {
  return (await person.messages(group)).map(({ direction, text, group: marks }) => {
    const { person: other = null, isPrivate = false, notice = null } = marks ?? {};
    if (notice !== null)
      return `[${notice.kind} ${notice.who?.name ?? notice.title ?? ''}]`.replace(' ]', ']');
    const name = other?.name ?? '?';
    if (direction === 'out') return isPrivate ? `me to ${name}: ${text}` : `me: ${text}`;
    return isPrivate ? `${name} to me: ${text}` : `${name}: ${text}`;
  });
}

/** Waits for a line. */
export function untilLine(person: Person, group: { id: ConversationId }, line: string): Promise<unknown> {
  return person.until(line, async () => (await linesOf(person, group)).includes(line));
}

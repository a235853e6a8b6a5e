/**
 * Owns: who is in a room by another node: each node says who is there by itself, and hears it of the others. Called by:
 * chat-rooms.ts. Calls: rooms.ts, store/server-store.ts.
 */
import type { Log } from '../../base/log.ts';
import type { SharedMemory, StoreNews } from '../../store/server-store.ts';
import type { Rooms } from './rooms.ts';
import type { Room } from './room.ts';

const KIND = 'there';

/** Of the rooms of a server with several nodes. */
export class RoomPresence {
  readonly #shared: SharedMemory;
  readonly #rooms: Rooms;
  readonly #log: Log;
  /** What this node has said: `room user`. */
  readonly #said = new Set<string>();
  /** One change after the other, so that the last one counts. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor({ shared, rooms, log }: { shared: SharedMemory; rooms: Rooms; log: Log }) {
    this.#shared = shared;
    this.#rooms = rooms;
    this.#log = log;
  }

  /** A device of the user has come into the room by this node, or has left it. */
  receiveChange(room: Room, user: string): void {
    const key = `${room.key} ${user}`;
    const isHere = !room.isOver && room.isHere(user);
    if (isHere === this.#said.has(key)) return;
    if (isHere) this.#said.add(key);
    else this.#said.delete(key);
    const { things } = this.#shared;
    const turn = (this.#turns.get(key) ?? Promise.resolve())
      .then(() =>
        isHere ? things.put({ kind: KIND, key, content: '' }) : things.remove({ kind: KIND, key }),
      )
      .catch((error: unknown) => {
        this.#log.info('room.presence-not-told', { error });
      })
      .finally(() => {
        if (this.#turns.get(key) === turn) this.#turns.delete(key);
      });
    this.#turns.set(key, turn);
  }

  /** Something has changed at another node. */
  receiveNews(news: StoreNews): void {
    if (news.kind === 'thing' && news.thing === KIND) this.#look(news.key);
    else if (news.kind === 'everything') this.#look();
  }

  /** Nodes are gone, and with them these. */
  receiveOrphans(things: readonly { readonly kind: string; readonly key: string }[]): void {
    for (const { kind, key } of things) if (kind === KIND) this.#look(key);
  }

  #look(key?: string): void {
    this.look(key).catch((error: unknown) => {
      this.#log.info('room.presence-not-read', { error });
    });
  }

  /** Reads who is where: of one room and user, or of all. Rejects with StoreError. */
  async look(key?: string): Promise<void> {
    const found = await this.#shared.things.selectOthers(KIND, key);
    const there = new Set(found.map((thing) => thing.key));
    if (key !== undefined) {
      const [room, user = ''] = key.split(' ');
      const known = this.#rooms.byKey(Number(room));
      if (known !== undefined) this.#set(known, user, there.has(key));
      return;
    }
    for (const room of this.#rooms.all()) {
      for (const user of room.members.keys()) this.#set(room, user, there.has(`${room.key} ${user}`));
    }
  }

  #set(room: Room, user: string, isThere: boolean): void {
    if (room.elsewhere.has(user) === isThere) return;
    const elsewhere = new Set(room.elsewhere);
    if (isThere) elsewhere.add(user);
    else elsewhere.delete(user);
    room.elsewhere = elsewhere;
    this.#rooms.tellPresence(room, user);
  }
}

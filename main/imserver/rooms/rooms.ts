/**
 * Owns: all rooms of a server and every change of them: who may do what, what is written down, who is told.
 * Called by: conference-focus.ts, room-admission.ts, imserver.ts, the commands. Calls: the store, room.ts, room-notice.ts.
 */
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { ROOM_LIMITS, type RoomLimits } from '../../base/room-limits.ts';
import { createSecretRoomName, isRoomName, isSecretRoomName } from '../../base/room-names.ts';
import type { StoredRoom } from '../../store/room-tables.ts';
import type { StoreNews } from '../../store/server-store.ts';
import type { ImServerStore } from '../imserver-store.ts';
import type { Users } from '../users.ts';
import { judgeNickname } from './nicknames.ts';
import { RoomLog } from './room-log.ts';
import { buildNotice, type RoomNotice } from './room-notice.ts';
import { RoomPlaces } from './room-places.ts';
import { heirOf, isOwner, newMember, Room, RoomChangedError, type RoomMember } from './room.ts';

export interface RoomsOptions {
  readonly store: ImServerStore;
  readonly users: Users;
  readonly domain: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly limits?: RoomLimits;
}

/** What has changed in a room; `over`: it has ended. */
export interface RoomNews {
  readonly room: Room;
  /** Members who have changed, come or gone. */
  readonly users: readonly string[];
  readonly over: boolean;
}

const MAX_ATTEMPTS = 5;

interface Change {
  readonly title?: string;
  readonly members?: readonly RoomMember[];
  readonly removed?: readonly string[];
  readonly notices?: readonly RoomNotice[];
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The rooms of one server. */
export class Rooms implements AsyncDisposable {
  readonly limits: RoomLimits;
  readonly places: RoomPlaces;
  readonly #options: RoomsOptions;
  readonly #clock: Clock;
  readonly #byName = new Map<string, Room>();
  readonly #byUser = new Map<string, Set<Room>>();
  readonly #listeners = new Set<(news: RoomNews) => void>();
  #sweeper: Timer | undefined;
  #ended = false;

  constructor(options: RoomsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.limits = options.limits ?? ROOM_LIMITS;
    this.places = new RoomPlaces(options.store, this.limits, this.#clock, options.log);
  }

  /** Reads what the last run of the server knew. Rejects with StoreError. */
  async load(): Promise<void> {
    for (const stored of await this.#options.store.call('selectRooms', {})) await this.#add(stored);
    this.#sweepLater();
  }

  /** Another node has changed something. */
  receiveNews(news: StoreNews): void {
    const done =
      news.kind === 'everything'
        ? this.#renewAll()
        : news.kind === 'room'
          ? this.renew(news.room)
          : news.kind === 'said'
            ? this.byKey(news.room)?.receiveElsewhere(news.position)
            : undefined;
    done?.catch((error: unknown) => {
      this.#options.log.warn('rooms.not-renewed', { error });
    });
  }

  /** `listen` hears of every change. Returns the release. */
  onChange(listen: (news: RoomNews) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  find(name: string): Room | undefined {
    return this.#byName.get(name);
  }

  all(): Iterable<Room> {
    return this.#byName.values();
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Rooms to which a user belongs, or is invited. */
  roomsOf(user: string): Room[] {
    return [...(this.#byUser.get(user) ?? [])];
  }

  /**
   * A new room. With a name that people can say whoever knows it may join. Without an owner it belongs to nobody (who
   * runs the server has made it). Rejects with ProtocolError: 400, 409, 486.
   */
  async create(wish: { owner?: string; title: string; name?: string }): Promise<Room> {
    const { owner, name = createSecretRoomName() } = wish;
    const named = !isSecretRoomName(name);
    const title = this.#titleOf(wish.title) || (named ? name : '');
    if (named && !isRoomName(name))
      throw refusal('ROOM_BAD_NAME', 400, 'This cannot be the address of a room');
    const taken = this.#byName.has(name) || (await this.#options.users.find(name)) !== undefined;
    if (taken) throw refusal('ROOM_NAME_TAKEN', 409, 'Somebody has this address already');
    this.#admitToAnother(owner);
    if (this.#byName.size >= this.limits.maxRooms) throw refusal('ROOMS_FULL', 486, 'Too many rooms');
    const members: RoomMember[] = [];
    if (owner !== undefined) {
      members.push({
        ...newMember(owner, owner, 0),
        role: 'owner',
        state: 'joined',
        ...(await this.#named(owner)),
      });
    }
    const createdMs = this.#clock.now();
    const plain = { name, title, named, createdMs, members };
    const key = await this.#options.store.call('insertRoom', plain);
    if (key === null) throw refusal('ROOM_NAME_TAKEN', 409, 'Somebody has this address already');
    const room = this.#build({ ...plain, key, version: 0, lastPosition: 0 });
    for (const one of members) this.#put(room, one);
    this.#options.log.info('room.created', { room: room.key, named: room.named });
    return room;
  }

  /** Any member invites. Rejects with ProtocolError: 403, 404 (no such user), 486. */
  invite(room: Room, by: string, user: string): Promise<void> {
    return this.#inTurn(room, async () => {
      this.#requireMember(room, by);
      if ((await this.#options.users.find(user)) === undefined) {
        throw refusal('ROOM_NO_USER', 404, 'There is no such user');
      }
      if (room.members.has(user)) return;
      this.#admitToRoom(room, user);
      const invited = { ...newMember(user, by, room.history.last), ...(await this.#named(user)) };
      await this.#change(room, { members: [invited], notices: [{ kind: 'invited', by, user }] });
    });
  }

  /** Whether a user may come in at all: 200, 403, 404 (it has ended), 486. */
  judgeJoin(room: Room, user: string): number {
    if (room.isOver) return 404;
    if (room.members.has(user)) return 200;
    if (!room.named) return 403;
    if (room.members.size >= this.limits.maxMembers) return 486;
    return this.roomsOf(user).length < this.limits.maxRoomsPerUser ? 200 : 486;
  }

  /** A device of the user has come. Rejects with ProtocolError. */
  join(room: Room, user: string): Promise<void> {
    return this.#inTurn(room, async () => {
      const status = this.judgeJoin(room, user);
      if (status !== 200) throw refusal('ROOM_NOT_ADMITTED', status, 'You are not a member of this room');
      const before = room.members.get(user);
      if (before?.state === 'joined') return;
      // What was said since he was invited is for him as well.
      const fresh = before ?? newMember(user, '', room.history.last);
      const isFirst = room.countOf('joined') === 0 && ![...room.members.values()].some(isOwner);
      const role = isFirst && !room.named ? 'owner' : fresh.role;
      const joined = { ...fresh, role, state: 'joined', ...(await this.#named(user)) } as const;
      await this.#change(room, { members: [joined], notices: [{ kind: 'joined', by: user, user }] });
    });
  }

  /** Somebody leaves for good, declines, or is removed by an owner. Rejects with ProtocolError: 403, 404. */
  remove(room: Room, by: string, user: string): Promise<void> {
    return this.#inTurn(room, async () => {
      if (by !== user) this.#requireOwner(room, by);
      const gone = room.members.get(user);
      if (gone === undefined) throw refusal('ROOM_NO_MEMBER', 404, 'Nobody of that name is in the room');
      const kind = by !== user ? 'removed' : gone.state === 'invited' ? 'declined' : 'left';
      const heir = isOwner(gone) ? heirOf(room, user) : undefined;
      await this.#change(room, {
        removed: [user],
        members: heir === undefined ? [] : [{ ...heir, role: 'owner' }],
        notices: [
          { kind, by, user },
          ...(heir === undefined ? [] : [{ kind: 'owner', by: user, user: heir.user } as const]),
        ],
      });
      if (!room.named && room.members.size < 2) await this.#finish(room);
    });
  }

  /** Rejects with ProtocolError: 400, 403. */
  rename(room: Room, by: string, wish: string): Promise<void> {
    return this.#inTurn(room, async () => {
      this.#requireOwner(room, by);
      const title = this.#titleOf(wish);
      if (title === '') throw refusal('ROOM_BAD_TITLE', 400, 'A room needs a name');
      if (title === room.title) return;
      await this.#change(room, { title, notices: [{ kind: 'renamed', by, title }] });
    });
  }

  /** The owner hands the room over. Rejects with ProtocolError: 403, 404. */
  setOwner(room: Room, by: string, user: string): Promise<void> {
    return this.#inTurn(room, async () => {
      this.#requireOwner(room, by);
      const before = room.members.get(by);
      const next = room.members.get(user);
      if (before === undefined || next?.state !== 'joined') {
        throw refusal('ROOM_NO_MEMBER', 404, 'Nobody of that name is in the room');
      }
      if (user === by) return;
      await this.#change(room, {
        members: [
          { ...before, role: 'member' },
          { ...next, role: 'owner' },
        ],
        notices: [{ kind: 'owner', by, user }],
      });
    });
  }

  /** Resolves with the status of the answer (RFC 7701 §7). */
  setNickname(room: Room, user: string, nickname: string): Promise<number> {
    return this.#inTurn(room, async () => {
      const before = room.members.get(user);
      if (before === undefined || room.isOver) return 403;
      const status = judgeNickname(nickname, user, room.members.values(), this.limits.maxNicknameChars);
      if (status !== 200 || before.nickname === nickname) return status;
      await this.#change(room, { members: [{ ...before, nickname }] });
      return 200;
    });
  }

  /** Who runs the server closes a room. */
  close(room: Room): Promise<void> {
    return this.#inTurn(room, () => this.#finish(room));
  }

  /** A user is no user any more: he leaves his rooms. */
  async forget(user: string): Promise<void> {
    for (const room of this.roomsOf(user)) await this.remove(room, user, user);
  }

  /** Somebody has come or gone: nothing of that is written down. */
  tellPresence(room: Room, user: string): void {
    this.#tell({ room, users: [user], over: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#sweeper?.[Symbol.dispose]();
    await this.places[Symbol.asyncDispose]();
  }

  #build(stored: Omit<StoredRoom, 'activeMs' | 'members'>): Room {
    const { store } = this.#options;
    const history = new RoomLog(stored.key, stored.lastPosition, store, this.limits);
    const room = new Room({ ...stored, history });
    this.#byName.set(room.name, room);
    return room;
  }

  #put(room: Room, one: RoomMember): void {
    room.members.set(one.user, one);
    const rooms = this.#byUser.get(one.user) ?? new Set();
    this.#byUser.set(one.user, rooms.add(room));
  }

  #take(room: Room, user: string): void {
    room.members.delete(user);
    const rooms = this.#byUser.get(user);
    rooms?.delete(room);
    if (rooms?.size === 0) this.#byUser.delete(user);
  }

  /** Written down, then so: its members, its history, and everybody who listens. */
  async #change(room: Room, change: Change): Promise<void> {
    const { title, members = [], removed = [], notices = [] } = change;
    const storedMs = this.#clock.now();
    const built = notices.map((notice) => buildNotice(room, notice, this.#options.domain, storedMs));
    const positions = await this.#options.store.call('updateRoom', {
      room: room.key,
      version: room.version,
      ...(title === undefined ? {} : { title }),
      members: members.map(({ displayName: _displayName, ...stored }) => stored),
      removed,
      notices: built,
    });
    if (positions === null) throw new RoomChangedError();
    room.version++;
    if (title !== undefined) room.title = title;
    for (const one of members) this.#put(room, one);
    for (const user of removed) {
      this.#take(room, user);
      // Whoever was removed hears nothing more, whatever his socket says.
      for (const participant of room.participants) if (participant.user === user) void participant.end('cut');
    }
    const entries = built.map((notice, index) => ({ ...notice, position: positions[index] ?? 0 }));
    await room.receiveStored(entries).catch((error: unknown) => {
      this.#options.log.warn('room.history.unreadable', { error });
    });
    this.#tell({ room, users: [...members.map(({ user }) => user), ...removed], over: false });
  }

  /** The last words of the room arrive, if somebody is there to hear them; then it is gone with all that was said. */
  async #finish(room: Room): Promise<void> {
    if (room.isOver) return;
    room.isOver = true;
    const late = Promise.withResolvers<void>();
    using _limit = this.#clock.startTimer(this.limits.farewellMs, () => {
      late.resolve();
    });
    await Promise.race([
      late.promise,
      Promise.all([...room.participants].map((participant) => participant.heardAll())),
    ]);
    try {
      await this.#options.store.call('deleteRoom', { room: room.key });
    } catch (error) {
      room.isOver = false;
      throw error;
    }
    this.#vanish(room);
  }

  #vanish(room: Room): void {
    room.isOver = true;
    this.#byName.delete(room.name);
    const users = [...room.members.keys()];
    for (const user of users) this.#byUser.get(user)?.delete(room);
    this.#tell({ room, users, over: true });
    this.#options.log.info('room.ended', { room: room.key });
    for (const participant of room.participants) void participant.end();
  }

  /** Thought out again when another node has changed the room meanwhile. */
  #inTurn<T>(room: Room, run: () => Promise<T>): Promise<T> {
    return room.inTurn(async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await run();
        } catch (error) {
          if (!(error instanceof RoomChangedError) || attempt === MAX_ATTEMPTS) throw error;
          await this.#read(room);
        }
      }
    });
  }

  byKey(key: number): Room | undefined {
    return [...this.#byName.values()].find((room) => room.key === key);
  }

  async #renewAll(): Promise<void> {
    const found = await this.#options.store.call('selectRooms', {});
    const keys = new Set([
      ...found.map(({ key }) => key),
      ...[...this.#byName.values()].map(({ key }) => key),
    ]);
    for (const key of keys) await this.renew(key);
  }

  /** Reads a room as the store has it now. Rejects with StoreError. */
  async renew(key: number): Promise<void> {
    const room = this.byKey(key);
    if (room !== undefined) {
      await room.inTurn(() => this.#read(room));
      return;
    }
    const [stored] = await this.#options.store.call('selectRooms', { room: key });
    if (stored !== undefined && this.byKey(key) === undefined) await this.#add(stored);
  }

  async #add(stored: StoredRoom): Promise<void> {
    const members = await Promise.all(
      stored.members.map(async (one) => ({ ...one, ...(await this.#named(one.user)) })),
    );
    if (this.byKey(stored.key) !== undefined) return;
    const room = this.#build(stored);
    for (const one of members) this.#put(room, one);
  }

  /** Brings a room to what the store has. */
  async #read(room: Room): Promise<void> {
    const [stored] = await this.#options.store.call('selectRooms', { room: room.key });
    if (room.isOver) return;
    if (stored === undefined) {
      this.#vanish(room);
      return;
    }
    const left = new Set(room.members.keys());
    for (const one of stored.members) {
      left.delete(one.user);
      this.#put(room, { ...one, ...(await this.#named(one.user)) });
    }
    for (const user of left) {
      this.#take(room, user);
      for (const participant of room.participants) if (participant.user === user) void participant.end('cut');
    }
    room.title = stored.title;
    room.version = stored.version;
    await room.receiveElsewhere(stored.lastPosition);
    this.#tell({ room, users: [...room.members.keys(), ...left], over: false });
  }

  #tell(news: RoomNews): void {
    for (const listen of this.#listeners) listen(news);
  }

  #requireMember(room: Room, user: string): void {
    if (room.isOver || room.members.get(user)?.state !== 'joined') {
      throw refusal('ROOM_NOT_A_MEMBER', 403, 'You are not a member of this room');
    }
  }

  #requireOwner(room: Room, user: string): void {
    this.#requireMember(room, user);
    if (room.roleOf(user) !== 'owner') throw refusal('ROOM_NOT_OWNER', 403, 'Only the owner may do this');
  }

  #admitToAnother(user: string | undefined): void {
    if (user !== undefined && this.roomsOf(user).length >= this.limits.maxRoomsPerUser) {
      throw refusal('ROOMS_OF_USER_FULL', 486, 'You are in too many rooms');
    }
  }

  #admitToRoom(room: Room, user: string): void {
    if (room.members.size >= this.limits.maxMembers) throw refusal('ROOM_FULL', 486, 'The room is full');
    if (this.roomsOf(user).length >= this.limits.maxRoomsPerUser) {
      throw refusal('ROOMS_OF_USER_FULL', 486, 'This user is in too many rooms');
    }
  }

  /** Without signs that steer a screen; cut at the ceiling by whoever shows it, refused here. */
  #titleOf(wish: string): string {
    const title = wish.replace(CONTROLS, ' ').trim();
    if (Array.from(title).length > this.limits.maxNameChars) {
      throw refusal('ROOM_BAD_TITLE', 400, 'This name is too long');
    }
    return title;
  }

  async #named(user: string): Promise<{ readonly displayName: string }> {
    return { displayName: await this.#displayName(user) };
  }

  async #displayName(user: string): Promise<string> {
    return (await this.#options.users.find(user))?.displayName ?? '';
  }

  /** What is too old, and rooms in which nobody has been for long. */
  async sweep(): Promise<void> {
    const { store } = this.#options;
    const { keptDays, maxKeptMessages, maxKeptBytes, emptyDays } = this.limits;
    const nowMs = this.#clock.now();
    const grown = [...this.#byName.values()].filter(({ history }) => history.grown);
    for (const { history } of grown) history.grown = false;
    await store.call('trimRooms', {
      beforeMs: nowMs - keptDays * DAY_MS,
      rooms: grown.map(({ key }) => key),
      maxMessages: maxKeptMessages,
      maxBytes: maxKeptBytes,
    });
    const busy = [...this.#byName.values()].filter(({ participants }) => participants.size > 0);
    if (busy.length > 0) {
      await store.call('updateRoomsActive', { rooms: busy.map(({ key }) => key), nowMs });
    }
    const left = new Set(await store.call('selectRoomsLeft', { beforeMs: nowMs - emptyDays * DAY_MS }));
    for (const room of [...this.#byName.values()]) {
      if (left.has(room.key) && !room.named && room.participants.size === 0) await this.close(room);
    }
  }

  #sweepLater(): void {
    this.#sweeper = this.#clock.startTimer(this.limits.sweepMs, () => {
      this.sweep()
        .catch((error: unknown) => this.#options.log.error('rooms.sweep.failed', { error }))
        .finally(() => {
          if (!this.#ended) this.#sweepLater();
        });
    });
  }
}

function refusal(code: string, status: number, text: string): ProtocolError {
  return new ProtocolError(code, status, text);
}

/**
 * Owns: one room while the server runs: its members, who of them is there, its history, and that changes of it happen
 * one after the other. Called by: rooms.ts and everything beside it. Calls: room-log.ts.
 */
import type { RoomMemberState, RoomRole, StoredRoomMember } from '../../store/room-tables.ts';
import type { RoomEntry, RoomLog } from './room-log.ts';
import type { RoomParticipant } from './room-participant.ts';

/** A member with what he calls himself at the server. */
export interface RoomMember extends StoredRoomMember {
  readonly displayName: string;
}

/** What a room is made of. */
export interface RoomParts {
  readonly key: number;
  readonly name: string;
  readonly title: string;
  readonly named: boolean;
  readonly createdMs: number;
  readonly version: number;
  readonly history: RoomLog;
}

/** Another node was quicker: what was to be done has to be thought out again. */
export class RoomChangedError extends Error {
  override readonly name = 'RoomChangedError';
}

/** One chat room. */
export class Room {
  readonly key: number;
  /** The user part of its address. */
  readonly name: string;
  /** Whoever knows its address may join, and it outlives its members. */
  readonly named: boolean;
  readonly createdMs: number;
  readonly history: RoomLog;
  readonly members = new Map<string, RoomMember>();
  /** Devices that are there. */
  readonly participants = new Set<RoomParticipant>();
  /** Users who are there by another node. */
  elsewhere: ReadonlySet<string> = new Set();
  title: string;
  /** Of the change that was made last, at whichever node. */
  version: number;
  /** Ended: nothing is taken from anybody any more. */
  isOver = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: RoomParts) {
    this.key = parts.key;
    this.name = parts.name;
    this.title = parts.title;
    this.named = parts.named;
    this.createdMs = parts.createdMs;
    this.version = parts.version;
    this.history = parts.history;
  }

  /** Runs behind everything that was begun before. */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** What others read as his name. */
  shownName(user: string): string {
    const member = this.members.get(user);
    return member?.nickname || member?.displayName || user;
  }

  isPresent(user: string): boolean {
    return this.elsewhere.has(user) || this.isHere(user);
  }

  /** By this node. */
  isHere(user: string): boolean {
    for (const participant of this.participants) if (participant.user === user) return true;
    return false;
  }

  countOf(state: RoomMemberState): number {
    let count = 0;
    for (const member of this.members.values()) if (member.state === state) count++;
    return count;
  }

  roleOf(user: string): RoomRole | undefined {
    return this.members.get(user)?.role;
  }

  /** These are on disk now: those who are there hear them. Rejects with StoreError: then they hear them with the next ones. */
  async receiveStored(entries: readonly RoomEntry[]): Promise<void> {
    await this.history.receiveStored(entries, this.participants.size > 0);
    this.wake();
  }

  /** Something was said at another node, up to this position. Rejects with StoreError. */
  async receiveElsewhere(position: number): Promise<void> {
    await this.history.receiveElsewhere(position, this.participants.size > 0);
    this.wake();
  }

  /** Something new is in the history. */
  wake(): void {
    for (const participant of this.participants) participant.wake();
  }
}

/** Somebody who was invited just now. `since`: what was said up to here was said before his time. */
export function newMember(user: string, invitedBy: string, since: number): Omit<RoomMember, 'displayName'> {
  return { user, role: 'member', state: 'invited', nickname: '', invitedBy, since };
}

export function isOwner({ role }: RoomMember): boolean {
  return role === 'owner';
}

/** Who owns the room after `user`: who has been there longest; the invited only when nobody else is left. */
export function heirOf(room: Room, user: string): RoomMember | undefined {
  const others = [...room.members.values()].filter((other) => other.user !== user);
  return others.find(({ state }) => state === 'joined') ?? others[0];
}

/**
 * Owns: what the user parts of addresses of chat rooms look like. Called by: imserver/rooms, imserver/user-file.ts,
 * messenger/groups. Calls: nothing.
 */
import { randomBytes } from 'node:crypto';

/** Who calls this address gets a new room (RFC 4579 §5.4). No user and no room has this name. */
export const FACTORY_NAME = 'conference-factory';

const ROOM_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const SECRET_NAME = /^room-[0-9a-f]{24}$/;

/** Whether people may give a room this name. */
export function isRoomName(name: string): boolean {
  return ROOM_NAME.test(name) && !isReservedName(name);
}

/** The name of a room that people join by invitation: nobody finds it by guessing. */
export function isSecretRoomName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** 96 random bits. */
export function createSecretRoomName(): string {
  return `room-${randomBytes(12).toString('hex')}`;
}

/** No user may be called so. */
export function isReservedName(name: string): boolean {
  return name === FACTORY_NAME || isSecretRoomName(name);
}

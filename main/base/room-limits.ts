/**
 * Owns: ceilings and timers of chat rooms, on the server and in the messenger. Milliseconds unless the name says
 * otherwise. Called by: imserver/rooms, messenger. Calls: nothing.
 */
export const ROOM_LIMITS = {
  /** Rooms of one server, of one user, and members of one room, the invited counted; the last two: configuration. */
  maxRooms: 20_000,
  maxRoomsPerUser: 200,
  maxMembers: 200,
  /** Characters of a room's name and of a nickname; configuration. */
  maxNameChars: 80,
  maxNicknameChars: 40,
  /** A message with its CPIM head; larger ones get 413. Configuration. */
  maxMessageBytes: 128 * 1024,
  /** What a room keeps for its members who are away; the oldest go first. Configuration. */
  maxKeptMessages: 10_000,
  keptDays: 30,
  /** Bytes that a room keeps. */
  maxKeptBytes: 64 * 1024 * 1024,
  /** A room that people join only by invitation, and in which nobody has been for so long, ends. */
  emptyDays: 90,
  /** How often what is too old is looked for. */
  sweepMs: 60_000,
  /** Messages on their way to one participant that he has not answered; the next ones wait on the disk. */
  windowMessages: 64,
  windowBytes: 256 * 1024,
  /** Newest messages of a room that are in memory: who is further behind reads them from the disk. */
  recentMessages: 256,
  recentBytes: 512 * 1024,
  /** One step of somebody who catches up. */
  pageMessages: 64,
  pageBytes: 128 * 1024,
  /** Devices of a member whose place in the history is remembered; the one that was away longest goes first. */
  maxDevices: 10,
  /** Answered INVITEs of one user whose devices have not connected yet. */
  maxComing: 64,
  /** How often the places of participants in the history are written down. */
  placesMs: 1_000,
  /** Changes of a nickname in one minute. */
  nicknamesPerMinute: 10,
  /** In larger rooms nobody is told who is typing. */
  maxTypingMembers: 20,
  /** SENDs of one session that are not stored yet, and their bytes; then its socket is not read. */
  maxUnsettledMessages: 64,
  maxUnsettledBytes: 4 * 1024 * 1024,
  /** Messages of one session that have begun and not ended, and their bytes. */
  maxOpenMessages: 8,
  maxOpenBytes: 1024 * 1024,
  /** Connections of the switch, and from one address: an office may be behind one. */
  maxConnections: 20_000,
  maxConnectionsPerAddress: 4_000,
  /** How long somebody who is called into a room may take to answer. */
  ringMs: 60_000,
  /** Calls into rooms at once, of all rooms. */
  maxCalls: 64,
  /** The hanging up of one participant. */
  byeMs: 2_000,
  /** How long the last words of a room have to reach those who are there. */
  farewellMs: 2_000,
  /** Participants are asked so often whether they are still there. */
  auditMs: 5 * 60_000,
} as const;

/** As injected: tests use smaller ones. */
export type RoomLimits = { readonly [K in keyof typeof ROOM_LIMITS]: number };

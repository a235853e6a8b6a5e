/**
 * Owns: sample worlds, each a situation that the window has to look right in.
 * Called by: scripted-backend, renderer tests. Calls: nothing.
 */
import type { Account } from '../../../shared/domain/account.ts';
import type { Conversation, Session } from '../../../shared/domain/conversation.ts';
import type { AccountId, ConversationId, MessageId, SessionId } from '../../../shared/domain/ids.ts';
import type { Ladder, LadderParty } from '../../../shared/domain/ladder.ts';
import type { Message, MessageState } from '../../../shared/domain/message.ts';
import type { Transfer } from '../../../shared/domain/transfer.ts';
import { initialSettings } from '../../../shared/settings.ts';
import { addGroup, addGroupFiles } from './group-scenario.ts';
import { addChanges } from './changes-scenario.ts';
import { addPictures } from './picture-scenario.ts';
import { addFlood } from './flood-scenario.ts';
import { addPresence } from './presence-scenario.ts';
import type { World } from './memory-backend.ts';

const dayMs = 86_400_000;
const minuteMs = 60_000;
const accountId = 'bob' as AccountId;

/** `HH:MM` of today, or of some days before. */
function at(clock: string, daysAgo = 0): number {
  const [hours = 0, minutes = 0] = clock.split(':').map(Number);
  return new Date(Date.now() - daysAgo * dayMs).setHours(hours, minutes, 0, 0);
}

export function emptyWorld(): World {
  return {
    info: {
      version: '0.1.0',
      host: 'browser',
      platform: 'linux',
      profile: '/home/bob/.parley',
      firstRun: true,
      hasFileDialogs: false,
      canRestart: true,
    },
    accounts: [],
    contacts: [],
    conversations: [],
    messages: [],
    sessions: [],
    ladder: { names: { bob: 'Bob', server: 'IM Server', tom: 'Tom' }, entries: [] },
    imServer: { running: false, domain: 'chat.home.arpa', sip: [], users: [] },
    history: { backups: [], restoring: null, notice: null },
    settings: initialSettings(),
    composing: [],
  };
}

export function bob(connection: Account['connection'] = { status: 'online' }): Account {
  return {
    id: accountId,
    address: 'bob@chat.home.arpa',
    displayName: 'Bob',
    server: '',
    kind: 'server',
    connection,
  };
}

function signedInWorld(): World {
  const world = emptyWorld();
  return { ...world, info: { ...world.info, firstRun: false }, accounts: [bob()] };
}

interface Line {
  readonly direction: 'in' | 'out';
  readonly text: string;
  readonly atMs: number;
  readonly state?: MessageState;
  readonly failure?: Message['failure'];
  readonly file?: Transfer;
}

/** Adds a conversation with its messages; `unread` of the last incoming ones have not been seen. */
function converse(
  world: World,
  user: string,
  name: string,
  lines: readonly Line[],
  unread = 0,
): Conversation {
  const id = `with-${user}` as ConversationId;
  const first = world.messages.length;
  const messages = lines.map(
    (
      { direction, text, atMs, state = direction === 'in' ? 'received' : 'displayed', failure = null, file },
      place,
    ): Message => ({
      id: `${user}-${place}` as MessageId,
      conversationId: id,
      position: first + place + 1,
      direction,
      text,
      sentAtMs: atMs,
      state,
      failure,
      ...(file ? { file } : {}),
    }),
  );
  world.messages.push(...messages);
  const last = messages.at(-1);
  const firstUnread = messages.filter(({ direction }) => direction === 'in').at(-unread);
  const conversation: Conversation = {
    id,
    accountId,
    peerAddress: `${user}@chat.home.arpa`,
    peerName: name,
    standing: 'accepted',
    unreadCount: unread,
    readPosition: unread > 0 ? (firstUnread?.position ?? 1) - 1 : (last?.position ?? 0),
    lastActivityMs: last?.sentAtMs ?? Date.now(),
    lastMessage: last === undefined ? null : { ...last },
  };
  world.conversations.push(conversation);
  world.contacts.push({ accountId, address: conversation.peerAddress, displayName: name });
  return conversation;
}

export function openSession(conversationId: ConversationId, change: Partial<Session> = {}): Session {
  return {
    id: `session ${conversationId}` as SessionId,
    conversationId,
    direction: 'outgoing',
    state: 'open',
    mediaPath: 'direct',
    encrypted: false,
    startedMs: at('14:21'),
    openedMs: at('14:21'),
    endedMs: null,
    end: null,
    ...change,
  };
}

/** Steps 2 to 14, as they go over the wire. */
function ladder(): Ladder {
  const arrows: [LadderParty, LadderParty, string, number | null, number, string][] = [
    ['bob', 'server', 'INVITE sip:tom@chat.home.arpa SIP/2.0', 2, 0, ''],
    ['server', 'bob', 'SIP/2.0 100 Trying', null, 1_100, ''],
    ['server', 'tom', 'INVITE sip:tom@192.0.2.20:5060 SIP/2.0', 3, 3_000, ''],
    ['tom', 'bob', 'MSRP a786hjs2 SEND', 4, 9_000, 'Byte-Range: 1-0/0'],
    ['bob', 'tom', 'MSRP a786hjs2 200 OK', 5, 11_000, ''],
    ['tom', 'server', 'SIP/2.0 200 OK', 7, 14_000, ''],
    ['server', 'bob', 'SIP/2.0 200 OK', 8, 17_000, ''],
    ['bob', 'server', 'ACK sip:tom@chat.home.arpa SIP/2.0', 9, 19_000, ''],
    ['server', 'tom', 'ACK sip:tom@192.0.2.20:5060 SIP/2.0', 10, 21_000, ''],
    ['bob', 'tom', 'MSRP d93kswow SEND', 11, 402_000, 'Byte-Range: 1-31/31'],
    ['tom', 'bob', 'MSRP d93kswow 200 OK', 12, 403_000, ''],
    ['tom', 'bob', 'MSRP p2s8aaqq SEND', 13, 31_020_000, 'Byte-Range: 1-82/82'],
    ['bob', 'tom', 'MSRP p2s8aaqq 200 OK', 14, 31_022_000, ''],
  ];
  return {
    names: { bob: 'Bob', server: 'IM Server', tom: 'Tom Weber' },
    entries: arrows.map(([from, to, firstLine, step, timeUs, extra]) => ({
      timeUs,
      from,
      to,
      protocol: firstLine.startsWith('MSRP') ? 'msrp' : 'sip',
      firstLine,
      step,
      text: firstLine.startsWith('MSRP')
        ? `${firstLine}\nTo-Path: msrp://192.0.2.10:49152/x7Vq2;tcp\nFrom-Path: msrp://192.0.2.20:49307/b1Kz8;tcp\nMessage-ID: 87652.9\n${extra}\n-------a786hjs2$`
        : `${firstLine}\nVia: SIP/2.0/TCP 192.0.2.10:5060;branch=z9hG4bK776\nFrom: <sip:bob@chat.home.arpa>;tag=1928\nTo: <sip:tom@chat.home.arpa>\nCall-ID: a84b4c76e66710\nCSeq: 1 INVITE\n`,
    })),
  };
}

/** Two people talking, with others in the list. */
export function talkingWorld(): World {
  const world = signedInWorld();
  const tom = converse(
    world,
    'tom',
    'Tom Weber',
    [
      { direction: 'out', text: 'Did the new build reach you?', atMs: at('14:21') },
      {
        direction: 'in',
        text: 'Yes, installed without a question. The history from the old machine is there too.',
        atMs: at('14:22'),
      },
      {
        direction: 'in',
        text: 'All 1 204 311 messages, and search answers while I type.',
        atMs: at('14:22'),
      },
      { direction: 'out', text: 'Good. I am sending you the figures from the pilot.', atMs: at('14:29') },
      { direction: 'out', text: 'They are in your mailbox.', atMs: at('14:30'), state: 'delivered' },
      { direction: 'in', text: 'Coming in nicely. Shall we show it at four?', atMs: at('14:32') },
    ],
    1,
  );
  world.sessions.push(openSession(tom.id));
  world.composing.push(tom.id);
  world.ladder = ladder();
  converse(world, 'ana', 'Ana Sørensen', [
    { direction: 'out', text: 'Thanks, that fixed it', atMs: at('13:47'), state: 'displayed' },
  ]);
  converse(world, 'lixiaolong', '李小龙', [{ direction: 'in', text: '会议改到四点', atMs: at('12:10') }], 1);
  converse(world, 'support', 'Support desk', [
    { direction: 'out', text: 'Can you look at ticket 4711?', atMs: at('16:02', 1), state: 'waiting' },
  ]);
  converse(world, 'maria', 'Maria Rossi', [
    { direction: 'out', text: 'The contract is signed.', atMs: at('11:00', 3), state: 'sent' },
  ]);
  converse(world, 'maha', 'مها الأحمد', [{ direction: 'in', text: 'شكرا جزيلا', atMs: at('09:12', 4) }]);
  return world;
}

/** Every state of a bubble, names and texts that are long or of other scripts. */
function statesWorld(): World {
  const world = signedInWorld();
  const tom = converse(
    world,
    'maximiliana.alexandrovna.von-und-zu-hohenlohe',
    'Maximiliana Alexandrovna von und zu Hohenlohe-Waldenburg-Schillingsfürst',
    [
      {
        direction: 'in',
        text: 'Kannst du den Stand vom Freitag noch einmal schicken?',
        atMs: at('09:00', 1),
      },
      { direction: 'out', text: 'Gelesen', atMs: at('14:01'), state: 'displayed' },
      { direction: 'out', text: 'Zugestellt', atMs: at('14:02'), state: 'delivered' },
      { direction: 'out', text: 'Gesendet', atMs: at('14:03'), state: 'sent' },
      {
        direction: 'in',
        text: 'شكرا جزيلا، سأقرأه الليلة. The file is report-final(2).pdf.',
        atMs: at('14:04'),
      },
      {
        direction: 'in',
        text: `会议改到四点，请带上最新的数字。${'很长的一句话'.repeat(20)}`,
        atMs: at('14:05'),
      },
      {
        direction: 'in',
        text: `https://example.org/${'a-long-path-without-a-break/'.repeat(6)}`,
        atMs: at('14:06'),
      },
      { direction: 'out', text: 'Wartet auf dem Server', atMs: at('14:07'), state: 'waiting' },
      {
        direction: 'out',
        text: 'Liegt noch hier:\n\n  eingerückt\n  zweite Zeile',
        atMs: at('14:08'),
        state: 'queued',
      },
      {
        direction: 'out',
        text: 'Das ging nicht hinaus.',
        atMs: at('14:09'),
        state: 'failed',
        failure: {
          code: 'unknown-peer',
          message: 'The server does not know this address. Check it and send the message again.',
        },
      },
    ],
  );
  world.sessions.push(
    openSession(tom.id, {
      state: 'ended',
      endedMs: at('14:09'),
      end: {
        code: 'media-failed',
        message: 'No direct connection came about: 192.0.2.20 port 49307 refused it.',
      },
    }),
  );
  converse(world, 'maha', 'مها الأحمد', [{ direction: 'in', text: 'شكرا جزيلا', atMs: at('09:12') }], 120);
  converse(world, 'li', '李小龙', [{ direction: 'in', text: '会议改到四点', atMs: at('08:12') }]);
  return world;
}

/** A thread far longer than any window. */
export function longWorld(count = 10_000): World {
  const world = signedInWorld();
  const words = ['Fine.', 'I will look into it.', 'Can you send me the log of last night, please?', 'Done'];
  const start = Date.now() - count * 3 * minuteMs;
  const tom = converse(
    world,
    'tom',
    'Tom Weber',
    Array.from({ length: count }, (_, place) => ({
      direction: place % 3 === 0 ? 'out' : 'in',
      text: `${place + 1}. ${words[place % words.length] ?? ''}${place % 7 === 0 ? ' And then some more words, so that the line breaks.'.repeat(2) : ''}`,
      atMs: start + place * 3 * minuteMs,
    })),
  );
  world.sessions.push(openSession(tom.id));
  return world;
}

/** A stranger waits for an answer. */
export function askedWorld(): World {
  const world = talkingWorld();
  const stranger = converse(world, 'eve', 'Eve', []);
  world.conversations = world.conversations.map((each) =>
    each.id === stranger.id ? { ...each, standing: 'asked' } : each,
  );
  world.sessions.push(
    openSession(stranger.id, {
      state: 'asked',
      direction: 'incoming',
      openedMs: null,
      startedMs: Date.now(),
    }),
  );
  return world;
}

/** The server cannot be reached; another account has been refused. */
export function unreachableWorld(): World {
  const world = talkingWorld();
  world.composing = [];
  world.sessions = [];
  world.accounts = [
    bob({
      status: 'connecting',
      code: 'unreachable',
      reason: 'The server chat.home.arpa cannot be reached. Parley tries again by itself.',
    }),
    {
      ...bob({
        status: 'refused',
        code: 'wrong-password',
        reason: 'The password for b.smith@example.com is not right. Sign in again with the right one.',
      }),
      id: 'work' as AccountId,
      address: 'b.smith@example.com',
      displayName: 'B. Smith',
    },
  ];
  return world;
}

/** A small red and blue picture. */
const PREVIEW =
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAAMQAB/4BAGtYtAwAAAAASUVORK5CYII=';

/** A file of 2.4 MB that is here. */
export function sampleFile(change: Partial<Transfer> = {}): Transfer {
  return {
    name: 'Floor plan.pdf',
    type: 'application/pdf',
    size: 2_400_000,
    state: 'done',
    bytesDone: 2_400_000,
    failure: null,
    preview: null,
    available: true,
    ...change,
  };
}

/** Files in every state, and a text that is too long for a bubble. */
export function filesWorld(): World {
  const world = signedInWorld();
  let minute = 0;
  const line = (direction: 'in' | 'out', file: Transfer, state?: MessageState): Line => ({
    direction,
    text: file.name,
    atMs: at(`10:${String(minute++).padStart(2, '0')}`),
    file,
    ...(state ? { state } : {}),
  });
  const elsewhere = { available: false, bytesDone: 0 } as const;
  converse(world, 'tom', 'Tom', [
    line('in', sampleFile()),
    line('out', sampleFile({ name: 'Pläne für das neue Haus am See – endgültige Fassung vom Oktober.pdf' })),
    line('in', sampleFile({ ...elsewhere, name: 'Holiday.mov', state: 'offered', size: 734_003_200 })),
    line(
      'in',
      sampleFile({ ...elsewhere, name: 'sunset.png', type: 'image/png', state: 'offered', preview: PREVIEW }),
    ),
    line('in', sampleFile({ ...elsewhere, name: 'talk.mp3', state: 'transferring', bytesDone: 900_000 })),
    line('out', sampleFile({ name: 'archive.zip', state: 'transferring', bytesDone: 1_700_000 }), 'queued'),
    line('out', sampleFile({ name: 'archive-2.zip', state: 'paused', bytesDone: 1_700_000 }), 'queued'),
    line('out', sampleFile({ name: 'later.txt', state: 'waiting', bytesDone: 0 }), 'queued'),
    line('out', sampleFile({ name: 'asked.txt', state: 'offered', bytesDone: 0 }), 'queued'),
    line(
      'in',
      sampleFile({
        ...elsewhere,
        name: 'backup.img',
        state: 'failed',
        failure: { code: 'disk-full', message: 'The disk is full. Make room, then try again.' },
      }),
    ),
    line(
      'out',
      sampleFile({
        name: 'large.iso',
        state: 'failed',
        failure: { code: 'too-large', message: 'It is too large for the other side.' },
      }),
      'failed',
    ),
    line('out', sampleFile({ name: 'no.txt', state: 'declined' }), 'failed'),
    line('out', sampleFile({ name: 'oops.txt', state: 'cancelled' }), 'failed'),
    {
      direction: 'in',
      text: Array.from({ length: 3_000 }, (_, nth) => `Line ${nth + 1} of a long protocol.`).join('\n'),
      atMs: at('10:40'),
    },
  ]);
  return world;
}

/** The same people, and a group of them. */
export function groupsWorld(): World {
  const world = talkingWorld();
  addGroup(world);
  return world;
}

/** A window that reads an archive with what was said and shown. */
export function readingWorld(): World {
  const world = filesWorld();
  addGroup(world);
  return {
    ...world,
    accounts: [],
    sessions: [],
    reading: {
      name: 'Parley 2026-05-31 1204.parley',
      path: '/home/bob/Parley 2026-05-31 1204.parley',
      kind: 'archive',
      madeAtMs: Date.UTC(2026, 4, 31, 10, 4),
      program: 'Parley 0.1.0',
      messages: 48_210,
      conversations: world.conversations.length,
      check: { state: 'whole', done: 48_210, total: 48_210, problems: [] },
    },
  };
}

/** Before anything is open: a passphrase is asked for. */
export function lockedWorld(): World {
  const opening = { state: 'locked', what: 'profile', name: null, failures: 0, againAtMs: null } as const;
  return { ...talkingWorld(), opening };
}

/** Before anything is open: a history of before is being encrypted. */
export function convertingWorld(): World {
  const opening = { state: 'working', task: 'encrypting', done: 310_000, total: 912_000 } as const;
  return { ...talkingWorld(), opening };
}

/** The same people, of whom some are there, one is blocked, and others ask. */
function presenceWorld(): World {
  const world = talkingWorld();
  world.composing = [];
  addPresence(world);
  return world;
}

export const scenarios = {
  reading: readingWorld,
  locked: lockedWorld,
  converting: convertingWorld,
  changes: () => addChanges(groupsWorld()),
  flood: () => addFlood(talkingWorld()),
  presence: presenceWorld,
  groups: groupsWorld,
  groupFiles: () => addGroupFiles(groupsWorld(), sampleFile, PREVIEW),
  files: filesWorld,
  pictures: () => addPictures(talkingWorld()),
  empty: emptyWorld,
  talking: talkingWorld,
  states: statesWorld,
  long: longWorld,
  asked: askedWorld,
  unreachable: unreachableWorld,
} as const;
export type ScenarioName = keyof typeof scenarios;

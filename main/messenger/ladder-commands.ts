/**
 * Owns: the calls about what a session had on the wire. Called by: commands.ts. Calls: ladder-recorder.ts, pcap.ts.
 */
import type { SessionId } from '../../shared/domain/ids.ts';
import type { Ladder } from '../../shared/domain/ladder.ts';
import type { CallName, SavedFile } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { systemClock } from '../base/clock.ts';
import type { Commands } from './commands.ts';
import type { RecordedSession } from './ladder-recorder.ts';
import type { Messenger } from './messenger.ts';
import { formatPcap } from './pcap.ts';
import type { FileDesktop } from './transfer-commands.ts';

type LadderCall = Extract<CallName, 'session.ladder' | 'session.save'>;

/** Where there are dialogs the user is asked where; else the window saves it. */
export async function saveOrReturn(
  desktop: FileDesktop | undefined,
  name: string,
  bytes: Buffer,
): Promise<SavedFile | null> {
  if (desktop === undefined) return { name, base64: bytes.toString('base64') };
  await desktop.saveText(bytes, name);
  return null;
}

export function ladderCommands(
  messenger: Pick<Messenger, 'chat' | 'conversation' | 'ladder'>,
  desktop: FileDesktop | undefined,
): Pick<Commands, LadderCall> {
  /** Rejects with CallError when its messages are not kept any more. */
  const recorded = async (sessionId: SessionId): Promise<RecordedSession> => {
    const chat = messenger.chat(sessionId);
    if (chat === undefined) {
      throw new CallError(
        'not-found',
        'The messages of this session are no longer kept. Newer sessions have them.',
      );
    }
    const { conversation } = await messenger.conversation(chat.session.conversationId);
    const outgoing = chat.session.direction === 'outgoing';
    const us = chat.us.displayName || chat.us.address;
    return {
      callId: chat.callId,
      msrpSessionId: chat.msrpSessionId,
      outgoing,
      names: outgoing
        ? { bob: us, server: 'IM Server', tom: conversation.peerName }
        : { bob: conversation.peerName, server: 'IM Server', tom: us },
    };
  };
  return {
    'session.ladder': async ({ sessionId }) => messenger.ladder.ladderOf(await recorded(sessionId)),
    'session.save': async ({ sessionId, format, isWhole }) => {
      const session = await recorded(sessionId);
      const epochUs = Date.now() * 1_000 - systemClock.monotonicUs();
      const bytes =
        format === 'pcap'
          ? formatPcap(messenger.ladder.captureOf(session, isWhole), epochUs)
          : Buffer.from(ladderText(messenger.ladder.ladderOf(session, isWhole)), 'utf8');
      return saveOrReturn(desktop, `parley-session.${format === 'pcap' ? 'pcap' : 'txt'}`, bytes);
    },
  };
}

/** Each message with its time and step, as text. */
export function ladderText({ names, entries }: Ladder): string {
  const texts = entries.map(({ timeUs, from, to, step, text }) => {
    const time = `${(timeUs / 1_000).toFixed(1)} ms`;
    const which = step === null ? '' : ` (step ${step})`;
    return `${time}  ${names[from]} -> ${names[to]}${which}\n${text.replaceAll('\r\n', '\n')}\n`;
  });
  return texts.join('\n');
}

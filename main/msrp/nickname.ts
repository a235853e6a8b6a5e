/**
 * Owns: the NICKNAME request of chat rooms: its header, its frame, and answering one (RFC 7701 §7).
 * Called by: session.ts, endpoint.ts. Calls: connection.ts to send.
 */
import type { MsrpConnection, MsrpFrameSink } from './connection.ts';
import type { MsrpHead } from './message.ts';
import { sendResponse } from './reports.ts';

export const NICKNAME_METHOD = 'NICKNAME';
const HEADER = 'use-nickname';
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/su;

/**
 * What Use-Nickname says; empty: the nickname is given up. Strangers leave the quotes out. Undefined when the header is
 * missing, or begins or ends a quotation only (424).
 */
export function readNickname({ others }: Pick<MsrpHead, 'others'>): string | undefined {
  const value = others.find(({ name }) => name.toLowerCase() === HEADER)?.value;
  if (value === undefined) return undefined;
  const [, quoted] = QUOTED.exec(value) ?? [];
  if (quoted !== undefined) return quoted.replace(/\\(.)/gsu, '$1');
  return value.includes('"') ? undefined : value;
}

/** A whole request. Control characters cannot be part of a name, and are left out. */
export function formatNicknameRequest(transactionId: string, paths: string, nickname: string): string {
  const text = nickname.replace(/[\u0000-\u001f\u007f]/g, '').replace(/["\\]/g, '\\$&');
  return `MSRP ${transactionId} ${NICKNAME_METHOD}\r\n${paths}Use-Nickname: "${text}"\r\n-------${transactionId}$\r\n`;
}

/** One that has come: answered, when it has ended, with the status that `decide` gives. */
export class NicknameFrame implements MsrpFrameSink {
  readonly #connection: MsrpConnection;
  readonly #head: MsrpHead;
  readonly #decide: (nickname: string) => Promise<number>;

  constructor(connection: MsrpConnection, head: MsrpHead, decide: (nickname: string) => Promise<number>) {
    this.#connection = connection;
    this.#head = head;
    this.#decide = decide;
  }

  receiveBody(): void {
    // It has none.
  }

  receiveEnd(): void {
    const nickname = readNickname(this.#head);
    const status = nickname === undefined ? Promise.resolve(424) : this.#decide(nickname);
    void status
      .catch(() => 408)
      .then((known) => {
        sendResponse(this.#connection, this.#head, known);
      });
  }
}

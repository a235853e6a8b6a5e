/**
 * Owns: one session over which a file comes to the server or leaves it: answered, visited, ended (RFC 5547 §8.3).
 * Called by: kept-files.ts. Calls: sip/agent/invite.ts, msrp/endpoint.ts.
 */
import type { Clock } from '../base/clock.ts';
import type { KeptFileLimits } from '../base/file-limits.ts';
import type { MsrpEndpoint } from '../msrp/endpoint.ts';
import { fileAttributes, type FileDescription } from '../msrp/file-sdp.ts';
import { buildMsrpAnswer, type MsrpDescription } from '../msrp/sdp.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { MsrpSession } from '../msrp/session.ts';
import type { MsrpBodySource, MsrpSinkFor } from '../msrp/streams.ts';
import type { InviteDialog } from '../sip/agent/invite-dialog.ts';
import type { IncomingInvite } from '../sip/agent/invite.ts';
import type { SdpAttribute } from '../msrp/sdp.ts';

export interface KeptFileCallOptions {
  readonly endpoint: MsrpEndpoint;
  readonly limits: KeptFileLimits;
  readonly clock: Clock;
  readonly offer: MsrpDescription;
  /** Our address as the other side sees it. */
  readonly advertisedHost: string;
  readonly sinkFor: MsrpSinkFor;
}

const ACCEPT_TYPES = ['*'] as const;
/** The session has nothing to say beside the file; the bound of what is collected in memory all the same. */
const MAX_MESSAGE_BYTES = 16 * 1024;

/** One session of one file. */
export class KeptFileCall implements AsyncDisposable {
  readonly #options: KeptFileCallOptions;
  readonly #session: MsrpSession;
  readonly #over = Promise.withResolvers<void>();
  #dialog: InviteDialog | undefined;
  #hasEnded = false;

  constructor(options: KeptFileCallOptions) {
    this.#options = options;
    this.#session = options.endpoint.createSession({
      advertisedHost: options.advertisedHost,
      acceptTypes: ACCEPT_TYPES,
      encrypted: this.#isEncrypted,
      unprovenAllowed: true,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      delegate: {
        sinkFor: options.sinkFor,
        receiveMessage: () => Promise.resolve(),
        receiveReport: () => undefined,
        receiveVisit: () => undefined,
        receiveClose: () => {
          this.#over.resolve();
        },
      },
    });
  }

  /** Resolves when the other side has hung up or is gone. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Answers; resolves when the other side has visited. Rejects with MsrpSessionError when it does not come. */
  async accept(
    invite: IncomingInvite,
    file: FileDescription,
    attributes: readonly SdpAttribute[],
  ): Promise<void> {
    const { endpoint, offer } = this.#options;
    const { path, fingerprints, setup } = offer;
    this.#session.expectVisit(path, { announced: fingerprints });
    const sdp = buildMsrpAnswer({
      path: this.#session.localPath,
      acceptTypes: ACCEPT_TYPES,
      attributes: [...fileAttributes(file), ...attributes],
      offer,
      ...(setup === undefined ? {} : { setup: 'passive' as const }),
      ...(this.#isEncrypted ? { fingerprint: (await endpoint.identity()).fingerprint } : {}),
    });
    const user = /<(?:sips?:)([^@>]+)@/i.exec(invite.request.message.headers.get('to') ?? '')?.[1] ?? 'files';
    const dialog = await invite.accept(
      sdp,
      { receiveBye: () => this.#receiveBye() },
      {
        Contact: `<sip:${user}@localhost>`,
      },
    );
    if (dialog === undefined) throw new MsrpSessionError('MSRP_SESSION_CLOSED', 'it was taken back');
    this.#dialog = dialog;
    await this.#unlessOver(dialog.acked);
    await this.#unlessOver(
      this.#within(this.#options.limits.visitMs, this.#session.awaitVisit(path, { announced: fingerprints })),
    );
  }

  /** Sends the file; resolves with the MSRP status. Rejects with MsrpSessionError when the session ends first. */
  async send(messageId: string, contentType: string, body: MsrpBodySource): Promise<number> {
    const { status } = await this.#session.sendMessage({ messageId, contentType, body });
    return status;
  }

  /** Hangs up, unless the other side has; an answer is not waited for without end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    await this.#session.close();
    if (this.#dialog !== undefined && this.#dialog.state !== 'ended') {
      await this.#within(this.#options.limits.byeMs, this.#dialog.sendBye()).catch(() => undefined);
    }
    this.#over.resolve();
  }

  get #isEncrypted(): boolean {
    return this.#options.offer.path.at(-1)?.scheme === 'msrps';
  }

  /** What is in flight is answered first: the last chunk may be among it. */
  async #receiveBye(): Promise<void> {
    this.#hasEnded = true;
    await this.#session.close();
    this.#over.resolve();
  }

  /** Whoever ends the call does not wait for an ACK or a visit that may never come. */
  async #unlessOver(work: Promise<unknown>): Promise<void> {
    const over = this.over.then(() => {
      throw new MsrpSessionError('MSRP_SESSION_CLOSED', 'it has ended before it began');
    });
    await Promise.race([work, over]);
  }

  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    using _limit = this.#options.clock.startTimer(ms, () => {
      late.reject(new MsrpSessionError('MSRP_TIMEOUT', 'nobody has come'));
    });
    return await Promise.race([work, late.promise]);
  }
}

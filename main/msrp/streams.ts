/**
 * Owns: what a message is that does not lie in memory: where its bytes come from, and where they go.
 * Called by: chunking.ts and reassembly.ts, which use them; file-source.ts and file-sink.ts, which are them. Calls: nothing.
 */
import type { ByteRange } from './message.ts';

/** The bytes of a large outgoing message, taken as the connection has room for them. */
export interface MsrpBodySource {
  /** Bytes of the whole message. */
  readonly size: number;
  /** Called once, before anything is taken; `wake` says that there may be something again. */
  open(wake: () => void): void;
  /**
   * The next bytes, at most `maxBytes`; they stay as they are until they are released. Undefined: not now, `wake`
   * follows. Throws when the rest cannot be had: then the message is given up.
   */
  take(maxBytes: number): Buffer | undefined;
  /** So many bytes of those taken first have been answered by the peer: their memory may be used again. */
  release(bytes: number): void;
  /** Nothing more is taken: sent, refused or given up. Called once. */
  close(): void;
}

/** What the head of the first chunk says about a message. */
export interface MsrpMessageHead {
  readonly messageId: string;
  readonly contentType: string;
  readonly byteRange: ByteRange;
}

/** The place of a large incoming message. */
export interface MsrpBodySink {
  /**
   * Bytes at their offset, counted from 0; they are gone when the call returns. False: full; the connection is not read until
   * `resume` is called. Throws ProtocolError to refuse the message.
   */
  write(offset: number, bytes: Buffer): boolean;
  /** Every byte has come. Resolve = kept: only then the last chunk is answered. Rejects with ProtocolError. */
  end(size: number): Promise<void>;
  /** The rest does not come: refused, given up by the sender, late, or the session is over. */
  abort(): void;
}

/**
 * Says where an incoming message goes; undefined: collected in memory. `resume` is for a sink that was full. Throws
 * ProtocolError to refuse the message.
 */
export type MsrpSinkFor = (message: MsrpMessageHead, resume: () => void) => MsrpBodySink | undefined;

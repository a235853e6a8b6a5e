/**
 * Owns: the early visitors of one session, while the SIP answer that names the one who stays is still open.
 * Called by: session.ts. Calls: connection.ts.
 */
import type { MsrpConnection, MsrpConnectionUser } from './connection.ts';
import { msrpPathsLeadToSameEndpoint, type MsrpUri } from './uri.ts';

class Visitor implements MsrpConnectionUser {
  readonly connection: MsrpConnection;
  readonly fromPath: readonly MsrpUri[];
  readonly #visitors: MsrpVisitors;

  constructor(visitors: MsrpVisitors, connection: MsrpConnection, fromPath: readonly MsrpUri[]) {
    this.#visitors = visitors;
    this.connection = connection;
    this.fromPath = fromPath;
  }

  receiveResponse(): boolean {
    return false;
  }

  receiveConnectionEnd(): void {
    this.#visitors.remove(this);
  }
}

/** The provisional connections of one session (the invitation may have forked). */
export class MsrpVisitors {
  readonly #visitors = new Map<MsrpConnection, Visitor>();
  readonly #max: number;
  readonly #receiveLastLeft: () => void;

  constructor(max: number, receiveLastLeft: () => void) {
    this.#max = max;
    this.#receiveLastLeft = receiveLastLeft;
  }

  has(connection: MsrpConnection): boolean {
    return this.#visitors.has(connection);
  }

  /** Takes a visitor in; false when there are too many. */
  admit(connection: MsrpConnection, fromPath: readonly MsrpUri[]): boolean {
    if (this.#visitors.size >= this.#max) return false;
    const visitor = new Visitor(this, connection, fromPath);
    connection.users.add(visitor);
    this.#visitors.set(connection, visitor);
    return true;
  }

  /** The connection on which `path` visited; it stays, and is no visitor any more once `user` lives on it. */
  choose(path: readonly MsrpUri[], user: MsrpConnectionUser): MsrpConnection | undefined {
    for (const [connection, visitor] of this.#visitors) {
      if (!msrpPathsLeadToSameEndpoint(visitor.fromPath, path)) continue;
      this.#visitors.delete(connection);
      connection.users.add(user);
      connection.users.delete(visitor);
      return connection;
    }
    return undefined;
  }

  /** Closes every connection that was not chosen. */
  dismiss(): void {
    for (const visitor of [...this.#visitors.values()]) {
      this.#visitors.delete(visitor.connection);
      visitor.connection.leave(visitor);
    }
  }

  /** Called by a visitor whose connection is gone. */
  remove(visitor: Visitor): void {
    if (!this.#visitors.delete(visitor.connection)) return;
    visitor.connection.leave(visitor);
    if (this.#visitors.size === 0) this.#receiveLastLeft();
  }
}

/**
 * Owns: what the messenger's commands need of an IM Server in the same program. Implemented by: main/hosts, since
 * messenger and IM Server do not know each other: they meet on sockets. Called by: commands.ts. Calls: nothing.
 */
import type { ImServerStatus } from '../../shared/ipc/contract.ts';

/** Starts and stops the embedded IM Server. All reject with CallError when something expected goes wrong. */
export interface ImServerControl {
  status(): Promise<ImServerStatus>;
  start(input: { domain: string; host: string; port: number }): Promise<ImServerStatus>;
  stop(): Promise<ImServerStatus>;
  addUser(input: { user: string; password: string; displayName: string }): Promise<ImServerStatus>;
  /** *Try it*: a server on this computer with two accounts, and Tom, a bot that answers. Returns how Bob signs in. */
  startDemo(): Promise<{
    address: string;
    password: string;
    server: string;
    peerAddress: string;
    peerName: string;
  }>;
}

/** Owns: the state of the IM Server inside this program. Called by: app, settings, welcome. Calls: the client. */
import type { CallInput, ImServerStatus } from '../../shared/ipc/contract.ts';
import type { Client } from '../api/client.ts';

export class ImServer {
  readonly #client: Client;
  /** Whether only this computer reaches a server that is started, and its port as the user has typed it. */
  reach = $state<'network' | 'here'>('network');
  port = $state('5060');
  status = $state.raw<ImServerStatus | null>(null);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.status = await this.#client.call('imserver.status', {});
  }

  async start(): Promise<ImServerStatus> {
    return (this.status = await this.#client.call('imserver.start', {
      host: this.reach === 'here' ? '127.0.0.1' : '0.0.0.0',
      port: Number(this.port),
    }));
  }

  async stop(): Promise<void> {
    this.status = await this.#client.call('imserver.stop', {});
  }

  async addUser(input: CallInput<'imserver.addUser'>): Promise<ImServerStatus> {
    return (this.status = await this.#client.call('imserver.addUser', input));
  }
}

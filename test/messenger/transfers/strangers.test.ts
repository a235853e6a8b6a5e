/** Files to and from a program of another make (RFC 5547): what it leaves out, what it refuses, how it cuts. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOMAIN, QUICK, World } from '../../support/im-world.ts';
import { MsrpPeer, MsrpPeerListener, requestText } from '../../support/msrp-peer.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { SipGate } from '../../support/sip-gate.ts';
import type { PeerMessage } from '../../support/sip-peer.ts';
import { arrived, becomes, fileOf, received, sendFile, writeRandom } from './desk.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Bob, and Tom with a program that is not ours; they are contacts. */
async function meet() {
  // He answers no BYE.
  const bob = await world.join('bob', { limits: { ...QUICK.limits, byeMs: 200, fileByeMs: 200 } });
  const tom = world.own(await RawDevice.join('tom', world.port));
  const ofBob = await bob.meet('tom');
  return { bob, tom, ofBob };
}

/** A description without TLS and without a word about who connects. */
function describeFile(port: number, path: string, ...more: readonly string[]): string {
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=message ${port} TCP/MSRP *`,
    'a=accept-types:*',
    `a=path:${path}`,
    ...more,
    '',
  ].join('\r\n');
}

const pathIn = ({ body }: PeerMessage): string => /^a=path:(\S+)/m.exec(body)?.[1] ?? '';
const portIn = (path: string): number => Number(/:(\d+)\//.exec(path)?.[1]);

describe('Tom offers a file', () => {
  const OWN_PATH = 'msrp://127.0.0.1:9/tomsfile;tcp';

  function offer(tom: RawDevice, ...lines: readonly string[]): Promise<PeerMessage> {
    const uri = `sip:bob@${DOMAIN}`;
    return tom.ask('INVITE', {
      uri,
      to: `<${uri}>`,
      body: describeFile(9, OWN_PATH, 'a=sendonly', ...lines),
    });
  }

  /** ACKs a 200 and connects, as who offers without `a=setup` does (RFC 4975 §5.4). */
  async function connect(tom: RawDevice, accepted: PeerMessage): Promise<MsrpPeer> {
    expect(accepted.status).toBe(200);
    await tom.ackSuccess(accepted);
    const path = pathIn(accepted);
    const peer = await MsrpPeer.connect(portIn(path), OWN_PATH);
    peer.remotePath = path;
    return peer;
  }

  /** Sends it in chunks of 2 000 bytes, each answered before the next, until one is refused. Returns the statuses. */
  async function sendChunks(peer: MsrpPeer, bytes: Buffer, total: string): Promise<Set<string>> {
    const kinds = new Set<string>();
    for (let from = 0; from < bytes.length; from += 2_000) {
      const end = Math.min(bytes.length, from + 2_000);
      const id = `chunk${from}`;
      peer.send(
        requestText({
          id,
          to: peer.remotePath,
          from: peer.path,
          headers: {
            'Message-ID': 'tomsmessage',
            'Byte-Range': `${from + 1}-${end}/${total}`,
            'Content-Type': 'text/x-log',
          },
          body: bytes.subarray(from, end),
          flag: end === bytes.length ? '$' : '+',
        }),
      );
      const { kind } = await peer.frame();
      kinds.add(kind);
      if (!kind.startsWith('200')) break;
    }
    return kinds;
  }

  it('without a transfer id, without a hash, with a path for a name', async () => {
    const { bob, tom, ofBob } = await meet();
    const bytes = randomBytes(50_000);
    const answer = await offer(
      tom,
      'a=file-selector:name:"../../.bashrc" type:text/x-log size:50000',
      'a=file-disposition:attachment',
    );
    // RFC 5547 §8.3.1: the answer names the file again, and the other way round.
    expect(answer.body).toMatch(/^a=recvonly\r$/m);
    expect(answer.body).toMatch(/^a=file-selector:.*size:50000/m);
    await using peer = await connect(tom, answer);
    expect(await sendChunks(peer, bytes, '50000')).toEqual(new Set(['200 OK']));
    const came = await arrived(bob, ofBob);
    await becomes(bob, came, 'done');
    const file = await received(bob, came);
    expect(basename(file.path)).not.toMatch(/^\.|\//);
    expect(file.path.startsWith(bob.messenger.transfers.folder)).toBe(true);
    expect(file.bytes.equals(bytes)).toBe(true);
  });

  it('without saying how large it is: the user is asked, and it is as long as what came', async () => {
    const { bob, tom, ofBob } = await meet();
    const bytes = randomBytes(30_000);
    const answered = offer(tom, 'a=file-selector:name:"stream.log"');
    const came = await arrived(bob, ofBob);
    expect(await fileOf(bob, came)).toMatchObject({ state: 'offered', size: null });
    await tom.peer.response(180, 'INVITE');
    await bob.commands['transfer.accept']({ messageId: came.id });
    await using peer = await connect(tom, await answered);
    expect(await sendChunks(peer, bytes, '*')).toEqual(new Set(['200 OK']));
    expect(await becomes(bob, came, 'done')).toMatchObject({ size: 30_000 });
    expect((await received(bob, came)).bytes.equals(bytes)).toBe(true);
  });

  it('and never acknowledges the answer, while the server is silent: the program ends all the same', async () => {
    const gate = world.own(await SipGate.open(world.port));
    const bob = await world.openPerson('bob', { limits: { ...QUICK.limits, byeMs: 200, fileByeMs: 200 } });
    await bob.signIn(gate.uri);
    const tom = world.own(await RawDevice.join('tom', world.port));
    await bob.meet('tom');
    expect((await offer(tom, 'a=file-selector:name:"a.log" size:3000')).status).toBe(200);
    gate.hold('toClient', /^/);
    // The ACK, and an answer to the BYE, are waited for 32 s (RFC 3261 §13.3.1.4, §17.1.2.2): longer than a test may take.
    await bob[Symbol.asyncDispose]();
  });

  it('and sends more than he said: 413, and nothing of it stays (RFC 4975 §10.5)', async () => {
    const { bob, tom, ofBob } = await meet();
    await using peer = await connect(tom, await offer(tom, 'a=file-selector:name:"a.log" size:3000'));
    expect([...(await sendChunks(peer, randomBytes(6_000), '*'))].at(-1)).toMatch(/^413/);
    const came = await arrived(bob, ofBob);
    expect((await becomes(bob, came, 'failed')).failure?.code).toBe('too-large');
  });
});

describe('Bob offers Tom a file', () => {
  async function begin(bytes = 300_000) {
    const { bob, tom, ofBob } = await meet();
    const path = await writeRandom(world, 'plan.bin', bytes);
    const sent = await sendFile(bob, ofBob, path);
    return { bob, tom, path, sent, invite: await tom.peer.request('INVITE') };
  }

  const answerTo = async (tom: RawDevice, invite: PeerMessage, status: number, body = ''): Promise<void> => {
    const toTag = `tom${invite.header('Call-ID')}`;
    await tom.peer.answer(invite, status, { toTag, contact: tom.contact, body });
    await tom.peer.request('ACK');
  };

  it('he takes it without TLS, names no id, and answers each chunk of up to 64 KB', async () => {
    const { bob, tom, path, sent, invite } = await begin();
    await answerTo(tom, invite, 488);
    const plain = await tom.peer.request('INVITE');
    await using listener = await MsrpPeerListener.listen();
    const selector = /^a=file-selector:.*$/m.exec(plain.body)?.[0].trim() ?? '';
    const answer = describeFile(portIn(listener.path), listener.path, 'a=recvonly', selector);
    await answerTo(tom, plain, 200, answer);
    const peer = await listener.accept();
    const pieces: Buffer[] = [];
    for (;;) {
      const frame = await peer.frame();
      expect(frame.body?.length ?? 0).toBeLessThanOrEqual(64 * 1024);
      if (frame.body !== undefined) pieces.push(Buffer.from(frame.body));
      peer.answer(frame);
      if (frame.body !== undefined && frame.flag === '$') break;
    }
    await becomes(bob, sent, 'done');
    expect(Buffer.concat(pieces).equals(await readFile(path))).toBe(true);
    // RFC 5547 §8.4: who has sent it hangs up.
    await tom.peer.answer(await tom.peer.request('BYE'), 200);
  });

  it('he says 603: the card says so', async () => {
    const { bob, tom, sent, invite } = await begin();
    await answerTo(tom, invite, 603);
    await becomes(bob, sent, 'declined');
  });

  it.each(['488', 'port 0'] as const)('he knows no files and says %s: that ends some time', async (how) => {
    const { bob, tom, sent, invite } = await begin();
    const refuse = async (asked: PeerMessage): Promise<void> => {
      if (how === '488') await answerTo(tom, asked, 488);
      else {
        await answerTo(tom, asked, 200, describeFile(0, 'msrp://127.0.0.1:9/none;tcp'));
        await tom.peer.answer(await tom.peer.request('BYE'), 200);
      }
    };
    await refuse(invite);
    // With TLS and without, three times.
    for (let nth = 1; nth < 6; nth++) await refuse(await tom.peer.request('INVITE'));
    expect((await becomes(bob, sent, 'failed')).failure?.code).toBe('not-supported');
  });
});

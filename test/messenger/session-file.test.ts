/** What a session had on the wire as files: read by tshark, which we did not write. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatPcap } from '../../main/messenger/pcap.ts';
import { openPair, World } from '../support/im-world.ts';

const TSHARK = '/usr/bin/tshark';
const missing = !existsSync(TSHARK);
if (missing) console.log('skipped: tshark is not installed, so nobody else reads the captures');

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function read(bytes: Buffer, ...args: readonly string[]): Promise<string[]> {
  const path = join(world.folder, 'session.pcap');
  await writeFile(path, bytes);
  const options = ['-r', path, '-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE'];
  const text = execFileSync(TSHARK, [...options, '-o', 'udp.check_checksum:TRUE', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return text.split('\n').filter((line) => line !== '');
}

/** A session with one message, and its files. */
async function save(format: 'text' | 'pcap', isWhole = false): Promise<Buffer> {
  const { bob, ofBob } = await openPair(world);
  await bob.becomes(await bob.send(ofBob, 'a word that nobody else shall read'), 'delivered', 'displayed');
  const session = await bob.session(ofBob, 'open');
  const file = await bob.commands['session.save']({ sessionId: session.id, format, isWhole });
  if (file === null) throw new Error('the host has saved it');
  return Buffer.from(file.base64, 'base64');
}

describe.skipIf(missing)('the capture of a session', () => {
  it('has its SIP and MSRP messages, the encrypted ones as well, and no text', async () => {
    const bytes = await save('pcap');
    expect(bytes.includes('a word that nobody')).toBe(false);
    const frames = await read(
      bytes,
      '-T',
      'fields',
      '-e',
      'sip.Method',
      '-e',
      'sip.Status-Code',
      '-e',
      'msrp.method',
    );
    const seen = frames.map((frame) => frame.trim());
    expect(seen).toContain('INVITE');
    expect(seen).toContain('200');
    expect(seen).toContain('ACK');
    expect(seen.filter((line) => line === 'SEND').length).toBeGreaterThanOrEqual(2);
    expect(
      await read(bytes, '-Y', '_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0'),
    ).toEqual([]);
    // In one stream nothing is missing and nothing comes twice.
    expect(await read(bytes, '-Y', 'tcp.analysis.lost_segment || tcp.analysis.retransmission')).toEqual([]);
  });

  it('has the texts when they are asked for, and is as sound', async () => {
    const bytes = await save('pcap', true);
    expect(bytes.includes('a word that nobody else shall read')).toBe(true);
    const bad = '_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0';
    expect(
      await read(bytes, '-Y', `${bad} || tcp.analysis.lost_segment || tcp.analysis.retransmission`),
    ).toEqual([]);
    const frames = await read(bytes, '-Y', 'msrp.method == "SEND"', '-T', 'fields', '-e', 'msrp.method');
    expect(frames.length).toBeGreaterThanOrEqual(2);
  });

  it('holds for IPv6, UDP and bodies over several packets', async () => {
    const sip = (size: number) =>
      Buffer.from(
        `MESSAGE sip:tom@example.org SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1\r\nFrom: <sip:b@example.org>;tag=1\r\nTo: <sip:t@example.org>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`,
      );
    const ends = { from: '[2001:db8::1]:5060', to: '2001:db8:0:1::ffff:5060' };
    const bytes = formatPcap(
      [
        { timeUs: 1_500_000, ...ends, datagram: true, bytes: sip(100) },
        {
          timeUs: 2_000_000,
          from: '192.0.2.1:40000',
          to: '192.0.2.2:5060',
          datagram: false,
          bytes: sip(90_000),
        },
      ],
      0,
    );
    const rows = await read(
      bytes,
      '-T',
      'fields',
      '-e',
      'frame.time_epoch',
      '-e',
      'ipv6.dst',
      '-e',
      'sip.Method',
    );
    expect(rows[0]).toBe('1.500000000\t2001:db8:0:1::ffff\tMESSAGE');
    expect(rows.at(-1)?.endsWith('\tMESSAGE')).toBe(true);
    const bad =
      '_ws.malformed || udp.checksum.status == 0 || tcp.checksum.status == 0 || ip.checksum.status == 0';
    expect(await read(bytes, '-Y', bad)).toEqual([]);
  });
});

describe('the text of a session', () => {
  it('names who has sent what to whom, in which step, without texts', async () => {
    const text = (await save('text')).toString('utf8');
    expect(text).toMatch(/^0\.0 ms {2}bob@\S+ -> IM Server \(step 2\)\nINVITE sip:tom@/);
    expect(text).toMatch(/\(step 11\)\nMSRP \S+ SEND\n/);
    expect(text).not.toContain('a word that nobody');
    expect(text).toContain('(credentials redacted)');
  });

  it('has texts and credentials when they are asked for', async () => {
    const text = (await save('text', true)).toString('utf8');
    expect(text).toContain('a word that nobody else shall read');
    expect(text).toMatch(/^(Proxy-)?Authorization: Digest /im);
    expect(text).not.toContain('redacted');
  });
});

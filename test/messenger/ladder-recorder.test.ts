/** What is kept of a session for who exports it with its texts: as bytes on the wire go in, and files come out. */
import { describe, expect, it } from 'vitest';
import { MESSENGER_LIMITS } from '../../main/base/limits.ts';
import type { WireRecord } from '../../main/base/wire-tap.ts';
import { LadderRecorder, type RecordedSession } from '../../main/messenger/ladder-recorder.ts';

const { ladderMessageBytes, ladderTextBytes } = MESSENGER_LIMITS;
const session: RecordedSession = {
  callId: undefined,
  msrpSessionId: 'our-id',
  outgoing: true,
  names: { bob: 'Bob', server: 'IM Server', tom: 'Tom' },
};

function send(recorder: LadderRecorder, nth: number, body: string): void {
  const id = `a${String(nth).padStart(7, '0')}`;
  const head = [
    `MSRP ${id} SEND`,
    'To-Path: msrp://192.0.2.1:5000/their-id;tcp',
    'From-Path: msrp://192.0.2.2:6000/our-id;tcp',
    `Message-ID: m${nth}`,
    `Byte-Range: 1-${body.length}/${body.length}`,
    'Content-Type: text/plain',
  ];
  recorder.tap({
    timeUs: nth,
    direction: 'out',
    local: '192.0.2.2:6000',
    remote: '192.0.2.1:5000',
    protocol: 'msrp',
    transport: 'tcp',
    bytes: Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}\r\n-------${id}$\r\n`),
  } satisfies WireRecord);
}

describe('the texts of a session that are kept', () => {
  it('are whole up to the limit of a message; of a longer one that much, and how much more there was', () => {
    const recorder = new LadderRecorder();
    send(recorder, 1, `${'y'.repeat(ladderMessageBytes - 1)}Z`);
    send(recorder, 2, `${'y'.repeat(ladderMessageBytes)}Z`);
    const [first, second] = recorder.ladderOf(session, true).entries.map(({ text }) => text);
    expect(first).toContain('yZ\r\n-------');
    expect(second).not.toContain('Z');
    expect(second).toContain('y(1 bytes more)');
    // In a capture nothing is missing: what is not kept is as long as it was.
    const [, capture] = recorder.captureOf(session, true);
    expect(capture?.bytes.toString()).toMatch(/yx\r\n-{7}a0000002\$\r\n$/);
  });

  it('are whole up to the limit of a session; those behind it are redacted, and none is missing', () => {
    const recorder = new LadderRecorder();
    const fits = ladderTextBytes / ladderMessageBytes;
    for (let nth = 1; nth <= fits; nth += 1) send(recorder, nth, `${nth} `.padEnd(ladderMessageBytes, 'y'));
    send(recorder, fits + 1, 'one too many');
    const texts = recorder.ladderOf(session, true).entries.map(({ text }) => text);
    expect(texts).toHaveLength(fits + 1);
    expect(texts.slice(0, fits).every((text, nth) => text.includes(`\r\n\r\n${nth + 1} yyy`))).toBe(true);
    expect(texts.at(-1)).toContain('(12 bytes redacted)');
    const captured = recorder.captureOf(session, true).at(-1)?.bytes.toString() ?? '';
    expect(captured).not.toContain('one too many');
    expect(captured).toContain(`\r\n\r\n${'x'.repeat(12)}\r\n-------`);
  });

  it('are never in what is exported without them', () => {
    const recorder = new LadderRecorder();
    send(recorder, 1, 'a word that nobody else shall read');
    const all = JSON.stringify(recorder.ladderOf(session)) + String(recorder.captureOf(session)[0]?.bytes);
    expect(all).not.toContain('a word that nobody');
  });
});

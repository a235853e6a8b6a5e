import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { placeFile, safeFileName } from '../../main/messenger/file-name.ts';

describe('names from the wire', () => {
  it.each([
    ['report.pdf', 'report.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['..\\..\\Windows\\system.ini', 'system.ini'],
    ['/absolute/name.txt', 'name.txt'],
    ['C:\\Users\\Tom\\a.txt', 'a.txt'],
    ['folder/', 'folder'],
    ['..', 'file'],
    ['.', 'file'],
    ['', 'file'],
    ['   ', 'file'],
    ['.bashrc', 'bashrc'],
    ['trailing. . .', 'trailing'],
    ['a\0b\r\nc.txt', 'abc.txt'],
    ['photo\u202Egpj.exe', 'photogpj.exe'],
    ['zero\u200Bwidth\uFEFF.txt', 'zerowidth.txt'],
    ['what? <"is">|this*.txt', 'what_ __is___this_.txt'],
    ['file.txt:hidden', 'file.txt_hidden'],
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['Com1.tar.gz', '_Com1.tar.gz'],
    ['lpt².log', '_lpt².log'],
    ['console.log', 'console.log'],
    ['Grüße 你好 مرحبا.txt', 'Grüße 你好 مرحبا.txt'],
    ['e\u0301.txt', '\u00E9.txt'],
    ['half \uD800 pair.txt', 'half pair.txt'],
  ])('%j becomes %j', (wire, safe) => {
    expect(safeFileName(wire)).toBe(safe);
  });

  it('are cut to 240 bytes between characters, and keep their extension', () => {
    for (const character of ['a', 'ü', '你', '👩‍👩‍👧‍👦']) {
      const name = safeFileName(`${character.repeat(300)}.tar`);
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(240);
      expect(Buffer.byteLength(name)).toBeGreaterThan(200);
      expect(name.endsWith('.tar')).toBe(true);
      expect(name.isWellFormed()).toBe(true);
    }
    expect(Buffer.byteLength(safeFileName(`a${'\u0301'.repeat(5_000)}`))).toBeLessThanOrEqual(240);
    expect(Buffer.byteLength(safeFileName(`name.${'x'.repeat(500)}`))).toBeLessThanOrEqual(240);
  });

  it('are safe whatever they are made of, and stay as they are when they are safe', () => {
    const pieces = [
      '..',
      '/',
      '\\',
      '\0',
      '\n',
      '\u202E',
      '\u2066',
      '\u0085',
      ':',
      '*',
      '?',
      '"',
      '<',
      '>',
      '|',
      '.',
      ' ',
      'CON',
      'aux',
      'com1',
      'a',
      'Z',
      '9',
      '你',
      '👍',
      '\uD83D',
      '\uDC4D',
      '\u0301',
      '~',
      '-',
      '%2e',
      '\t',
      '\u2028',
    ];
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let round = 0; round < 20_000; round++) {
      const wire = Array.from({ length: random(40) }, () => pieces[random(pieces.length)]).join('');
      const name = safeFileName(wire);
      const context = JSON.stringify({ wire, name });
      expect(name.length, context).toBeGreaterThan(0);
      expect(Buffer.byteLength(name), context).toBeLessThanOrEqual(240);
      expect(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}/\\<>:"|?*]/u.test(name), context).toBe(false);
      expect(/^[. ]|[. ]$/.test(name), context).toBe(false);
      expect(/^(?:con|aux|com1)(?:\.|$)/i.test(name), context).toBe(false);
      expect(name.isWellFormed(), context).toBe(true);
      expect(safeFileName(name), context).toBe(name);
    }
  });
});

it('never takes the place of a file that is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-names-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'a.tar.gz'), 'mine');
  const placed = await Promise.all(
    ['one', 'two', 'three'].map(async (text) => {
      const part = join(folder, `${text}.part`);
      await writeFile(part, text);
      return [text, await placeFile(part, folder, 'a.tar.gz')] as const;
    }),
  );
  expect((await readdir(folder)).sort()).toEqual([
    'a.tar (2).gz',
    'a.tar (3).gz',
    'a.tar (4).gz',
    'a.tar.gz',
  ]);
  expect(await readFile(join(folder, 'a.tar.gz'), 'utf8')).toBe('mine');
  for (const [text, path] of placed) expect(await readFile(path, 'utf8')).toBe(text);
});

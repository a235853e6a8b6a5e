import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanEnv, inSeconds, runLogged, step, StepError } from '../../build/progress.mjs';
import { isInstalled } from '../../build/setup.mjs';
import { hashOfFiles, isStamped, writeStamp } from '../../build/stamp.mjs';
import { isContent } from '../../build/check.mjs';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-setup-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('stamps', () => {
  it('change with a file, its time, its name and its absence, and with nothing else', () => {
    mkdirSync(join(folder, 'src/deep'), { recursive: true });
    const file = join(folder, 'src/deep/a.ts');
    writeFileSync(file, 'a');
    const hash = () => hashOfFiles(folder, ['src', 'missing.json']);
    const seen = new Set([hash()]);
    expect(seen.has(hash())).toBe(true);
    const remember = () => {
      expect(seen.has(hash())).toBe(false);
      seen.add(hash());
    };
    utimesSync(file, 1, 1);
    remember();
    writeFileSync(file, 'ab');
    utimesSync(file, 1, 1);
    remember();
    writeFileSync(join(folder, 'src/b.ts'), '');
    remember();
    writeFileSync(join(folder, 'missing.json'), '');
    remember();
  });

  it('are found again only when they are the same', () => {
    const file = join(folder, 'deep/stamp');
    expect(isStamped(file, 'one')).toBe(false);
    writeStamp(file, 'one');
    expect(isStamped(file, 'one')).toBe(true);
    expect(isStamped(file, 'two')).toBe(false);
  });
});

describe('dependencies', () => {
  const wanted = {
    packages: {
      '': { version: '0' },
      'node_modules/a': { version: '1.0.0' },
      'node_modules/a-win32': { version: '1.0.0', optional: true },
    },
  };

  it('are there when every required package has its version, whatever else there is', () => {
    const installed = { 'node_modules/a': { version: '1.0.0' }, 'node_modules/extra': { version: '9.0.0' } };
    expect(isInstalled(wanted, { packages: installed })).toBe(true);
    expect(isInstalled(wanted, { packages: { 'node_modules/a': { version: '2.0.0' } } })).toBe(false);
    expect(isInstalled(wanted, { packages: {} })).toBe(false);
  });
});

describe('steps', () => {
  function record() {
    let text = '';
    const out = new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString();
        done();
      },
    });
    return { out: out as unknown as NodeJS.WriteStream, text: () => text };
  }
  const node = process.execPath;
  const options = () => ({ cwd: folder, log: join(folder, 'logs/x.log'), failure: 'It did not work.' });

  it('say one line each', async () => {
    const { out, text } = record();
    expect(await step('Doing it', () => Promise.resolve(7), out)).toBe(7);
    expect(text()).toBe('Doing it … 0.0 s\n');
    await expect(step('Doing it', () => Promise.reject(new Error('no')), out)).rejects.toThrow('no');
    expect(text()).toContain('Doing it … failed after 0.0 s\n');
  });

  it('count seconds', () => {
    expect(inSeconds(1_234)).toBe('1.2 s');
    expect(inSeconds(9_960)).toBe('10 s');
  });

  it('fail with a sentence and the end of the output', async () => {
    const script = 'for (let i = 0; i < 99; i++) console.log("line", i); process.exit(3)';
    const error: unknown = await runLogged(node, ['-e', script], options()).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StepError);
    const { message, tail } = error as StepError;
    expect(message).toBe('It did not work.');
    expect(tail.split('\n')).toHaveLength(30);
    expect(tail).toMatch(/line 98$/);
  });

  it('are cut when they take too long, with everything that they started', async () => {
    const script =
      'require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" }); setInterval(() => {}, 1000)';
    await expect(runLogged(node, ['-e', script], { ...options(), timeoutMs: 500 })).rejects.toThrow(
      'It did not work. (no end after 0.5 s)',
    );
  });

  it('fail with a sentence when the program is not there', async () => {
    await expect(runLogged(join(folder, 'nothing'), [], options())).rejects.toThrow(
      /It did not work\. .*ENOENT/,
    );
  });

  it('do not hand on what npm adds to the environment', () => {
    const env = {
      PATH: 'p',
      npm_config_local_prefix: 'x',
      npm_lifecycle_event: 'y',
      npm_config_registry: 'r',
    };
    expect(cleanEnv(env)).toEqual({ PATH: 'p', npm_config_registry: 'r' });
  });
});

describe('a check that has to find an error', () => {
  const canary = { expectError: 'Canary.svelte' };

  it('is content with that error only', () => {
    expect(isContent(canary, 1, 'ERROR "test/canary/Canary.svelte"')).toBe(true);
    expect(isContent(canary, 0, 'COMPLETED 0 FILES')).toBe(false);
    expect(isContent(canary, 1, 'no such file')).toBe(false);
    expect(isContent({}, 0, '')).toBe(true);
    expect(isContent({}, 2, '')).toBe(false);
  });
});

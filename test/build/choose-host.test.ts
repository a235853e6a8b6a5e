import { describe, expect, it } from 'vitest';
import {
  browserPlaces,
  chooseHost,
  hasDisplay,
  mayFetchElectron,
  RETRY_AFTER_MS,
} from '../../build/choose-host.mjs';

const everything = { wanted: undefined, display: true, electron: true, browser: '/usr/bin/chromium' };

describe('the host of a start', () => {
  it('is Electron where it is there', () => {
    expect(chooseHost(everything)).toEqual({ host: 'electron' });
  });

  it('is an installed browser where Electron is not', () => {
    expect(chooseHost({ ...everything, electron: false })).toEqual({
      host: 'browser',
      path: '/usr/bin/chromium',
    });
  });

  it('is a link where there is neither, with the reason', () => {
    const choice = chooseHost({ ...everything, electron: false, browser: undefined });
    expect(choice).toMatchObject({ host: 'url', reason: expect.stringContaining('Neither') as string });
  });

  it('is a link without a display, whatever is installed', () => {
    const choice = chooseHost({ ...everything, display: false });
    expect(choice).toMatchObject({ host: 'url', reason: expect.stringContaining('no display') as string });
  });

  it('is what the user asked for, or an error that says why not', () => {
    expect(chooseHost({ ...everything, wanted: 'url' })).toEqual({ host: 'url', reason: '' });
    expect(chooseHost({ ...everything, wanted: 'browser' })).toMatchObject({ host: 'browser' });
    for (const state of [
      { ...everything, wanted: 'window' },
      { ...everything, wanted: 'electron', electron: false },
      { ...everything, wanted: 'electron', display: false },
      { ...everything, wanted: 'browser', browser: undefined },
      { ...everything, wanted: 'browser', display: false },
    ]) {
      expect(chooseHost(state), JSON.stringify(state)).toEqual({
        error: expect.stringContaining('--host') as string,
      });
    }
  });
});

describe('fetching Electron', () => {
  const state = { installed: false, failedAtMs: undefined, nowMs: 1_000_000_000_000, retry: false };

  it('is tried when it is missing, and not again for a week after a failure', () => {
    expect(mayFetchElectron(state)).toBe(true);
    expect(mayFetchElectron({ ...state, failedAtMs: state.nowMs - 1_000 })).toBe(false);
    expect(mayFetchElectron({ ...state, failedAtMs: state.nowMs - RETRY_AFTER_MS - 1 })).toBe(true);
  });

  it('is tried again when asked, and when the clock was wrong', () => {
    expect(mayFetchElectron({ ...state, failedAtMs: state.nowMs - 1_000, retry: true })).toBe(true);
    expect(mayFetchElectron({ ...state, failedAtMs: state.nowMs + 1_000 })).toBe(true);
    expect(mayFetchElectron({ ...state, installed: true, retry: true })).toBe(false);
  });
});

describe('what is looked at', () => {
  it('has a display on desktops, and on Linux when one is named', () => {
    expect(hasDisplay('linux', {})).toBe(false);
    expect(hasDisplay('linux', { DISPLAY: ':0' })).toBe(true);
    expect(hasDisplay('linux', { WAYLAND_DISPLAY: 'wayland-0' })).toBe(true);
    expect(hasDisplay('win32', {})).toBe(true);
    expect(hasDisplay('darwin', {})).toBe(true);
  });

  it('finds browsers on the path first, then in the usual places of each system', () => {
    expect(browserPlaces('linux', { PATH: '/a' })[0]).toBe('/a/chromium');
    expect(browserPlaces('linux', {})).toContain('/usr/bin/google-chrome');
    expect(browserPlaces('darwin', {})).toContain(
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    );
    expect(browserPlaces('win32', { ProgramFiles: String.raw`C:\Program Files` })).toContain(
      String.raw`C:\Program Files\Microsoft\Edge\Application\msedge.exe`,
    );
  });
});

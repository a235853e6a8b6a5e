/**
 * Owns: certificates for tests of TLS, made by the openssl program: authorities, and what they issue.
 * Called by: tests of SIP over TLS. Calls: openssl.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM text. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName?: string;
  /** As openssl writes it: `DNS:a.example`, `URI:sip:a.example`, `IP:127.0.0.1`. None: no subjectAltName at all. */
  readonly names?: readonly string[];
  /** Days from now; both may lie in the past. */
  readonly fromDay?: number;
  readonly toDay?: number;
}

const DAY_MS = 86_400_000;
/** Small and quick; good enough to be refused or taken. */
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Is the program there that makes certificates? */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function stamp(day: number): string {
  return new Date(Date.now() + day * DAY_MS).toISOString().replace(/[-:T]|\.\d+/g, '');
}

/** An authority; what it issues is trusted by whoever trusts `cert`. */
export class Authority {
  readonly cert: string;
  readonly #key: string;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
    const made = signOwn(name, ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign']);
    this.cert = made.cert;
    this.#key = made.key;
  }

  /** A certificate for these names. */
  issue(request: CertificateRequest): Certificate {
    return withFolder((folder) => {
      const file = (name: string): string => join(folder, name);
      writeFileSync(file('ca.pem'), this.cert);
      writeFileSync(file('ca-key.pem'), this.#key);
      const subject = ['-subj', `/CN=${request.commonName ?? 'test'}`];
      run('req', ...KEY, '-keyout', file('key.pem'), '-out', file('request.pem'), ...subject);
      const names = request.names ?? [];
      writeFileSync(
        file('ext'),
        names.length > 0 ? `subjectAltName=${names.join(',')}\n` : 'basicConstraints=CA:FALSE\n',
      );
      writeFileSync(file('index'), '');
      writeFileSync(
        file('conf'),
        [
          '[ca]',
          'default_ca=own',
          '[own]',
          `database=${file('index')}`,
          `new_certs_dir=${folder}`,
          `rand_serial=yes`,
          'default_md=sha256',
          'policy=any',
          'unique_subject=no',
          '[any]',
          'commonName=supplied',
          '',
        ].join('\n'),
      );
      run(
        ...[
          'ca',
          '-batch',
          '-notext',
          '-config',
          file('conf'),
          '-cert',
          file('ca.pem'),
          '-keyfile',
          file('ca-key.pem'),
        ],
        ...['-in', file('request.pem'), '-out', file('cert.pem'), '-extfile', file('ext')],
        ...['-startdate', stamp(request.fromDay ?? -1), '-enddate', stamp(request.toDay ?? 2)],
      );
      return { cert: readFileSync(file('cert.pem'), 'utf8'), key: readFileSync(file('key.pem'), 'utf8') };
    });
  }
}

/** A certificate that nobody else vouches for. */
export function selfSigned(names: readonly string[]): Certificate {
  return signOwn('self', [`subjectAltName=${names.join(',')}`]);
}

function signOwn(commonName: string, extensions: readonly string[]): Certificate {
  return withFolder((folder) => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-days', '2', '-subj', `/CN=${commonName}`];
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    run('req', '-x509', ...KEY, '-keyout', key, '-out', cert, ...subject, ...added);
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  });
}

function run(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function withFolder<T>(make: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  try {
    return make(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

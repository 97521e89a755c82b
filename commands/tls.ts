import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Server as TlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { SettingsError } from '../core/errors.ts';

type Files = NonNullable<Settings['tls']>;

/** How often the files are looked at, in milliseconds. By name, since whoever renews them may put other files or links in their place. */
const INTERVAL = 1000;

/**
 * The certificate and its key, PEM.
 * @throws {SettingsError} when they cannot be read, or do not belong together
 */
export function readTls({ certFile, keyFile }: Files): { cert: Buffer; key: Buffer } {
  const pair = { cert: readPem('TLS_CERT_FILE', certFile), key: readPem('TLS_KEY_FILE', keyFile) };
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new SettingsError([
      `TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and the key that belongs to it, both PEM: ${reasonOf(error)}`,
    ]);
  }
  return pair;
}

function readPem(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SettingsError([`${name} cannot be read: ${reasonOf(error)}`]);
  }
}

/**
 * Shows new connections the new certificate as soon as both files have changed. While one of them is missing or does not
 * fit the other, the server keeps what it has.
 */
export function followTls(server: TlsServer, files: Files, log: Logger): void {
  const names = [files.certFile, files.keyFile];
  const reload = () => {
    try {
      server.setSecureContext(readTls(files));
      log.info('the certificate has been read anew');
    } catch (error) {
      log.warn({ err: error }, 'the certificate stays as it was: its files cannot be used');
    }
  };
  for (const name of names) watchFile(name, { interval: INTERVAL, persistent: false }, reload);
  server.once('close', () => {
    for (const name of names) unwatchFile(name, reload);
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
